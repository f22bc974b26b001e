/**
 * Log-mel power by its definition, with the switches in which the original's front end differed from NeMo's.
 */

/** How a front end is made. */
export interface MelChoice {
  readonly preemphasis: number
  readonly guard: number
  readonly periodic: boolean
  readonly htk: boolean
  readonly slaneyNorm: boolean
  /** The first sample of frame 0's window: −200 where frames are centred in zeros. */
  readonly firstSample: number
}

/** As NeMo has it. */
export const nemoMel: MelChoice = {
  preemphasis: 0.97,
  guard: 2 ** -24,
  periodic: false,
  htk: false,
  slaneyNorm: true,
  firstSample: -200,
}

const [rate, fft, window, hop, bins] = [16000, 512, 400, 160, 128]

/** Natural logarithms [bins][frames] of the first frames of 16 kHz sound. */
export function logMelBy(choice: MelChoice, samples: Float32Array, frames: number): Float64Array {
  const sound = samples.map((x, i) => x - Math.fround(Math.fround(choice.preemphasis) * (samples[i - 1] ?? 0)))
  const edges = choice.htk ? htkEdges() : slaneyEdges()
  const out = new Float64Array(bins * frames)
  for (let frame = 0; frame < frames; frame++) {
    const power = powerAt(sound, choice.firstSample + frame * hop, window - (choice.periodic ? 0 : 1))
    for (let bin = 0; bin < bins; bin++) {
      const [low, mid, high] = edges.slice(bin, bin + 3) as [number, number, number]
      const norm = choice.slaneyNorm ? 2 / (high - low) : 1
      const sum = power.reduce((total, p, k) => {
        const hz = (k * rate) / fft
        return total + p * norm * Math.max(0, Math.min((hz - low) / (mid - low), (high - hz) / (high - mid)))
      }, 0)
      out[bin * frames + frame] = Math.log(sum + choice.guard)
    }
  }
  return out
}

const places = Array.from({ length: bins + 2 }, (_, i) => i / (bins + 1))

function slaneyEdges(): number[] {
  const most = 15 + (27 * Math.log(rate / 2 / 1000)) / Math.log(6.4)
  return places.map(at => (at * most < 15 ? (200 * at * most) / 3 : 1000 * 6.4 ** ((at * most - 15) / 27)))
}

function htkEdges(): number[] {
  const most = Math.log10(1 + rate / 2 / 700)
  return places.map(at => 700 * (10 ** (at * most) - 1))
}

function powerAt(sound: Float32Array, start: number, period: number): number[] {
  return Array.from({ length: fft / 2 + 1 }, (_, k) => {
    let [re, im] = [0, 0]
    for (let i = 0; i < window; i++) {
      const x = (sound[start + i] ?? 0) * (0.5 - 0.5 * Math.cos((2 * Math.PI * i) / period))
      re += x * Math.cos((-2 * Math.PI * k * i) / fft)
      im += x * Math.sin((-2 * Math.PI * k * i) / fft)
    }
    return re * re + im * im
  })
}
