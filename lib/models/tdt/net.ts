/**
 * Small pieces of a network over the graph builder: constants, linear layers, norms, slices.
 *
 * Weights are read one at a time. They go into the graph, or, for a model beyond what one protobuf holds, into a file
 * beside it as soon as they are read.
 */
import { float32, type FloatTensor, type Tensor } from '../../formats/tensors/tensor.ts'
import { GraphBuilder, type AttributeValue } from '../../onnx/builder.ts'

/** The weights of a model by NeMo's names. */
export interface WeightSource {
  has(name: string): boolean
  /** @throws RunbookError usage when there is no such weight, or when it is no float tensor */
  read(name: string): FloatTensor
}

/** Where weights go that do not go into the graph. */
export interface WeightSink {
  readonly location: string
  /** Append a tensor; gives its place in the file. */
  append(tensor: Tensor): { readonly offset: number; readonly length: number }
}

/** What goes into a graph being authored. */
export interface NetOptions {
  readonly name: string
  readonly weights: WeightSource
  readonly sink?: WeightSink | undefined
  readonly metadata?: Record<string, string>
}

/** Tensors below this stay in the graph: shapes and scalars have to be read before the weights are. */
const sinkBytesMin = 1024

/** A graph being authored from a source of weights. Values are named by strings. */
export class Net {
  readonly graph: GraphBuilder
  readonly weights: WeightSource
  readonly #sink: WeightSink | undefined
  readonly #made = new Map<string, string>()

  constructor({ name, weights, sink, metadata }: NetOptions) {
    this.graph = new GraphBuilder({ name, opset: 17, irVersion: 8, ...(metadata && { metadata }) })
    this.weights = weights
    this.#sink = sink
  }

  /** A node with one output. */
  op(type: string, inputs: readonly string[], attributes?: Record<string, AttributeValue>): string {
    return this.graph.node(type, inputs, attributes ? { attributes } : {})
  }

  /** A node with several outputs. */
  split(
    type: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes?: Record<string, AttributeValue>,
  ): void {
    this.graph.node(type, inputs, { outputs, ...(attributes && { attributes }) })
  }

  /** A constant of integers: a list, or a scalar for a number. Equal ones are made once. */
  ints(values: number | readonly number[]): string {
    const list = typeof values === 'number' ? [values] : values
    const shape = typeof values === 'number' ? [] : [list.length]
    const name = `int_${shape.length === 0 ? 'scalar_' : ''}${list.join('_').replaceAll('-', 'm')}`
    return this.once(name, () => ({ dtype: 'int64', shape, data: BigInt64Array.from(list, BigInt) }))
  }

  /** A float scalar. Equal ones are made once. */
  float(value: number): string {
    return this.once(`float_${String(value).replaceAll(/[^0-9a-z]/gi, '_')}`, () => float32([], [value]))
  }

  /** A weight under a name of its own, made when it is first asked for. */
  once(name: string, make: () => Tensor): string {
    if (!this.#made.has(name)) {
      this.#made.set(name, name)
      const tensor = make()
      if (this.#sink === undefined || tensor.data.byteLength < sinkBytesMin) this.graph.weight(name, tensor)
      else this.graph.weightIn(name, tensor, { location: this.#sink.location, ...this.#sink.append(tensor) })
    }
    return name
  }

  /** A weight of the source as it is. */
  weight(name: string): string {
    return this.once(name, () => this.weights.read(name))
  }

  /** x · Wᵀ + b for a linear layer `prefix.weight` [out, in]; without a bias where there is none. */
  linear(x: string, prefix: string): string {
    const matrix = this.once(`${prefix}.weight.transposed`, () => transposed(this.weights.read(`${prefix}.weight`)))
    const product = this.op('MatMul', [x, matrix])
    return this.weights.has(`${prefix}.bias`) ? this.op('Add', [product, this.weight(`${prefix}.bias`)]) : product
  }

  /** Normalise the last axis. */
  layerNorm(x: string, prefix: string): string {
    const inputs = [x, this.weight(`${prefix}.weight`), this.weight(`${prefix}.bias`)]
    return this.op('LayerNormalization', inputs, { axis: -1, epsilon: { float: 1e-5 } })
  }

  /** x · sigmoid(x). */
  swish(x: string): string {
    return this.op('Mul', [x, this.op('Sigmoid', [x])])
  }

  /** The length of one axis, as a list of one integer. */
  dim(x: string, axis: number): string {
    return this.op('Shape', [x], { start: axis, end: axis + 1 })
  }

  /** Elements from `from` up to `to` along one axis; both are lists of one integer, or numbers. */
  slice(x: string, axis: number, from: string | number, to: string | number): string {
    const bound = (value: string | number) => (typeof value === 'number' ? this.ints([value]) : value)
    return this.op('Slice', [x, bound(from), bound(to), this.ints([axis])])
  }

  /** Reshape to a list of parts: numbers as they are, strings lists of one integer. */
  reshape(x: string, parts: readonly (number | string)[]): string {
    if (parts.every(part => typeof part === 'number')) return this.op('Reshape', [x, this.ints(parts as number[])])
    const list = parts.map(part => (typeof part === 'number' ? this.ints([part]) : part))
    return this.op('Reshape', [x, this.op('Concat', list, { axis: 0 })])
  }

  /** The integers 0, 1, … below a list of one integer. */
  range(count: string): string {
    return this.op('Range', [this.ints(0), this.op('Squeeze', [count]), this.ints(1)])
  }
}

/** An end of a slice beyond every axis. */
export const toEnd = Number.MAX_SAFE_INTEGER

/** A matrix with its axes exchanged. */
export function transposed({ shape, data }: FloatTensor): FloatTensor {
  const [rows, columns] = shape as [number, number]
  const out = new Float32Array(data.length)
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) out[column * rows + row] = data[row * columns + column]!
  return float32([columns, rows], out)
}
