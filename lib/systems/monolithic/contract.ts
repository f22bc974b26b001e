/**
 * Says which ConvTasNets are tried, and in which order.
 *
 * Three ladders. `voices`: the networks that were trained on two voices (`contracts/voices.contract.json`), largest
 * first, as far as a change leaves their weights their meaning; then those of the plan. `plan`: the ten configurations
 * of the bring-up plan, channels falling. `temporal`: one set of channels, the latent width falling, because width is
 * what public evidence shows to decide. The last two are from `contracts/monolithic.contract.json`. How a ladder is
 * climbed is `lib/ladder/ladder.ts`.
 */
import { readContract, type ContractMark } from '../../contract/contract.ts'
import { usageError } from '../../base/errors.ts'
import { networkNames, networkOptions, trainedWeights } from './training/contract.ts'
import { convTasNetOptions, sizesOf, type ConvTasNetOptions } from '../../models/convtasnet/options.ts'

/** The ladders by name, the usual one first. */
export const ladderNames = ['voices', 'plan', 'temporal'] as const
/** One of `ladderNames`. */
export type LadderName = (typeof ladderNames)[number]

type Modes = Pick<ConvTasNetOptions, 'encoderMode' | 'decoderMode'>
type Sizes = Pick<ConvTasNetOptions, 'nFilters' | 'bnChan' | 'hidChan' | 'skipChan' | 'nBlocks' | 'nRepeats'>

/** One rung: its channels and blocks, and the samples of its window. */
export interface Rung extends Sizes {
  readonly inputLen: number
}

/** The values of `contracts/monolithic.contract.json`; names end in their units. */
export interface MonolithicContract {
  readonly model: {
    readonly kernelSize: number
    readonly stride: number
    readonly nSrc: number
    readonly convKernelSize: number
    readonly sampleRateHz: number
    readonly seed: number
  }
  readonly ladders: {
    readonly plan: Modes & { readonly rungs: readonly Rung[] }
    /** The channels of rung `fromRung` of the plan's ladder (1 for the first) at each of these widths. */
    readonly temporal: Modes & {
      readonly fromRung: number
      readonly latentFrames: readonly number[]
    }
  }
  readonly limits: {
    readonly timeLimitMin: number
    readonly caseTimeoutMin: number
    readonly failureHeadMaxChars: number
  }
  readonly quickOpt: { readonly calibrationSamples: number; readonly batchSize: number }
  readonly defaults: {
    readonly profile: 'focused' | 'extended'
    readonly hwArch: string
    readonly quickOpt: boolean
    readonly inputLengthPolicy: 'error' | 'crop'
    readonly ladder: LadderName
    readonly knob: 'plan' | 'evidence'
  }
  readonly files: {
    readonly summary: string
    readonly hostSummary: string
    readonly trtexecSummary: string
    readonly rampSummary: string
    readonly nextKnob: string
    readonly runtimeMetrics: string
  }
  readonly tsv: { readonly sweepColumns: readonly string[]; readonly rampColumns: readonly string[] }
  readonly gates: {
    readonly int8SnrDbMin: number
    readonly rtfMax: number
    /** Of all samples that are written. */
    readonly clippedShareMax: number
    /** Below it a separated source holds no sound, in dB against the mixture. */
    readonly sourceDbMin: number
    /** Above this correlation two separated sources are one. */
    readonly likenessMax: number
    readonly mixtureSnrDbMinInt8: number
  }
  readonly bench: {
    readonly helpRatioMax: number
    readonly authoringCpuSMax: number
    readonly sweepWallSMax: number
    /** Of the default sweep in a terminal of 80 columns. */
    readonly terminalRowsMax: number
    readonly jsonBytesMax: number
    /** Against `node --import tsx` with the same runbook. */
    readonly binStartRatioMax: number
    readonly separationAudioS: number
    readonly separationRtfMax: number
  }
}

/**
 * The contract of the monolithic bring-up.
 *
 * @throws RunbookError as `readContract`
 */
export const monolithicContract = (): Readonly<MonolithicContract> & ContractMark =>
  readContract<MonolithicContract>('monolithic')

/**
 * The rungs of a ladder in their order, most complex first.
 * @param change options that every rung shares, such as `{ decoderMode: 'conv1x1_head' }`; they win over the ladder's
 *   own
 * @throws RunbookError usage when a change contradicts a rung
 */
export function ladderConfigs(
  name: LadderName,
  change: Partial<ConvTasNetOptions> = {},
  contract: MonolithicContract = monolithicContract(),
): ConvTasNetOptions[] {
  const { kernelSize, stride, nSrc, convKernelSize, seed, sampleRateHz: sampleRate } = contract.model
  if (name === 'voices') {
    const trained = networkNames.map(network => networkOptions(network, change)).filter(trainedWeights)
    return [...trained, ...ladderConfigs('plan', change, contract)]
  }
  const { encoderMode, decoderMode } = contract.ladders[name]
  const shared = { kernelSize, stride, nSrc, convKernelSize, seed, sampleRate, encoderMode, decoderMode }
  const sizes = name === 'plan' ? contract.ladders.plan.rungs : temporalRungs(contract)
  return sizes.map(rung => convTasNetOptions({ ...shared, ...sizesOf({ ...shared, ...rung }), ...change }))
}

function temporalRungs({ model, ladders: { plan, temporal } }: MonolithicContract): Rung[] {
  const base = plan.rungs[temporal.fromRung - 1]
  if (base !== undefined) {
    return temporal.latentFrames.map(frames => Object.assign({}, base, { inputLen: (frames - 1) * model.stride }))
  }
  const state = `the plan has ${plan.rungs.length}`
  throw usageError(
    `Cannot start the temporal ladder from rung ${temporal.fromRung}: ${state}`,
    'mend ladders.temporal.fromRung',
  )
}
