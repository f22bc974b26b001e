/**
 * Fixes the open dimensions of a model's inputs, and takes weights from the file beside it into the model.
 *
 * Compilers and runtimes with buffers of their own want every dimension a number. What a person says counts; a leading
 * dimension that nobody names is a batch of one.
 */
import { existsSync, statSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { blockedError, usageError } from '../base/errors.ts'
import { closest } from '../base/text.ts'
import { dimsOf, dtypeOf, hasShape, newValueInfo, type ModelProto, type TensorProto } from '../formats/onnx/index.ts'
import { describe, type Dtype } from '../formats/tensors/tensor.ts'
import { readFile } from '../host/files.ts'
import { inferShapes } from './shapes/infer.ts'

/** An input of a model that is fed at run time. */
export interface ModelInput {
  readonly name: string
  readonly dtype: Dtype
  readonly shape: readonly (number | string)[]
}

/**
 * Inputs that are fed at run time: those without an initializer.
 * @throws RunbookError usage for one that is no tensor of numbers
 */
export function modelInputs(model: ModelProto): ModelInput[] {
  const stored = new Set(model.graph.initializer.map(({ name }) => name))
  return model.graph.input
    .filter(({ name }) => !stored.has(name))
    .map(value => {
      const dtype = dtypeOf(value)
      if (dtype !== undefined && hasShape(value)) return { name: value.name, dtype, shape: dimsOf(value) }
      throw usageError(
        `Cannot feed "${value.name}": it is no tensor of numbers with a known rank`,
        'export the model with tensors as inputs: no strings, no sequences, no optional values',
      )
    })
}

/** A model whose inputs have numbers for dimensions, and what was assumed on the way. */
export interface PinnedModel {
  readonly model: ModelProto
  readonly inputs: readonly (ModelInput & { readonly shape: readonly number[] })[]
  readonly assumed: readonly string[]
}

/**
 * Fix every dimension of every input.
 * @param shapes the person's shapes, by the name of an input
 * @throws RunbookError usage for an unknown name, for a shape that contradicts the graph, and for an open dimension
 *   that nobody names
 */
export function pinShapes(model: ModelProto, shapes: ReadonlyMap<string, readonly number[]>): PinnedModel {
  refuseOutputs(model)
  const inputs = modelInputs(model)
  const unknown = [...shapes.keys()].find(name => !inputs.some(input => input.name === name))
  if (unknown !== undefined) {
    const names = inputs.map(({ name }) => name)
    const near = closest(unknown, names) ?? names[0]
    throw usageError(
      `Cannot shape "${unknown}": the model takes ${names.join(', ')}`,
      `did you mean --shape ${near}=${(shapes.get(unknown) ?? []).join('x')}?`,
    )
  }
  const assumed: string[] = []
  const pinned = inputs.map(input => {
    const shape = shapes.get(input.name) ?? assumedShape(input, assumed)
    refuseOther(input, shape)
    return { ...input, shape }
  })
  if (inputs.every(({ shape }) => shape.every(n => typeof n === 'number'))) return { model, inputs: pinned, assumed }
  return { model: withInputs(model, pinned), inputs: pinned, assumed }
}

/** Every output must be a tensor of numbers; a type that is not declared is inferred later. */
function refuseOutputs({ graph }: ModelProto): void {
  if (graph.output.length === 0)
    throw usageError(`Cannot use "${graph.name}": it has no output`, 'export it again, with outputs')
  const odd = graph.output.find(value => {
    const { type } = value
    return type !== undefined && (type.tensorType === undefined || dtypeOf(value) === undefined)
  })
  if (odd === undefined) return
  throw usageError(
    `Cannot compare "${odd.name}": it is no tensor of numbers`,
    'export the model with tensors as outputs: no strings, no sequences, no optional values',
  )
}

function assumedShape(input: ModelInput, assumed: string[]): readonly number[] {
  const [first, ...rest] = input.shape
  if (typeof first === 'string' && rest.length > 0) {
    if (rest.every(n => typeof n === 'number')) assumed.push(`"${input.name}" has a batch of 1: its first axis is open`)
    return [1, ...rest] as number[]
  }
  return input.shape as readonly number[]
}

function refuseOther(input: ModelInput, shape: readonly (number | string)[]): void {
  const open = shape.flatMap((n, axis) => (typeof n === 'string' ? [n === '' ? `axis ${axis}` : n] : []))
  if (open.length > 0) {
    const example = shape.map((n, axis) => (typeof n === 'number' ? n : axis === 0 ? 1 : 16_000)).join('x')
    throw usageError(
      `Cannot fix "${input.name}" ${describe(input)}: ${open.join(', ')} is open`,
      `give --shape ${input.name}=${example}`,
    )
  }
  const fits =
    shape.length === input.shape.length &&
    shape.every((n, axis) => typeof input.shape[axis] === 'string' || input.shape[axis] === n)
  if (fits && shape.every(n => Number.isSafeInteger(n) && (n as number) > 0)) return
  throw usageError(
    `Cannot shape "${input.name}" as [${shape.join(', ')}]: the model says ${describe(input)}`,
    'give a shape that fits, or leave out --shape',
  )
}

/** A copy with these inputs; shapes declared for other dimensions are taken out, and outputs inferred again. */
function withInputs(model: ModelProto, inputs: PinnedModel['inputs']): ModelProto {
  const { graph } = model
  const byName = new Map(inputs.map(input => [input.name, newValueInfo(input.name, input.dtype, input.shape)]))
  const bare = {
    ...model,
    graph: {
      ...graph,
      input: graph.input.map(value => byName.get(value.name) ?? value),
      valueInfo: [],
      output: graph.output.map(value => {
        const dtype = dtypeOf(value)
        return dtype === undefined ? value : newValueInfo(value.name, dtype)
      }),
    },
  }
  const shapes = inferShapes(bare)
  const output = graph.output.map(value => {
    const known = shapes.get(value.name)
    const isWhole = known?.shape.every(n => typeof n === 'number') === true
    if (known !== undefined && isWhole) return newValueInfo(value.name, known.dtype, known.shape)
    return bare.graph.output.find(({ name }) => name === value.name)!
  })
  return { ...bare, graph: { ...bare.graph, output } }
}

/**
 * The model with every weight in itself; the same model when all are there already.
 * @param folder where the files lie that the model names
 * @throws RunbookError blocked when such a file is absent ("put it beside the model"), and for more than 2 GiB; usage
 *   when it is too short, or lies outside the folder
 */
export function withWeights(model: ModelProto, folder: string): ModelProto {
  if (!model.graph.initializer.some(isOutside)) return model
  const bytes = model.graph.initializer.reduce((sum, tensor) => sum + outsideBytes(tensor, folder), 0)
  if (bytes > protobufBytesMax) {
    throw blockedError(
      `Cannot take the weights into "${model.graph.name}": they have ${bytes} bytes, and one ONNX file ends at 2 GiB`,
      'export a smaller model, or one part of it at a time',
    )
  }
  const files = new Map<string, Uint8Array>()
  const initializer = model.graph.initializer.map(tensor => {
    if (!isOutside(tensor)) return tensor
    const entries = new Map((tensor.externalData ?? []).map(({ key, value }) => [key, value]))
    const location = entries.get('location') ?? ''
    const bytes = files.get(location) ?? readBeside(folder, location)
    files.set(location, bytes)
    const offset = Number(entries.get('offset') ?? 0)
    const length = Number(entries.get('length') ?? bytes.length - offset)
    if (offset + length <= bytes.length) {
      return { ...tensor, dataLocation: 0, externalData: [], rawData: bytes.subarray(offset, offset + length) }
    }
    throw usageError(
      `Cannot read the weight "${tensor.name}": "${location}" ends before it`,
      'copy the file again: it was cut short',
    )
  })
  return { ...model, graph: { ...model.graph, initializer } }
}

const protobufBytesMax = 2 ** 31 - 1

/** Bytes of a weight that lies in a file beside the model; 0 where it does not, or where the file is absent. */
function outsideBytes(tensor: TensorProto, folder: string): number {
  if (!isOutside(tensor)) return 0
  const entries = new Map((tensor.externalData ?? []).map(({ key, value }) => [key, value]))
  const size = statSync(join(folder, entries.get('location') ?? ''), { throwIfNoEntry: false })?.size ?? 0
  return Number(entries.get('length') ?? Math.max(0, size - Number(entries.get('offset') ?? 0)))
}

function readBeside(folder: string, location: string): Uint8Array {
  if (isAbsolute(location) || location.split(/[\\/]/).includes('..'))
    throw usageError(`Cannot read weights from "${location}": it lies outside the model's folder`, 'export it again')
  const path = join(folder, location)
  if (existsSync(path)) return readFile(path)
  throw blockedError(
    `Cannot read the weights of the model: "${path}" is absent`,
    `put ${location} beside the model: it holds weights that the model names`,
  )
}

const isOutside = ({ dataLocation }: TensorProto): boolean => dataLocation === 1
