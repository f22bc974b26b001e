/**
 * Translates the weights of other ConvTasNets into the names of this one.
 *
 * Asteroid and torchaudio write the same network under other names, with three axes where this graph has four. What
 * this graph cannot compute is refused with the reason: a norm over time, and a PReLU that bends. A batch norm is
 * folded into scale and shift, and a PReLU of slope 0 is a ReLU, both exactly.
 */
import { usageError } from '../../base/errors.ts'
import type { LazyTensors } from '../weights-file.ts'
import { float32, type Tensor } from '../../formats/tensors/tensor.ts'

/** A pattern of a foreign name, and this project's name for it; `null` for what is judged and not taken over. */
type Rule = readonly [RegExp, string | null]

const block = (root: string, parts: readonly (readonly [string, string | null])[]): Rule[] =>
  parts.map(([theirs, ours]) => [
    new RegExp(`^${root}\\.(\\d+)\\.${theirs.replaceAll('.', '\\.')}$`),
    ours === null ? null : `masker.blocks.$1.${ours}`,
  ])

const blockParts = (
  inner: string,
  { gain, shift, residual, skip }: { gain: string; shift: string; residual: string; skip: string },
) =>
  [
    [`${inner}.0.weight`, 'expand.weight'],
    [`${inner}.0.bias`, 'expand.bias'],
    [`${inner}.1.weight`, null],
    [`${inner}.2.${gain}`, 'norm1.weight'],
    [`${inner}.2.${shift}`, 'norm1.bias'],
    [`${inner}.3.weight`, 'depthwise.weight'],
    [`${inner}.3.bias`, 'depthwise.bias'],
    [`${inner}.4.weight`, null],
    [`${inner}.5.${gain}`, 'norm2.weight'],
    [`${inner}.5.${shift}`, 'norm2.bias'],
    [`${residual}.weight`, 'residual.weight'],
    [`${residual}.bias`, 'residual.bias'],
    [`${skip}.weight`, 'skip.weight'],
    [`${skip}.bias`, 'skip.bias'],
  ] as const

const asteroid = { residual: 'res_conv', skip: 'skip_conv' }

interface Family {
  readonly name: string
  /** A name that only this family has. */
  readonly mark: string
  readonly rules: readonly Rule[]
  /** Slopes of PReLU: 0 where the graph has a ReLU, 1 where it has nothing. */
  readonly slopes: readonly (readonly [RegExp, 0 | 1])[]
  /** Gains of norms whose statistics decide whether they can be folded. */
  readonly norms: RegExp
}

const families: readonly Family[] = [
  {
    name: 'Asteroid',
    mark: 'encoder.filterbank._filters',
    rules: [
      [/^encoder\.filterbank\._filters$/, 'encoder.weight'],
      [/^decoder\.filterbank\._filters$/, 'decoder.weight'],
      [/^masker\.bottleneck\.0\.(?:gamma|weight)$/, 'masker.norm.weight'],
      [/^masker\.bottleneck\.0\.(?:beta|bias)$/, 'masker.norm.bias'],
      [/^masker\.bottleneck\.1\.(weight|bias)$/, 'masker.bottleneck.$1'],
      [/^masker\.mask_net\.0\.weight$/, null],
      [/^masker\.mask_net\.1\.(weight|bias)$/, 'masker.mask.$1'],
      ...block('masker\\.TCN', blockParts('shared_block', { ...asteroid, gain: 'gamma', shift: 'beta' })),
      ...block('masker\\.TCN', blockParts('shared_block', { ...asteroid, gain: 'weight', shift: 'bias' })),
    ],
    slopes: [
      [/^masker\.TCN\.\d+\.shared_block\.[14]\.weight$/, 0],
      [/^masker\.mask_net\.0\.weight$/, 1],
    ],
    norms: /^(masker\.(?:bottleneck\.0|TCN\.\d+\.shared_block\.[25]))\.(?:gamma|weight)$/,
  },
  {
    name: 'torchaudio',
    mark: 'mask_generator.input_conv.weight',
    rules: [
      [/^(encoder|decoder)\.weight$/, '$1.weight'],
      [/^mask_generator\.input_norm\.(weight|bias)$/, 'masker.norm.$1'],
      [/^mask_generator\.input_conv\.(weight|bias)$/, 'masker.bottleneck.$1'],
      [/^mask_generator\.output_prelu\.weight$/, null],
      [/^mask_generator\.output_conv\.(weight|bias)$/, 'masker.mask.$1'],
      ...block(
        'mask_generator\\.conv_layers',
        blockParts('conv_layers', { residual: 'res_out', skip: 'skip_out', gain: 'weight', shift: 'bias' }),
      ),
    ],
    slopes: [
      [/^mask_generator\.conv_layers\.\d+\.conv_layers\.[14]\.weight$/, 0],
      [/^mask_generator\.output_prelu\.weight$/, 1],
    ],
    norms: /^(mask_generator\.(?:input_norm|conv_layers\.\d+\.conv_layers\.[25]))\.weight$/,
  },
]

/**
 * The same weights under this project's names; those of this project come back as they are.
 * @param path for messages
 * @throws RunbookError usage for a norm over time, or for a PReLU that is neither a ReLU nor nothing
 */
export function ownNames(have: LazyTensors, path: string): LazyTensors {
  const family = families.find(({ mark }) => have.has(mark))
  if (family === undefined) return have
  refuseSlopes(have, family, path)
  const found = new Map<string, () => Tensor>()
  const folded = foldNorms(have, family, path)
  for (const [name, tensor] of have) {
    const rule = family.rules.find(([pattern]) => pattern.test(name))
    const ours = rule?.[1] ?? null
    if (rule === undefined && !isStatistic(name)) found.set(name, tensor)
    if (ours !== null) found.set(name.replace(rule![0], ours), folded.get(name) ?? (() => fourAxes(tensor())))
  }
  return found
}

const isStatistic = (name: string) => /\.(running_mean|running_var|num_batches_tracked)$/.test(name)

/** [N, 1, K] of a one-dimensional convolution as [N, 1, 1, K]; a gain [H] stays, and is shaped by the graph's needs. */
function fourAxes(tensor: Tensor): Tensor {
  const { shape } = tensor
  return shape.length === 3 ? { ...tensor, shape: [shape[0]!, shape[1]!, 1, shape[2]!] } : tensor
}

function refuseSlopes(have: LazyTensors, { slopes, name: family }: Family, path: string): void {
  for (const [name, read] of have) {
    const slope = slopes.find(([pattern]) => pattern.test(name))?.[1]
    if (slope === undefined) continue
    const odd = [...(read().data as Float32Array)].find(value => value !== slope)
    if (odd === undefined) continue
    const has = slope === 0 ? 'a ReLU' : 'nothing'
    throw usageError(
      `Cannot use the weights "${path}" of ${family}: the PReLU "${name}" has a slope of ${odd.toFixed(4)}, ` +
        `and this graph has ${has} there`,
      `train with ${slope === 0 ? 'nn.ReLU' : 'nn.Identity'} in its place, or export the model itself to ONNX and ` +
        'give it with --model',
    )
  }
}

/** Scale and shift of every batch norm, by the names of its gain and bias. */
function foldNorms(have: LazyTensors, { norms, name: family }: Family, path: string): Map<string, () => Tensor> {
  const folded = new Map<string, () => Tensor>()
  for (const name of have.keys()) {
    const root = norms.exec(name)?.[1]
    if (root === undefined) continue
    const [mean, variance] = [have.get(`${root}.running_mean`), have.get(`${root}.running_var`)]
    if (mean === undefined || variance === undefined) {
      throw usageError(
        `Cannot use the weights "${path}" of ${family}: "${root}" normalises over the whole recording (global layer ` +
          'norm), and this graph only scales and shifts',
        'train with batch norm (norm_type="bN"), which folds exactly, or export the model itself to ONNX and give it ' +
          'with --model',
      )
    }
    const shiftName = [`${root}.beta`, `${root}.bias`].find(candidate => have.has(candidate))!
    const [gain, shift] = [values(have.get(name)!()), values(have.get(shiftName)!())]
    const [mu, sigma2] = [values(mean()), values(variance())]
    const scale = gain.map((g, i) => g / Math.sqrt(sigma2[i]! + batchNormEpsilon))
    folded.set(name, () => float32([scale.length, 1, 1, 1], scale))
    folded.set(shiftName, () =>
      float32(
        [shift.length],
        shift.map((b, i) => b - mu[i]! * scale[i]!),
      ),
    )
  }
  return folded
}

/** PyTorch's default for BatchNorm1d. */
const batchNormEpsilon = 1e-5

const values = (tensor: Tensor): Float32Array => Float32Array.from(tensor.data as Float32Array)
