/**
 * Runs an ONNX file on this machine's CPU through the `onnxruntime-node` package.
 *
 * It works on any laptop and is the oracle of the tests. Its `run` blocks the event loop for the length of one
 * inference, and begins on a later turn of the loop.
 */
import { closeSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node'
import { arrayOf, type Dtype, type Tensor, type TensorData } from '../../formats/tensors/tensor.ts'
import { openToRead } from '../../host/files.ts'
import { asError, blockedError, RunbookError, usageError } from '../../base/errors.ts'
import { logSeverity, type SessionOptions } from '../../../ffi/onnxruntime/options.ts'
import { checkFeeds, type Backend, type TensorInfo } from '../backend.ts'
import { refusal } from './refusal.ts'
import { onnxruntimeNode } from '../../host/onnxruntime-node.ts'

/**
 * Open an ONNX file on the CPU provider.
 *
 * @throws RunbookError blocked when the file or the package's library is absent; usage when ONNX Runtime refuses it, or
 *   when a stream holds no numbers
 */
export async function openOrtNode(path: string, options: SessionOptions = {}): Promise<Backend> {
  // A pipe would hold a native thread until somebody writes into it.
  closeSync(openToRead(path))
  const ort = await onnxruntimeNode().catch((thrown: unknown) => {
    const hint =
      'unset ONNXRUNTIME_LIB: two versions of the library do not fit into one process; else install the ' +
      'packages again: npm ci'
    throw blockedError(`Cannot load onnxruntime-node: ${oneLine(thrown)}`, hint, thrown)
  })
  const startedMs = performance.now()
  // By its path and not by its bytes: so that weights that lie in a file beside it are found.
  const session = await ort.InferenceSession.create(path, packageOptions(options)).catch((thrown: unknown) => {
    throw refusal(path, asError(thrown).message, thrown)
  })
  const loadMs = performance.now() - startedMs
  const inputs = session.inputMetadata.map(infoOf)
  const outputs = session.outputMetadata.map(infoOf)
  let isOpen = true
  let running: Promise<unknown> = Promise.resolve()

  const infer: Backend['infer'] = async feeds => {
    if (!isOpen) throw new Error(`the model "${path}" is closed`)
    checkFeeds(feeds, inputs)
    const given: Record<string, OrtTensor> = {}
    for (const [name, { dtype, data, shape }] of Object.entries(feeds)) {
      given[name] = new ort.Tensor(dtype as 'float32', data as Float32Array, shape)
    }
    const job = session.run(given)
    running = job.catch(() => {})
    const results = await job.catch((thrown: unknown) => {
      const hint = 'check the numbers that are fed, and the graph'
      throw new RunbookError('fail', `Cannot infer with "${path}": ${oneLine(thrown)}`, hint, { cause: thrown })
    })
    // Each run gives arrays of its own, so nothing is copied. Arrays given as `fetches` would be filled, and copied all
    // the same.
    return Object.fromEntries(Object.entries(results).map(([name, value]) => [name, tensorOf(value)]))
  }
  return {
    name: 'ort',
    device: `cpu (ONNX Runtime ${ort.env.versions.node ?? ort.env.versions.common})`,
    inputs,
    outputs,
    loadMs,
    infer,
    async [Symbol.asyncDispose]() {
      if (!isOpen) return
      isOpen = false
      await running
      await session.release()
    },
  }
}

/** The package's names for what both drivers take. */
function packageOptions(o: SessionOptions): InferenceSession.SessionOptions {
  const { threads, interOpThreads, optimization = 'all', optimizedModelPath, config } = o
  return {
    logSeverityLevel: logSeverity[o.logSeverity ?? 'error'] as 0 | 1 | 2 | 3 | 4,
    graphOptimizationLevel: optimization,
    ...(threads !== undefined && { intraOpNumThreads: threads }),
    ...(interOpThreads !== undefined && { interOpNumThreads: interOpThreads }),
    ...(optimizedModelPath !== undefined && { optimizedModelFilePath: optimizedModelPath }),
    ...(config !== undefined && { extra: nested(config) }),
  }
}

/** The package takes `{ session: { set_denormal_as_zero: '1' } }` for the key `session.set_denormal_as_zero`. */
function nested(config: Readonly<Record<string, string>>): Record<string, unknown> {
  const root: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(config)) {
    const names = key.split('.')
    const last = names.pop()!
    let at = root
    for (const name of names) at = (at[name] ??= {}) as Record<string, unknown>
    at[last] = value
  }
  return root
}

function infoOf(meta: InferenceSession.ValueMetadata): TensorInfo {
  if (!meta.isTensor || !Object.hasOwn(arrayOf, meta.type)) {
    const state = meta.isTensor ? `a tensor of ${meta.type}` : 'not a tensor'
    throw usageError(`Cannot use "${meta.name}": it is ${state}`, 'choose another model')
  }
  return { name: meta.name, dtype: meta.type as Dtype, shape: meta.shape.map(n => (n === '' ? '?' : n)) }
}

const tensorOf = (value: OrtTensor): Tensor => ({
  dtype: value.type as Dtype,
  shape: value.dims,
  data: value.data as TensorData,
})

const oneLine = (thrown: unknown) => asError(thrown).message.replaceAll(/\s+/g, ' ').slice(0, 300)
