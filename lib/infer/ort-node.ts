/**
 * How is an ONNX file run on this machine's CPU? Through the `onnxruntime-node` package.
 *
 * It works on any laptop and is the oracle of the tests. Its `run` blocks the event loop for the length of one inference.
 */
import { performance } from 'node:perf_hooks'
import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node'
import type { Dtype, Tensor, TensorData } from '../formats/tensor.ts'
import { RunbookError, usageError } from '../notebook/errors.ts'
import { readFile } from '../host/files.ts'
import { checkFeeds, type Backend, type TensorInfo } from './backend.ts'

/** Open an ONNX file on the CPU provider. Errors: blocked when absent, usage when ONNX Runtime refuses it. */
export async function openOrtNode(path: string, options: InferenceSession.SessionOptions = {}): Promise<Backend> {
  const ort = await import('onnxruntime-node')
  const bytes = readFile(path)
  const startedMs = performance.now()
  const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3, ...options }).catch((thrown: unknown) => {
    throw usageError(`Cannot open "${path}": ONNX Runtime refuses it: ${oneLine(thrown)}`, 'check the file: it may be cut short, or not be ONNX', thrown)
  })
  const loadMs = performance.now() - startedMs
  const inputs = session.inputMetadata.map(infoOf)
  let open = true
  return {
    name: 'ort',
    device: `cpu (ONNX Runtime ${ort.env.versions.node ?? ort.env.versions.common})`,
    inputs,
    outputs: session.outputMetadata.map(infoOf),
    loadMs,
    async infer(feeds) {
      if (!open) throw usageError(`Cannot infer with "${path}": it is closed`, 'open it again')
      checkFeeds(feeds, inputs)
      const given = Object.entries(feeds).map(([name, t]) => [name, new ort.Tensor(t.dtype as 'float32', t.data as Float32Array, t.shape)] as const)
      const results = await session.run(Object.fromEntries(given)).catch((thrown: unknown) => {
        throw new RunbookError('fail', `Cannot infer with "${path}": ${oneLine(thrown)}`, 'run the .onnx through `npx tsx runbooks/monolithic-sweep.ts` again', { cause: thrown })
      })
      return Object.fromEntries(Object.entries(results).map(([name, value]) => [name, tensorOf(value)]))
    },
    async [Symbol.asyncDispose]() {
      if (open) await session.release()
      open = false
    },
  }
}

function infoOf(meta: InferenceSession.ValueMetadata): TensorInfo {
  if (!meta.isTensor) throw usageError(`Cannot use "${meta.name}": it is not a tensor`, 'choose another model')
  return { name: meta.name, dtype: meta.type as Dtype, shape: meta.shape }
}

const tensorOf = (value: OrtTensor): Tensor => ({ dtype: value.type as Dtype, shape: value.dims, data: value.data as TensorData })

const oneLine = (thrown: unknown) => (thrown instanceof Error ? thrown.message : String(thrown)).replaceAll(/\s+/g, ' ').slice(0, 300)
