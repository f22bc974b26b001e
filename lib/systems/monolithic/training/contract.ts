/**
 * Reads which networks are trained on two voices, on whose speech, and how good they must be.
 *
 * Sizes, budgets and bounds come from `contracts/voices.contract.json`; packages and held-out prompts from
 * `voices.json` beside the training program, which reads the same file.
 */
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { readContract, type ContractMark } from '../../../contract/contract.ts'
import { readJson } from '../../../host/files.ts'
import { convTasNetOptions, type ConvTasNetOptions } from '../../../models/convtasnet/options.ts'
import type { RecordingPackage } from '../recordings.ts'

/** The networks by their size, largest first. */
export const networkNames = ['large', 'medium', 'small'] as const
/** One of the networks that are trained, by its name. */
export type NetworkName = (typeof networkNames)[number]

type Sizes = Pick<
  ConvTasNetOptions,
  'nFilters' | 'bnChan' | 'hidChan' | 'skipChan' | 'nBlocks' | 'nRepeats' | 'kernelSize' | 'stride'
>

/** The values of `contracts/voices.contract.json`; names end in their units. */
export interface VoicesContract {
  readonly networks: Readonly<Record<NetworkName, Sizes & { readonly weights: string }>>
  /** Samples of the window that a rung of the ladder has. */
  readonly inputLen: number
  readonly training: {
    readonly seed: number
    readonly cpuSeconds: number
    readonly smokeCpuSeconds: number
    /** The version of PyTorch that made the shipped weights, as far as it matters. */
    readonly torch: string
  }
  readonly calibrationWindows: number
  /** How many mixtures are answered by PyTorch too, and compared value by value. */
  readonly comparedMixtures: number
  readonly gates: {
    readonly meanSiSdriDbMin: Readonly<Record<NetworkName, number>>
    readonly worstSiSdriDbMin: Readonly<Record<NetworkName, number>>
    readonly smokeSiSdriDbMin: number
    readonly int8LossDbMax: number
    readonly float16LossDbMax: number
    readonly tilingLossDbMax: number
    readonly pytorchDifferenceMax: number
  }
}

/**
 * The contract of the trained voices.
 * @throws RunbookError as `readContract`
 */
export const voicesContract = (): Readonly<VoicesContract> & ContractMark => readContract<VoicesContract>('voices')

/** The folder of the weights that ship, with their cards and logs. */
export const weightsFolder = join(import.meta.dirname, '../../../../contracts/weights/voices')

/** The folder of the Python program that trains. */
export const programFolder = join(import.meta.dirname, '../../../models/convtasnet/training')

/**
 * The graph of a trained network: framed, so that it has no wide kernel, and polyphase, so that it answers with sound.
 * @param change options that are other than the network's own
 * @throws RunbookError usage when a change contradicts the network
 */
export function networkOptions(name: NetworkName, change: Partial<ConvTasNetOptions> = {}): ConvTasNetOptions {
  const { networks, inputLen } = voicesContract()
  const { weights: _, ...sizes } = networks[name]
  return convTasNetOptions({ ...sizes, inputLen, encoderMode: 'framed', decoderMode: 'polyphase', ...change })
}

/** A network whose trained weights ship, and the file that holds them. */
export interface TrainedWeights {
  readonly network: NetworkName
  readonly path: string
}

/** What a graph may differ in from the network that was trained, and still compute the same. */
const free = ['inputLen', 'seed', 'encoderMode', 'decoderMode'] as const

/** The trained weights that a graph computes with, or null when none of them is meant for it. */
export function trainedWeights(options: ConvTasNetOptions): TrainedWeights | null {
  if (options.decoderMode !== 'polyphase' && options.decoderMode !== 'deconv') return null
  const own = Object.fromEntries(free.map(key => [key, options[key]]))
  const network = networkNames.find(name => isDeepStrictEqual({ ...networkOptions(name), ...own }, options))
  if (network === undefined) return null
  return { network, path: join(weightsFolder, voicesContract().networks[network].weights) }
}

/** A voice of `voices.json`: a folder of prompts in a package. */
interface Voice {
  readonly package: string
  readonly version: string
  readonly sha256: string
  readonly folder: string
}

/** What `voices.json` says; the training program reads the rest of it. */
export interface VoicesRecipe {
  readonly trained: Readonly<Record<string, Voice>>
  readonly strangers: Readonly<Record<string, Voice>>
  /** Sets of mixtures by name, with the voices in them and their number. */
  readonly mixtures: Readonly<Record<string, { readonly voices: readonly string[]; readonly count: number }>>
}

/** The recipe of the data. */
export const voicesRecipe = (): VoicesRecipe => readJson(join(programFolder, 'voices.json')) as VoicesRecipe

/** The Debian packages that a training needs: both voices, and the strangers that it is tested on. */
export function voicePackages(): RecordingPackage[] {
  const { trained, strangers } = voicesRecipe()
  return [...Object.values(trained), ...Object.values(strangers)].map(voice => ({
    name: voice.package,
    version: voice.version,
    sha256: voice.sha256,
    folder: voice.folder,
  }))
}
