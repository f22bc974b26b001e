/**
 * Holds ONNX Runtime open, and makes sessions of models.
 *
 * A runtime holds the environment, the allocator and the memory description that its sessions share, and is closed
 * after them. What is asked of a session is in `session.ts` and `slot.ts`.
 */
import { FfiError } from '../errors.ts'
import { settled } from '../settled.ts'
import { checkStatus, created, openApi, type ApiOptions, type Attempt, type Shared } from './api.ts'
import { applyOptions, logSeverity, type SessionOptions } from './options.ts'
import { OrtSession } from './session.ts'
import type { Out, Pointer, Status } from './table.ts'
import { ort } from './table.ts'

/** An environment of ONNX Runtime, and the sessions in it. */
export interface OnnxRuntime {
  readonly version: string
  readonly apiVersion: number
  readonly path: string
  readonly buildInfo: string
  /**
   * Open a model on a worker thread. Weights that lie in files beside a model are found only when it is opened by its
   * path.
   *
   * @param model path of the file, or the file's bytes (copied by the library)
   * @throws FfiError `status` when the library refuses the model, `refused` for a stream that is no tensor of numbers,
   *   `usage` after close
   */
  openSession(model: string | Uint8Array, options?: SessionOptions): Promise<OrtSession>
  /** Closes the sessions that are still open, and then the environment. May be called twice. */
  close(): Promise<void>
}

/**
 * Open ONNX Runtime.
 *
 * @throws FfiError as `openApi`, and `status` when the environment cannot be made
 */
export function openOnnxRuntime(options: ApiOptions = {}): OnnxRuntime {
  const api = openApi(options)
  const { functions } = api
  const attempt = (call: string): Attempt => ({ call, act: 'start ONNX Runtime', hint: 'give --ort-driver node' })
  const allocator = created(api, attempt('GetAllocatorWithDefaultOptions'), out =>
    functions.GetAllocatorWithDefaultOptions(out),
  )
  const env = created(api, attempt('CreateEnv'), out => functions.CreateEnv(logSeverity.error, 'rungbook', out))
  const memory = created(api, attempt('CreateCpuMemoryInfo'), out =>
    functions.CreateCpuMemoryInfo(ort.arenaAllocator, ort.memTypeDefault, out),
  )
  const shared: Shared = { api, env, allocator, memory }
  const sessions = new Set<OrtSession>()
  const opening = new Set<Promise<unknown>>()
  let closing: Promise<void> | undefined

  const startSession = async (model: string | Uint8Array, more: SessionOptions) => {
    const pointer = await createSession(shared, model, more)
    const session = new OrtSession({
      shared,
      pointer,
      title: titleOf(model),
      onClose: closed => sessions.delete(closed),
    })
    sessions.add(session)
    return session
  }
  const openSession = async (model: string | Uint8Array, more: SessionOptions = {}) => {
    if (closing) throw new FfiError('usage', 'Cannot open a model: ONNX Runtime was closed', 'open it again')
    const job = startSession(model, more)
    opening.add(job)
    return job.finally(() => opening.delete(job))
  }
  const closeAll = async () => {
    await Promise.allSettled(opening)
    await Promise.all([...sessions].map(session => session.close()))
    functions.ReleaseMemoryInfo(memory)
    functions.ReleaseEnv(env)
  }
  return {
    version: api.version,
    apiVersion: api.apiVersion,
    path: api.path,
    buildInfo: api.buildInfo,
    openSession,
    close: () => (closing ??= closeAll()),
  }
}

const titleOf = (model: string | Uint8Array) =>
  typeof model === 'string' ? `"${model}"` : `a model of ${model.length} bytes`

async function createSession(
  { api, env }: Shared,
  model: string | Uint8Array,
  options: SessionOptions,
): Promise<Pointer> {
  const { functions } = api
  const act = `open ${titleOf(model)}`
  if (typeof model === 'string' && model.includes('\0')) {
    throw new FfiError('usage', `Cannot ${act}: a path has no zero byte in it`, 'check the path')
  }
  const pointer = created(api, { call: 'CreateSessionOptions', act }, out => functions.CreateSessionOptions(out))
  const out: Out = [null]
  try {
    applyOptions(api, pointer, options, act)
    const [call, status]: [string, Status] =
      typeof model === 'string'
        ? ['CreateSession', await settled(functions.CreateSession, env, model, pointer, out)]
        : [
            'CreateSessionFromArray',
            await settled(functions.CreateSessionFromArray, env, model, model.byteLength, pointer, out),
          ]
    checkStatus(functions, status, { call, act, hint: 'check the file: it may be cut short, or not be ONNX' })
  } finally {
    functions.ReleaseSessionOptions(pointer)
  }
  if (out[0] === null)
    throw new FfiError('status', `Cannot ${act}: the library succeeds and gives no session`, 'check the library')
  return out[0]
}
