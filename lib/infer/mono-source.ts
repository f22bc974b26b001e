/**
 * How does any recording become one channel at the model's rate, piece by piece?
 *
 * Mean over channels, then the resampler of `lib/signal`. Memory does not grow with the recording's length.
 */
import { openWav, type WavInfo } from '../formats/wav.ts'
import { mixdown } from '../signal/mixdown.ts'
import { resampler } from '../signal/resample.ts'
import { usageError } from '../notebook/errors.ts'

const blockFrames = 16_384

export interface MonoSource extends Disposable {
  readonly info: WavInfo
  /** Samples at the wanted rate, exactly. */
  readonly totalSamples: number
  /** How the rate was changed; `none` when it was not. */
  readonly resampling: string
  /** The next `count` samples, fewer at the end. Errors: usage at the first NaN or infinity. */
  read(count: number): Float32Array
}

/** Open a recording. Errors: blocked when absent, usage when it is not a WAV or holds nothing. */
export function openMono(path: string, sampleRate: number): MonoSource {
  const wav = openWav(path)
  const convert = resampler({ fromHz: wav.info.sampleRate, toHz: sampleRate })
  let held = new Float32Array(0)
  let ended = false
  let seen = 0
  const fill = () => {
    const channels = wav.read(blockFrames)
    const mono = channels.length === 0 ? null : mixdown(channels)
    const odd = mono?.findIndex(value => !Number.isFinite(value)) ?? -1
    if (odd >= 0) throw usageError(`Cannot use "${path}": sample ${seen + odd} is ${mono![odd]}`, 'export it again: a recording holds finite numbers only')
    seen += mono?.length ?? 0
    ended = mono === null
    held = joined(held, mono === null ? convert.flush() : convert.push(mono))
  }
  return {
    info: wav.info,
    totalSamples: Math.ceil((wav.info.frames * sampleRate) / wav.info.sampleRate),
    resampling: wav.info.sampleRate === sampleRate ? 'none' : `${wav.info.sampleRate} to ${sampleRate} Hz, ${convert.method}`,
    read(count) {
      while (held.length < count && !ended) fill()
      const piece = held.slice(0, count)
      held = held.slice(count)
      return piece
    },
    [Symbol.dispose]: () => wav.close(),
  }
}

function joined(a: Float32Array, b: Float32Array): Float32Array<ArrayBuffer> {
  const all = new Float32Array(a.length + b.length)
  all.set(a)
  all.set(b, a.length)
  return all
}

/** Whether a recording holds any sample that is not zero. Stops at the first one. */
export function isSilent(path: string): boolean {
  using wav = openWav(path)
  for (let channels = wav.read(blockFrames); channels.length > 0; channels = wav.read(blockFrames)) {
    if (channels.some(channel => channel.some(value => value !== 0))) return false
  }
  return true
}
