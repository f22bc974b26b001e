/**
 * Turns a recording into what a Whisper listens to: its log-mel, with a window of silence behind it.
 */
import { usageError } from '../../base/errors.ts'
import { MelFrontEnd } from '../../signal/mel/mel.ts'
import { scaleToLoudest } from '../../signal/mel/normalise.ts'
import type { Features } from '../../speech/whisper/transcribe.ts'
import { whisperContract } from './contract.ts'

/** The front end of the contract, for a model with so many mel bins. */
export function whisperFrontEnd(bins: number): MelFrontEnd {
  const { audio, mel } = whisperContract()
  return new MelFrontEnd({
    sampleRate: audio.sampleRateHz,
    fftSize: mel.fftSize,
    windowSamples: mel.fftSize,
    window: 'periodic',
    hopSamples: mel.hopSamples,
    bins,
    minHz: mel.minHz,
    maxHz: mel.maxHz,
    preemphasis: 0,
    pad: 'reflect',
    lastFrame: 'dropped',
    log: { base: 10, atLeast: mel.logAtLeast },
  })
}

/**
 * Features of mono samples at the contract's rate.
 * @throws RunbookError usage when the recording is too short, or a sample is not a number
 */
export function featuresOf(front: MelFrontEnd, samples: Float32Array): Features {
  const { audio, mel } = whisperContract()
  const { sampleRateHz, shortestSeconds, windowSeconds } = audio
  if (samples.length < shortestSeconds * sampleRateHz) {
    throw usageError(
      `Cannot transcribe the recording: it lasts ${samples.length / sampleRateHz} s of at least ${shortestSeconds}`,
      'give a longer recording',
    )
  }
  const odd = indexOfOdd(samples)
  if (odd >= 0) {
    throw usageError(`Cannot transcribe the recording: sample ${odd} is ${samples[odd]}`, 'decode the recording again')
  }
  const spectrogram = front.spectrogram(samples, { trailingZeros: windowSeconds * sampleRateHz })
  scaleToLoudest(spectrogram, mel)
  const windowFrames = (windowSeconds * sampleRateHz) / mel.hopSamples
  return { data: spectrogram.data, frames: spectrogram.frames, contentFrames: spectrogram.frames - windowFrames }
}

function indexOfOdd(samples: Float32Array): number {
  for (let i = 0; i < samples.length; i++) if (!Number.isFinite(samples[i])) return i
  return -1
}
