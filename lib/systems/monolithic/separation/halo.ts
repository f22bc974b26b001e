/**
 * Measures how many frames at a window's edge must be thrown away.
 *
 * One stretch of noise is seen through two windows that overlap. Where both answer the same, neither sees its edge. The
 * farthest difference from an edge is the halo: exactly what joining windows needs, whatever the model is made of.
 */
import { usageError } from '../../../base/errors.ts'
import { float32 } from '../../../formats/tensors/tensor.ts'
import type { Backend } from '../../../infer/backend.ts'
import { frameSignal } from '../../../signal/frames.ts'
import { joinedAnswer, type SeparationModel } from './model.ts'

/** Two answers are the same when they differ by less than this share of the loudest: a seam at -100 dB. */
const sameShare = 1e-5

/**
 * Frames of halo of an open model, measured with two windows of noise.
 * @throws RunbookError usage when no part of an answer is free of the window's edges; whatever `infer` throws
 */
export async function measureHalo(backend: Pick<Backend, 'infer'>, model: SeparationModel): Promise<number> {
  const { layout, widthSamples, widthFrames, answer } = model
  const { stride } = layout
  const step = answer === 'audio' ? stride : 1
  const columns = answer === 'audio' ? widthSamples : widthFrames
  const shiftFrames = Math.floor((widthFrames - 1) / 2)
  const noise = noiseOf(widthSamples + (shiftFrames + 2) * stride)
  const ask = async (firstFrame: number) => {
    const window = noise.subarray(firstFrame * stride, firstFrame * stride + widthSamples + 2 * stride)
    const feeds = { ...model.zeros, [model.input.name]: windowFeed(model, window) }
    return joinedAnswer(model, await backend.infer(feeds)).slice()
  }
  const [early, late] = [await ask(0), await ask(shiftFrames)]
  const shift = shiftFrames * step
  const overlap = columns - shift
  const rows = early.length / columns
  const loudest = early.reduce((top, value) => Math.max(top, Math.abs(value)), 0)
  const isSame = (column: number) => {
    for (let row = 0; row < rows; row++) {
      const difference = early[row * columns + shift + column]! - late[row * columns + column]!
      if (!(Math.abs(difference) <= sameShare * loudest)) return false
    }
    return true
  }
  // The early window ends on the right of the overlap, the late one begins on its left.
  // Single samples of two different answers agree by chance; a stretch of them does not.
  const least = answer === 'audio' ? Math.max(step, Math.min(64, Math.floor(overlap / 8))) : 1
  const middle = middleOf(overlap, isSame, least)
  if (middle === null) {
    throw usageError(
      'Cannot join windows of this model: every part of its answer depends on the whole window ' +
        '(a norm over time, or blocks that reach farther than half a window)',
      'export it with a longer window, or say what to drop: monolithic-infer --halo-frames N',
    )
  }
  const left = middle.from
  const right = overlap - middle.to
  return Math.ceil(Math.max(left, right) / step)
}

/** The longest stretch of columns that are all the same; null when none is as long as `least`. */
function middleOf(
  columns: number,
  isSame: (column: number) => boolean,
  least: number,
): { from: number; to: number } | null {
  let best = { from: 0, to: 0 }
  let from = 0
  for (let column = 0; column <= columns; column++) {
    if (column < columns && isSame(column)) continue
    if (column - from > best.to - best.from) best = { from, to: column }
    from = column + 1
  }
  return best.to - best.from >= least ? best : null
}

/** Noise in [-0.5, 0.5], the same every time. */
function noiseOf(samples: number): Float32Array {
  let state = 1
  return Float32Array.from({ length: samples }, () => {
    state = (state * 48271) % 0x7fffffff
    return state / 0x7fffffff - 0.5
  })
}

/**
 * A window as the model takes it.
 * @param window begins one stride before the sample under the first frame, and ends one stride behind the last
 */
export function windowFeed({ input, feed, layout, widthSamples, widthFrames }: SeparationModel, window: Float32Array) {
  const shape = input.shape.map(Number)
  const { stride } = layout
  if (feed === 'samples') return float32(shape, window.subarray(stride, stride + widthSamples))
  // The first frame of the window is frame 1 of a signal that begins where the window does.
  const { data } = frameSignal(window, layout, { firstFrame: 1, frames: widthFrames, firstSample: 0 })
  return float32(shape, data)
}
