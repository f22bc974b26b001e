/**
 * Feeds a recording to a stream in pieces of one length, as if it arrived now.
 */
import { usageError } from '../../../base/errors.ts'
import type { ParakeetContract } from '../contract/read.ts'
import type { OpenModel } from './model.ts'
import type { SoundSource } from './offline.ts'
import { TranscriptStream } from './streaming.ts'
import type { Transcript } from './transcript.ts'

/** What streaming a recording gave. */
export interface Streamed {
  readonly transcript: Transcript
  /** What each chunk took, in ms. */
  readonly latenciesMs: readonly number[]
}

/**
 * Stream a recording.
 * @param o.onText told the text whenever it grew
 * @throws RunbookError usage when a piece has no samples; as the runtime does
 */
export async function streamSource(
  model: OpenModel,
  contract: ParakeetContract,
  sound: SoundSource,
  o: { pieceMs: number; onText?: (text: string) => void; onProgress?: (samples: number) => void },
): Promise<Streamed> {
  const piece = Math.round((o.pieceMs * model.meta.features.sample_rate_hz) / 1000)
  if (!(piece >= 1)) throw usageError(`Cannot stream in pieces of ${o.pieceMs} ms`, 'give a piece of 10 ms or more')
  const stream = await TranscriptStream.begin(model, contract)
  const latenciesMs: number[] = []
  const told = (updates: Awaited<ReturnType<TranscriptStream['push']>>) => {
    for (const { latencyMs, newTokens, text } of updates) {
      latenciesMs.push(latencyMs)
      if (newTokens.length > 0) o.onText?.(text)
    }
  }
  for (let at = 0; at < sound.totalSamples; at += piece) {
    told(await stream.push(sound.read(Math.min(piece, sound.totalSamples - at))))
    o.onProgress?.(Math.min(at + piece, sound.totalSamples))
  }
  told(await stream.end())
  return { transcript: stream.transcript(), latenciesMs }
}
