/**
 * How is an ONNX file run without blocking the event loop, and without making garbage?
 *
 * Through ONNX Runtime's C API: buffers are bound once, a run is one native call on a worker thread, and results are
 * views of those
 * buffers. Open dimensions are fixed by the first question. `ort-node.ts` has the same face and takes any shape at any
 * time.
 */
import { accessSync, constants } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { FfiError } from '../../../ffi/errors.ts'
import type { SessionOptions } from '../../../ffi/onnxruntime/options.ts'
import type { OnnxRuntime } from '../../../ffi/onnxruntime/runtime.ts'
import type { OrtSession } from '../../../ffi/onnxruntime/session.ts'
import { fileError } from '../../host/files.ts'
import { blockedError, RunbookError, usageError } from '../../base/errors.ts'
import { checkFeeds, type Backend, type Feeds, type Results } from '../backend.ts'
import { SlotPool } from './slots.ts'

/** How an ONNX file is opened. */
export interface OrtCOptions extends SessionOptions {
  /** How many questions may be under way at once; each has buffers of its own. More wait their turn. 1 unless told. */
  readonly slots?: number
  /** Where libraries are looked for; `process.env` unless told. */
  readonly env?: Readonly<Record<string, string | undefined>>
}

/** `Backend`, and a run on this very thread for hot loops. */
export interface OrtCBackend extends Backend {
  /** As `infer`, on the calling thread. Errors: as `infer`, and a plain error while every slot is busy. */
  inferSync(feeds: Feeds): Results
}

/**
 * Open an ONNX file on the CPU through the C API.
 *
 * Results are views of buffers and hold until the next question, but questions asked together all get answers that
 * last (`SlotPool`).
 * Errors: blocked when the file or the library is absent, or the library is not one that is tested; usage when ONNX
 * Runtime refuses
 * the file, or a stream holds something else than numbers.
 */
export async function openOrtC(path: string, options: OrtCOptions = {}): Promise<OrtCBackend> {
  mustRead(path)
  const { slots = 1, env, ...sessionOptions } = options
  if (!Number.isInteger(slots) || slots < 1 || slots > 64)
    throw usageError(`Cannot open "${path}" with ${slots} slots`, 'give 1 to 64')
  const runtime = await openRuntime(env)
  const startedMs = performance.now()
  const session = await runtime.openSession(path, sessionOptions).catch(async (thrown: unknown) => {
    await runtime.close()
    throw openError(path, thrown)
  })
  const loadMs = performance.now() - startedMs
  return backendOf({ path, runtime, session, slots, loadMs })
}

interface Opened {
  readonly path: string
  readonly runtime: OnnxRuntime
  readonly session: OrtSession
  readonly slots: number
  readonly loadMs: number
}

function backendOf({ path, runtime, session, slots, loadMs }: Opened): OrtCBackend {
  const pool = new SlotPool({ session, slots, path })
  const underWay = new Set<Promise<unknown>>()
  let closing: Promise<void> | undefined
  const check = (feeds: Feeds) => {
    if (closing) throw new Error(`the model "${path}" is closed`)
    checkFeeds(feeds, session.inputs)
  }
  const closeAll = async () => {
    await Promise.allSettled(underWay)
    await runtime.close()
  }
  return {
    name: 'ort',
    device: `cpu (ONNX Runtime ${runtime.version})`,
    inputs: session.inputs,
    outputs: session.outputs,
    loadMs,
    async infer(feeds) {
      check(feeds)
      const job = pool.ask(feeds)
      underWay.add(job)
      try {
        return await job
      } catch (thrown) {
        throw inferError(path, thrown)
      } finally {
        underWay.delete(job)
      }
    },
    inferSync(feeds) {
      check(feeds)
      try {
        return pool.askSync(feeds)
      } catch (thrown) {
        throw inferError(path, thrown)
      }
    },
    [Symbol.asyncDispose]: () => (closing ??= closeAll()),
  }
}

function mustRead(path: string): void {
  try {
    accessSync(path, constants.R_OK)
  } catch (thrown) {
    throw fileError('read', path, thrown)
  }
}

async function openRuntime(env: OrtCOptions['env']): Promise<OnnxRuntime> {
  try {
    const { openOnnxRuntime } = await import('../../../ffi/onnxruntime/runtime.ts')
    return openOnnxRuntime({ env })
  } catch (thrown) {
    if (thrown instanceof FfiError)
      throw blockedError(thrown.message, `${thrown.hint}; monolithic-infer also takes --ort-driver node`, thrown)
    const words = thrown instanceof Error ? thrown.message : String(thrown)
    const hint = 'give --ort-driver node, or install the packages again: npm ci'
    throw blockedError(`Cannot call native libraries: ${oneLine(words)}`, hint, thrown)
  }
}

function openError(path: string, thrown: unknown): unknown {
  if (!(thrown instanceof FfiError)) return thrown
  if (thrown.kind !== 'status') return usageError(thrown.message, thrown.hint, thrown)
  const words = oneLine(thrown.message.replace(`Cannot open "${path}": `, ''))
  return usageError(`Cannot open "${path}": ONNX Runtime refuses it: ${words}`, thrown.hint, thrown)
}

function inferError(path: string, thrown: unknown): unknown {
  if (!(thrown instanceof FfiError)) return thrown
  if (thrown.kind !== 'status') return usageError(thrown.message, thrown.hint, thrown)
  const words = oneLine(thrown.message.replace(`Cannot run "${path}": `, ''))
  // The library's words, newer and older, for a buffer that was bound after the first run and that a later run does
  // not fit.
  const hint = /computed output shape|shape verification failed/.test(thrown.message)
    ? 'an output changed its shape, which needs --ort-driver node'
    : 'check the graph: npx tsx runbooks/monolithic-sweep.ts authors one that runs'
  return new RunbookError('fail', `Cannot infer with "${path}": ${words}`, hint, { cause: thrown })
}

// The library puts the place in its own source first, so that the point comes late.
const oneLine = (words: string) => words.replaceAll(/\s+/g, ' ').slice(0, 600)
