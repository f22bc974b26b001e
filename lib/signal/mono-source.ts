/**
 * Reads any recording as one channel at the model's rate, piece by piece.
 *
 * Mean over channels, then the resampler of `lib/signal`. Memory does not grow with the recording's length. NaN and
 * infinity in a file are refused by the WAV reader.
 */
import { openWav, type WavInfo } from '../formats/wav/index.ts'
import { mixdown } from './mixdown.ts'
import { resampler } from './resample.ts'

const blockFrames = 16_384

/** A recording as one channel at one rate, read piece by piece. */
export interface MonoSource extends Disposable {
  readonly info: WavInfo
  /** The wanted rate, in Hz. */
  readonly sampleRate: number
  /** Samples at the wanted rate, exactly. */
  readonly totalSamples: number
  /** How the channels became one: `none, one channel`, or `mean of 2 channels`. */
  readonly mixdown: string
  /** How the rate was changed: `none, already 16000 Hz`, or both rates and the method. */
  readonly resampling: string
  /**
   * The next `count` samples, fewer at the end.
   *
   * @throws RunbookError usage at the first NaN or infinity, or when the file became shorter
   */
  read(count: number): Float32Array
  /**
   * Whether the mean over channels is zero in every frame: silence, or channels that cancel. Stops at the first sound,
   * and is asked before the first `read`.
   */
  isSilent(): boolean
}

/**
 * Open a recording.
 *
 * @throws RunbookError blocked when absent, usage when it is not a WAV or holds nothing
 */
export function openMono(path: string, sampleRate: number): MonoSource {
  const wav = openWav(path)
  try {
    return monoOf(wav, resampler({ fromHz: wav.info.sampleRate, toHz: sampleRate }), sampleRate)
  } catch (thrown) {
    wav.close()
    throw thrown
  }
}

function monoOf(
  wav: ReturnType<typeof openWav>,
  convert: ReturnType<typeof resampler>,
  sampleRate: number,
): MonoSource {
  const { info } = wav
  let held = new Float32Array(0)
  /** Whether there was more. */
  const fill = (): boolean => {
    const channels = wav.read(blockFrames)
    const isMore = channels.length > 0
    held = joined(held, isMore ? convert.push(mixdown(channels)) : convert.flush())
    return isMore
  }
  return {
    info,
    sampleRate,
    totalSamples: Math.ceil((info.frames * sampleRate) / info.sampleRate),
    mixdown: info.channels === 1 ? 'none, one channel' : `mean of ${info.channels} channels`,
    resampling:
      info.sampleRate === sampleRate ? convert.method : `${info.sampleRate} to ${sampleRate} Hz, ${convert.method}`,
    read(count) {
      for (let isMore = true; isMore && held.length < count;) isMore = fill()
      const piece = held.subarray(0, count)
      held = held.subarray(count)
      return piece
    },
    isSilent() {
      try {
        for (let channels = wav.read(blockFrames); channels.length > 0; channels = wav.read(blockFrames)) {
          if (mixdown(channels).some(value => value !== 0)) return false
        }
        return true
      } finally {
        wav.rewind()
      }
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
