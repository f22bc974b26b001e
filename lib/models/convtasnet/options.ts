/**
 * Defines the options of a ConvTasNet, and the numbers that follow from them.
 *
 * The options are those of the channel-stacked, one-row ("horizontal") variant that was made for Hailo: time is the
 * width, sources are stacked channels, and an affine depthwise convolution stands where the stock network normalises.
 * Here they are named, defaulted and checked. Graph, weights and host glue live in the files beside this one.
 */
import { usageError } from '../../base/errors.ts'

/** `bypass` leaves the masker out: every source is the projected encoder. */
export const maskMulModes = ['normal', 'bypass'] as const
/** How the encoder's frames reach every source: a 1x1 convolution with stacked identities, or a Tile. */
export const skipTopologyModes = ['project', 'repeat'] as const
/**
 * `conv1x1_head` answers at the latent rate; the others at the audio rate, `polyphase` after an overlap-add on the
 * host.
 */
export const decoderModes = ['conv1x1_head', 'reduced_deconv_64', 'reduced_deconv_128', 'polyphase', 'deconv'] as const
/** `framed`: the host cuts the signal into frames, and the encoder is a 1x1 convolution. */
export const encoderModes = ['conv', 'framed'] as const
/** `identity`: weights of one and no bias. */
export const normModes = ['affine', 'identity'] as const
/** The activation of the mask. */
export const maskActs = ['sigmoid', 'relu', 'tanh', 'linear'] as const

/** A ConvTasNet, whole. Sizes are channels, lengths are samples. */
export interface ConvTasNetOptions {
  readonly nFilters: number
  readonly bnChan: number
  readonly hidChan: number
  readonly skipChan: number
  readonly nBlocks: number
  readonly nRepeats: number
  /** Samples of one window, a multiple of `stride`; a framed encoder takes `inputLen / stride + 1` frames instead. */
  readonly inputLen: number
  readonly nSrc: number
  readonly kernelSize: number
  readonly stride: number
  readonly convKernelSize: number
  readonly maskMulMode: (typeof maskMulModes)[number]
  readonly skipTopologyMode: (typeof skipTopologyModes)[number]
  readonly decoderMode: (typeof decoderModes)[number]
  readonly encoderMode: (typeof encoderModes)[number]
  /** Only the first k blocks run; 0 runs all of them. */
  readonly truncateKBlocks: number
  readonly normMode: (typeof normModes)[number]
  readonly maskAct: (typeof maskActs)[number]
  /** One source and no projector, whatever `nSrc` says. */
  readonly forceNSrc1: boolean
  readonly seed: number
  /** Of the sound, in Hz; the graph is the same at any rate. */
  readonly sampleRate: number
}

/** The first rung of the plan's ladder with the exact decoder at the audio rate. */
export const convTasNetDefaults: ConvTasNetOptions = {
  nFilters: 256,
  bnChan: 128,
  hidChan: 256,
  skipChan: 128,
  nBlocks: 2,
  nRepeats: 1,
  inputLen: 16000,
  nSrc: 2,
  kernelSize: 16,
  stride: 8,
  convKernelSize: 3,
  maskMulMode: 'normal',
  skipTopologyMode: 'project',
  decoderMode: 'polyphase',
  encoderMode: 'conv',
  truncateKBlocks: 0,
  normMode: 'affine',
  maskAct: 'sigmoid',
  forceNSrc1: false,
  seed: 1337,
  sampleRate: 16000,
}

const counts = [
  'nFilters',
  'bnChan',
  'hidChan',
  'skipChan',
  'nBlocks',
  'nRepeats',
  'inputLen',
  'nSrc',
  'kernelSize',
  'stride',
  'convKernelSize',
  'sampleRate',
] as const
const choices = {
  maskMulMode: maskMulModes,
  skipTopologyMode: skipTopologyModes,
  decoderMode: decoderModes,
  encoderMode: encoderModes,
  normMode: normModes,
  maskAct: maskActs,
} as const

const refuse = (key: string, value: unknown, want: string, hint = `give ${key} another value`) =>
  usageError(`Cannot author a ConvTasNet with ${key} ${JSON.stringify(value)}: it must be ${want}`, hint)

/**
 * Complete and check a ConvTasNet. `channel_affine`, an older name of `affine`, is understood.
 *
 * @throws RunbookError usage for an unknown key, a size that is no positive integer, a mode that does not exist, and
 *   numbers that contradict each other (a window that is no multiple of the stride, more truncated blocks than there
 *   are)
 */
export function convTasNetOptions(given: Partial<Record<keyof ConvTasNetOptions, unknown>> = {}): ConvTasNetOptions {
  const unknown = Object.keys(given).find(key => !Object.hasOwn(convTasNetDefaults, key))
  if (unknown !== undefined) {
    const known = Object.keys(convTasNetDefaults).join(', ')
    throw usageError(`Cannot author a ConvTasNet with "${unknown}": there is no such option`, `one of ${known}`)
  }
  const present = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  const all: Record<string, unknown> = { ...convTasNetDefaults, ...present }
  if (all.normMode === 'channel_affine') all.normMode = 'affine'
  checkTypes(all)
  const options = all as unknown as ConvTasNetOptions
  checkTogether(options)
  return options
}

function checkTypes(all: Record<string, unknown>): void {
  for (const key of counts) {
    const value = all[key]
    if (!Number.isSafeInteger(value) || (value as number) < 1) throw refuse(key, value, 'a positive integer')
  }
  for (const [key, known] of Object.entries(choices)) {
    if (!(known as readonly unknown[]).includes(all[key])) throw refuse(key, all[key], `one of ${known.join(', ')}`)
  }
  if (typeof all.forceNSrc1 !== 'boolean') throw refuse('forceNSrc1', all.forceNSrc1, 'true or false')
  if (!Number.isSafeInteger(all.seed) || (all.seed as number) < 0)
    throw refuse('seed', all.seed, 'an integer of at least 0')
}

/** Deepest stack whose widest dilation, 2^15 frames, is still far longer than any window. */
const nBlocksMax = 16

function checkTogether(o: ConvTasNetOptions): void {
  if (o.nBlocks > nBlocksMax)
    throw refuse('nBlocks', o.nBlocks, `at most ${nBlocksMax}: dilations double with every block`)
  if (o.kernelSize !== 2 * o.stride) {
    throw refuse('kernelSize', o.kernelSize, `twice the stride of ${o.stride}, so that two frames cover each sample`)
  }
  if (o.inputLen % o.stride !== 0) {
    const near = Math.max(o.stride, Math.round(o.inputLen / o.stride) * o.stride)
    throw refuse('inputLen', o.inputLen, `a multiple of the stride ${o.stride}`, `give a length of ${near} samples`)
  }
  if (o.convKernelSize % 2 === 0)
    throw refuse('convKernelSize', o.convKernelSize, 'odd, so that a block keeps the width')
  const blocks = o.nBlocks * o.nRepeats
  if (!Number.isSafeInteger(o.truncateKBlocks) || o.truncateKBlocks < 0 || o.truncateKBlocks > blocks) {
    throw refuse('truncateKBlocks', o.truncateKBlocks, `0 (all) to ${blocks}, the number of blocks`)
  }
  const reduced = reducedChannels(o)
  if (reduced !== null && reduced < sourcesOf(o) * o.kernelSize) {
    const want = `wide enough for ${sourcesOf(o)} sources of ${o.kernelSize} taps`
    throw refuse('decoderMode', o.decoderMode, want, 'give --decoder polyphase')
  }
}

/** Sources that the graph puts out. */
export const sourcesOf = (o: ConvTasNetOptions): number => (o.forceNSrc1 ? 1 : o.nSrc)

/**
 * Dilations of the blocks that run, in order: `2^(i mod nBlocks)`, cut by `truncateKBlocks`; none for a bypassed
 * masker.
 */
export function dilationsOf(o: ConvTasNetOptions): number[] {
  if (o.maskMulMode === 'bypass') return []
  const all = o.nBlocks * o.nRepeats
  const active = o.truncateKBlocks === 0 ? all : Math.min(o.truncateKBlocks, all)
  return Array.from({ length: active }, (_, i) => 2 ** (i % o.nBlocks))
}

/** Frames of one window: `inputLen / stride + 1`, because the encoder pads half a kernel on both sides. */
export const latentFrames = (o: Pick<ConvTasNetOptions, 'inputLen' | 'stride'>): number => o.inputLen / o.stride + 1

/**
 * Frames at each edge of a window that differ from those of the whole signal, and must be thrown away when tiles are
 * joined.
 *
 * Each block reaches `dilation * (convKernelSize - 1) / 2` frames to either side, so all of them reach `nRepeats *
 * (2^nBlocks - 1) * (convKernelSize - 1) / 2`. A convolutional encoder pads its own window with zeros, which spoils the
 * first and the last frame as well: one more. A framed encoder is given frames of the whole signal and needs no more.
 */
export function haloFrames(o: ConvTasNetOptions): number {
  const reach = dilationsOf(o).reduce((sum, dilation) => sum + (dilation * (o.convKernelSize - 1)) / 2, 0)
  return reach + (o.encoderMode === 'conv' ? 1 : 0)
}

/** Channels between the two layers of a reduced decoder, or null for the other decoders. */
export function reducedChannels(o: Pick<ConvTasNetOptions, 'decoderMode'>): number | null {
  if (o.decoderMode === 'reduced_deconv_64') return 64
  return o.decoderMode === 'reduced_deconv_128' ? 128 : null
}

/** The sizes that a run tag names. */
export type Sizes = Pick<
  ConvTasNetOptions,
  'nFilters' | 'bnChan' | 'hidChan' | 'skipChan' | 'nBlocks' | 'nRepeats' | 'inputLen' | 'kernelSize' | 'stride'
>

/** The sizes of a ConvTasNet, apart from its modes. */
export const sizesOf = (o: Sizes): Sizes => {
  const { nFilters, bnChan, hidChan, skipChan, nBlocks, nRepeats, inputLen, kernelSize, stride } = o
  return { nFilters, bnChan, hidChan, skipChan, nBlocks, nRepeats, inputLen, kernelSize, stride }
}

/** Whether the encoder has the kernel and the stride of the default, which a run tag does not spell out. */
const hasUsualKernel = ({ kernelSize, stride }: Pick<Sizes, 'kernelSize' | 'stride'>): boolean =>
  kernelSize === convTasNetDefaults.kernelSize && stride === convTasNetDefaults.stride

/**
 * The name of a case in tables and files, `mono_f256_bn128_hid256_skip128_b2_r1_t16000`; `_k128_s64` follows where
 * kernel and stride are not 16 and 8.
 */
export function runTag(o: Sizes): string {
  const channels = `f${o.nFilters}_bn${o.bnChan}_hid${o.hidChan}_skip${o.skipChan}`
  const kernel = hasUsualKernel(o) ? '' : `_k${o.kernelSize}_s${o.stride}`
  return `mono_${channels}_b${o.nBlocks}_r${o.nRepeats}_t${o.inputLen}${kernel}`
}

const tagSizes = ['nFilters', 'bnChan', 'hidChan', 'skipChan', 'nBlocks', 'nRepeats', 'inputLen'] as const

/**
 * The sizes that a run tag holds, as a rung of one's own.
 * @throws RunbookError usage when the text is no run tag
 */
export function sizesFromTag(tag: string): Sizes {
  const match = /^mono_f(\d+)_bn(\d+)_hid(\d+)_skip(\d+)_b(\d+)_r(\d+)_t(\d+)(?:_k(\d+)_s(\d+))?$/.exec(tag)
  if (!match) {
    const example = runTag({ ...convTasNetDefaults, kernelSize: 128, stride: 64 })
    const hint = `write it as ${runTag(convTasNetDefaults)}, or as ${example}`
    throw usageError(`Cannot read the sizes of "${tag}": it is no run tag`, hint)
  }
  const sizes = Object.fromEntries(tagSizes.map((size, i) => [size, Number(match[i + 1])]))
  const { kernelSize, stride } = convTasNetDefaults
  return { kernelSize: Number(match[8] ?? kernelSize), stride: Number(match[9] ?? stride), ...sizes } as Sizes
}
