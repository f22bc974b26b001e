/**
 * What the decoding loop needs of a model: frames in, logits out, whatever runtime answers.
 */
import { float32, type FloatTensor } from '../../../formats/tensors/tensor.ts'
import type { GreedyTdt } from '../../../speech/tdt/greedy.ts'
import { decodeChunk, decodeChunkAsync, type TdtNetworks, type TdtNetworksAsync } from '../../../speech/tdt/loop.ts'

/** The frames of a chunk: an encoder output [1, D, T], and which of its frames are decoded. */
export interface HeardFrames {
  readonly outputs: FloatTensor
  readonly from: number
  readonly count: number
}

/** Networks over the chunks of one recording; `loop` says whether they answer at once. */
export interface ChunkNetworks extends AsyncDisposable {
  /** Back to the beginning: no token, no state, blank fed. */
  reset(): Promise<void>
  /** The frames of the next chunk. */
  hear(frames: HeardFrames): Promise<void>
  readonly loop: { readonly sync: TdtNetworks } | { readonly async: TdtNetworksAsync }
}

/**
 * Decode a chunk on its networks.
 *
 * @throws RunbookError as the decoder and the runtime do
 */
export async function decodeHeard(greedy: GreedyTdt, networks: ChunkNetworks, frames: HeardFrames): Promise<void> {
  await networks.hear(frames)
  const { loop } = networks
  if ('sync' in loop) decodeChunk(greedy, loop.sync, frames.count)
  else await decodeChunkAsync(greedy, loop.async, frames.count)
}

/** Frames [from, from + count) of [1, D, T], as rows of D. */
export function rowsOf({ outputs: { shape, data }, from, count }: HeardFrames): FloatTensor {
  const [, depth, frames] = shape as [number, number, number]
  const rows = new Float32Array(count * depth)
  for (let f = 0; f < count; f++) for (let d = 0; d < depth; d++) rows[f * depth + d] = data[d * frames + from + f]!
  return float32([count, depth], rows)
}
