/**
 * Follows a log file and hands out whole lines while they are written.
 *
 * A child writes straight to its file, so that nothing is lost when we die and no pipe can be held open. This follows
 * the file and hands out whole lines while they come. It asks the file again every 50 ms: watching a file (inotify,
 * kqueue) differs by system and file system, and network folders never tell. A file that is cut short while it is
 * followed is not noticed.
 */
import { open, type FileHandle } from 'node:fs/promises'
import { StringDecoder } from 'node:string_decoder'
import { setTimeout as sleep } from 'node:timers/promises'

const intervalMs = 50
const chunkBytes = 256 * 1024
/** A text without any line end is handed out in pieces, so that memory does not grow with it. */
const lineChars = 1024 * 1024

/**
 * Lines from chunks of bytes. A line ends at "\n", "\r\n" or "\r" (progress bars); a character may be split across
 * chunks.
 */
export class LineSplitter {
  readonly #decoder = new StringDecoder('utf8')
  readonly #onLine: (line: string) => void
  #rest = ''
  #afterReturn = false

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine
  }

  /** Add bytes; every line that they complete is handed out before this returns. */
  push(bytes: Uint8Array): void {
    let text = this.#decoder.write(bytes)
    if (text === '') return
    // The "\r" that ended the chunk before was handed out at once; its "\n" is not a second line.
    if (this.#afterReturn && text.startsWith('\n')) text = text.slice(1)
    this.#afterReturn = text === '' ? false : text.endsWith('\r')
    const lines = text.split(/\r\n|\n|\r/)
    const last = lines.pop()!
    for (const line of lines) {
      const whole = this.#rest + line
      this.#rest = ''
      this.#onLine(whole)
    }
    this.#rest += last
    if (this.#rest.length >= lineChars) this.#giveRest()
  }

  /** No more bytes: hand out the last line, which has no end. */
  end(): void {
    this.#rest += this.#decoder.end()
    if (this.#rest !== '') this.#giveRest()
  }

  #giveRest(): void {
    const line = this.#rest
    this.#rest = ''
    this.#onLine(line)
  }
}

/** Follows one file from a byte on, from the moment that it is made until `stop`. */
export class LogTail {
  /** Rejects with what `onLine` threw, or with the system's error. Handled: it needs no listener. */
  readonly ended: Promise<void>
  readonly #splitter: LineSplitter
  readonly #wake = new AbortController()
  #byte: number

  constructor(path: string, o: { fromByte: number; onLine: (line: string) => void }) {
    this.#splitter = new LineSplitter(o.onLine)
    this.#byte = o.fromByte
    this.ended = this.#follow(path)
    this.ended.catch(() => {})
  }

  /**
   * Read what is there now, hand out the last line, and end.
   *
   * @throws RunbookError as `ended`
   */
  stop(): Promise<void> {
    this.#wake.abort()
    return this.ended
  }

  async #follow(path: string): Promise<void> {
    const file = await open(path, 'r')
    try {
      const buffer = Buffer.alloc(chunkBytes)
      for (let isLast = false; !isLast;) {
        await sleep(intervalMs, undefined, { signal: this.#wake.signal }).catch(() => {})
        isLast = this.#wake.signal.aborted
        // The size is taken after the stop: all that was written before it is read, and an endless writer does not hold
        // us.
        await this.#readTo((await file.stat()).size, file, buffer)
      }
      this.#splitter.end()
    } finally {
      await file.close()
    }
  }

  async #readTo(endByte: number, file: FileHandle, buffer: Buffer): Promise<void> {
    while (this.#byte < endByte) {
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, endByte - this.#byte), this.#byte)
      if (bytesRead === 0) return
      this.#byte += bytesRead
      this.#splitter.push(buffer.subarray(0, bytesRead))
    }
  }
}
