/**
 * Authors a network of MobileNetV2's layers and sizes, with seeded weights, to measure quantising on.
 */
import type { ModelProto } from '../formats/onnx/index.ts'
import { float32 } from '../formats/tensors/tensor.ts'
import { GraphBuilder } from '../onnx/builder.ts'

/** Expansion, channels, repeats and first stride of each stage: table 2 of MobileNetV2 (arXiv:1801.04381). */
const stages = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const

/** Numbers like those of a normal distribution, the same every time. */
function normalNumbers(seed: number): (count: number, deviation: number) => Float32Array {
  let state = seed
  const next = () => {
    state = (state * 48271) % 0x7fffffff
    return state / 0x7fffffff
  }
  return (count, deviation) =>
    Float32Array.from({ length: count }, () => deviation * (next() + next() + next() + next() - 2) * Math.sqrt(3))
}

/** `x` float32[1, 3, size, size] to `y` float32[1, 1000]; 3.5 million weights. */
export function mobileNet(size = 224): ModelProto {
  const graph = new GraphBuilder({ name: 'mobilenet', opset: 13, irVersion: 8 })
  const draw = normalNumbers(7)
  const [low, high] = [graph.weight('zero', float32([], [0])), graph.weight('six', float32([], [6]))]
  let count = 0
  const conv = (
    from: string,
    o: { into: number; out: number; kernel?: number; stride?: number; group?: number; clips?: boolean },
  ): string => {
    const { into, out, kernel = 1, stride = 1, group = 1, clips = true } = o
    const name = `conv${count++}`
    const taps = (into / group) * kernel * kernel
    const weight = graph.weight(
      `${name}.weight`,
      float32([out, into / group, kernel, kernel], draw(out * taps, Math.sqrt(2 / taps))),
    )
    const bias = graph.weight(`${name}.bias`, float32([out], draw(out, 0.1)))
    const pad = (kernel - 1) / 2
    const made = graph.node('Conv', [from, weight, bias], {
      name,
      attributes: {
        kernel_shape: [kernel, kernel],
        pads: [pad, pad, pad, pad],
        strides: [stride, stride],
        dilations: [1, 1],
        group,
      },
    })
    return clips ? graph.node('Clip', [made, low, high], { name: `${name}.clip` }) : made
  }
  let channels = 32
  let value = conv(graph.input('x', 'float32', [1, 3, size, size]), { into: 3, out: 32, kernel: 3, stride: 2 })
  for (const [expansion, out, repeats, first] of stages) {
    for (let i = 0; i < repeats; i++) {
      const stride = i === 0 ? first : 1
      const wide = channels * expansion
      const opened = expansion === 1 ? value : conv(value, { into: channels, out: wide })
      const deep = conv(opened, { into: wide, out: wide, kernel: 3, stride, group: wide })
      const closed = conv(deep, { into: wide, out, clips: false })
      value = stride === 1 && channels === out ? graph.node('Add', [value, closed], { name: `add${count}` }) : closed
      channels = out
    }
  }
  const pooled = graph.node('GlobalAveragePool', [conv(value, { into: channels, out: 1280 })], { name: 'pool' })
  const flat = graph.node('Flatten', [pooled], { name: 'flatten', attributes: { axis: 1 } })
  const head = graph.weight('head.weight', float32([1000, 1280], draw(1_280_000, 0.03)))
  const bias = graph.weight('head.bias', float32([1000], draw(1000, 0.1)))
  graph.node('Gemm', [flat, head, bias], { name: 'head', output: 'y', attributes: { transB: 1 } })
  graph.output('y', 'float32', [1, 1000])
  return graph.build()
}

/** Pictures of slow waves and a little noise in [-1, 1], the same every time. */
export function pictures(count: number, size = 224): Float32Array {
  const draw = normalNumbers(11)
  const noise = draw(count * 3 * size * size, 0.1)
  return noise.map((value, i) => {
    const [x, y, n] = [i % size, Math.floor(i / size) % size, Math.floor(i / (size * size))]
    const wave = 0.6 * Math.sin(0.02 * x * (1 + (n % 5)) + n) * Math.cos(0.03 * y * (1 + (n % 3)))
    return Math.max(-1, Math.min(1, wave + value))
  })
}
