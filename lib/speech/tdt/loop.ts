/**
 * Runs greedy decoding over the frames of one chunk, with a predictor and a joint.
 *
 * The synchronous loop creates no object per step. The asynchronous one serves runtimes that answer later.
 */
import type { GreedyTdt } from './greedy.ts'

/** The two networks behind a decoder. `joint` may give the same array every time. */
export interface TdtNetworks {
  /** Logits of one frame of the chunk against the present state of the predictor. */
  joint(frame: number): Float32Array
  /** Feed one token; the state moves on. */
  predict(token: number): void
}

/** As `TdtNetworks`, for runtimes that answer later. */
export interface TdtNetworksAsync {
  joint(frame: number): Promise<Float32Array>
  predict(token: number): Promise<void>
}

/**
 * Decode the next chunk. The predictor must have been fed blank at the beginning of the stream.
 * @throws what the networks throw; usage when a logit is not finite
 */
export function decodeChunk(greedy: GreedyTdt, networks: TdtNetworks, frames: number): void {
  let action = greedy.begin(frames)
  while (action !== 'done') {
    action = greedy.step(networks.joint(greedy.frame))
    if (action === 'joint' || action === 'done') continue
    networks.predict(greedy.lastToken)
    action = action === 'predict' ? 'joint' : 'done'
  }
}

/** As `decodeChunk`, for runtimes that answer later. */
export async function decodeChunkAsync(greedy: GreedyTdt, networks: TdtNetworksAsync, frames: number): Promise<void> {
  let action = greedy.begin(frames)
  while (action !== 'done') {
    action = greedy.step(await networks.joint(greedy.frame))
    if (action === 'joint' || action === 'done') continue
    await networks.predict(greedy.lastToken)
    action = action === 'predict' ? 'joint' : 'done'
  }
}
