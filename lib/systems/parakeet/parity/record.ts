/**
 * Records what one side of a comparison answers: components, a long run of the predictor, a stream, and decoded sounds.
 */
import { float32, type FloatTensor } from '../../../formats/tensors/tensor.ts'
import { nextChunk, type StreamChunk } from '../../../models/tdt/schedule.ts'
import { NemoMel } from '../../../signal/mel/nemo.ts'
import { GreedyTdt } from '../../../speech/tdt/greedy.ts'
import { decodeChunkAsync } from '../../../speech/tdt/loop.ts'
import { melOptionsOf, rulesOf, scheduleOf, type ModelMeta } from '../model/meta.ts'
import { rowsOf } from '../transcribe/networks.ts'
import type { CaseWriter } from './cases.ts'
import { zeroState, type ParitySide, type StreamFeeds } from './side.ts'

/** One evaluation of the joint. */
export interface TraceStep {
  readonly t: number
  readonly label: number
  readonly duration: number
}

/** A decoded sound, every evaluation of it included. */
export interface DecodedCase {
  readonly tokens: readonly number[]
  readonly timestamps: readonly number[]
  readonly durations: readonly number[]
  readonly trace: readonly TraceStep[]
}

/** Tokens that a predictor is fed in a long run: blank first, then all pieces in an order of their own. */
export const predictorTokens = (
  { tokenizer: { vocab_size: size, blank_id: blank } }: ModelMeta,
  count: number,
): number[] => [blank, ...Array.from({ length: count }, (_, i) => (i * 7919 + 3) % size)]

/** Record everything that the rungs compare. */
export async function recordReference(
  side: ParitySide,
  sounds: readonly { readonly name: string; readonly samples: Float32Array }[],
  writer: CaseWriter,
  { predictorSteps }: { predictorSteps: number },
): Promise<void> {
  const mel = new NemoMel(melOptionsOf(side.meta))
  for (const { name, samples } of sounds) {
    const features = mel.features(samples)
    const audio = float32([1, features.bins, features.frames], features.data)
    const { outputs, length } = await side.encode(audio, features.validFrames)
    writer.add('encoder', name, { length: features.validFrames, encoded: length }, { audio, outputs })
    const rows = rowsOf({ outputs, from: 0, count: length })
    const decoded = await decodeRows(side, rows)
    writer.add('decode', name, { ...decoded }, { samples: float32([samples.length], samples), rows })
    await recordStream(side, name, audio, features.validFrames, writer)
  }
  await recordPredictor(side, writer, predictorSteps)
}

/** Decode encoder rows [n, D] with a side's predictor and joint. */
export async function decodeRows(side: ParitySide, rows: FloatTensor): Promise<DecodedCase> {
  const trace: TraceStep[] = []
  const rules = rulesOf(side.meta)
  const observer = (t: number, label: number, index: number) =>
    void trace.push({ t, label, duration: rules.durations[index]! })
  const greedy = new GreedyTdt(rules, { observer })
  let fed = await side.predict(rules.vocabSize, zeroState(side.meta))
  const [count, depth] = rows.shape as [number, number]
  const networks = {
    joint: async (frame: number) =>
      (await side.join(float32([1, depth], rows.data.subarray(frame * depth, (frame + 1) * depth)), fed.g)).data,
    predict: async (token: number) => void (fed = await side.predict(token, fed)),
  }
  await decodeChunkAsync(greedy, networks, count)
  const [tokens, timestamps, durations] = [greedy.tokens, greedy.timestamps, greedy.durations].map(l => l.toArray())
  return { tokens: tokens!, timestamps: timestamps!, durations: durations!, trace }
}

async function recordPredictor(side: ParitySide, writer: CaseWriter, steps: number): Promise<void> {
  let state = zeroState(side.meta)
  const rows = seededRows(4, side.meta.encoder.d_model)
  for (const [step, token] of predictorTokens(side.meta, steps).entries()) {
    const next = await side.predict(token, state)
    const tensors = { h: state.h, c: state.c, g: next.g, h_out: next.h, c_out: next.c }
    writer.add('predictor', String(step), { token }, tensors)
    if (step % 10 === 0) {
      const logits = await side.join(rows, next.g)
      writer.add('joint', String(step), {}, { rows, g: next.g, logits })
    }
    state = next
  }
}

/** Rows of the size that encoder outputs have. */
function seededRows(count: number, depth: number): FloatTensor {
  return float32(
    [count, depth],
    Float32Array.from({ length: count * depth }, (_, i) => 1.4 * Math.sin(i * 1.7 + 0.3)),
  )
}

async function recordStream(side: ParitySide, name: string, audio: FloatTensor, valid: number, writer: CaseWriter) {
  if (side.meta.streaming === null) return
  const schedule = scheduleOf(side.meta.streaming, side.meta)
  let at = { step: 0, frame: 0 }
  let caches = emptyCaches(side.meta)
  for (;;) {
    const next = nextChunk(schedule, at, { available: valid, isEnded: true })
    if (next === null) return
    const { dropExtra, keep } = next.chunk
    const part = framesOf(audio, next.chunk)
    const length = part.shape[2]!
    const feeds: StreamFeeds = { ...caches, audio_signal: part, length, drop: dropExtra }
    const answer = await side.stream(feeds)
    const facts = {
      chunk: at.step,
      drop: dropExtra,
      length,
      filled: caches.cache_last_channel_len,
      filled_out: answer.cache_last_channel_len,
      encoded: answer.encoded_length,
      // The part of the answer that is final, by the schedule.
      valid: Math.min(answer.encoded_length, keep === Infinity ? answer.encoded_length : keep),
    }
    writer.add('stream', `${name}/${at.step}`, facts, {
      audio_signal: part,
      cache_last_channel: caches.cache_last_channel,
      cache_last_time: caches.cache_last_time,
      outputs: answer.outputs,
      cache_last_channel_out: answer.cache_last_channel,
      cache_last_time_out: answer.cache_last_time,
    })
    caches = answer
    at = { step: at.step + 1, frame: next.frame }
  }
}

type Caches = Pick<StreamFeeds, 'cache_last_channel' | 'cache_last_time' | 'cache_last_channel_len'>

/** The caches before the first chunk. */
export function emptyCaches({ encoder, streaming }: ModelMeta): Caches {
  const { n_layers: layers, d_model: width } = encoder
  const zeros = (...shape: number[]) => float32(shape, new Float32Array(shape.reduce((a, b) => a * b)))
  return {
    cache_last_channel: zeros(1, layers, streaming?.cache_size ?? 0, width),
    cache_last_time: zeros(1, layers, width, streaming?.time_ctx ?? 0),
    cache_last_channel_len: 0,
  }
}

/** Zeros, then frames [from, to) of [1, bins, T]. */
function framesOf({ shape, data }: FloatTensor, { from, to, padding }: StreamChunk): FloatTensor {
  const [, bins, frames] = shape as [number, number, number]
  const count = padding + to - from
  const part = new Float32Array(bins * count)
  for (let b = 0; b < bins; b++) part.set(data.subarray(b * frames + from, b * frames + to), b * count + padding)
  return float32([1, bins, count], part)
}
