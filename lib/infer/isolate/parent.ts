/**
 * Opens a model in a process of its own, so that a crash of native code ends that process and not this one.
 *
 * Any backend can be opened so (`child.ts`); tensors cross by structured clone, one question at a time. A crash, a hang
 * past the time limit and a broken pipe become operating errors with the signal, the question and the native function
 * that was called last. The model may then be opened again, in a new child.
 */
import type { ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lastCall } from '../../../ffi/trace.ts'
import { fileError } from '../../host/files.ts'
import { Family } from '../../host/process/descendants.ts'
import { endWithUs } from '../../host/process/launch.ts'
import { startTypescript } from '../../host/typescript.ts'
import { Turns } from '../../base/async.ts'
import { RunbookError } from '../../base/errors.ts'
import type { Backend, Feeds, Results, Vitals } from '../backend.ts'
import type { BackendOptions } from '../options.ts'

type Question =
  | { readonly ask: 'open'; readonly path: string; readonly options: BackendOptions }
  | { readonly ask: 'infer'; readonly feeds: Feeds }
  | { readonly ask: 'vitals' }
  | { readonly ask: 'close' }

/** What the parent asks. */
export type Request = Question & { readonly id: number }

/** What a child tells of its model. */
export type OpenedModel = Pick<Backend, 'name' | 'device' | 'loadMs' | 'inputs' | 'outputs' | 'warnings'> & {
  readonly hasVitals: boolean
}

/** What a question gives; null for one that is only done. */
export type Answer = OpenedModel | Results | Vitals | null

/** What the child answers. */
export type Reply =
  | { readonly id: number; readonly ok: true; readonly value: Answer }
  | {
      readonly id: number
      readonly ok: false
      readonly exit: RunbookError['exit'] | null
      readonly message: string
      readonly hint: string
    }

/** How a child is started, and how long it may take. */
export interface IsolateOptions extends BackendOptions {
  /** For one question, in ms; 60 000, or 10 s more than a device may take for a frame, unless told. */
  readonly callTimeoutMs?: number
  /** For opening, which may compile or load gigabytes, in ms; ten minutes unless told. */
  readonly openTimeoutMs?: number
  readonly env?: Readonly<Record<string, string | undefined>>
}

const openTimeoutMsDefault = 600_000
const callTimeoutMsDefault = 60_000

/**
 * Open a model in a child process.
 *
 * @throws RunbookError as `openBackend`; fail when the child crashes, naming signal and call
 */
export async function openIsolated(path: string, options: IsolateOptions = {}): Promise<Backend> {
  const { openTimeoutMs = openTimeoutMsDefault, env, ...rest } = options
  const {
    callTimeoutMs = Math.max(callTimeoutMsDefault, (options.hailort?.timeoutMs ?? 0) + 10_000),
    ...backendOptions
  } = rest
  const child = new Child({ path, env })
  try {
    const { hasVitals, ...opened } = (await child.ask(
      { ask: 'open', path, options: backendOptions },
      openTimeoutMs,
    )) as OpenedModel
    child.look()
    return {
      ...opened,
      infer: async feeds => (await child.ask({ ask: 'infer', feeds }, callTimeoutMs)) as Results,
      ...(hasVitals && { vitals: async () => (await child.ask({ ask: 'vitals' }, callTimeoutMs)) as Vitals }),
      [Symbol.asyncDispose]: () => child.close(callTimeoutMs),
    }
  } catch (thrown) {
    await child.end()
    throw thrown
  }
}

/** The file of a child's last call: it has no name any more, and goes when both ends have closed it. */
function openTrace(): number {
  try {
    const folder = mkdtempSync(join(tmpdir(), 'rungbook-'))
    try {
      return openSync(join(folder, 'last-call'), 'w+')
    } finally {
      rmSync(folder, { recursive: true })
    }
  } catch (thrown) {
    throw fileError('write', tmpdir(), thrown)
  }
}

const exitFollowsMs = 2000
const goneWithinMs = 5000

/**
 * Where the child finds its channel and that file: beyond what a library would take for its own, since some write to
 * descriptor 3 whatever it is. Those below lead nowhere.
 */
const channelFd = 40
const traceFd = 41
const nowhere: readonly 'ignore'[] = Array<'ignore'>(channelFd - 3).fill('ignore')

/** One child. Questions wait here for their turn, so that a time limit is the question's own. */
class Child {
  readonly #process: ChildProcess
  /** The child, and whatever a library in it starts: some leave a process behind that outlives it. */
  readonly #family: Family
  readonly #forget: () => void
  readonly #path: string
  readonly #trace = openTrace()
  readonly #turns = new Turns()
  #asked: {
    readonly ask: Question['ask']
    readonly id: number
    readonly resolve: (value: Answer) => void
    readonly reject: (error: unknown) => void
  } | null = null
  #lastId = 0
  /** Settles when the process is gone, or never was. */
  readonly #gone: Promise<void>
  #ended: Error | null = null
  #closing: Promise<void> | undefined

  constructor(o: { path: string; env: IsolateOptions['env'] }) {
    this.#path = o.path
    const marker = `RUNGBOOK_MODEL_${randomUUID()}`
    this.#process = startTypescript(join(import.meta.dirname, 'child.ts'), [String(traceFd), String(process.pid)], {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', ...nowhere, 'ipc', this.#trace],
      env: { ...process.env, ...o.env, [marker]: '1' },
    })
    this.#family = new Family({ root: this.#process.pid ?? 0, marker: `${marker}=` })
    this.#forget = this.#process.pid === undefined ? () => {} : endWithUs(this.#family)
    this.#gone = new Promise<void>(leave => {
      this.#process.on('exit', (code, signal) => leave(this.#exit(signal ?? `exit code ${code}`)))
      this.#process.on('error', error => {
        this.#fail(`its process does not run (${error.message})`)
        if (this.#process.pid === undefined) leave()
      })
    }).finally(() => closeSync(this.#trace))
    this.#process.on('message', (reply: Reply) => this.#answer(reply))
  }

  /**
   * Ask, and wait for the answer, the crash, or the time limit.
   *
   * @throws Error after `close`
   */
  ask(question: Question, timeoutMs: number): Promise<Answer> {
    if (this.#closing) return Promise.reject(this.#closed())
    return this.#inTurn(question, timeoutMs)
  }

  /** Close the model, after the questions that were asked, and end the child; more than once is fine. */
  close(timeoutMs: number): Promise<void> {
    return (this.#closing ??= this.#close(timeoutMs))
  }

  /**
   * Kill the process, and wait until it is gone: before that it may hold the device. One that the kernel keeps is not
   * waited for.
   */
  async end(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    // First those that it started: without it they could not be told from others.
    if (this.#process.pid !== undefined) this.#family.signal('SIGKILL')
    this.#process.kill('SIGKILL')
    await Promise.race([this.#gone, new Promise(leave => (timer = setTimeout(leave, goneWithinMs)))])
    clearTimeout(timer)
    if (this.#process.pid !== undefined) await this.#family.end({ graceMs: 0, killMs: goneWithinMs })
    this.#forget()
  }

  /** Remember what the child has started by now, so that it is found when a crash has made it somebody else's. */
  look(): void {
    if (this.#process.pid !== undefined) this.#family.living()
  }

  async #close(timeoutMs: number): Promise<void> {
    // What closing meets is told by nobody else: a question that failed before has told its own error.
    if (!this.#ended) await this.#inTurn({ ask: 'close' }, timeoutMs).catch(() => {})
    this.#ended ??= this.#closed()
    await this.end()
  }

  #inTurn(question: Question, timeoutMs: number): Promise<Answer> {
    return this.#turns.take(() => this.#send(question, timeoutMs))
  }

  #send(question: Question, timeoutMs: number): Promise<Answer> {
    if (this.#ended) return Promise.reject(this.#ended)
    const id = ++this.#lastId
    const timer = setTimeout(() => this.#hang(question.ask, timeoutMs), timeoutMs)
    const answered = new Promise<Answer>((resolve, reject) => {
      this.#asked = { ask: question.ask, id, resolve, reject }
      this.#process.send({ ...question, id } satisfies Request, error => error && this.#lose(error))
    })
    return answered.finally(() => {
      clearTimeout(timer)
      this.#asked = null
    })
  }

  #answer(reply: Reply): void {
    if (reply.id !== this.#asked?.id) return
    if (reply.ok) this.#asked.resolve(reply.value)
    else
      this.#asked.reject(
        reply.exit === null ? new Error(reply.message) : new RunbookError(reply.exit, reply.message, reply.hint),
      )
  }

  /** A broken pipe mostly means that the process ends: its end says more, and follows at once. */
  #lose(error: Error): void {
    setTimeout(() => this.#fail(`it cannot be reached (${error.message})`), exitFollowsMs).unref()
  }

  #hang(ask: string, timeoutMs: number): void {
    this.#fail(`it did not answer "${ask}" within ${timeoutMs} ms${this.#where()}, and was ended`)
    this.look()
    this.#process.kill('SIGKILL')
  }

  #exit(how: string): void {
    this.#fail(`its process ended (${how})${this.#asked ? ` during "${this.#asked.ask}"` : ''}${this.#where()}`)
  }

  /** `, in hailo_configure_vdevice`; nothing when the child called nothing native, or has answered. */
  #where(): string {
    const call = this.#asked && lastCall(this.#trace)
    return call ? `, in ${call}` : ''
  }

  #closed(): Error {
    return new Error(`the model "${this.#path}" is closed`)
  }

  #fail(state: string): void {
    const hint = 'check the artifact against a copy, and the version of the library; opening it again is allowed'
    this.#ended ??= new RunbookError('fail', `Cannot go on with "${this.#path}": ${state}`, hint)
    this.#asked?.reject(this.#ended)
  }
}
