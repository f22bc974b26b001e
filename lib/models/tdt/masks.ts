/**
 * Authors the masks of the encoder: which frames count, and which frame may listen to which.
 *
 * Source: NVIDIA-NeMo/NeMo@8cfedd72:nemo/collections/asr/modules/conformer_encoder.py, _create_masks.
 */
import type { EncoderConfig } from './config.ts'
import { toEnd, type Net } from './net.ts'

/** Frames behind a cache, and how much of the cache is filled. */
export interface CacheFill {
  /** Frames that the cache holds, a number fixed by the graph. */
  readonly size: number
  /** [B], int64: how many of its last frames are real. */
  readonly filled: string
}

/**
 * The masks for frames of [B, T, D].
 * @param lengths [B], int64: frames that count, without the cache
 * @returns `counts` [B, 1, T] as 1 and 0, `blocked` [B, T, cache + T] as booleans
 */
export function masks(
  net: Net,
  config: EncoderConfig,
  { x, lengths, cache }: { x: string; lengths: string; cache?: CacheFill },
): { counts: string; blocked: string } {
  const size = cache?.size ?? 0
  const total = net.op('Add', [net.dim(x, 1), net.ints([size])])
  const frames = net.range(total)
  const end = net.op('Unsqueeze', [net.op('Add', [lengths, net.ints(size)]), net.ints([1])])
  let real = net.op('Less', [frames, end])
  if (cache !== undefined) {
    const begin = net.op('Unsqueeze', [net.op('Sub', [net.ints(size), cache.filled]), net.ints([1])])
    real = net.op('And', [real, net.op('GreaterOrEqual', [frames, begin])])
  }
  const own = net.slice(real, 1, size, toEnd)
  const both = net.op('And', [net.op('Unsqueeze', [own, net.ints([2])]), net.op('Unsqueeze', [real, net.ints([1])])])
  const near = within(net, config, frames, size)
  const open = near === undefined ? both : net.op('And', [both, near])
  return {
    counts: net.op('Unsqueeze', [net.op('Cast', [own], { to: 1 }), net.ints([1])]),
    blocked: net.op('Not', [open]),
  }
}

/** [1, T, cache + T]: whether a frame is within reach of another; undefined when all are. */
function within(net: Net, { attContext: [left, right], attStyle }: EncoderConfig, frames: string, size: number) {
  const isChunked = attStyle === 'chunked_limited'
  if (!isChunked && left < 0 && right < 0) return undefined
  const chunk = right + 1
  // Chunks are counted from the first frame behind the cache, whose size need not be a multiple of theirs.
  const shift = isChunked ? (chunk - (size % chunk)) % chunk : 0
  const counted = shift === 0 ? frames : net.op('Add', [frames, net.ints(shift)])
  const places = isChunked ? net.op('Div', [counted, net.ints(chunk)]) : frames
  const rows = net.op('Unsqueeze', [net.slice(places, 0, size, toEnd), net.ints([1])])
  const distance = net.op('Sub', [rows, net.op('Unsqueeze', [places, net.ints([0])])])
  const atMost = (limit: number) => net.op('LessOrEqual', [distance, net.ints(limit)])
  const atLeast = (limit: number) => net.op('GreaterOrEqual', [distance, net.ints(limit)])
  const bounds = isChunked
    ? [atLeast(0), ...(left >= 0 ? [atMost(Math.floor(left / chunk))] : [])]
    : [...(left >= 0 ? [atMost(left)] : []), ...(right >= 0 ? [atLeast(-right)] : [])]
  return net.op('Unsqueeze', [bounds.reduce((a, b) => net.op('And', [a, b])), net.ints([0])])
}
