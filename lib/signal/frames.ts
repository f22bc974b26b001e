/**
 * Cuts a signal into frames for the graph, tiles them, and adds overlapping frames up again.
 *
 * The first and the last stand in for a strided convolution and for a transposed one, and are exact: a framed encoder
 * and a polyphase decoder compute the sums that the plain layers compute. Frame g covers samples `stride * (g - 1)` to
 * `stride * (g + 1)`, because the encoder pads half a kernel on both sides; samples outside the signal are zero.
 * Running the graph, and resampling, are elsewhere.
 */
import { usageError } from '../base/errors.ts'
import { float32, type FloatTensor } from '../formats/tensors/tensor.ts'

/** A kernel of `kernel` samples every `stride` samples; `kernel` is twice `stride`. */
export interface Framing {
  readonly kernel: number
  readonly stride: number
}

/**
 * Frames of a signal: one more than its whole strides. Samples beyond the last stride are lost: pad to `paddedSamples`.
 */
export const framesOf = (samples: number, stride: number): number => Math.floor(samples / stride) + 1

/** The next multiple of the stride: how long a signal must be made, with zeros, so that no sample of it is lost. */
export const paddedSamples = (samples: number, stride: number): number => Math.ceil(samples / stride) * stride

/** Which frames to cut, and where the samples at hand stand in the signal. */
export interface FrameWindow {
  /** Index of the first frame wanted; 0 when left out. */
  readonly firstFrame?: number
  /** How many frames; all of the samples' when left out. */
  readonly frames?: number
  /** Index in the signal of `samples[0]`; 0 when left out. */
  readonly firstSample?: number
}

/**
 * Frames as the columns of the framed encoder's input, float32 [1, kernel, 1, frames].
 *
 * With a window, only those frames, from a part of the signal: frames f to f + n need the samples `stride * (f - 1)` to
 * `stride * (f + n)`, and samples that are not at hand count as zero.
 */
export function frameSignal(samples: Float32Array, { kernel, stride }: Framing, window: FrameWindow = {}): FloatTensor {
  const { firstFrame = 0, firstSample = 0, frames = framesOf(samples.length, stride) } = window
  const data = new Float32Array(kernel * frames)
  const pad = kernel / 2
  for (let k = 0; k < kernel; k++) {
    let at = firstFrame * stride - pad + k - firstSample
    for (let frame = k * frames; frame < (k + 1) * frames; frame++, at += stride) {
      if (at >= 0 && at < samples.length) data[frame] = samples[at]!
    }
  }
  return float32([1, kernel, 1, frames], data)
}

/** A window of the whole: it begins at `start`, and of its own positions `from` to `to` are kept. */
export interface Tile {
  readonly start: number
  readonly from: number
  readonly to: number
}

/**
 * Windows of one width that cover `total` positions, each kept only where it equals the whole.
 *
 * The unit is frames, or samples for a graph that takes and gives samples (all three numbers times the stride). The
 * first tile begins at the true start and the last one ends at the true end, shifted back to do so, because there the
 * graph's own padding is the right one; in between, `halo` positions are thrown away at each edge. When `total` is
 * below `width` the single tile is filled up with zeros, and its last `halo` positions may differ from a graph of
 * exactly that length.
 *
 * @throws RunbookError usage when the halo leaves nothing of a tile
 */
export function tiles({ total, width, halo }: { total: number; width: number; halo: number }): Tile[] {
  if (total <= width) return [{ start: 0, from: 0, to: total }]
  if (width <= 2 * halo) {
    throw usageError(
      `Cannot tile ${total} positions by ${width}: a halo of ${halo} on both sides leaves nothing`,
      'give a longer window, or fewer blocks or repeats',
    )
  }
  const found: Tile[] = []
  for (let done = 0; done < total;) {
    const start = Math.min(Math.max(0, done - halo), total - width)
    const to = start + width === total ? width : width - halo
    found.push({ start, from: done - start, to })
    done = start + to
  }
  return found
}

/**
 * The host's half of the polyphase decoder: overlap-add, window after window, in constant memory.
 *
 * `push` takes coefficients as the graph gives them, float32 [1, sources * kernel, 1, columns], and gives the samples
 * that are complete by then, one array per source. Frame 0 completes only the padding before the signal, so `frames`
 * frames give `(frames - 1) * stride` samples, and nothing is left over at the end. Frames must come in order, each
 * once.
 */
export class OverlapAdd {
  readonly sources: number
  readonly #framing: Framing
  readonly #sums: Float32Array[]
  #nextFrame = 0

  constructor(o: Framing & { sources: number }) {
    this.sources = o.sources
    this.#framing = { kernel: o.kernel, stride: o.stride }
    this.#sums = Array.from({ length: o.sources }, () => new Float32Array(o.kernel))
  }

  /** Index of the frame that `push` expects next. */
  get nextFrame(): number {
    return this.#nextFrame
  }

  /**
   * Add the frames of the columns `from` to `to`; column 0 is frame `firstFrame` of the whole signal.
   *
   * @throws RunbookError usage when the coefficients are of another size; a plain error when a frame is missing or
   *   comes twice
   */
  push(
    coefficients: Float32Array,
    o: { columns: number; firstFrame: number; from?: number; to?: number },
  ): Float32Array[] {
    const { columns, firstFrame, from = 0, to = columns } = o
    const { kernel, stride } = this.#framing
    if (coefficients.length !== this.sources * kernel * columns) {
      const want =
        `${this.sources} sources of ${kernel} taps in ${columns} frames are ` + `${this.sources * kernel * columns}`
      throw usageError(
        `Cannot overlap-add ${coefficients.length} coefficients: ${want}`,
        'choose the output of a polyphase decoder (--output)',
      )
    }
    const next = firstFrame + from
    if (next !== this.#nextFrame) throw new Error(`overlap-add: frame ${next} came, ${this.#nextFrame} was due`)
    const skipped = next === 0 && to > from ? 1 : 0
    this.#nextFrame = firstFrame + to
    return this.#sums.map((sums, source) => {
      const samples = new Float32Array((to - from) * stride)
      for (let column = from; column < to; column++) {
        const base = source * kernel * columns + column
        for (let k = 0; k < kernel; k++) sums[k]! += coefficients[base + k * columns]!
        samples.set(sums.subarray(0, stride), (column - from) * stride)
        sums.copyWithin(0, stride)
        sums.fill(0, kernel - stride)
      }
      return samples.subarray(skipped * stride)
    })
  }
}
