/**
 * Answers zeros at once, to show what everything around a model costs.
 *
 * It reads the shapes of an ONNX file or of a HEF with our own readers, and needs neither runtime nor device. A run on
 * it is never a result: its device says so. The streams of a HEF are seen as HailoRT's are; which device would take the
 * file is not asked.
 */
import { performance } from 'node:perf_hooks'
import { fileKind, fileKindBytes, type FileKind } from '../formats/file-kind.ts'
import { readHef, type HefStream } from '../formats/hef/read.ts'
import { decodeModel, dimsOf, dtypeOf, type ValueInfoProto } from '../formats/onnx/index.ts'
import { arrayOf, sizeOf, type Tensor, type TensorData } from '../formats/tensors/tensor.ts'
import { readFile, readHead } from '../host/files.ts'
import { usageError } from '../base/errors.ts'
import { checkFeeds, type Backend, type TensorInfo } from './backend.ts'
import { layoutOfStream } from './hailort/layout.ts'

/**
 * Open an ONNX file or a HEF for its shapes.
 *
 * @param o.group which network group of a HEF, where it has several; the first unless told
 * @throws RunbookError blocked when absent; usage when nobody here can read its streams (a plan, an .ort file), or when
 *   an output is open
 */
export function openNull(path: string, o: { group?: string | undefined } = {}): Promise<Backend> {
  const startedMs = performance.now()
  const { inputs, outputs } = streamsOf(path, o.group)
  const open = outputs.find(({ shape }) => shape.some(n => typeof n !== 'number'))
  if (open)
    throw usageError(
      `Cannot answer for "${path}": the output "${open.name}" has an open dimension`,
      'give a model with fixed shapes',
    )
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

interface Streams {
  readonly inputs: readonly TensorInfo[]
  readonly outputs: readonly TensorInfo[]
}

function streamsOf(path: string, group: string | undefined): Streams {
  const kind = fileKind(readHead(path, fileKindBytes))
  if (kind?.id === 'hef') return streamsOfHef(path, group)
  if (kind !== null && kind.id !== 'text') throw unreadable(path, kind)
  const { graph } = decodeModel(readFile(path), path)
  const weights = new Set(graph!.initializer.map(({ name }) => name))
  return {
    inputs: graph!.input.filter(({ name }) => !weights.has(name)).map(infoOf),
    outputs: graph!.output.map(infoOf),
  }
}

/** A plan and an .ort file are whole models whose streams only their own runtime can list. */
function unreadable(path: string, { id, name, hint }: FileKind) {
  const runtime = { plan: 'TensorRT', ort: 'ONNX Runtime' }[id]
  if (runtime === undefined) return usageError(`Cannot answer zeros for "${path}": it is ${name}`, hint)
  return usageError(
    `Cannot answer zeros for "${path}": it is ${name}, and only ${runtime} can say which streams it has`,
    `${hint} to run it, or give the .onnx that it was made of`,
  )
}

function streamsOfHef(path: string, name: string | undefined): Streams {
  const { groups } = readHef(path)
  const group = name === undefined ? groups[0] : groups.find(candidate => candidate.name === name)
  if (group === undefined) {
    const listed = groups.map(candidate => candidate.name).join(', ') || 'none'
    throw usageError(`Cannot answer zeros for "${path}": its network groups are: ${listed}`, 'choose one of them')
  }
  return { inputs: group.inputs.map(infoOfHefStream), outputs: group.outputs.map(infoOfHefStream) }
}

/** float32 outside, in the shape that the backend of the device gives it. */
function infoOfHefStream({ name, network, direction, shape, order, nms }: HefStream): TensorInfo {
  const boxesPerClass = nms?.maxBoxesPerClass ?? 0
  const { shape: dims } = layoutOfStream({
    name,
    network,
    isInput: direction === 'input',
    order: order ?? 'unknown',
    type: 'FLOAT32',
    quantisation: null,
    ...(nms === null
      ? { image: shape }
      : { nms: { classes: nms.classes, boxesPerClass, boxesTotal: nms.classes * boxesPerClass } }),
  })
  return { name, dtype: 'float32', shape: dims }
}

function infoOf(value: ValueInfoProto): TensorInfo {
  const dtype = dtypeOf(value)
  if (dtype === undefined)
    throw usageError(`Cannot use "${value.name}": it is not a tensor of numbers`, 'choose another model')
  return { name: value.name, dtype, shape: dimsOf(value) }
}

function zeros({ dtype, shape }: TensorInfo): Tensor {
  const fixed = shape as readonly number[]
  const TypedArray = arrayOf[dtype] as new (length: number) => TensorData
  return { dtype, shape: fixed, data: new TypedArray(sizeOf(fixed)) }
}
