/**
 * Turns a float graph into the int8 graph that a device would run.
 *
 * QDQ: the operators stay, and pairs of QuantizeLinear and DequantizeLinear around them say what is an integer. Weights
 * are int8 per output channel, activations 8 bit per tensor, biases int32 at the scale of their products; the border
 * stays float. ONNX Runtime fuses this into QLinearConv and its kin. Ranges come from `calibrate.ts`, the choice of
 * nodes from `plan.ts`, the numbers from `values.ts`. A dequantised value keeps its name, so that layers compare by
 * name.
 */
import {
  attributeFloat,
  attributeInt,
  tensorFromProto,
  type ModelProto,
  type NodeProto,
} from '../../formats/onnx/index.ts'
import { float32, type Tensor } from '../../formats/tensors/tensor.ts'
import { RunbookError, usageError } from '../../base/errors.ts'
import type { Range } from './range.ts'
import { raiseOpset } from '../opset.ts'
import { QdqGraph } from './graph.ts'
import { isDataInput, planQuantization, type PlannedValue, type QuantizationPlan } from './plan.ts'
import {
  integerTypeOf,
  leastWeightScales,
  quantizationOf,
  quantizeBias,
  quantizeConstant,
  quantizeWeight,
  type ActivationType,
  type Quantization,
} from './values.ts'

export type { Range } from './range.ts'

/** How finely weights and activations are quantised. */
export interface QuantizeOptions {
  /** One scale for each output channel of a weight, or one for all of it. */
  readonly weights?: 'per-channel' | 'per-tensor'
  readonly activations?: ActivationType
  /** `float32` leaves biases as they are: TensorRT reads none as integers. */
  readonly biases?: 'int32' | 'float32'
}

/**
 * The model in int8 QDQ form, operator set 13 at least. Deterministic; the given model is not changed.
 * @param ranges the range of each activation, from `calibrate` on the same model
 * @throws RunbookError usage when the model is quantised already, has nothing to quantise, lacks a range, or holds NaN
 *   or infinity in a weight
 */
export function quantizeQdq(
  model: ModelProto,
  ranges: ReadonlyMap<string, Range>,
  options: QuantizeOptions = {},
): ModelProto {
  const name = model.graph.name
  const quantised = model.graph.node.find(({ opType }) => /QuantizeLinear$|^QLinear|Integer$/.test(opType))
  if (quantised) {
    throw usageError(
      `Cannot quantise "${name}": "${quantised.name || quantised.output[0]}" (${quantised.opType}) is quantised ` +
        `already`,
      'give the float model',
    )
  }
  const raised = raiseOpset(model, 13)
  const plan = planQuantization(raised, ranges)
  if (plan.integerNodes.size === 0) {
    throw new RunbookError(
      'usage',
      `Cannot quantise "${name}": it has no float32 Conv, ConvTranspose, Gemm or MatMul`,
      'give the float32 model',
      { code: 'nothing-to-quantise' },
    )
  }
  return new QdqWriter(raised, plan, { ...usual, ...options }).write()
}

const usual = { weights: 'per-channel', activations: 'uint8', biases: 'int32' } as const

/** A weight as it will be stored: shared by all nodes that read it along the same axis. */
interface StoredWeight {
  readonly dequantized: string
  readonly scales: Float32Array
}

/** Decides, value by value, what goes into the new graph. */
class QdqWriter {
  readonly #model: ModelProto
  readonly #plan: QuantizationPlan
  readonly #options: Required<QuantizeOptions>
  readonly #graph: QdqGraph
  readonly #quantizations = new Map<string, Quantization & { scaleName: string; zeroName: string }>()
  /** Made once each: name and axis, or name and scale, to what stands for it. */
  readonly #weights = new Map<string, StoredWeight>()
  readonly #constants = new Map<string, string>()
  readonly #leastScales: ReadonlyMap<string, number[]>

  constructor(model: ModelProto, plan: QuantizationPlan, options: Required<QuantizeOptions>) {
    this.#model = model
    this.#plan = plan
    this.#options = options
    this.#graph = new QdqGraph(model.graph)
    this.#leastScales = this.#floors()
  }

  write(): ModelProto {
    const { graph } = this.#model
    const readsOf = new Map<string, string>()
    for (const { name } of graph.input)
      if (this.#plan.values.get(name)?.from === 'input') readsOf.set(name, this.#pair(name, name))
    for (const node of graph.node) {
      const isInteger = this.#plan.integerNodes.has(node)
      const input = node.input.map((name, i) => {
        if (name === '') return name
        const weight = isInteger ? this.#constantInput(node, i) : undefined
        const planned = this.#plan.values.get(name)
        return (
          weight ??
          (planned !== undefined && planned.from !== 'integer' && !isInteger ? name : (readsOf.get(name) ?? name))
        )
      })
      const renamed = node.output.map(name =>
        this.#plan.values.get(name)?.from === 'integer' ? this.#graph.fresh(`${name}_float`) : name,
      )
      this.#graph.nodes.push({ ...node, input, output: renamed })
      for (const [i, name] of node.output.entries()) {
        const planned = this.#plan.values.get(name)
        if (planned?.from === 'integer') this.#pair(renamed[i]!, name)
        else if (planned) readsOf.set(name, this.#pair(name, name))
      }
    }
    return this.#graph.modelLike(this.#model, this.#plan.captured)
  }

  /** QuantizeLinear and DequantizeLinear for one value; returns the name of what readers get. */
  #pair(made: string, name: string): string {
    const planned = this.#plan.values.get(name)!
    const { scaleName, zeroName } = this.#quantization(planned)
    const integers = this.#graph.fresh(`${name}_quantized`)
    const dequantized = planned.from === 'integer' ? name : this.#graph.fresh(`${name}_dequantized`)
    this.#graph.node('QuantizeLinear', { stem: name, input: [made, scaleName, zeroName], output: integers })
    this.#graph.node('DequantizeLinear', { stem: name, input: [integers, scaleName, zeroName], output: dequantized })
    return dequantized
  }

  #quantization({ root }: PlannedValue): Quantization & { scaleName: string; zeroName: string } {
    const known = this.#quantizations.get(root)
    if (known) return known
    const made = { ...this.#activation(root), ...this.#graph.scaleNames(root) }
    this.#graph.store(made.scaleName, float32([], [made.scale]))
    this.#graph.store(made.zeroName, this.#integers([made.zeroPoint], []))
    this.#quantizations.set(root, made)
    return made
  }

  #activation(root: string): Quantization {
    const range = this.#plan.rangeOf(root)
    if (range === undefined)
      throw usageError(`Cannot quantise "${root}": no range was calibrated for it`, 'calibrate this very model')
    if (!(Number.isFinite(range.min) && Number.isFinite(range.max) && range.min <= range.max)) {
      throw usageError(
        `Cannot quantise "${root}": its range is ${range.min} to ${range.max}`,
        'calibrate on finite input',
      )
    }
    return quantizationOf(range, this.#options.activations)
  }

  /**
   * What an int8 node reads in place of a constant: a weight, a bias, an operand. undefined when the input stays as it
   * is.
   */
  #constantInput(node: NodeProto, i: number): string | undefined {
    const name = node.input[i]!
    const axis = this.#weightAxis(node)
    if (!this.#plan.constants.has(name)) return undefined
    if (i === 1 && axis !== undefined) return this.#weight(name, axis).dequantized
    if (i === 2 && axis !== undefined) return this.#bias(node, axis)
    return isDataInput(node, i) ? this.#constant(name) : undefined
  }

  /**
   * The axis of the output channels of a node's constant weight, null for one scale; undefined when it has no such
   * weight.
   */
  #weightAxis(node: NodeProto): number | null | undefined {
    const proto = this.#plan.constants.get(node.input[1] ?? '')
    if (proto === undefined) return undefined
    const perChannel: Readonly<Record<string, number | null>> = {
      Conv: 0,
      ConvTranspose: 1,
      Gemm: attributeInt(node, 'transB') === 1 ? 0 : 1,
      MatMul: proto.dims.length === 2 ? 1 : null,
    }
    if (!Object.hasOwn(perChannel, node.opType)) return undefined
    return this.#options.weights === 'per-tensor' ? null : perChannel[node.opType]
  }

  #weight(name: string, axis: number | null): StoredWeight {
    const key = `${axis}:${name}`
    const known = this.#weights.get(key)
    if (known) return known
    const { shape } = this.#tensor(name)
    const leastScales = this.#leastScales.get(key)
    const { data, scales } = quantizeWeight(this.#values(name), { shape, axis, ...(leastScales && { leastScales }) })
    const zeros = new Int8Array(scales.length)
    const dequantized = this.#graph.dequantize(name, { integers: { dtype: 'int8', shape, data }, scales, zeros, axis })
    this.#weights.set(key, { dequantized, scales })
    return { dequantized, scales }
  }

  /** The scales below which a bias would leave int32, for each weight, over all nodes that read it. */
  #floors(): Map<string, number[]> {
    const floors = new Map<string, number[]>()
    for (const node of this.#plan.integerNodes) {
      const axis = this.#weightAxis(node)
      const bias = axis === undefined ? undefined : this.#biasScaleBase(node)
      if (axis === undefined || bias === undefined) continue
      const shape = this.#tensor(node.input[1]!).shape
      const channels = axis === null ? 1 : shape[axis]!
      const key = `${axis}:${node.input[1]}`
      const floor = floors.get(key) ?? Array<number>(channels).fill(0)
      for (const [i, least] of leastWeightScales(this.#values(node.input[2]!), bias).entries()) {
        floor[i % channels] = Math.max(floor[i % channels]!, least)
      }
      floors.set(key, floor)
    }
    return floors
  }

  /**
   * What the weight scale is multiplied by to give the scale of the bias; undefined when the bias has to stay float.
   */
  #biasScaleBase(node: NodeProto): number | undefined {
    const planned = this.#plan.values.get(node.input[0]!)
    const bias = this.#plan.constants.get(node.input[2] ?? '')
    if (planned === undefined || bias?.dims.length !== 1 || this.#options.biases === 'float32') return undefined
    const { scale } = this.#activation(planned.root)
    if (node.opType !== 'Gemm') return scale
    const axis = attributeInt(node, 'transB') === 1 ? 0 : 1
    const isPerOutput = Number(bias.dims[0]) === this.#tensor(node.input[1]!).shape[axis]
    const [alpha, beta] = [attributeFloat(node, 'alpha') ?? 1, attributeFloat(node, 'beta') ?? 1]
    return isPerOutput && alpha > 0 && beta === 1 ? scale * alpha : undefined
  }

  #bias(node: NodeProto, axis: number | null): string | undefined {
    const name = node.input[2]!
    const inputScale = this.#biasScaleBase(node)
    if (inputScale === undefined) return undefined
    const key = `${name}:${inputScale}:${axis}:${node.input[1]}`
    const known = this.#constants.get(key)
    if (known) return known
    const { data, scales } = quantizeBias(this.#values(name), {
      inputScale,
      weightScales: this.#weight(node.input[1]!, axis).scales,
    })
    const integers: Tensor = { dtype: 'int32', shape: [data.length], data }
    const dequantized = this.#graph.dequantize(name, { integers, scales, zeros: new Int32Array(data.length), axis: 0 })
    this.#constants.set(key, dequantized)
    return dequantized
  }

  #constant(name: string): string {
    const known = this.#constants.get(name)
    if (known) return known
    const { scale, zeroPoint, data } = quantizeConstant(this.#values(name), this.#options.activations)
    const integers = this.#integers(data, this.#tensor(name).shape)
    const dequantized = this.#graph.dequantize(name, {
      integers,
      scales: Float32Array.of(scale),
      zeros: this.#integers([zeroPoint], []).data,
      axis: null,
    })
    this.#constants.set(name, dequantized)
    return dequantized
  }

  #integers(values: ArrayLike<number>, shape: readonly number[]): Tensor {
    const dtype = integerTypeOf(this.#options.activations)
    return { dtype, shape, data: dtype === 'uint8' ? Uint8Array.from(values) : Int8Array.from(values) }
  }

  #tensor(name: string): Tensor {
    return tensorFromProto(this.#plan.constants.get(name)!)
  }

  #values(name: string): Float32Array {
    const data = this.#tensor(name).data as Float32Array
    const odd = data.findIndex(value => !Number.isFinite(value))
    if (odd < 0) return data
    throw usageError(
      `Cannot quantise "${name}": element ${odd} is ${data[odd]}`,
      'check the training or the export of this weight',
    )
  }
}
