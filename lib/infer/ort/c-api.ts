/**
 * Runs an ONNX file on the CPU through ONNX Runtime's C API.
 *
 * Buffers are bound once, a run is one native call on a worker thread, and results are views of those buffers: nothing
 * blocks the event loop, and nothing is left to collect. A question of another shape gets buffers of that shape.
 * `node-package.ts` has the same face over the onnxruntime-node package.
 */
import { closeSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { FfiError } from '../../../ffi/errors.ts'
import type { OnnxRuntime } from '../../../ffi/onnxruntime/runtime.ts'
import type { OrtSession } from '../../../ffi/onnxruntime/session.ts'
import { openToRead } from '../../host/files.ts'
import { blockedError, usageError } from '../../base/errors.ts'
import { checkFeeds, type Backend, type Feeds, type Results } from '../backend.ts'
import { Binding } from './binding.ts'
import { inferError, openError } from './errors.ts'
import type { OrtCOptions } from './options.ts'
import { SlotPool } from './slots.ts'

/** `Backend`, with a run on this very thread and bindings for hot loops. */
export interface OrtCBackend extends Backend {
  /**
   * As `infer`, on the calling thread.
   *
   * @throws RunbookError as `infer`; Error while every slot is busy
   */
  inferSync(feeds: Feeds): Results
  /**
   * Bindings of the caller's own, beside the slots that `infer` uses.
   *
   * @throws RunbookError usage after close
   */
  openBinding(): Binding
}

/**
 * Open an ONNX file on the CPU through the C API.
 *
 * Results are views of buffers and hold until the next question, but questions asked together all get answers that last
 * (`SlotPool`).
 *
 * @throws RunbookError blocked when the file or the library is absent, or the library is not one that is tested; usage
 *   when ONNX Runtime refuses the file, or a stream holds something else than numbers
 */
export async function openOrtC(path: string, options: OrtCOptions = {}): Promise<OrtCBackend> {
  // A pipe would hold a native thread until somebody writes into it.
  closeSync(openToRead(path))
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
    openBinding() {
      try {
        return new Binding(session.openBinding(), path)
      } catch (thrown) {
        throw inferError(path, thrown)
      }
    },
    [Symbol.asyncDispose]: () => (closing ??= closeAll()),
  }
}

async function openRuntime(env: OrtCOptions['env']): Promise<OnnxRuntime> {
  try {
    const { openOnnxRuntime } = await import('../../../ffi/onnxruntime/runtime.ts')
    return openOnnxRuntime({ env })
  } catch (thrown) {
    if (thrown instanceof FfiError)
      throw blockedError(thrown.message, `${thrown.hint}; or give --ort-driver node`, thrown)
    const words = thrown instanceof Error ? thrown.message : String(thrown)
    const hint = 'give --ort-driver node, or install the packages again: npm ci'
    throw blockedError(`Cannot call native libraries: ${oneLine(words)}`, hint, thrown)
  }
}

const oneLine = (words: string) => words.replaceAll(/\s+/g, ' ').slice(0, 600)
