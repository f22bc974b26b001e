/**
 * Puts the nodes and tensors of a QDQ graph together, and names each for what it stands for.
 *
 * Nothing here decides what is quantised, or how finely: that is `quantize.ts`.
 */
import {
  newNode,
  protoFromTensor,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
} from '../../formats/onnx/index.ts'
import { float32, type Tensor } from '../../formats/tensors/tensor.ts'
import { attributeFrom } from '../builder.ts'

/** Nodes and initializers of a graph in the making, and the names that are taken. */
export class QdqGraph {
  readonly nodes: NodeProto[] = []
  readonly initializers: TensorProto[] = []
  readonly #names: Set<string>

  /** @param graph the float graph whose names stay taken */
  constructor({ node, initializer, input }: GraphProto) {
    const named = [...node, ...initializer, ...input].map(({ name }) => name)
    this.#names = new Set([...named, ...node.flatMap(({ output }) => output)])
  }

  /**
   * Stores integers with their scales and zero points; returns the name of what they stand for. `axis` null: one scale.
   */
  dequantize(
    name: string,
    o: { integers: Tensor; scales: Float32Array; zeros: Tensor['data']; axis: number | null },
  ): string {
    const shape = o.axis === null ? [] : [o.scales.length]
    const { scaleName, zeroName } = this.scaleNames(name)
    const integers = this.store(this.fresh(`${name}_quantized`), o.integers)
    this.store(scaleName, float32(shape, o.scales))
    this.store(zeroName, { dtype: o.integers.dtype, shape, data: o.zeros })
    const output = this.fresh(`${name}_dequantized`)
    return this.node('DequantizeLinear', {
      stem: name,
      input: [integers, scaleName, zeroName],
      output,
      ...(o.axis !== null && { axis: o.axis }),
    })
  }

  /** A node with one output; returns that output. Its name is the stem and the operator. */
  node(opType: string, o: { stem: string; input: string[]; output: string; axis?: number }): string {
    const attribute = o.axis === undefined ? [] : [attributeFrom('axis', o.axis)]
    this.nodes.push(
      newNode({ opType, name: this.fresh(`${o.stem}_${opType}`), input: o.input, output: [o.output], attribute }),
    )
    return o.output
  }

  /** Free names for the scale and the zero point of a value. */
  scaleNames = (stem: string): { scaleName: string; zeroName: string } => ({
    scaleName: this.fresh(`${stem}_scale`),
    zeroName: this.fresh(`${stem}_zero_point`),
  })

  /** Adds an initializer; returns its name. */
  store(name: string, tensor: Tensor): string {
    this.initializers.push(protoFromTensor(name, tensor))
    return name
  }

  /** The name itself when it is free, else with a count. */
  fresh(base: string): string {
    let name = base
    for (let i = 2; this.#names.has(name); i++) name = `${base}_${i}`
    this.#names.add(name)
    return name
  }

  /**
   * The model with this graph in place of its own, without the float weights that nobody reads any more.
   *
   * @param captured names that bodies of nodes read from outside
   */
  modelLike(model: ModelProto, captured: ReadonlySet<string>): ModelProto {
    const { graph } = model
    const inputs = this.nodes.flatMap(node => node.input)
    const read = new Set([...inputs, ...graph.output.map(({ name }) => name), ...captured])
    const gone = new Set(graph.initializer.flatMap(({ name }) => (read.has(name) ? [] : [name])))
    const kept = graph.initializer.filter(({ name }) => !gone.has(name))
    const node = this.nodes.filter(({ opType, output }) => opType !== 'Constant' || read.has(output[0]!))
    const input = graph.input.filter(({ name }) => !gone.has(name))
    return { ...model, graph: { ...graph, node, input, initializer: [...kept, ...this.initializers] } }
  }
}
