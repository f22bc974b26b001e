/**
 * Transcribes recordings of any length in bounded memory.
 *
 * A recording that fits one window is encoded whole, as NeMo does it. A longer one is encoded in windows with margins
 * that are not decoded; the decoder goes on over the seams with its state and its jump.
 */
import { usageError } from '../../../base/errors.ts'
import type { ParakeetContract } from '../contract/read.ts'
import { encode } from './encoders.ts'
import type { OpenModel } from './model.ts'
import { decodeHeard } from './networks.ts'
import { TranscriptDecoder, type Transcript } from './transcript.ts'

/** Sound at the model's rate, piece by piece: at most `count` samples, fewer at the end. */
export interface SoundSource {
  readonly totalSamples: number
  read(count: number): Float32Array
}

/** Windows of a long recording, in seconds. */
export interface Windows {
  readonly windowS: number
  /** On each side of a window: heard, and not decoded. */
  readonly marginS: number
}

// CONTRACT: a recording is encoded whole up to this length, and in windows beyond it.
// SOURCE: decision D-301
// WHY: attention costs the square of the length; three hours at once would take hundreds of gigabytes.
const usualWindows: Windows = { windowS: 120, marginS: 8 }

/**
 * Transcribe a recording.
 * @param onProgress told how many samples are done
 * @throws RunbookError usage when the windows are empty; as the runtime does
 */
export async function transcribe(
  model: OpenModel,
  contract: ParakeetContract,
  sound: SoundSource,
  o: { windows?: Windows; onProgress?: (samples: number) => void } = {},
): Promise<Transcript> {
  const decoder = new TranscriptDecoder(model.meta, model.pieces, contract)
  await model.networks.reset()
  const plan = planOf(model, o.windows ?? usualWindows)
  let held = new Float32Array(0)
  let heldFrom = 0
  for (let begin = 0; begin < sound.totalSamples; begin += plan.window) {
    const isWhole = sound.totalSamples <= plan.window + plan.margin
    const end = isWhole ? sound.totalSamples : Math.min(sound.totalSamples, begin + plan.window)
    const from = Math.max(0, begin - plan.margin)
    const to = Math.min(sound.totalSamples, isWhole ? end : end + plan.margin)
    held = extended(held.subarray(from - heldFrom), sound.read(to - Math.max(from, heldFrom + held.length)))
    heldFrom = from
    await decodeWindow(model, decoder, held, {
      skip: (begin - from) / plan.frame,
      frames: end === sound.totalSamples ? Infinity : framesOf(end - begin, plan.frame),
    })
    o.onProgress?.(end)
    if (isWhole) break
  }
  return decoder.transcript()
}

interface Plan {
  readonly frame: number
  readonly window: number
  readonly margin: number
}

function planOf({ meta }: OpenModel, { windowS, marginS }: Windows): Plan {
  const frame = meta.features.hop_length * meta.timebase.encoder_subsampling_factor
  const whole = (seconds: number) => Math.round((seconds * meta.features.sample_rate_hz) / frame) * frame
  const plan = { frame, window: whole(windowS), margin: whole(marginS) }
  if (plan.window > 0 && plan.margin >= 0) return plan
  throw usageError(
    `Cannot transcribe in windows of ${windowS} s with margins of ${marginS} s`,
    'give a window of 1 s or more',
  )
}

const framesOf = (samples: number, frame: number) => Math.ceil(samples / frame)

function extended(held: Float32Array, more: Float32Array): Float32Array<ArrayBuffer> {
  const all = new Float32Array(held.length + more.length)
  all.set(held)
  all.set(more, held.length)
  return all
}

async function decodeWindow(
  model: OpenModel,
  decoder: TranscriptDecoder,
  samples: Float32Array,
  { skip, frames }: { skip: number; frames: number },
): Promise<void> {
  const features = model.mel.features(samples)
  // Less than one hop of sound has no frame that counts.
  if (features.validFrames === 0) return
  const encoded = await encode(model.encoder, features, features.validFrames)
  const count = Math.max(0, Math.min(frames, encoded.count - skip))
  await decodeHeard(decoder.greedy, model.networks, { outputs: encoded.outputs, from: skip, count })
}
