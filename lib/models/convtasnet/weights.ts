/**
 * Gives a graph its weights: from a seed (`seeded-weights.ts`), or from a file by name.
 *
 * A weight that does not fit is refused with both shapes, and a weight that the graph does not use is refused too.
 * Nothing is ever cut, padded or left at a default.
 */
import type { Tensor } from '../../formats/tensors/tensor.ts'
import { pickWeights, readTensors, type LazyTensors } from '../weights-file.ts'
import { runTag, type ConvTasNetOptions, type Sizes } from './options.ts'
import { ownNames } from './weight-names.ts'
import { weightSpecs } from './weight-specs.ts'

export { isMixtureConsistent, seededWeights } from './seeded-weights.ts'
export { weightSpecs } from './weight-specs.ts'

/**
 * The weights of a graph from a file; nothing in it is left out, and nothing that the graph needs is missing.
 *
 * @throws RunbookError blocked when the file is absent; usage for another kind of file, a missing name, a name that the
 *   graph does not use, another shape (naming both), a type that is not floating point, NaN or infinity (naming tensor
 *   and index), and for layers of Asteroid or torchaudio that this graph cannot compute
 */
export async function loadWeights(path: string, options: ConvTasNetOptions): Promise<Map<string, Tensor>> {
  const have = ownNames(await readTensors(path), path)
  return pickWeights(have, weightSpecs(options), { path, refuseUnused: true, hint: hintFor(have, options) })
}

/** The rung that the weights fit, where their names and shapes tell it. */
function hintFor(have: LazyTensors, options: ConvTasNetOptions): string {
  const sizes = sizesOfWeights(have, options)
  if (sizes === null || runTag(sizes) === runTag(options)) return 'see the names that it needs: --print-weights'
  return `they fit another rung: --config ${runTag(sizes)}`
}

/**
 * The sizes of the network that weights belong to, as far as shapes tell: how blocks fall into repeats is taken from
 * `options` where that divides them, else there is one repeat.
 * @returns null when names or shapes are not those of a ConvTasNet
 */
export function sizesOfWeights(have: LazyTensors, options: ConvTasNetOptions): Sizes | null {
  const shapeOf = (name: string) => have.get(name)?.().shape ?? []
  const [nFilters, , , kernelSize] = shapeOf('encoder.weight')
  const [bnChan] = shapeOf('masker.bottleneck.weight')
  const [hidChan] = shapeOf('masker.blocks.0.expand.weight')
  const [skipChan] = shapeOf('masker.blocks.0.skip.weight')
  if (!nFilters || !kernelSize || !bnChan || !hidChan || !skipChan) return null
  const indices = [...have.keys()].map(name => Number(/^masker\.blocks\.(\d+)\./.exec(name)?.[1] ?? -1))
  const blocks = Math.max(...indices) + 1
  const nBlocks = blocks % options.nBlocks === 0 ? options.nBlocks : blocks
  const stride = kernelSize / 2
  const inputLen = Math.max(stride, Math.floor(options.inputLen / stride) * stride)
  return { nFilters, bnChan, hidChan, skipChan, nBlocks, nRepeats: blocks / nBlocks, inputLen, kernelSize, stride }
}
