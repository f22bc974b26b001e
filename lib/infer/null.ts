/**
 * What does everything around a model cost? A backend that answers zeros at once.
 *
 * It reads the shapes of an ONNX file and nothing else. A run on it is never a result: its device says so.
 */
import { performance } from 'node:perf_hooks'
import { decodeModel, dimsOf, dtypeOf, type ValueInfoProto } from '../formats/onnx.ts'
import { arrayOf, sizeOf, type Tensor, type TensorData } from '../formats/tensor.ts'
import { readFile } from '../host/files.ts'
import { usageError } from '../notebook/errors.ts'
import { checkFeeds, type Backend, type TensorInfo } from './backend.ts'

/** Open an ONNX file for its shapes. Errors: blocked when absent; usage when it is not ONNX, or when an output has an open dimension. */
export function openNull(path: string): Promise<Backend> {
  const startedMs = performance.now()
  const { graph } = decodeModel(readFile(path), path)
  const weights = new Set(graph!.initializer.map(({ name }) => name))
  const inputs = graph!.input.filter(({ name }) => !weights.has(name)).map(infoOf)
  const outputs = graph!.output.map(infoOf)
  const open = outputs.find(({ shape }) => shape.some(n => typeof n !== 'number'))
  if (open) throw usageError(`Cannot answer for "${path}": the output "${open.name}" has an open dimension`, 'give a model with fixed shapes')
  const answer = Object.fromEntries(outputs.map(info => [info.name, zeros(info)]))
  let isOpen = true
  return Promise.resolve({
    name: 'null',
    device: 'none (zeros)',
    inputs,
    outputs,
    loadMs: performance.now() - startedMs,
    async infer(feeds) {
      if (!isOpen) throw new Error(`the model "${path}" is closed`)
      checkFeeds(feeds, inputs)
      return answer
    },
    async [Symbol.asyncDispose]() {
      isOpen = false
    },
  })
}

function infoOf(value: ValueInfoProto): TensorInfo {
  const dtype = dtypeOf(value)
  if (dtype === undefined) throw usageError(`Cannot use "${value.name}": it is not a tensor of numbers`, 'choose another model')
  return { name: value.name, dtype, shape: dimsOf(value) }
}

function zeros({ dtype, shape }: TensorInfo): Tensor {
  const fixed = shape as readonly number[]
  const TypedArray = arrayOf[dtype] as new (length: number) => TensorData
  return { dtype, shape: fixed, data: new TypedArray(sizeOf(fixed)) }
}
