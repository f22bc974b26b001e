/**
 * Says how likely each stretch of a recording is speech: with Silero's network where its file is given, else by energy.
 *
 * Energy knows loud from quiet and not speech from noise; it serves to leave silence out.
 */
import { usageError } from '../../base/errors.ts'
import { quantile } from '../../base/statistics.ts'
import type { Backend } from '../../infer/backend.ts'
import { speechRegions, type Region, type RegionOptions } from './regions.ts'

/** Samples a second that both detectors work at. */
export const vadSampleRate = 16_000

const frameSamples = 512
const contextSamples = 64

/** Which detector, and the bounds of what counts as speech. */
export interface DetectOptions extends Pick<RegionOptions, 'threshold' | 'minSpeechS' | 'minSilenceS' | 'padS'> {
  /** Silero's network, open; by energy where absent. */
  readonly silero?: Backend
  readonly signal?: AbortSignal
}

/**
 * The stretches of speech in mono samples at 16 kHz.
 * @throws {RunbookError} usage for a network with other inputs than Silero's; the signal's reason once it is aborted
 */
export async function detectSpeech(samples: Float32Array, o: DetectOptions = {}): Promise<Region[]> {
  const probabilities = o.silero ? await sileroProbabilities(samples, o.silero, o.signal) : energyProbabilities(samples)
  return speechRegions(probabilities, { ...o, sampleRate: vadSampleRate, frameSamples, totalSamples: samples.length })
}

/**
 * A probability for every 512 samples, from Silero's network (version 5: 64 samples of context before each frame).
 * @throws {RunbookError} usage for a network with other inputs
 */
export async function sileroProbabilities(
  samples: Float32Array,
  model: Backend,
  signal?: AbortSignal,
): Promise<Float32Array> {
  const names = model.inputs
    .map(({ name }) => name)
    .toSorted()
    .join()
  if (names !== 'input,sr,state') {
    throw usageError(
      `Cannot detect speech with a model of the inputs ${names}: Silero has input, sr, state`,
      'give --vad silero_vad.onnx',
    )
  }
  const found = new Float32Array(Math.ceil(samples.length / frameSamples))
  const state = { dtype: 'float32' as const, shape: [2, 1, 128], data: new Float32Array(256) }
  const sr = { dtype: 'int64' as const, shape: [], data: BigInt64Array.of(16_000n) }
  for (let i = 0; i < found.length; i++) {
    if (i % 64 === 0) signal?.throwIfAborted()
    const data = new Float32Array(contextSamples + frameSamples)
    const from = i * frameSamples - contextSamples
    data.set(samples.subarray(Math.max(0, from), from + data.length), Math.max(0, -from))
    const { output, stateN } = await model.infer({
      input: { dtype: 'float32', shape: [1, data.length], data },
      state,
      sr,
    })
    found[i] = (output!.data as Float32Array)[0]!
    state.data.set(stateN!.data as Float32Array)
  }
  return found
}

/** Speech that is quieter than this share of full scale is not looked for: about −60 dB. */
const quietest = 0.001

/**
 * 1 for every 512 samples that are well above the recording's quiet parts, else 0; one louder frame between is kept.
 */
export function energyProbabilities(samples: Float32Array): Float32Array {
  const rms = Float32Array.from({ length: Math.ceil(samples.length / frameSamples) }, (_, i) => {
    const frame = samples.subarray(i * frameSamples, (i + 1) * frameSamples)
    return Math.sqrt(frame.reduce((sum, value) => sum + value * value, 0) / frame.length)
  })
  if (rms.length === 0) return rms
  const loud = quantile([...rms], 0.95)
  const floor = quantile([...rms], 0.1)
  // Three times the quiet parts (10 dB), but no higher than a tenth of the loud ones: a recording may have no pause.
  const threshold = Math.max(quietest, Math.min(3 * floor, loud / 10))
  return rms.map(value => (value > threshold ? 1 : 0))
}
