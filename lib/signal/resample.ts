/**
 * Resamples sound from one rate to another.
 *
 * A streaming rational resampler: a Kaiser-windowed sinc, tabulated once for every phase that the ratio can take. The
 * position is kept in whole input samples and a whole phase number, so nothing drifts however long the sound is.
 * Channels are the caller's: one resampler each. Clock recovery and rates that change on the way are left out.
 */
import { usageError } from '../base/errors.ts'

/**
 * Turns blocks of one channel into blocks at another rate. The sum of all blocks is the same however the input is cut.
 */
export interface Resampler {
  /** The method in words, true for this pair of rates: taps, window, and the edges of its pass and stop bands. */
  readonly method: string
  /** Takes any number of input samples and gives the output samples that are settled by now, maybe none. */
  push(samples: Float32Array): Float32Array
  /**
   * Gives the rest. In all, `ceil(inputSamples * toHz / fromHz)` samples come out; later pushes are a bug and throw.
   */
  flush(): Float32Array
}

// The window reaches 48 zero crossings to each side. With beta 9 (stop band near -90 dB) the transition is then 0.12 of
// the Nyquist frequency wide, and a cutoff at 0.94 of it puts the whole transition below Nyquist: nothing folds back.
const zeroCrossings = 48
const beta = 9
const cutoff = 0.94
const passEdge = 0.88
const highestHz = 768_000
const mostCoefficients = 1 << 24

interface Ratio {
  phases: number
  step: number
  stepSamples: number
  stepPhases: number
  taps: number
  scale: number
}

/**
 * A resampler for one channel.
 *
 * @throws RunbookError usage when a rate is not a whole number of hertz in 1..768000, or when the pair has too many
 *   phases to tabulate
 */
export function resampler({ fromHz, toHz }: { fromHz: number; toHz: number }): Resampler {
  for (const hz of [fromHz, toHz]) {
    if (Number.isInteger(hz) && hz >= 1 && hz <= highestHz) continue
    throw usageError(
      `Cannot resample from ${fromHz} Hz to ${toHz} Hz: a rate is a whole number of hertz between 1 and ${highestHz}`,
      'check the header of the recording (`ffprobe FILE`)',
    )
  }
  if (fromHz === toHz) return passThrough(fromHz)
  const ratio = ratioOf(fromHz, toHz)
  if (ratio.phases * ratio.taps > mostCoefficients) {
    throw usageError(
      `Cannot resample from ${fromHz} Hz to ${toHz} Hz: the pair needs ${ratio.phases} phases of ${ratio.taps} taps`,
      `convert it first (\`ffmpeg -i FILE -ar ${toHz} OUT.wav\`)`,
    )
  }
  return polyphase(ratio, Math.min(fromHz, toHz))
}

function passThrough(hz: number): Resampler {
  return { method: `none, already ${hz} Hz`, push: samples => samples.slice(), flush: () => new Float32Array(0) }
}

function ratioOf(fromHz: number, toHz: number): Ratio {
  const common = greatestCommonDivisor(fromHz, toHz)
  const phases = toHz / common
  const step = fromHz / common
  const scale = Math.max(1, fromHz / toHz)
  const taps = 4 * Math.ceil((zeroCrossings * scale) / 2)
  return { phases, step, stepSamples: Math.floor(step / phases), stepPhases: step % phases, taps, scale }
}

function polyphase(ratio: Ratio, lowerHz: number): Resampler {
  const { phases, step, stepSamples, stepPhases, taps } = ratio
  const half = taps / 2
  const table = coefficients(ratio)
  // `held` are the input samples that are still wanted. `position` is where in `held` the next window begins. Half a
  // window of zeros, less the sample under the centre, stands before the first sample: that takes the filter's delay
  // out.
  let held = new Float32Array(half - 1)
  let position = 0
  let phase = 0
  let inputSamples = 0
  let outputSamples = 0
  let flushed = false

  const run = (samples: Float32Array, limit: number): Float32Array => {
    const input = new Float32Array(held.length + samples.length)
    input.set(held)
    input.set(samples, held.length)
    const ready = Math.max(0, Math.ceil(((input.length - taps - position + 1) * phases - phase) / step))
    const output = new Float32Array(Math.min(ready, limit - outputSamples))
    for (let n = 0; n < output.length; n++) {
      output[n] = dot(table, phase * taps, input, position, taps)
      position += stepSamples
      phase += stepPhases
      if (phase >= phases) {
        phase -= phases
        position++
      }
    }
    const spent = Math.min(position, input.length)
    held = input.slice(spent)
    position -= spent
    outputSamples += output.length
    return output
  }
  return {
    method:
      `polyphase Kaiser-windowed sinc, ${phases} phase${phases === 1 ? '' : 's'} of ${taps} taps, beta ${beta}, ` +
      `within 0.1 dB up to ${Math.floor((passEdge * lowerHz) / 2)} Hz, below -80 dB from ${Math.ceil(lowerHz / 2)} Hz`,
    push(samples) {
      if (flushed) throw new Error('a resampler takes nothing after flush()')
      inputSamples += samples.length
      return run(samples, Infinity)
    },
    flush() {
      if (flushed) return new Float32Array(0)
      flushed = true
      const total = Math.ceil((inputSamples * phases) / step)
      return run(new Float32Array(taps + stepSamples), total)
    },
  }
}

// Four running sums, because one alone would wait for itself. They are in double precision; the taps and samples are
// single, which halves what the loop must read.
function dot(table: Float32Array, first: number, input: Float32Array, position: number, taps: number): number {
  let a = 0
  let b = 0
  let c = 0
  let d = 0
  for (let k = 0; k < taps; k += 4) {
    a += table[first + k]! * input[position + k]!
    b += table[first + k + 1]! * input[position + k + 1]!
    c += table[first + k + 2]! * input[position + k + 2]!
    d += table[first + k + 3]! * input[position + k + 3]!
  }
  return a + b + (c + d)
}

// Row p holds the taps for an output that lies p / phases of a sample after the input sample under the centre. Each row
// is scaled to a sum of one, so that a constant stays that constant in every phase.
function coefficients({ phases, taps, scale }: Ratio): Float32Array {
  const table = new Float32Array(phases * taps)
  const row = new Float64Array(taps)
  const halfWidth = zeroCrossings * scale
  for (let p = 0; p < phases; p++) {
    let sum = 0
    for (let k = 0; k < taps; k++) {
      const distance = k - (taps / 2 - 1) - p / phases
      sum += row[k] = sinc((distance * cutoff) / scale) * kaiser(distance / halfWidth)
    }
    for (let k = 0; k < taps; k++) table[p * taps + k] = row[k]! / sum
  }
  return table
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x))

/** The Kaiser window at x in -1..1, not yet divided by its value at 0: the row's scaling does that. */
const kaiser = (x: number): number => (Math.abs(x) >= 1 ? 0 : besselI0(beta * Math.sqrt(1 - x * x)))

/** The modified Bessel function of order zero, by its power series; 40 terms hold double precision up to x = 20. */
function besselI0(x: number): number {
  let term = 1
  let sum = 1
  for (let k = 1; k <= 40 && term > sum * 1e-17; k++) {
    term *= (x / (2 * k)) ** 2
    sum += term
  }
  return sum
}

const greatestCommonDivisor = (a: number, b: number): number => (b === 0 ? a : greatestCommonDivisor(b, a % b))
