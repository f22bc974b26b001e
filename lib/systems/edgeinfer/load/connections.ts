/**
 * Sends prepared HTTP requests over connections that are kept, one request at a time on each.
 *
 * A load generator shares the machine with what it measures: node's own client costs about as much CPU for a request as
 * a good server does. Here a request is one buffer that was made before the clock started, and an answer is read by its
 * status line and its `content-length` alone.
 */
import { connect, type Socket } from 'node:net'

/** An answer: its status, and its body as bytes. */
export interface HttpAnswer {
  readonly status: number
  readonly body: Buffer
}

/** How long before a server would close an idle connection it is not used any more. */
const closesSoonMs = 1000
const headEnd = Buffer.from('\r\n\r\n')
const headBytesMax = 65_536

/** The bytes of a `POST` with headers and a body. */
export function postRequest(url: URL, headers: Readonly<Record<string, string>>, body: Uint8Array): Buffer {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const head = `POST ${url.pathname}${url.search} HTTP/1.1\r\nhost: ${url.host}\r\n${lines.join('')}`
  return Buffer.concat([Buffer.from(`${head}content-length: ${body.length}\r\n\r\n`), body])
}

/** Connections to one server. Requests beyond `max` wait for one that is free. */
export class Connections {
  readonly #url: URL
  readonly #max: number
  readonly #free: Connection[] = []
  readonly #all = new Set<Connection>()
  readonly #waiting: (() => void)[] = []

  constructor(url: URL, max: number) {
    this.#url = url
    this.#max = max
  }

  /** Send a request and read its answer. @throws Error when the connection breaks, or the answer has no length */
  async send(request: Buffer): Promise<HttpAnswer> {
    const connection = await this.#take()
    try {
      return await connection.ask(request)
    } finally {
      if (connection.isUsable) this.#free.push(connection)
      else this.#drop(connection)
      this.#waiting.shift()?.()
    }
  }

  /** Close every connection; requests under way fail. */
  close(): void {
    for (const connection of this.#all) connection.close()
  }

  #drop(connection: Connection): void {
    connection.close()
    this.#all.delete(connection)
  }

  async #take(): Promise<Connection> {
    for (;;) {
      for (let last = this.#free.pop(); last; last = this.#free.pop()) {
        if (last.isUsable) return last
        this.#drop(last)
      }
      if (this.#all.size < this.#max) break
      await new Promise<void>(resolve => this.#waiting.push(resolve))
    }
    const connection = new Connection(this.#url)
    this.#all.add(connection)
    return connection
  }
}

/** One connection: what has come of the answer so far, and who waits for it. */
class Connection {
  readonly #socket: Socket
  #pieces: Buffer = Buffer.alloc(0)
  #settle: { resolve: (answer: HttpAnswer) => void; reject: (error: Error) => void } | undefined
  #isOpen = true
  #idleSinceMs = 0
  #keptMs = Infinity

  constructor({ hostname, port }: URL) {
    // The brackets of an IPv6 address belong to the URL.
    this.#socket = connect({ host: hostname.replaceAll(/^\[|\]$/g, ''), port: Number(port || 80), noDelay: true })
    this.#socket.on('data', piece => this.#read(piece))
    this.#socket.on('error', error => this.#end(error))
    this.#socket.on('close', () => this.#end(new Error('the server closed the connection')))
  }

  get isUsable(): boolean {
    return this.#isOpen && performance.now() - this.#idleSinceMs < this.#keptMs - closesSoonMs
  }

  ask(request: Buffer): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
      this.#socket.write(request)
    })
  }

  close(): void {
    this.#socket.destroy()
  }

  #read(piece: Buffer): void {
    const bytes = this.#pieces.length === 0 ? piece : Buffer.concat([this.#pieces, piece])
    const end = bytes.indexOf(headEnd)
    if (end < 0) {
      this.#pieces = bytes
      if (bytes.length > headBytesMax) this.#break('the head of the answer has no end')
      return
    }
    const head = bytes.toString('latin1', 0, end + 2)
    const length = /\r\ncontent-length: *(\d+)\r\n/i.exec(head)?.[1]
    if (length === undefined) return this.#break('the answer has no content-length')
    const from = end + headEnd.length
    if (bytes.length < from + Number(length)) {
      this.#pieces = bytes
      return
    }
    this.#finish(head, bytes.subarray(from, from + Number(length)))
  }

  #finish(head: string, body: Buffer): void {
    this.#pieces = Buffer.alloc(0)
    const kept = /\r\nkeep-alive: *timeout=(\d+)/i.exec(head)?.[1]
    if (kept !== undefined) this.#keptMs = Number(kept) * 1000
    if (/\r\nconnection: *close\r\n/i.test(head)) this.#isOpen = false
    this.#idleSinceMs = performance.now()
    const settle = this.#settle
    this.#settle = undefined
    settle?.resolve({ status: Number(head.slice(9, 12)), body })
  }

  #break(why: string): void {
    this.#socket.destroy()
    this.#end(new Error(why))
  }

  #end(error: Error): void {
    this.#isOpen = false
    const settle = this.#settle
    this.#settle = undefined
    settle?.reject(error)
  }
}
