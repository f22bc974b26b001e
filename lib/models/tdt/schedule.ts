/**
 * Derives how a stream is cut into chunks, as NeMo derives it from the encoder's reach.
 *
 * A chunk gives `validOut` final frames; those behind them come again in the next chunk. In front of every chunk but
 * the first stand the `preEncode` feature frames before it, whose encoder frames are dropped. Source:
 * NVIDIA-NeMo/NeMo@8cfedd72:nemo/collections/asr/modules/conformer_encoder.py, setup_streaming_params.
 */
import { usageError } from '../../base/errors.ts'
import type { EncoderConfig } from './config.ts'

/** How a stream is cut; pairs are of the first chunk and of those that follow. Counts are of feature frames ... */
export interface StreamSchedule {
  readonly chunkSize: readonly [number, number]
  readonly shiftSize: readonly [number, number]
  readonly preEncode: readonly [number, number]
  /** ... and these of encoder frames. */
  readonly dropExtra: readonly [number, number]
  readonly cacheDrop: number
  readonly cacheSize: number
  readonly validOut: number
  /** How the front shortens its input. */
  readonly front: Front
}

/** Feature frames for one encoder frame, and whether the front looks back only. */
export type Front = Pick<EncoderConfig, 'subsamplingFactor' | 'causalDownsampling'>

/**
 * Encoder frames that `frames` feature frames give: three times halved, rounded up, or one more where it looks back.
 */
export function encodedFrames({ subsamplingFactor, causalDownsampling }: Front, frames: number): number {
  let count = frames
  for (let step = 0; step < Math.log2(subsamplingFactor); step++)
    count = causalDownsampling ? Math.floor(count / 2) + 1 : Math.ceil(count / 2)
  return frames === 0 ? 0 : count
}

/** What of the encoder the schedule depends on. */
export type Reach = Front & Pick<EncoderConfig, 'attContext' | 'attStyle' | 'convContext' | 'layers'>

/** Chunks of a size of one's own, in encoder frames, for an encoder that was not made to stream. */
export interface ChunkChoice {
  readonly chunkSteps: number
  readonly shiftSteps: number
  /** Chunks of the past that attention may hear; without it, the encoder's own reach. */
  readonly leftChunks?: number
}

/** Encoder frames of the past that are kept where the encoder's reach has no limit. */
const cacheSizeUnlimited = 10_000

/**
 * The schedule of a stream.
 * @throws RunbookError usage when the chunk is empty, or shorter than its shift
 */
export function streamSchedule(reach: Reach, choice?: ChunkChoice): StreamSchedule {
  const { attContext, attStyle, convContext, layers, subsamplingFactor: factor } = reach
  if (choice !== undefined && !(choice.shiftSteps >= 1 && choice.chunkSteps >= choice.shiftSteps))
    throw usageError(
      `Cannot stream with chunks of ${choice.chunkSteps} frames that advance by ${choice.shiftSteps}`,
      'give a chunk of at least its shift, and a shift of at least 1',
    )
  const isChunked = attStyle === 'chunked_limited'
  const lookahead =
    choice !== undefined
      ? choice.chunkSteps - 1
      : isChunked
        ? attContext[1]
        : attContext[1] * layers + convContext[1] * layers
  const cacheDrop = choice !== undefined ? choice.chunkSteps - choice.shiftSteps : isChunked ? 0 : lookahead
  const reachBack = attContext[0] >= 0 ? attContext[0] : cacheSizeUnlimited
  const shift = factor * (lookahead - cacheDrop)
  const preEncode = factor + 1
  return {
    chunkSize: [1 + factor * lookahead, factor + factor * lookahead],
    shiftSize: [1 + shift, factor + shift],
    preEncode: [0, preEncode],
    dropExtra: [0, 1 + Math.floor((preEncode - 1) / factor)],
    cacheDrop,
    cacheSize: choice?.leftChunks === undefined ? reachBack : choice.leftChunks * choice.chunkSteps,
    validOut: Math.floor(shift / factor) + 1,
    front: { subsamplingFactor: factor, causalDownsampling: reach.causalDownsampling },
  }
}

/** One chunk of a stream: which feature frames go in, and what of the encoder's answer counts. */
export interface StreamChunk {
  readonly step: number
  /** Feature frames [from, to), those before the chunk included. */
  readonly from: number
  readonly to: number
  /**
   * Frames of zeros in front of them, where the stream is younger than the pre-encode cache is long. NeMo does so too;
   * such a chunk differs a little from the whole recording, whose first convolutions see no frames there.
   */
  readonly padding: number
  readonly dropExtra: number
  /** Encoder frames that are final; all of them in the last chunk. */
  readonly keep: number
  readonly isLast: boolean
}

/**
 * The next chunk once `available` feature frames are there, or null when more are needed. Every frame is heard: NeMo's
 * own buffer gives up a rest of fewer than eight frames.
 * @param at where the stream stands: the step, and the first feature frame that was not yet new
 */
export function nextChunk(
  schedule: StreamSchedule,
  at: { readonly step: number; readonly frame: number },
  { available, isEnded }: { readonly available: number; readonly isEnded: boolean },
): { readonly chunk: StreamChunk; readonly frame: number } | null {
  const which = at.step === 0 ? 0 : 1
  const wanted = at.frame + schedule.chunkSize[which]
  if (available <= at.frame || (available < wanted && !isEnded)) return null
  const following = at.frame + schedule.shiftSize[which]
  // What is left may be too short to give a frame of its own: then this chunk is the last, and all of it counts.
  const isLast = isEnded && leftBehind(schedule, following, available) <= 0
  const from = at.frame - schedule.preEncode[which]
  const chunk = {
    step: at.step,
    from: Math.max(0, from),
    to: Math.min(wanted, available),
    padding: Math.max(0, -from),
    dropExtra: schedule.dropExtra[which],
    keep: isLast ? Infinity : schedule.validOut,
    isLast,
  }
  return { chunk, frame: isLast ? available : following }
}

/** Encoder frames that the chunk at `frame` would give. */
function leftBehind(schedule: StreamSchedule, frame: number, available: number): number {
  if (frame >= available) return 0
  const to = Math.min(frame + schedule.chunkSize[1], available)
  return encodedFrames(schedule.front, to - frame + schedule.preEncode[1]) - schedule.dropExtra[1]
}
