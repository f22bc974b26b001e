/**
 * Authors ONNX graphs; a mistake is reported on the line that makes it.
 *
 * Values must exist before a node reads them, so a graph is in topological order by construction. Names are unique;
 * those not given are the operator and a count (`Conv_0`, its output `Conv_0_out`). Equal calls give equal bytes.
 * Whether shapes fit is asked in `check/check.ts`.
 */
import { attributeTypes, newGraph, newModel, newNode, newValueInfo, protoFromTensor } from '../formats/onnx/index.ts'
import type { AttributeProto, GraphProto, ModelProto } from '../formats/onnx/index.ts'
import { arrayOf, type Dtype, type Tensor } from '../formats/tensors/tensor.ts'
import { usageError } from '../base/errors.ts'

/**
 * Integers become INT or INTS, other numbers FLOAT or FLOATS; `{ float: 1 }` and `{ floats: [1, 2] }` say so
 * explicitly.
 */
export type AttributeValue =
  | number
  | bigint
  | string
  | readonly number[]
  | Tensor
  | { readonly float: number }
  | { readonly floats: readonly number[] }

/**
 * An attribute message.
 *
 * @throws RunbookError usage when a number is NaN or an integer beyond 2^53
 */
export function attributeFrom(name: string, value: AttributeValue): AttributeProto {
  const { int, float, string, tensor, ints, floats } = attributeTypes
  if (typeof value === 'string') return { name, s: Buffer.from(value), type: string }
  if (typeof value === 'bigint') return { name, i: value, type: int }
  if (typeof value === 'number') {
    return Number.isInteger(value) ? { name, i: exact(name, value), type: int } : attributeFrom(name, { float: value })
  }
  if ('float' in value) return { name, f: real(name, value.float), type: float }
  if ('floats' in value) return { name, floats: value.floats.map(n => real(name, n)), type: floats }
  if ('dtype' in value) return { name, t: protoFromTensor('', value), type: tensor }
  if (value.every(n => Number.isInteger(n))) return { name, ints: value.map(n => exact(name, n)), type: ints }
  return attributeFrom(name, { floats: value })
}

function exact(name: string, value: number): bigint {
  if (Number.isSafeInteger(value)) return BigInt(value)
  throw usageError(`Cannot set the attribute "${name}": ${value} is beyond 2^53`, 'give it as bigint')
}

function real(name: string, value: number): number {
  if (!Number.isNaN(value)) return Math.fround(value)
  throw usageError(`Cannot set the attribute "${name}": it is not a number (NaN)`, 'check the arithmetic')
}

/** `metadata` becomes the model's properties, in its order. */
export interface GraphOptions {
  name: string
  opset?: number
  irVersion?: number
  producer?: string
  metadata?: Record<string, string>
}

/**
 * Builds one graph; `build` gives the model. Every method throws usage when a name is taken, empty, or unknown.
 *
 * @example
 * ```ts
 * import { float32 } from './lib/formats/tensors/tensor.ts'
 * import { checkModel } from './lib/onnx/check/check.ts'
 *
 * const graph = new GraphBuilder({ name: 'halve' })
 * const x = graph.input('x', 'float32', [1, 4])
 * const half = graph.weight('half', float32([], [0.5]))
 * graph.output(graph.node('Mul', [x, half]), 'float32', [1, 4])
 * assert.deepEqual(checkModel(graph.build()).problems, [])
 * ```
 */
export class GraphBuilder {
  readonly #graph: GraphProto
  readonly #options: { opset: number; irVersion: number; producer: string; metadata: Record<string, string> }
  readonly #values = new Set<string>()
  readonly #nodes = new Set<string>()
  readonly #outputs = new Set<string>()
  readonly #domains = new Set<string>()
  readonly #counts = new Map<string, number>()

  /**
   * @param options.opset version of ONNX's own operators; 12 by default
   * @param options.irVersion version of the file form; 7 by default, which goes with opset 12
   */
  constructor(options: GraphOptions) {
    const { name, opset = 12, irVersion = 7, producer = 'rungbook', metadata = {} } = options
    if (name === '') throw usageError('Cannot build a graph: it has no name', 'give it one')
    for (const [what, version] of Object.entries({ opset, irVersion })) {
      if (Number.isInteger(version) && version >= 1) continue
      throw usageError(`Cannot build "${name}": its ${what} is ${version}`, 'give a whole number')
    }
    this.#graph = newGraph({ name })
    this.#options = { opset, irVersion, producer, metadata: { ...metadata } }
  }

  /** Declares an input of the graph; a dimension is a number or a name. Returns `name`. */
  input(name: string, dtype: Dtype, shape: readonly (number | string)[]): string {
    checkShape(name, shape)
    this.#claimValue(name, 'the input')
    this.#graph.input.push(newValueInfo(name, dtype, shape))
    return name
  }

  /**
   * Adds an initializer, stored as raw little-endian bytes (a view of the tensor until it is encoded). Returns `name`.
   */
  weight(name: string, tensor: Tensor): string {
    const proto = protoFromTensor(name, tensor)
    this.#claimValue(name, 'the weight')
    this.#graph.initializer.push(proto)
    return name
  }

  /**
   * Declares an initializer whose bytes lie in another file: `length` bytes from `offset` of `location`, which is
   * relative to the model's folder. Returns `name`.
   */
  weightIn(
    name: string,
    { dtype, shape }: { readonly dtype: Dtype; readonly shape: readonly number[] },
    place: { readonly location: string; readonly offset: number; readonly length: number },
  ): string {
    this.#claimValue(name, 'the weight')
    const empty = protoFromTensor(name, { dtype, shape: [0], data: new arrayOf[dtype](0) })
    const externalData = Object.entries(place).map(([key, value]) => ({ key, value: String(value) }))
    const { rawData: _, ...proto } = empty
    this.#graph.initializer.push({ ...proto, dims: shape.map(BigInt), dataLocation: 1, externalData })
    return name
  }

  /**
   * Adds a node. An empty input stands for an optional one left out; attributes are written exactly as given, in their
   * order.
   * @param options.output name of the only output; `outputs` names several ('' for one not wanted)
   * @param options.domain of an operator that is not ONNX's own, such as com.microsoft; version 1 of it is imported
   * @returns the name of the first output
   */
  node(
    op: string,
    inputs: readonly string[],
    options: {
      name?: string
      output?: string
      outputs?: readonly string[]
      attributes?: Record<string, AttributeValue>
      domain?: string
    } = {},
  ): string {
    const name = options.name ?? this.#freshName(op)
    if (op === '') throw usageError(`Cannot add the node "${name}": it has no operator`, 'name one, such as Conv')
    if (name === '') throw usageError(`Cannot add a ${op}: its name is empty`, 'leave the name out, or give one')
    if (this.#nodes.has(name)) throw taken(`the node "${name}" (${op})`, 'node')
    if (options.output !== undefined && options.outputs !== undefined) {
      throw usageError(`Cannot add the node "${name}" (${op}): both output and outputs are given`, 'give one of them')
    }
    const unknown = inputs.find(input => input !== '' && !this.#values.has(input))
    if (unknown !== undefined) {
      const state = `its input "${unknown}" was never made`
      throw usageError(`Cannot add the node "${name}" (${op}): ${state}`, 'add the input, weight or node first')
    }
    const attribute = Object.entries(options.attributes ?? {}).map(([key, value]) => attributeFrom(key, value))
    const output = [...(options.outputs ?? [options.output ?? this.#freshOutput(name)])]
    const first = output[0]
    if (!first) throw usageError(`Cannot add the node "${name}" (${op}): its first output has no name`, 'name it')
    for (const value of output) if (value !== '') this.#claimValue(value, `an output of the node "${name}" (${op}),`)
    this.#nodes.add(name)
    const { domain } = options
    if (domain !== undefined) this.#domains.add(domain)
    this.#graph.node.push(
      newNode({ opType: op, name, input: [...inputs], output, attribute, ...(domain && { domain }) }),
    )
    return first
  }

  /** Declares that a value already made is an output of the graph. */
  output(name: string, dtype: Dtype, shape: readonly (number | string)[]): void {
    checkShape(name, shape)
    const refuse = (state: string, hint: string) => usageError(`Cannot declare the output "${name}": ${state}`, hint)
    if (!this.#values.has(name)) throw refuse('it was never made', 'name the output of a node')
    if (this.#outputs.has(name)) throw refuse('it is declared already', 'declare it once')
    this.#outputs.add(name)
    this.#graph.output.push(newValueInfo(name, dtype, shape))
  }

  /**
   * The model so far; may be called again.
   *
   * @throws RunbookError usage when the graph has no output
   */
  build(): ModelProto {
    const { opset, irVersion, producer, metadata } = this.#options
    const { name, node, initializer, input, output } = this.#graph
    if (output.length === 0) throw usageError(`Cannot build "${name}": it has no output`, 'declare one with output()')
    return newModel({
      irVersion,
      producerName: producer,
      graph: newGraph({ name, node: [...node], initializer: [...initializer], input: [...input], output: [...output] }),
      opsetImport: [{ domain: '', version: opset }, ...[...this.#domains].map(domain => ({ domain, version: 1 }))],
      metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
    })
  }

  #claimValue(name: string, what: string): void {
    if (name === '') throw usageError(`Cannot add ${what} "": it has no name`, 'give it one')
    if (this.#values.has(name)) throw taken(`${what} "${name}"`, 'value')
    this.#values.add(name)
  }

  #freshName(op: string): string {
    for (;;) {
      const count = this.#counts.get(op) ?? 0
      this.#counts.set(op, count + 1)
      if (!this.#nodes.has(`${op}_${count}`)) return `${op}_${count}`
    }
  }

  #freshOutput(node: string): string {
    let name = `${node}_out`
    for (let i = 2; this.#values.has(name); i++) name = `${node}_out${i}`
    return name
  }
}

const taken = (what: string, kind: string) =>
  usageError(`Cannot add ${what}: a ${kind} of that name exists`, 'choose another name')

function checkShape(name: string, shape: readonly (number | string)[]): void {
  const bad = shape.find(dim => typeof dim === 'number' && !(Number.isSafeInteger(dim) && dim >= 0))
  if (bad === undefined) return
  throw usageError(
    `Cannot declare "${name}" as [${shape.join(', ')}]: ${bad} is no dimension`,
    'use whole numbers or names',
  )
}
