/**
 * Runs every component of an exported folder once on ONNX Runtime, and looks whether its answer has the promised shape.
 */
import { indexOfNonFinite } from '../../../infer/backend.ts'
import type { ParakeetContract } from '../contract/read.ts'
import { encode } from '../transcribe/encoders.ts'
import { openModel } from '../transcribe/model.ts'
import { decodeHeard } from '../transcribe/networks.ts'
import { GreedyTdt } from '../../../speech/tdt/greedy.ts'
import { rulesOf } from '../model/meta.ts'
import { TranscriptStream } from '../transcribe/streaming.ts'

/** What a smoke run saw. */
export interface SmokeRun {
  readonly offlineFrames: number
  readonly offlineTokens: number
  readonly streamedFrames: number
  readonly notFinite: number
  readonly device: string
}

/** Two tones that come and go, so that features vary from frame to frame. */
export const testTone = (samples: number): Float32Array =>
  Float32Array.from(
    { length: samples },
    (_, i) => 0.2 * Math.sin(i * 0.07) * Math.sin(i * 0.0006) + 0.05 * Math.sin(i * 0.9),
  )

/**
 * Encode and decode a few seconds of tones, at once and in chunks.
 * @throws RunbookError as the runtime does
 */
export async function smokeRun(folder: string, contract: ParakeetContract, seconds = 3): Promise<SmokeRun> {
  const sound = testTone(contract.features.sample_rate_hz * seconds)
  // One after the other: two encoders of full size would be in memory at once.
  const offline = await smokeOffline(folder, contract, sound)
  await using streaming = await openModel(folder, contract, { streaming: true })
  const stream = await TranscriptStream.begin(streaming, contract)
  const updates = [...(await stream.push(sound)), ...(await stream.end())]
  return { ...offline, streamedFrames: updates.reduce((sum, { frames }) => sum + frames, 0) }
}

async function smokeOffline(folder: string, contract: ParakeetContract, sound: Float32Array) {
  await using model = await openModel(folder, contract)
  const features = model.mel.features(sound)
  const heard = await encode(model.encoder, features, features.validFrames)
  const greedy = new GreedyTdt(rulesOf(model.meta))
  await decodeHeard(greedy, model.networks, heard)
  return {
    offlineFrames: heard.count,
    offlineTokens: greedy.tokens.length,
    notFinite: indexOfNonFinite(heard.outputs.data) < 0 ? 0 : 1,
    device: model.device,
  }
}
