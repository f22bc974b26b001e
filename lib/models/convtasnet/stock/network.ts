/**
 * Reads a ConvTasNet of Asteroid or torchaudio as it was trained: with global layer norms and PReLUs.
 *
 * What decides the network and does not lie in its weights (how blocks fall into repeats, the activation of the mask,
 * the kind of norm) is taken from the `model_args` that Asteroid saves or from what the person says. Blocks and
 * activation are never guessed; what else was taken for granted is told.
 */
import { usageError } from '../../../base/errors.ts'
import { runTag } from '../options.ts'
import { pickWeights, type LazyTensors, type WeightSpec } from '../../weights-file.ts'

/** A convolution's numbers, or a norm's. */
export interface Pair {
  readonly weight: Float32Array
  readonly bias: Float32Array
}

/** A block: its convolutions in order, what stands behind the first two, and where it leads. */
export interface StockBlock {
  readonly expand: Pair
  readonly slope1: Float32Array
  readonly norm1: Pair
  readonly depthwise: Pair
  readonly slope2: Float32Array
  readonly norm2: Pair
  /** Null for the last block: nothing reads it. */
  readonly residual: Pair | null
  readonly skip: Pair
  readonly dilation: number
}

/** A whole network. Sizes are channels, lengths are samples. */
export interface StockNetwork {
  readonly family: 'Asteroid' | 'torchaudio'
  readonly sizes: {
    readonly nFilters: number
    readonly bnChan: number
    readonly hidChan: number
    readonly skipChan: number
    readonly nSrc: number
    readonly kernelSize: number
    readonly stride: number
    readonly convKernelSize: number
    /** Zeros on each side before the encoder: torchaudio's stride, Asteroid's none. */
    readonly padding: number
  }
  readonly maskAct: 'sigmoid' | 'relu'
  readonly encoder: Float32Array
  readonly decoder: Float32Array
  readonly inputNorm: Pair
  readonly bottleneck: Pair
  readonly blocks: readonly StockBlock[]
  readonly maskSlope: Float32Array
  readonly mask: Pair
  /** What was taken for granted, in words. */
  readonly assumed: readonly string[]
}

/** What a person says of a network, or what its file says beside the weights. */
export interface StockSaid {
  readonly nBlocks?: number | undefined
  readonly maskAct?: string | undefined
  readonly normType?: string | undefined
  readonly causal?: boolean | undefined
  readonly stride?: number | undefined
}

const families = {
  Asteroid: {
    mark: 'encoder.filterbank._filters',
    encoder: 'encoder.filterbank._filters',
    decoder: 'decoder.filterbank._filters',
    inputNorm: 'masker.bottleneck.0',
    bottleneck: 'masker.bottleneck.1',
    block: 'masker.TCN',
    inner: 'shared_block',
    residual: 'res_conv',
    skip: 'skip_conv',
    maskSlope: 'masker.mask_net.0.weight',
    mask: 'masker.mask_net.1',
    gain: 'gamma',
    shift: 'beta',
  },
  torchaudio: {
    mark: 'mask_generator.input_conv.weight',
    encoder: 'encoder.weight',
    decoder: 'decoder.weight',
    inputNorm: 'mask_generator.input_norm',
    bottleneck: 'mask_generator.input_conv',
    block: 'mask_generator.conv_layers',
    inner: 'conv_layers',
    residual: 'res_out',
    skip: 'skip_out',
    maskSlope: 'mask_generator.output_prelu.weight',
    mask: 'mask_generator.output_conv',
    gain: 'weight',
    shift: 'bias',
  },
} as const

type Names = (typeof families)[keyof typeof families]

/**
 * Whether these are the weights of a ConvTasNet with norms over the whole recording. Batch norms have statistics, and
 * fold into the affine network.
 */
export function isStock(have: LazyTensors): boolean {
  const family = familyOf(have)
  return family !== null && !have.has(`${families[family].inputNorm}.running_mean`)
}

const familyOf = (have: LazyTensors): StockNetwork['family'] | null =>
  (Object.keys(families) as StockNetwork['family'][]).find(name => have.has(families[name].mark)) ?? null

/**
 * The network that weights make.
 * @param path for messages
 * @throws RunbookError usage for weights of another network, a missing, unused or oddly shaped one, NaN, and for a
 *   causal network or another norm, which are not authored
 */
export function stockNetwork(have: LazyTensors, said: StockSaid, path: string): StockNetwork {
  const family = familyOf(have)
  if (family === null)
    throw usageError(`Cannot author "${path}": it is no ConvTasNet`, 'give --model with an ONNX file')
  const names = families[family]
  refuseOther(said, path)
  const shapeOf = (name: string): readonly number[] => have.get(name)?.().shape ?? []
  const [nFilters = 0, , kernelSize = 0] = shapeOf(names.encoder)
  const [bnChan = 0] = shapeOf(`${names.bottleneck}.weight`)
  const first = `${names.block}.0`
  const [hidChan = 0] = shapeOf(`${first}.${names.inner}.0.weight`)
  const [skipChan = 0] = shapeOf(`${first}.${names.skip}.weight`)
  const convKernelSize = shapeOf(`${first}.${names.inner}.3.weight`).at(-1) ?? 0
  const [masked = 0] = shapeOf(`${names.mask}.weight`)
  const count = blockCount(have, names)
  const nSrc = masked / nFilters
  if (!Number.isInteger(nSrc) || count === 0 || convKernelSize % 2 === 0)
    throw usageError(`Cannot author "${path}": its sizes are not those of a ConvTasNet`, 'see --print-weights')
  const stride = said.stride ?? kernelSize / 2
  const sizes = { nFilters, bnChan, hidChan, skipChan, nSrc, kernelSize, stride, convKernelSize }
  const specs = specsOf(names, { ...sizes, count })
  const tensors = pickWeights(withoutLast(have, names, count), specs, { path, refuseUnused: true })
  const { nBlocks, maskAct } = decided(said, { count, sizes, path })
  const get = (name: string) => tensors.get(name)!.data as Float32Array
  const pair = (name: string, [weight, bias] = ['weight', 'bias']): Pair => ({
    weight: get(`${name}.${weight}`),
    bias: get(`${name}.${bias}`),
  })
  const norm = (name: string) => pair(name, [names.gain, names.shift])
  return {
    family,
    sizes: { ...sizes, padding: family === 'torchaudio' ? stride : 0 },
    maskAct,
    encoder: get(names.encoder),
    decoder: get(names.decoder),
    inputNorm: norm(names.inputNorm),
    bottleneck: pair(names.bottleneck),
    maskSlope: get(names.maskSlope),
    mask: pair(names.mask),
    assumed: assumptions(said, stride, family),
    blocks: Array.from({ length: count }, (_, i) => {
      const at = `${names.block}.${i}`
      const inner = `${at}.${names.inner}`
      return {
        expand: pair(`${inner}.0`),
        slope1: get(`${inner}.1.weight`),
        norm1: norm(`${inner}.2`),
        depthwise: pair(`${inner}.3`),
        slope2: get(`${inner}.4.weight`),
        norm2: norm(`${inner}.5`),
        residual: i === count - 1 ? null : pair(`${at}.${names.residual}`),
        skip: pair(`${at}.${names.skip}`),
        dilation: 2 ** (i % nBlocks),
      }
    }),
  }
}

/** Blocks in a repeat, for a proposal: the default of both projects. */
const usualBlocks = 8

/**
 * What no weight tells and what changes the answer: how blocks fall into repeats, and the activation of the mask. They
 * are never guessed.
 */
function decided(
  said: StockSaid,
  o: { count: number; sizes: Omit<StockNetwork['sizes'], 'padding'>; path: string },
): { nBlocks: number; maskAct: StockNetwork['maskAct'] } {
  const { count, sizes, path } = o
  const { nBlocks, maskAct } = said
  if (nBlocks !== undefined && maskAct !== undefined && count % nBlocks === 0)
    return { nBlocks, maskAct: maskAct as StockNetwork['maskAct'] }
  const proposed =
    nBlocks !== undefined && count % nBlocks === 0 ? nBlocks : count % usualBlocks === 0 ? usualBlocks : count
  const tag = runTag({ ...sizes, nBlocks: proposed, nRepeats: count / proposed, inputLen: 2000 * sizes.stride })
  const unsaid = [
    ...(nBlocks === undefined || count % nBlocks !== 0 ? [`how ${count} blocks fall into repeats`] : []),
    ...(maskAct === undefined
      ? ["which activation its mask has (sigmoid in both projects, relu in torchaudio's base)"]
      : []),
  ]
  throw usageError(
    `Cannot author "${path}": its weights do not say ${unsaid.join(', nor ')}`,
    `say it: --config ${tag} --mask-act ${maskAct ?? 'sigmoid'}`,
  )
}

function refuseOther({ causal, normType, maskAct }: StockSaid, path: string): void {
  const other =
    causal === true
      ? 'it is causal'
      : normType !== undefined && !['gLN', 'globln', 'GlobLN'].includes(normType)
        ? `its norm is ${normType}`
        : maskAct !== undefined && !['sigmoid', 'relu'].includes(maskAct)
          ? `its mask goes through ${maskAct}`
          : null
  if (other === null) return
  throw usageError(
    `Cannot author "${path}": ${other}, and gLN, sigmoid or relu and no causality are authored`,
    'export the model itself to ONNX and give it with --model',
  )
}

function assumptions(said: StockSaid, stride: number, family: StockNetwork['family']): string[] {
  const isOpenNorm = said.normType === undefined && family === 'Asteroid'
  return [
    ...(said.stride === undefined ? [`the stride is half the kernel, ${stride}`] : []),
    ...(isOpenNorm
      ? ['the norm is gLN, over channels and time: cLN has the same weights, and would answer otherwise']
      : []),
  ]
}

const blockCount = (have: LazyTensors, { block }: Names): number =>
  1 +
  Math.max(
    -1,
    ...[...have.keys()].flatMap(name =>
      name.startsWith(`${block}.`) ? [Number(name.split('.')[block.split('.').length])] : [],
    ),
  )

/** Asteroid keeps a residual convolution in the last block too; nothing reads it. */
function withoutLast(have: LazyTensors, { block, residual }: Names, count: number): LazyTensors {
  const unread = `${block}.${count - 1}.${residual}.`
  return new Map([...have].filter(([name]) => !name.startsWith(unread)))
}

type Counted = Omit<StockNetwork['sizes'], 'padding'> & { readonly count: number }

function specsOf(names: Names, o: Counted): WeightSpec[] {
  const conv = (name: string, out: number, into: number, taps = 1): WeightSpec[] => [
    { name: `${name}.weight`, shape: [out, into, taps] },
    { name: `${name}.bias`, shape: [out] },
  ]
  const norm = (name: string, channels: number): WeightSpec[] =>
    [names.gain, names.shift].map(part => ({ name: `${name}.${part}`, shape: [channels] }))
  const block = (i: number): WeightSpec[] => {
    const [at, inner] = [`${names.block}.${i}`, `${names.block}.${i}.${names.inner}`]
    return [
      ...conv(`${inner}.0`, o.hidChan, o.bnChan),
      { name: `${inner}.1.weight`, shape: [1] },
      ...norm(`${inner}.2`, o.hidChan),
      ...conv(`${inner}.3`, o.hidChan, 1, o.convKernelSize),
      { name: `${inner}.4.weight`, shape: [1] },
      ...norm(`${inner}.5`, o.hidChan),
      ...(i === o.count - 1 ? [] : conv(`${at}.${names.residual}`, o.bnChan, o.hidChan)),
      ...conv(`${at}.${names.skip}`, o.skipChan, o.hidChan),
    ]
  }
  return [
    { name: names.encoder, shape: [o.nFilters, 1, o.kernelSize] },
    { name: names.decoder, shape: [o.nFilters, 1, o.kernelSize] },
    ...norm(names.inputNorm, o.nFilters),
    ...conv(names.bottleneck, o.bnChan, o.nFilters),
    ...Array.from({ length: o.count }, (_, i) => block(i)).flat(),
    { name: names.maskSlope, shape: [1] },
    ...conv(names.mask, o.nSrc * o.nFilters, o.skipChan),
  ]
}
