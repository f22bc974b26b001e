/**
 * What happens when native code crashes? The child process that called it ends, and this one says which call it was.
 *
 * Any backend can be opened in a child (`isolate-child.ts`); tensors cross by structured clone. A crash, a hang past the time limit
 * and a broken pipe become operating errors with the signal and the last call, and the next question may open a new child.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { RunbookError } from '../notebook/errors.ts'
import type { Backend, BackendName, BackendOptions, Feeds, Results, TensorInfo } from './backend.ts'

/** What the parent asks. */
export type Request =
  | { readonly id: number; readonly ask: 'open'; readonly name: BackendName; readonly path: string; readonly options: BackendOptions }
  | { readonly id: number; readonly ask: 'infer'; readonly feeds: Feeds }
  | { readonly id: number; readonly ask: 'close' }

/** What the child answers. */
export type Reply =
  | { readonly id: number; readonly ok: true; readonly value: Results | OpenedModel | null }
  | { readonly id: number; readonly ok: false; readonly exit: RunbookError['exit'] | null; readonly message: string; readonly hint: string }

export type OpenedModel = Pick<Backend, 'name' | 'device' | 'loadMs'> & { readonly inputs: readonly TensorInfo[]; readonly outputs: readonly TensorInfo[] }

export interface IsolateOptions extends BackendOptions {
  /** For one call, in ms; 60 000 unless told. */
  readonly callTimeoutMs?: number
  readonly env?: Readonly<Record<string, string | undefined>>
}

/** Open a model in a child process. Errors: as `openBackend`; fail when the child crashes, naming signal and call. */
export async function openIsolated(name: BackendName, path: string, options: IsolateOptions = {}): Promise<Backend> {
  const { callTimeoutMs = 60_000, env, ...rest } = options
  const child = new Child({ path, callTimeoutMs, env })
  try {
    const opened = (await child.ask({ ask: 'open', name, path, options: rest })) as OpenedModel
    return {
      ...opened,
      async infer(feeds) {
        return (await child.ask({ ask: 'infer', feeds })) as Results
      },
      [Symbol.asyncDispose]: () => child.close(),
    }
  } catch (thrown) {
    child.kill()
    throw thrown
  }
}

type Unnumbered<T> = T extends unknown ? Omit<T, 'id'> : never

/** One child and the calls that are under way. */
class Child {
  readonly #process: ChildProcess
  readonly #path: string
  readonly #callTimeoutMs: number
  readonly #waiting = new Map<number, { readonly call: string; readonly resolve: (value: unknown) => void; readonly reject: (error: unknown) => void }>()
  #lastId = 0
  #ended: RunbookError | Error | null = null

  constructor(o: { path: string; callTimeoutMs: number; env: IsolateOptions['env'] }) {
    this.#path = o.path
    this.#callTimeoutMs = o.callTimeoutMs
    this.#process = fork(join(import.meta.dirname, 'isolate-child.ts'), {
      execArgv: ['--import', import.meta.resolve('tsx')], serialization: 'advanced', stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: { ...process.env, ...o.env },
    })
    this.#process.on('message', (reply: Reply) => this.#answer(reply))
    this.#process.on('exit', (code, signal) => this.#crash(signal ?? `exit code ${code}`))
    this.#process.on('error', error => this.#crash(error.message))
  }

  /** Ask, and wait for the answer, the crash, or the time limit. */
  async ask(request: Unnumbered<Request>): Promise<unknown> {
    if (this.#ended) throw this.#ended
    const id = ++this.#lastId
    let timer: NodeJS.Timeout | undefined
    try {
      return await new Promise((resolve, reject) => {
        this.#waiting.set(id, { call: request.ask, resolve, reject })
        timer = setTimeout(() => this.#hang(request.ask), this.#callTimeoutMs)
        this.#process.send({ ...request, id } as Request, error => error && this.#crash(error.message))
      })
    } finally {
      clearTimeout(timer)
      this.#waiting.delete(id)
    }
  }

  /** Close the model and end the child; more than once is fine. */
  async close(): Promise<void> {
    if (this.#ended) return
    const ended = new Promise(leave => this.#process.once('exit', leave))
    await this.ask({ ask: 'close' }).catch(() => {})
    this.#ended = new Error(`the model "${this.#path}" is closed`)
    this.#process.disconnect()
    const timer = setTimeout(() => this.kill(), 2000)
    await ended
    clearTimeout(timer)
  }

  kill(): void {
    this.#process.kill('SIGKILL')
  }

  #answer(reply: Reply): void {
    const call = this.#waiting.get(reply.id)
    if (reply.ok) return call?.resolve(reply.value)
    call?.reject(reply.exit === null ? new Error(reply.message) : new RunbookError(reply.exit, reply.message, reply.hint))
  }

  #hang(call: string): void {
    this.#fail(`it did not answer "${call}" within ${this.#callTimeoutMs} ms, and was ended`)
    this.kill()
  }

  #crash(how: string): void {
    const calls = [...this.#waiting.values()].map(({ call }) => call)
    this.#fail(`its process ended (${how})${calls.length > 0 ? ` during "${calls.at(-1)}"` : ''}`)
  }

  #fail(state: string): void {
    const hint = 'look at the artifact and the library: npx tsx runbooks/doctor.ts; opening it again is allowed'
    this.#ended ??= new RunbookError('fail', `Cannot go on with "${this.#path}": ${state}`, hint)
    for (const { reject } of this.#waiting.values()) reject(this.#ended)
  }
}
