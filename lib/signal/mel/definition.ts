/**
 * NeMo's features by their definition, in float64 and without a fast transform: slow, and plain enough to be read.
 *
 * It shares no code with the front end that runs, which is compared with it.
 */
import type { NemoMelOptions } from './nemo.ts'

/** Features of a short sound, [bins][frames], normalised per bin; frames that do not count are zero. */
export function featuresByDefinition(samples: Float32Array, o: NemoMelOptions): Float64Array {
  const frames = 1 + Math.floor(samples.length / o.hopSamples)
  const factor = Math.fround(o.preemphasis)
  const sound = Float64Array.from(samples, (x, i) => Math.fround(x - Math.fround(factor * (samples[i - 1] ?? 0))))
  const edges = edgesOf(o)
  const log = new Float64Array(o.bins * frames)
  for (let frame = 0; frame < frames; frame++) {
    const power = powersAt(sound, frame * o.hopSamples - o.windowSamples / 2, o)
    for (let bin = 0; bin < o.bins; bin++) {
      const [low, mid, high] = edges.slice(bin, bin + 3) as [number, number, number]
      const sum = power.reduce((total, p, k) => {
        const hz = (k * o.sampleRate) / o.fftSize
        const weight = Math.max(0, Math.min((hz - low) / (mid - low), (high - hz) / (high - mid)))
        return total + (2 * p * weight) / (high - low)
      }, 0)
      log[bin * frames + frame] = Math.log(sum + o.logGuard)
    }
  }
  normalise(log, { bins: o.bins, frames, valid: Math.floor(samples.length / o.hopSamples), guard: o.normalizeGuard })
  return log
}

function edgesOf({ bins, sampleRate }: NemoMelOptions): number[] {
  const melOf = (hz: number) => (hz < 1000 ? (3 * hz) / 200 : 15 + (27 * Math.log(hz / 1000)) / Math.log(6.4))
  const hzOf = (mel: number) => (mel < 15 ? (200 * mel) / 3 : 1000 * 6.4 ** ((mel - 15) / 27))
  return Array.from({ length: bins + 2 }, (_, i) => hzOf((i * melOf(sampleRate / 2)) / (bins + 1)))
}

/** Power at each frequency of the windowed samples from `start`; what lies outside the sound is zero. */
function powersAt(sound: Float64Array, start: number, { windowSamples, fftSize }: NemoMelOptions): number[] {
  return Array.from({ length: fftSize / 2 + 1 }, (_, k) => {
    let [re, im] = [0, 0]
    for (let i = 0; i < windowSamples; i++) {
      const x = (sound[start + i] ?? 0) * (0.5 - 0.5 * Math.cos((2 * Math.PI * i) / (windowSamples - 1)))
      const angle = (-2 * Math.PI * k * i) / fftSize
      re += x * Math.cos(angle)
      im += x * Math.sin(angle)
    }
    return re * re + im * im
  })
}

interface Grid {
  readonly bins: number
  readonly frames: number
  readonly valid: number
  readonly guard: number
}

function normalise(log: Float64Array, { bins, frames, valid, guard }: Grid): void {
  for (let bin = 0; bin < bins; bin++) {
    const row = log.subarray(bin * frames, (bin + 1) * frames)
    const counted = row.slice(0, valid)
    const mean = counted.reduce((a, b) => a + b, 0) / valid
    const deviation = Math.sqrt(counted.reduce((a, b) => a + (b - mean) ** 2, 0) / (valid - 1))
    for (let i = 0; i < frames; i++) row[i] = i < valid ? (row[i]! - mean) / (deviation + guard) : 0
  }
}
