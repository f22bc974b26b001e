/**
 * Weights of small ConvTasNets under the names that Asteroid and torchaudio give them.
 */
import { float32, sizeOf, type Tensor } from '../../formats/tensors/tensor.ts'

type Family = 'Asteroid' | 'torchaudio'

/** Sizes of the small networks: filters, channels, sources, taps. */
export const stockSizes = { n: 6, b: 4, h: 5, s: 3, sources: 2, k: 4, p: 3 }
/** Blocks of the small networks. */
export const stockBlocks = 4

/** The names and shapes that `state_dict()` of each project has. */
function shapesOf(family: Family): [string, number[]][] {
  const { n, b, h, s, sources, k, p } = stockSizes
  const isAsteroid = family === 'Asteroid'
  const [gain, shift] = isAsteroid ? ['gamma', 'beta'] : ['weight', 'bias']
  const conv = (name: string, ...shape: number[]): [string, number[]][] => [
    [`${name}.weight`, shape],
    [`${name}.bias`, [shape[0]!]],
  ]
  const norm = (name: string, channels: number): [string, number[]][] => [
    [`${name}.${gain}`, [channels]],
    [`${name}.${shift}`, [channels]],
  ]
  const block = (i: number): [string, number[]][] => {
    const at = isAsteroid ? `masker.TCN.${i}` : `mask_generator.conv_layers.${i}`
    const inner = isAsteroid ? `${at}.shared_block` : `${at}.conv_layers`
    const isLast = i === stockBlocks - 1
    return [
      ...conv(`${inner}.0`, h, b, 1),
      [`${inner}.1.weight`, [1]],
      ...norm(`${inner}.2`, h),
      ...conv(`${inner}.3`, h, 1, p),
      [`${inner}.4.weight`, [1]],
      ...norm(`${inner}.5`, h),
      ...(isLast && !isAsteroid ? [] : conv(isAsteroid ? `${at}.res_conv` : `${at}.res_out`, b, h, 1)),
      ...conv(isAsteroid ? `${at}.skip_conv` : `${at}.skip_out`, s, h, 1),
    ]
  }
  const bank = isAsteroid ? '.filterbank._filters' : '.weight'
  return [
    [`encoder${bank}`, [n, 1, k]],
    [`decoder${bank}`, [n, 1, k]],
    ...norm(isAsteroid ? 'masker.bottleneck.0' : 'mask_generator.input_norm', n),
    ...conv(isAsteroid ? 'masker.bottleneck.1' : 'mask_generator.input_conv', b, n, 1),
    ...Array.from({ length: stockBlocks }, (_, i) => block(i)).flat(),
    [isAsteroid ? 'masker.mask_net.0.weight' : 'mask_generator.output_prelu.weight', [1]],
    ...conv(isAsteroid ? 'masker.mask_net.1' : 'mask_generator.output_conv', sources * n, s, 1),
  ]
}

/** Numbers of no pattern in [-0.7, 0.7], other for each name. */
export function stockWeights(family: Family, change: (name: string, tensor: Tensor) => Tensor = (_, t) => t) {
  const have = new Map<string, () => Tensor>()
  for (const [i, [name, shape]] of shapesOf(family).entries()) {
    const data = Float32Array.from({ length: sizeOf(shape) }, (_, j) => 0.7 * Math.sin(13.7 * i + 5.3 * j + 1))
    have.set(name, () => change(name, float32(shape, data)))
  }
  return have
}
