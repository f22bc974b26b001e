/** Graphs and inputs that tests share. */
import { encodeModel, type ModelProto } from '../../formats/onnx/index.ts'
import { float32, sizeOf, type Dtype, type FloatTensor, type Tensor } from '../../formats/tensors/tensor.ts'
import { GraphBuilder, type AttributeValue } from '../../onnx/builder.ts'
import { calibrate, type Feeds } from '../../onnx/quantize/calibrate.ts'
import { quantizeQdq, type QuantizeOptions } from '../../onnx/quantize/quantize.ts'
import { inferShapes } from '../../onnx/shapes/infer.ts'
import { onnxruntimeNode } from '../../host/onnxruntime-node.ts'

/** A stream of numbers in [0, 1) that depends on the seed alone (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Normally distributed values. */
export function normal(shape: readonly number[], o: { seed: number; deviation?: number }): FloatTensor {
  const random = seeded(o.seed)
  const one = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  return float32(
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => one() * (o.deviation ?? 1)),
  )
}

/** An int64 tensor of one axis. */
export const ints = (values: readonly number[]): Tensor => ({
  dtype: 'int64',
  shape: [values.length],
  data: BigInt64Array.from(values, BigInt),
})

type Port = readonly [Dtype, readonly (number | string)[]]

/** A graph of one node: inputs are ports (declared) or tensors (stored), in order; `y0`, `y1`, … are its outputs. */
export function oneNode(
  op: string,
  inputs: Readonly<Record<string, Port | Tensor | null>>,
  o: { attributes?: Record<string, AttributeValue>; outputs?: number; opset?: number } = {},
): ModelProto {
  const builder = new GraphBuilder({ name: 'one', opset: o.opset ?? 13 })
  const names = Object.entries(inputs).map(([name, given]) => {
    if (given === null) return ''
    return 'data' in given ? builder.weight(name, given) : builder.input(name, ...given)
  })
  const outputs = Array.from({ length: o.outputs ?? 1 }, (_, i) => `y${i}`)
  builder.node(op, names, { name: 'it', outputs, ...(o.attributes && { attributes: o.attributes }) })
  return withOutputs(builder, outputs)
}

/** Outputs without a type, so that nothing but the node says what they are. */
function withOutputs(builder: GraphBuilder, outputs: readonly string[]): ModelProto {
  for (const name of outputs) builder.output(name, 'float32', [])
  const model = builder.build()
  return { ...model, graph: { ...model.graph, output: outputs.map(name => ({ name })) } }
}

/** Sizes of the small separator that the quantiser is measured on. */
export const stackWidth = 400

/**
 * A small mask network as this project authors them: encoder, depthwise scale, dilated depthwise block with residual,
 * Sigmoid mask, decoder, Squeeze. Channel gains differ by up to 30, so that one scale for a whole weight hurts.
 */
export function convStack(o: { seed?: number; opset?: number; bias?: (channel: number) => number } = {}): ModelProto {
  const builder = new GraphBuilder({ name: 'stack', opset: o.opset ?? 12 })
  let seed = o.seed ?? 1
  const conv = (
    x: string,
    name: string,
    c: { from: number; to: number; kernel?: number; stride?: number; dilation?: number; depthwise?: boolean },
  ): string => {
    const { kernel = 1, stride = 1, dilation = 1 } = c
    const group = c.depthwise ? c.to : 1
    const perGroup = c.from / group
    const weight = normal([c.to, perGroup, 1, kernel], { seed: seed++, deviation: 1 / Math.sqrt(perGroup * kernel) })
    const gain = seeded(seed++)
    const size = perGroup * kernel
    for (let i = 0; i < c.to; i++) {
      const by = 30 ** (gain() - 0.5)
      for (let k = 0; k < size; k++) weight.data[i * size + k]! *= by
    }
    const bias = float32(
      [c.to],
      normal([c.to], { seed: seed++, deviation: 0.1 }).data.map((b, i) => b + (o.bias?.(i) ?? 0)),
    )
    const pad = kernel === 1 ? 0 : (dilation * (kernel - 1)) / 2
    const attributes = {
      kernel_shape: [1, kernel],
      strides: [1, stride],
      dilations: [1, dilation],
      group,
      pads: [0, Math.floor(pad), 0, Math.floor(pad)],
    }
    return builder.node('Conv', [x, builder.weight(`${name}_w`, weight), builder.weight(`${name}_b`, bias)], {
      name,
      output: `${name}_out`,
      attributes,
    })
  }
  const x = builder.input('input', 'float32', [1, 1, 1, stackWidth])
  const encoded = conv(x, 'encoder', { from: 1, to: 16, kernel: 16, stride: 8 })
  const scaled = conv(encoded, 'scale', { from: 16, to: 16, depthwise: true })
  const bottleneck = conv(scaled, 'bottleneck', { from: 16, to: 12 })
  const hidden = builder.node('Relu', [conv(bottleneck, 'expand', { from: 12, to: 24 })], {
    name: 'relu',
    output: 'relu_out',
  })
  const wide = builder.node(
    'Relu',
    [conv(hidden, 'dilated', { from: 24, to: 24, kernel: 3, dilation: 2, depthwise: true })],
    { name: 'relu2', output: 'relu2_out' },
  )
  const sum = builder.node('Add', [bottleneck, conv(wide, 'residual', { from: 24, to: 12 })], {
    name: 'add',
    output: 'add_out',
  })
  const mask = builder.node('Sigmoid', [conv(sum, 'head', { from: 12, to: 16 })], { name: 'mask', output: 'mask_out' })
  const masked = builder.node('Mul', [mask, encoded], { name: 'mul', output: 'mul_out' })
  const decoded = conv(masked, 'decoder', { from: 16, to: 2 })
  const axes =
    (o.opset ?? 12) < 13
      ? { inputs: [decoded], attributes: { axes: [2] } }
      : { inputs: [decoded, builder.weight('axes', ints([2]))] }
  const out = builder.node('Squeeze', axes.inputs, {
    name: 'squeeze',
    output: 'output',
    ...('attributes' in axes && { attributes: axes.attributes! }),
  })
  builder.output(out, 'float32', [1, 2, stackFrames])
  return builder.build()
}

/** Frames that the stack gives for `stackWidth` samples. */
export const stackFrames = Math.floor((stackWidth + 14 - 16) / 8) + 1

/** Batches for the stack: noise whose loudness varies, as speech does. */
export const stackBatches = (count: number, seed = 100): Feeds[] =>
  Array.from({ length: count }, (_, i) => {
    const loud = normal([1, 1, 1, stackWidth], { seed: seed + i, deviation: 0.3 })
    return {
      input: float32(
        loud.shape,
        loud.data.map((value, t) => value * (0.2 + Math.abs(Math.sin(t / 40 + i)))),
      ),
    }
  })

/** What ONNX Runtime makes of zeros in the same graph; a named dimension becomes 3. */
export async function measuredShapes(
  model: ModelProto,
  o: { named?: number } = {},
): Promise<Map<string, { dtype: string; shape: readonly number[] }>> {
  const { InferenceSession, Tensor: OrtTensor } = await onnxruntimeNode()
  const names = model.graph.node.flatMap(node => node.output).filter(name => name !== '')
  const exposed = { ...model, graph: { ...model.graph, output: names.map(name => ({ name })) } }
  const session = await InferenceSession.create(encodeModel(exposed), {
    graphOptimizationLevel: 'disabled',
    logSeverityLevel: 4,
  })
  const shapes = inferShapes(model)
  const feeds = Object.fromEntries(
    session.inputNames.map(name => {
      const { dtype, shape } = shapes.get(name)!
      const dims = shape.map(dim => (typeof dim === 'number' ? dim : dim === 'sequence' ? 576 : (o.named ?? 3)))
      const data =
        dtype === 'int64'
          ? new BigInt64Array(sizeOf(dims)).fill(16000n)
          : dtype === 'float32'
            ? new Float32Array(sizeOf(dims))
            : new Uint8Array(sizeOf(dims))
      return [name, new OrtTensor(dtype as 'float32', data as Float32Array, dims)]
    }),
  )
  const results = await session.run(feeds)
  await session.release()
  return new Map(names.map(name => [name, { dtype: results[name]!.type, shape: results[name]!.dims }]))
}

/**
 * Every batch through ONNX Runtime; the first output of each. `optimized` is where it writes the graph that it really
 * runs.
 */
export async function runOnnx(
  model: ModelProto,
  batches: readonly Feeds[],
  o: { optimized?: string } = {},
): Promise<Float32Array[]> {
  const { InferenceSession, Tensor: OrtTensor } = await onnxruntimeNode()
  const session = await InferenceSession.create(encodeModel(model), {
    logSeverityLevel: 4,
    ...(o.optimized !== undefined && { optimizedModelFilePath: o.optimized, graphOptimizationLevel: 'extended' }),
  })
  const outputs: Float32Array[] = []
  for (const feeds of batches) {
    const given = Object.entries(feeds).map(([name, { dtype, data, shape }]) => [
      name,
      new OrtTensor(dtype as 'float32', data as Float32Array, shape),
    ])
    const results = await session.run(Object.fromEntries(given))
    outputs.push(Float32Array.from(results[session.outputNames[0]!]!.data as Float32Array))
  }
  await session.release()
  return outputs
}

/** Signal to noise over all batches, in dB. */
export function snrOver(estimates: readonly Float32Array[], references: readonly Float32Array[]): number {
  let [signal, noise] = [0, 0]
  for (const [k, reference] of references.entries()) {
    for (const [i, value] of reference.entries()) {
      signal += value ** 2
      noise += (estimates[k]![i]! - value) ** 2
    }
  }
  return 10 * Math.log10(signal / noise)
}

/** Batches for a graph with the one input x. */
export const noise = (shape: readonly number[], count = 4): Feeds[] =>
  Array.from({ length: count }, (_, i) => ({ x: normal(shape, { seed: 50 + i }) }))

/** Output SNR of int8 against float, on input that calibration did not see. */
export async function quantizedSnr(
  model: ModelProto,
  o: { calibration: Feeds[]; unseen: Feeds[]; method?: 'minmax' | 'mse' } & QuantizeOptions,
): Promise<number> {
  const { calibration, unseen, method = 'mse', ...options } = o
  const quantized = quantizeQdq(model, await calibrate(model, calibration, { method }), options)
  return snrOver(await runOnnx(quantized, unseen), await runOnnx(model, unseen))
}
