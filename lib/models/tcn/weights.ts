/**
 * Reads the weights of the TCN encoder from a donor by name, or makes seeded ones.
 *
 * Names and shapes are those of the PyTorch module with Conv1d layers:
 *
 *   network.{0,1,2}.conv1.{weight,bias}       [out, in, 3], [out]      9 → 64 → 128 → 256, dilation 1, 2, 4
 *   network.{0,1,2}.conv2.{weight,bias}       [out, out, 3], [out]
 *   network.{0,1,2}.downsample.{weight,bias}  [out, in, 1], [out]
 *   fc_mu.{weight,bias}                       [64, 256], [64]
 *
 * A donor may be a `.safetensors` or `.npz` with these names (also behind `tcn_encoder.`), or an exported `.onnx`,
 * whose fused convolutions have lost the names of their weights: there each Conv is known by the name of its bias.
 */
import { usageError } from '../../base/errors.ts'
import { decodeModel, tensorFromProto, type ModelProto } from '../../formats/onnx/index.ts'
import { float32, sizeOf, type FloatTensor, type Tensor } from '../../formats/tensors/tensor.ts'
import { readFile } from '../../host/files.ts'
import { normals } from '../convtasnet/seeded-weights.ts'
import { pickWeights, readTensors } from '../weights-file.ts'

/** Channels of the window and after each block. */
export const tcnWidths = [9, 64, 128, 256] as const
/** Dilation of each block. */
export const tcnDilations = [1, 2, 4] as const
/** Taps of every convolution but the residual ones. */
export const tcnKernel = 3
/** Numbers in a latent vector. */
export const latentSize = 64
/** Samples of one window, and numbers in each. */
export const windowShape = [100, 9] as const

/** Samples that one output of the last block sees: 1 + 2 convolutions of 2 more taps at each dilation. */
export const receptiveField = 1 + tcnDilations.reduce((sum, dilation) => sum + 2 * (tcnKernel - 1) * dilation, 0)

/** Weights of the encoder by name. */
export type TcnWeights = ReadonlyMap<string, FloatTensor>

/** The linear layer that turns a latent into motif logits: weight [motifs, 64], bias [motifs]. */
export interface MotifHead {
  readonly weight: FloatTensor
  readonly bias: FloatTensor
}

/** Every weight with its shape, in the order of use. */
export const tcnWeightSpecs: readonly { readonly name: string; readonly shape: readonly number[] }[] = [
  ...tcnDilations.flatMap((_, i) => {
    const [into, out] = [tcnWidths[i]!, tcnWidths[i + 1]!]
    return [
      { name: `network.${i}.conv1.weight`, shape: [out, into, tcnKernel] },
      { name: `network.${i}.conv1.bias`, shape: [out] },
      { name: `network.${i}.conv2.weight`, shape: [out, out, tcnKernel] },
      { name: `network.${i}.conv2.bias`, shape: [out] },
      { name: `network.${i}.downsample.weight`, shape: [out, into, 1] },
      { name: `network.${i}.downsample.bias`, shape: [out] },
    ]
  }),
  { name: 'fc_mu.weight', shape: [latentSize, tcnWidths[3]] },
  { name: 'fc_mu.bias', shape: [latentSize] },
]

/**
 * Untrained weights, the same for the same seed on every machine. Variances follow He et al. (2015), with the two
 * branches of a block sharing theirs, so that latents spread like the standardised input.
 */
export function seededTcnWeights(seed: number): TcnWeights {
  return new Map(
    tcnWeightSpecs.map(({ name, shape }) => {
      const next = normals(`tcn/${seed}/${name}`)
      const isBias = name.endsWith('.bias')
      const [, into = 1, taps = 1] = shape
      const gain = name.includes('conv2') || name.includes('downsample') ? 1 : 2
      const scale = isBias ? 0.1 : Math.sqrt(gain / (into * taps))
      return [
        name,
        float32(
          shape,
          Float32Array.from({ length: sizeOf(shape) }, () => next() * scale),
        ),
      ]
    }),
  )
}

/**
 * The encoder's weights from a donor.
 * @param o.note told once when the file holds weights that are not used
 * @throws RunbookError blocked when the file is absent; usage for another kind of file, a missing weight, another
 *   shape, or a weight that is not a finite float
 */
export async function tcnWeightsFrom(path: string, o: { note?: (line: string) => void } = {}): Promise<TcnWeights> {
  const have = path.endsWith('.onnx') ? onnxTensors(decodeModel(readFile(path), path)) : await readTensors(path)
  const named = new Map([...have].map(([name, read]) => [name.replace(/^tcn_encoder\./, ''), read] as const))
  return pickWeights(named, tcnWeightSpecs, { path, note: o.note })
}

/** Initializers by name; the weight of a Conv or Gemm also under the name of its bias, `.bias` made `.weight`. */
function onnxTensors({ graph }: ModelProto): Map<string, () => Tensor> {
  const protos = new Map(graph.initializer.map(proto => [proto.name ?? '', proto]))
  const have = new Map([...protos].map(([name, proto]) => [name, () => tensorFromProto(proto)]))
  for (const { opType, input } of graph.node) {
    const [, weight = '', bias = ''] = input
    if (!/^(Conv|Gemm)$/.test(opType ?? '') || !bias.endsWith('.bias') || !protos.has(weight)) continue
    have.set(bias.replace(/\.bias$/, '.weight'), have.get(weight)!)
  }
  if (have.size > 0) return have
  throw usageError(`Cannot use the graph "${graph.name}" as a donor: it holds no weights`, 'export it with its weights')
}
