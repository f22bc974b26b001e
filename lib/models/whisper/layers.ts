/**
 * Adds a Whisper's layers to a graph, each by the name of its weights.
 */
import type { GraphBuilder } from '../../onnx/builder.ts'
import { float32, type FloatTensor, type Tensor } from '../../formats/tensors/tensor.ts'
import { headWidth, type WhisperDims, type WhisperWeights } from './dims.ts'

/** int64 values as a weight. */
export const int64 = (...values: number[]): Tensor => ({
  dtype: 'int64',
  shape: [values.length],
  data: BigInt64Array.from(values, n => BigInt(n)),
})

/** [rows, columns] as [columns, rows]. */
export function transposed({ shape, data }: FloatTensor): FloatTensor {
  const [rows, columns] = shape as [number, number]
  const turned = new Float32Array(data.length)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) turned[column * rows + row] = data[row * columns + column]!
  }
  return float32([columns, rows], turned)
}

/** How the products with weights are computed: in float32, or in 8 bits with a scale for each block of a column. */
export type Precision = 'float32' | 'int8'

/** A graph in the making, and the weights that it is made of. */
export class Layers {
  readonly graph: GraphBuilder
  readonly dims: WhisperDims
  readonly precision: Precision
  readonly #weights: WhisperWeights
  readonly #shared = new Map<string, string>()

  constructor(graph: GraphBuilder, o: { dims: WhisperDims; weights: WhisperWeights; precision: Precision }) {
    this.graph = graph
    this.dims = o.dims
    this.precision = o.precision
    this.#weights = o.weights
  }

  /** A weight of the state dict. */
  tensor(name: string): FloatTensor {
    return this.#weights.get(name)!
  }

  /** A weight of the state dict, in the graph under its own name. */
  weight(name: string): string {
    return this.constant(name, () => this.tensor(name))
  }

  /** A constant, made once however often it is named. */
  constant(name: string, make: () => Tensor): string {
    return this.once(name, () => this.graph.weight(name, make()))
  }

  /** A value that several layers use: made by the first of them. */
  once(name: string, make: () => string): string {
    const known = this.#shared.get(name) ?? make()
    this.#shared.set(name, known)
    return known
  }

  /** A node with one output, named after itself. */
  op(op: string, name: string, inputs: readonly string[], attributes: Record<string, number | readonly number[]> = {}) {
    return this.graph.node(op, inputs, { name, output: `${name}_out`, attributes })
  }

  /** `input` · weightᵀ + bias. `scale` multiplies both. */
  linear(name: string, input: string, { scale = 1 }: { scale?: number } = {}): string {
    const product = this.product(name, input, () => scaled(transposed(this.tensor(`${name}.weight`)), scale))
    const bias = this.#weights.get(`${name}.bias`)
    if (bias === undefined) return product
    return this.op('Add', `${name}.add`, [product, this.constant(`${name}.bias`, () => scaled(bias, scale))])
  }

  /** `input` [… , inputs] times a weight [inputs, outputs]. */
  product(name: string, input: string, weight: () => FloatTensor): string {
    if (this.precision === 'float32') {
      return this.op('MatMul', `${name}.matmul`, [input, this.constant(`${name}.weight_t`, weight)])
    }
    // The columns of the weight have a scale for each block of inputs, and so has the input.
    const made = byBlocks(weight())
    const [values, scales] = [`${name}.weight_q`, `${name}.weight_scale`]
    this.constant(values, () => made.values)
    this.constant(scales, () => made.scales)
    return this.graph.node('MatMulNBits', [input, values, scales], {
      name: `${name}.matmul`,
      output: `${name}.matmul_out`,
      domain: 'com.microsoft',
      // Level 4: the input is quantised to 8 bits too, block by block.
      attributes: { K: made.inputs, N: made.outputs, bits: 8, block_size: blockSize, accuracy_level: 4 },
    })
  }

  /** A weight [inputs, outputs] in 8 bits: the names of its values and of its scales, one for each output. */
  quantised(name: string, weight: () => FloatTensor): { readonly values: string; readonly scales: string } {
    const [values, scales] = [`${name}.weight_q`, `${name}.weight_scale`]
    this.once(values, () => {
      const made = byColumns(weight())
      this.constant(scales, () => made.scales)
      return this.graph.weight(values, made.values)
    })
    return { values, scales }
  }

  /** As `product`, of a weight that was quantised. The input is quantised as it comes, by its own range. */
  integerProduct(name: string, input: string, { values, scales }: { values: string; scales: string }): string {
    const parts = [`${input}_q`, `${input}_scale`, `${input}_zero`]
    this.once(`${input}_q`, () => {
      return this.graph.node('DynamicQuantizeLinear', [input], { name: `${input}.quantise`, outputs: parts })
    })
    const whole = this.op('MatMulInteger', `${name}.matmul`, [parts[0]!, values, parts[2]!])
    const real = this.op('Cast', `${name}.real`, [whole], { to: 1 })
    return this.op('Mul', `${name}.scaled`, [real, this.op('Mul', `${name}.scale`, [parts[1]!, scales])])
  }

  /** Layer normalisation over the last axis. */
  norm(name: string, input: string): string {
    const inputs = [input, this.weight(`${name}.weight`), this.weight(`${name}.bias`)]
    return this.graph.node('LayerNormalization', inputs, {
      name,
      output: `${name}_out`,
      attributes: { axis: -1, epsilon: { float: 1e-5 } },
    })
  }

  /** GELU by the error function, in the form that ONNX Runtime recognises. */
  gelu(name: string, input: string): string {
    const root = this.constant('gelu.root_two', () => float32([], [Math.SQRT2]))
    const one = this.constant('gelu.one', () => float32([], [1]))
    const half = this.constant('gelu.half', () => float32([], [0.5]))
    const erf = this.op('Erf', `${name}.erf`, [this.op('Div', `${name}.div`, [input, root])])
    const product = this.op('Mul', `${name}.mul`, [input, this.op('Add', `${name}.add`, [erf, one])])
    return this.op('Mul', `${name}.half`, [product, half])
  }

  /** [batch, time, width] as [batch, heads, time, 64], or with `keys` as [batch, heads, 64, time]. */
  split(name: string, input: string, { keys = false }: { keys?: boolean } = {}): string {
    const shape = this.constant('shape.split', () => int64(0, 0, this.dims.heads, headWidth))
    const reshaped = this.op('Reshape', `${name}.reshape`, [input, shape])
    return this.op('Transpose', `${name}.transpose`, [reshaped], { perm: keys ? [0, 2, 3, 1] : [0, 2, 1, 3] })
  }

  /** [batch, heads, time, 64] as [batch, time, width]. */
  merge(name: string, input: string): string {
    const shape = this.constant('shape.merge', () => int64(0, 0, this.dims.width))
    return this.op('Reshape', `${name}.reshape`, [
      this.op('Transpose', `${name}.transpose`, [input], { perm: [0, 2, 1, 3] }),
      shape,
    ])
  }

  /** `residual` plus the two layers behind its normalisation. */
  feedForward(name: string, residual: string): string {
    const opened = this.gelu(`${name}.gelu`, this.linear(`${name}.mlp.0`, this.norm(`${name}.mlp_ln`, residual)))
    return this.op('Add', `${name}.mlp_residual`, [residual, this.linear(`${name}.mlp.2`, opened)])
  }
}

/** A weight [inputs, outputs] as int8, symmetric, with the scale of each output. */
function byColumns({ shape, data }: FloatTensor): { values: Tensor; scales: FloatTensor } {
  const [rows, columns] = shape as [number, number]
  const scales = new Float32Array(columns)
  for (let i = 0; i < data.length; i++) scales[i % columns] = Math.max(scales[i % columns]!, Math.abs(data[i]!))
  for (let column = 0; column < columns; column++) scales[column] = scales[column]! / 127 || 1
  const values = new Int8Array(data.length)
  for (let i = 0; i < data.length; i++) values[i] = Math.round(data[i]! / scales[i % columns]!)
  return { values: { dtype: 'int8', shape: [rows, columns], data: values }, scales: float32([columns], scales) }
}

/** Inputs that share a scale; ONNX Runtime takes powers of two from 16 on. */
const blockSize = 32
/** How ONNX Runtime writes 0 in 8 bits without a sign. */
const middle = 128

interface Blocks {
  readonly values: Tensor
  readonly scales: FloatTensor
  readonly inputs: number
  readonly outputs: number
}

/** A weight [inputs, outputs] as uint8 [outputs, blocks, blockSize], and the scale of each block. */
function byBlocks({ shape, data }: FloatTensor): Blocks {
  const [inputs, outputs] = shape as [number, number]
  const blocks = Math.ceil(inputs / blockSize)
  const values = new Uint8Array(outputs * blocks * blockSize).fill(middle)
  const scales = new Float32Array(outputs * blocks)
  for (let output = 0; output < outputs; output++) {
    for (let block = 0; block < blocks; block++) {
      const end = Math.min(inputs, (block + 1) * blockSize)
      let most = 0
      for (let i = block * blockSize; i < end; i++) most = Math.max(most, Math.abs(data[i * outputs + output]!))
      const scale = most / 127 || 1
      scales[output * blocks + block] = scale
      const row = output * blocks * blockSize
      for (let i = block * blockSize; i < end; i++) {
        values[row + i] = middle + Math.round(data[i * outputs + output]! / scale)
      }
    }
  }
  return {
    values: { dtype: 'uint8', shape: [outputs, blocks, blockSize], data: values },
    scales: float32([outputs * blocks], scales),
    inputs,
    outputs,
  }
}

/** The scale of a query, 1/8: a power of two, so that folding it into the weights changes no product. */
export const queryScale = headWidth ** -0.5

function scaled(tensor: FloatTensor, scale: number): FloatTensor {
  return scale === 1
    ? tensor
    : float32(
        tensor.shape,
        tensor.data.map(value => value * scale),
      )
}
