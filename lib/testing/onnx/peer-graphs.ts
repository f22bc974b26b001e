/**
 * Five small graphs of public shapes, with input, on which int8 is held against ONNX Runtime's own quantiser.
 *
 * A gated cell with its state, a front that takes a logarithm, an attention block, a depthwise stack, and a mask with a
 * transposed convolution. Weights are seeded.
 */
import type { ModelProto } from '../../formats/onnx/index.ts'
import { float32, type FloatTensor } from '../../formats/tensors/tensor.ts'
import { GraphBuilder, type AttributeValue } from '../../onnx/builder.ts'
import type { Feeds } from '../../onnx/quantize/calibrate.ts'
import { ints, normal, seeded } from './graphs.ts'

/** A graph, and its input by number. */
export interface PeerGraph {
  readonly model: ModelProto
  feeds(seed: number): Feeds
}

const scaled = (shape: readonly number[], seed: number, fan: number): FloatTensor =>
  normal(shape, { seed, deviation: 1 / Math.sqrt(fan) })

/** Two tones whose loudness moves, and a little noise. */
function sound(count: number, { seed, amplitude }: { seed: number; amplitude: number }): Float32Array {
  const random = seeded(seed)
  const [low, high] = [0.02 + random() * 0.2, 0.05 + random() * 0.5]
  return Float32Array.from(
    { length: count },
    (_, t) =>
      amplitude * (Math.sin(low * t) + 0.5 * Math.sin(high * t)) * (0.3 + Math.abs(Math.sin(t * 0.003 + seed))) +
      0.02 * (random() - 0.5),
  )
}

/** A builder whose nodes are named by their output. */
function building(name: string) {
  const builder = new GraphBuilder({ name, opset: 13 })
  const make = (op: string, inputs: string[], output: string, attributes?: Record<string, AttributeValue>) =>
    builder.node(op, inputs, { output, ...(attributes && { attributes }) })
  const weight = (label: string, tensor: FloatTensor) => builder.weight(label, tensor)
  const scalar = (label: string, value: number) => weight(label, float32([], Float32Array.of(value)))
  const finish = (outputs: Readonly<Record<string, readonly number[]>>) => {
    for (const [output, shape] of Object.entries(outputs)) builder.output(output, 'float32', shape)
    return builder.build()
  }
  return { builder, make, weight, scalar, finish }
}

function recurrent(): PeerGraph {
  const { builder, make, weight, finish } = building('recurrent')
  const [x, h] = [builder.input('x', 'float32', [1, 32]), builder.input('h', 'float32', [1, 48])]
  const linear = (value: string, name: string, size: readonly [number, number], seed: number) =>
    make(
      'Gemm',
      [
        value,
        weight(`${name}_w`, scaled(size, seed, size[0])),
        weight(`${name}_b`, normal([size[1]], { seed: seed + 50, deviation: 0.1 })),
      ],
      `${name}_o`,
    )
  const gate = (name: string, seed: number) =>
    make(
      'Sigmoid',
      [make('Add', [linear(x, `${name}x`, [32, 48], seed), linear(h, `${name}h`, [48, 48], seed + 1)], `${name}a`)],
      name,
    )
  const [update, reset] = [gate('z', 1), gate('r', 3)]
  const kept = make('Mul', [reset, linear(h, 'nh', [48, 48], 5)], 'kept')
  const candidate = make('Tanh', [make('Add', [linear(x, 'nx', [32, 48], 6), kept], 'na')], 'n')
  const moved = make('Mul', [update, make('Sub', [h, candidate], 'd')], 'zd')
  const next = make('Add', [candidate, moved], 'h_out')
  linear(next, 'out', [48, 16], 7)
  return {
    model: finish({ h_out: [1, 48], out_o: [1, 16] }),
    feeds: seed => ({
      x: normal([1, 32], { seed: 900 + seed }),
      h: normal([1, 48], { seed: 1900 + seed, deviation: 0.5 }),
    }),
  }
}

function logFront(): PeerGraph {
  const { builder, make, weight, scalar, finish } = building('log-front')
  const x = builder.input('spec', 'float32', [1, 1, 64, 20])
  const power = make('Add', [make('Mul', [x, x], 'p'), scalar('eps', 1e-6)], 'e')
  const log = make('Log', [power], 'l')
  const pads = { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }
  const first = make(
    'Conv',
    [log, weight('w', scaled([16, 1, 3, 3], 1, 9)), weight('b', normal([16], { seed: 2, deviation: 0.1 }))],
    'c',
    pads,
  )
  const second = [weight('w2', scaled([8, 16, 3, 3], 3, 144)), weight('b2', normal([8], { seed: 4, deviation: 0.1 }))]
  make('Conv', [make('Relu', [first], 'r'), ...second], 'y', { ...pads, strides: [2, 1] })
  return {
    model: finish({ y: [1, 8, 32, 20] }),
    feeds: seed => ({ spec: float32([1, 1, 64, 20], sound(1280, { seed: 40 + seed, amplitude: 2 })) }),
  }
}

function attention(): PeerGraph {
  const { builder, make, weight, scalar, finish } = building('attention')
  const [steps, width, heads] = [24, 64, 4]
  const x = builder.input('x', 'float32', [1, steps, width])
  const last = { axes: [-1], keepdims: 1 }
  const norm = (value: string, name: string) => {
    const centred = make('Sub', [value, make('ReduceMean', [value], `${name}_m`, last)], `${name}_c`)
    const variance = make('ReduceMean', [make('Mul', [centred, centred], `${name}_q`)], `${name}_v`, last)
    const deviation = make('Sqrt', [make('Add', [variance, scalar(`${name}_e`, 1e-5)], `${name}_a`)], `${name}_s`)
    const plain = make('Div', [centred, deviation], `${name}_d`)
    const gained = make(
      'Mul',
      [plain, weight(`${name}_g`, normal([width], { seed: 77, deviation: 0.3 }))],
      `${name}_sc`,
    )
    return make('Add', [gained, weight(`${name}_b`, normal([width], { seed: 78, deviation: 0.1 }))], `${name}_n`)
  }
  const linear = (value: string, name: string, size: readonly [number, number], seed: number) => {
    const product = make('MatMul', [value, weight(`${name}_w`, scaled(size, seed, size[0]))], `${name}_mm`)
    return make(
      'Add',
      [product, weight(`${name}_bias`, normal([size[1]], { seed: seed + 9, deviation: 0.05 }))],
      `${name}_o`,
    )
  }
  const square = [width, width] as const
  const split = (value: string, name: string, perm: readonly number[]) => {
    const shape = builder.weight(`${name}_shape`, ints([1, steps, heads, width / heads]))
    return make('Transpose', [make('Reshape', [value, shape], `${name}_r`)], `${name}_t`, { perm })
  }
  const normed = norm(x, 'n1')
  const query = split(linear(normed, 'q', square, 11), 'qh', [0, 2, 1, 3])
  const key = split(linear(normed, 'k', square, 12), 'kh', [0, 2, 3, 1])
  const value = split(linear(normed, 'v', square, 13), 'vh', [0, 2, 1, 3])
  const scores = make('Mul', [make('MatMul', [query, key], 'qk'), scalar('inverse', 0.25)], 'qks')
  const mixed = make('MatMul', [make('Softmax', [scores], 'att', { axis: -1 }), value], 'av')
  const joined = make('Transpose', [mixed], 'avt', { perm: [0, 2, 1, 3] })
  const flat = make('Reshape', [joined, builder.weight('back', ints([1, steps, width]))], 'avr')
  const sum = make('Add', [x, linear(flat, 'proj', square, 14)], 'r1')
  const hidden = make('Relu', [linear(norm(sum, 'n2'), 'f1', [width, 128], 15)], 'f1r')
  make('Add', [sum, linear(hidden, 'f2', [128, width], 16)], 'y')
  return {
    model: finish({ y: [1, steps, width] }),
    feeds: seed => ({ x: normal([1, steps, width], { seed: 300 + seed }) }),
  }
}

function depthwise(): PeerGraph {
  const { builder, make, weight, scalar, finish } = building('depthwise')
  const channels = 32
  let seed = 1
  const conv = (value: string, name: string, o: { from: number; kernel: number; group: number; stride?: number }) => {
    const size = (o.from / o.group) * o.kernel ** 2
    const kernel = scaled([channels, o.from / o.group, o.kernel, o.kernel], seed++, size)
    const gain = seeded(seed++)
    for (let i = 0; i < channels; i++) {
      const by = 10 ** (gain() - 0.5)
      for (let j = 0; j < size; j++) kernel.data[i * size + j]! *= by
    }
    const bias = weight(`${name}_b`, normal([channels], { seed: seed++, deviation: 0.1 }))
    const pad = (o.kernel - 1) / 2
    return make('Conv', [value, weight(`${name}_w`, kernel), bias], `${name}_o`, {
      kernel_shape: [o.kernel, o.kernel],
      group: o.group,
      strides: [o.stride ?? 1, o.stride ?? 1],
      pads: [pad, pad, pad, pad],
    })
  }
  const x = builder.input('x', 'float32', [1, 1, 40, 49])
  let value = make('Relu', [conv(x, 'stem', { from: 1, kernel: 3, group: 1, stride: 2 })], 'stem_r')
  for (let i = 0; i < 4; i++) {
    const deep = conv(value, `dw${i}`, { from: channels, kernel: 3, group: channels })
    value = make('Clip', [deep, scalar(`low${i}`, 0), scalar(`high${i}`, 6)], `dwr${i}`)
    value = make('Relu', [conv(value, `pw${i}`, { from: channels, kernel: 1, group: 1 })], `pwr${i}`)
  }
  const flat = make('Flatten', [make('GlobalAveragePool', [value], 'gap')], 'flat', { axis: 1 })
  make(
    'Gemm',
    [flat, weight('fc', scaled([32, 12], 99, 32)), weight('fcb', normal([12], { seed: 98, deviation: 0.1 }))],
    'y',
  )
  return {
    model: finish({ y: [1, 12] }),
    feeds: number => ({ x: float32([1, 1, 40, 49], sound(1960, { seed: 70 + number, amplitude: 2 })) }),
  }
}

function transposed(): PeerGraph {
  const { builder, make, weight, finish } = building('transposed')
  const x = builder.input('x', 'float32', [1, 1, 1024])
  const frames = { kernel_shape: [16], strides: [8] }
  const encoded = make('Relu', [make('Conv', [x, weight('we', scaled([64, 1, 16], 1, 16))], 'e0', frames)], 'e')
  const inner = [
    encoded,
    weight('wm', scaled([64, 64, 3], 2, 192)),
    weight('bm', normal([64], { seed: 3, deviation: 0.3 })),
  ]
  const mask = make('Sigmoid', [make('Conv', inner, 'm0', { kernel_shape: [3], pads: [1, 1] })], 'm')
  make('ConvTranspose', [make('Mul', [encoded, mask], 'k'), weight('wd', scaled([64, 1, 16], 4, 64))], 'y', frames)
  return {
    model: finish({ y: [1, 1, 1024] }),
    feeds: seed => ({ x: float32([1, 1, 1024], sound(1024, { seed: 10 + seed, amplitude: 0.3 })) }),
  }
}

/** The graphs by name. */
export const peerGraphs: Readonly<Record<string, () => PeerGraph>> = {
  recurrent,
  logFront,
  attention,
  depthwise,
  transposed,
}
