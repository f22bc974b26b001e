/**
 * Measures a trained network for its card.
 *
 * The test in float16 and float32, as one window, tiled and in int8, sets with strangers, and PyTorch's own answer.
 */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { sha256File } from '../../../host/digest.ts'
import { haloFrames, type ConvTasNetOptions } from '../../../models/convtasnet/options.ts'
import type { RecordingPackage } from '../recordings.ts'
import type { NetworkCard } from './card.ts'
import { networkOptions, voicesContract, voicesRecipe, type NetworkName } from './contract.ts'
import {
  graphFacts,
  losses,
  readMixtures,
  scoreInt8,
  scoreTiled,
  scoreWhole,
  spreadOf,
  type ScoreJob,
  type Spread,
} from './score.ts'
import { pytorchAnswers, type Trained, type VoiceFacts, type Workshop } from './train.ts'

/** What was measured of one training. */
export type Measured = Pick<NetworkCard, 'scores' | 'losses' | 'pytorchDifference' | 'parameters' | 'mmacPerS'>

/** Where speech and mixtures lie. */
export interface DataFolder {
  readonly data: string
}

const mixturesOf = (data: string, set: string): string => join(data, `${set}.npy`)

/**
 * Measure a training.
 * @param o.onSet gets the name of each set when it has been measured
 * @throws RunbookError as `scoreWhole` and `pytorchAnswers`
 */
export async function measure(
  name: NetworkName,
  trained: Pick<Trained, 'weights' | 'float32'>,
  o: Workshop & DataFolder & { readonly onSet: (set: string, spread: Spread) => void },
): Promise<Measured> {
  const { calibrationWindows, comparedMixtures } = voicesContract()
  const job: ScoreJob = {
    weights: trained.weights,
    options: networkOptions(name),
    folder: o.folder,
    mixtures: readMixtures(mixturesOf(o.data, 'test')),
  }
  const scores: Record<string, Spread> = {}
  const note = (set: string, values: readonly number[]): readonly number[] => {
    scores[set] = spreadOf(values)
    o.onSet(set, scores[set])
    return values
  }
  const compared = await pytorchAnswers({
    ...o,
    weights: trained.weights,
    mixtures: mixturesOf(o.data, 'test'),
    count: comparedMixtures,
  })
  const { difference, values: float16 } = await comparedScores(job, compared)
  note('float16', float16)
  const float32 = note('float32', await scoreWhole({ ...job, weights: trained.float32 }))
  const tiled = note('tiled', await scoreTiled(job))
  const calibration = readMixtures(mixturesOf(o.data, 'validation'))
  const int8 = note('int8', await scoreInt8(job, { calibration, windows: calibrationWindows }))
  for (const set of Object.keys(voicesRecipe().mixtures).filter(one => one !== 'test' && one !== 'validation')) {
    note(set, await scoreWhole({ ...job, mixtures: readMixtures(mixturesOf(o.data, set)) }))
  }
  return {
    ...(await graphFacts(job)),
    scores,
    losses: {
      float16: lossOf(float32, float16),
      tiling: lossOf(float16, tiled),
      int8: lossOf(tiled, int8),
    },
    pytorchDifference: difference,
  }
}

const lossOf = (from: readonly number[], to: readonly number[]): { mean: number; worst: number } => {
  const lost = losses(from, to)
  return { mean: spreadOf(lost).mean, worst: Math.max(...lost) }
}

/** The scores of the test, and the largest difference from what PyTorch answered for its first mixtures. */
async function comparedScores(job: ScoreJob, answers: Float32Array): Promise<{ values: number[]; difference: number }> {
  let [difference, at] = [0, 0]
  const values = await scoreWhole(job, {
    onAnswer(sources) {
      for (const samples of sources) {
        if (at === answers.length) return
        for (const sample of samples) difference = Math.max(difference, Math.abs(sample - answers[at++]!))
      }
    },
  })
  return { values, difference: at === answers.length && at > 0 ? difference : Number.NaN }
}

/** How far an output sample looks to either side, in ms at 16 kHz. */
const reachMs = (o: ConvTasNetOptions): number => (haloFrames(o) * o.stride) / 16

/** The card of a training that was measured. */
export function cardOf(
  name: NetworkName,
  o: {
    readonly trained: Trained
    readonly measured: Measured
    readonly python: Workshop['python']
    readonly voices: readonly VoiceFacts[]
    readonly packages: readonly RecordingPackage[]
  },
): NetworkCard {
  const options = networkOptions(name)
  const { nFilters, bnChan, hidChan, skipChan, nBlocks, nRepeats, kernelSize, stride } = options
  const { seed, steps, cpuSeconds, wallSeconds, weights } = o.trained
  const { program: _, ...versions } = o.python
  return {
    network: name,
    config: [nFilters, bnChan, hidChan, skipChan, nBlocks, nRepeats],
    kernelSize,
    stride,
    reachMs: reachMs(options),
    file: `${name}.safetensors`,
    bytes: statSync(weights).size,
    sha256: sha256File(weights),
    training: { seed, steps, cpuSeconds, wallSeconds, ...versions },
    voices: o.voices,
    packages: o.packages.map(({ name: deb, version, sha256 }) => ({ name: deb, version, sha256 })),
    ...o.measured,
  }
}
