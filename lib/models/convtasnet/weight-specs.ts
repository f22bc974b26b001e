/**
 * Lists the weights that a ConvTasNet needs, with their names and shapes.
 *
 * Names read like a PyTorch state dict, shapes are those of `Conv2d` and `ConvTranspose2d`. The list holds what reaches
 * the output and nothing else, so a bypassed masker and the last block's residual layer are absent. N, B, H, S, P are
 * `nFilters`, `bnChan`, `hidChan`, `skipChan`, `convKernelSize`; C is the number of sources, K the kernel of 16, R the
 * reduced channels:
 *
 *   encoder.weight                      [N, 1, 1, K]
 *   masker.norm.{weight,bias}           [N, 1, 1, 1], [N]        no norm has a bias when `normMode` is identity
 *   masker.bottleneck.{weight,bias}     [B, N, 1, 1], [B]
 *   masker.blocks.i.expand.…            [H, B, 1, 1], [H]
 *   masker.blocks.i.norm1.…             [H, 1, 1, 1], [H]
 *   masker.blocks.i.depthwise.…         [H, 1, 1, P], [H]
 *   masker.blocks.i.norm2.…             [H, 1, 1, 1], [H]
 *   masker.blocks.i.residual.…          [B, H, 1, 1], [B]        not in the last block that runs
 *   masker.blocks.i.skip.…              [S, H, 1, 1], [S]
 *   masker.mask.…                       [C*N, S, 1, 1], [C*N]
 *   source_projector.weight             [C*N, N, 1, 1]           stacked identities; `skipTopologyMode` project
 *   decoder.{weight,bias}               [C, C*N, 1, 1], [C]      conv1x1_head
 *   decoder.weight                      [N, 1, 1, K]             polyphase and deconv: one filterbank for every
 * source, no bias
 *   decoder.reduce.weight               [R, C*N, 1, 1]           reduced_deconv_R, followed by
 *   decoder.{weight,bias}               [R, C, 1, K], [C]
 */
import type { WeightSpec } from '../weights-file.ts'
import { dilationsOf, reducedChannels, sourcesOf, type ConvTasNetOptions } from './options.ts'

/** Whether a convolution carries the encoder's frames to the sources: a single source needs none. */
export const hasProjector = (o: ConvTasNetOptions): boolean => o.skipTopologyMode === 'project' && sourcesOf(o) > 1

/** Every weight of the graph in the order of its use. */
export function weightSpecs(o: ConvTasNetOptions): WeightSpec[] {
  const masked = sourcesOf(o) * o.nFilters
  return [
    { name: 'encoder.weight', shape: [o.nFilters, 1, 1, o.kernelSize] },
    ...(o.maskMulMode === 'normal' ? maskerSpecs(o) : []),
    ...(hasProjector(o) ? [{ name: 'source_projector.weight', shape: [masked, o.nFilters, 1, 1] }] : []),
    ...decoderSpecs(o),
  ]
}

const layer = (name: string, out: number, into: number, taps = 1): WeightSpec[] => [
  { name: `${name}.weight`, shape: [out, into, 1, taps] },
  { name: `${name}.bias`, shape: [out] },
]

const norm = (name: string, channels: number, mode: ConvTasNetOptions['normMode']): WeightSpec[] =>
  layer(name, channels, 1).slice(0, mode === 'affine' ? 2 : 1)

function maskerSpecs(o: ConvTasNetOptions): WeightSpec[] {
  const blocks = dilationsOf(o).length
  return [
    ...norm('masker.norm', o.nFilters, o.normMode),
    ...layer('masker.bottleneck', o.bnChan, o.nFilters),
    ...Array.from({ length: blocks }, (_, i) => blockSpecs(o, `masker.blocks.${i}`, i === blocks - 1)).flat(),
    ...layer('masker.mask', sourcesOf(o) * o.nFilters, o.skipChan),
  ]
}

const blockSpecs = (o: ConvTasNetOptions, name: string, isLast: boolean): WeightSpec[] => [
  ...layer(`${name}.expand`, o.hidChan, o.bnChan),
  ...norm(`${name}.norm1`, o.hidChan, o.normMode),
  ...layer(`${name}.depthwise`, o.hidChan, 1, o.convKernelSize),
  ...norm(`${name}.norm2`, o.hidChan, o.normMode),
  ...(isLast ? [] : layer(`${name}.residual`, o.bnChan, o.hidChan)),
  ...layer(`${name}.skip`, o.skipChan, o.hidChan),
]

function decoderSpecs(o: ConvTasNetOptions): WeightSpec[] {
  const sources = sourcesOf(o)
  const reduced = reducedChannels(o)
  if (o.decoderMode === 'conv1x1_head') return layer('decoder', sources, sources * o.nFilters)
  if (reduced === null) return [{ name: 'decoder.weight', shape: [o.nFilters, 1, 1, o.kernelSize] }]
  return [
    { name: 'decoder.reduce.weight', shape: [reduced, sources * o.nFilters, 1, 1] },
    { name: 'decoder.weight', shape: [reduced, sources, 1, o.kernelSize] },
    { name: 'decoder.bias', shape: [sources] },
  ]
}
