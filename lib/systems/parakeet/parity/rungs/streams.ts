/**
 * Rungs R4 and R5: the encoder over the chunks of a stream, with the reference's caches and with its own.
 */
import { compare } from '../../../../parity/compare.ts'
import { driftOf } from '../../../../parity/drift.ts'
import { firstAlong } from '../../../../parity/region.ts'
import type { FloatTensor } from '../../../../formats/tensors/tensor.ts'
import type { ParakeetContract } from '../../contract/read.ts'
import type { CaseSource, ParityCase } from '../cases.ts'
import { isMadeToStream, streamCaveat } from '../../model/meta.ts'
import type { ParitySide, StreamAnswer, StreamFeeds } from '../side.ts'
import { answered, blocked, Findings, type RungResult } from './result.ts'

/** Whose caches feed a chunk. */
export type CacheMode = 'functional' | 'closed_loop'

/**
 * R4 (`functional`): every chunk is fed with the reference's caches. R5 (`closed_loop`): with those of the chunk
 * before, and then the error may not grow from chunk to chunk.
 */
export async function rungStream(
  side: ParitySide,
  source: CaseSource,
  { tolerances }: ParakeetContract,
  mode: CacheMode,
): Promise<RungResult> {
  const isLoop = mode === 'closed_loop'
  const { ort } = tolerances
  const drifts = isLoop ? `; drift below ${tolerances.drift_slope_per_chunk} a chunk` : ''
  const rung = {
    rung: isLoop ? 'R5' : 'R4',
    asks: isLoop
      ? 'does a stream stay with the reference on caches of its own?'
      : 'is each chunk right on the caches of the reference?',
    tolerance: `atol ${ort.atol} + rtol ${ort.rtol}·|want|; caches ${tolerances.cache_channel_atol}${drifts}`,
  }
  const findings = new Findings()
  const outputs: number[] = []
  let own: StreamAnswer | null = null
  for await (const c of source.cases('stream')) {
    const isFirst = Number(c.facts.chunk) === 0
    const caches = isLoop && !isFirst && own !== null ? own : cachesOf(c)
    const answer = await side.stream({ ...feedsOf(c), ...caches })
    noteChunk(c, answer, findings, tolerances)
    outputs.push(findings.errors.at(-3) ?? NaN)
    if (own !== null && !isFirst && answer.cache_last_channel_len < own.cache_last_channel_len)
      findings.say(
        `chunk ${c.name}: the cache shrank from ${own.cache_last_channel_len} to ${answer.cache_last_channel_len}`,
      )
    own = answer
  }
  if (outputs.length === 0) return blocked(rung, 'the reference holds no stream')
  const drift = driftOf(outputs)
  if (isLoop && outputs.length > 1 && !(Math.abs(drift.slope) < tolerances.drift_slope_per_chunk))
    findings.say(`the error grows by ${drift.slope} a chunk`)
  return answered(rung, {
    ...findings,
    metrics: { chunks: outputs.length, ...findings.metrics(), drift_per_chunk: drift.slope },
    series: { outputs },
    // Parity of a stream with a stream says nothing about words where neither is what the encoder was trained for.
    ...(!isMadeToStream(side.meta) && { note: `${streamCaveat}; R10 counts them` }),
  })
}

function noteChunk(
  c: ParityCase,
  answer: StreamAnswer,
  findings: Findings,
  tolerances: ParakeetContract['tolerances'],
): void {
  const want = c.tensor('outputs')
  const [valid, encoded] = [Number(c.facts.valid), Number(c.facts.encoded)]
  if (answer.encoded_length !== encoded)
    findings.say(`chunk ${c.name}: ${answer.encoded_length} frames instead of ${encoded}`)
  if (answer.cache_last_channel_len !== Number(c.facts.filled_out))
    findings.say(
      `chunk ${c.name}: ${answer.cache_last_channel_len} frames in the cache instead of ${Number(c.facts.filled_out)}`,
    )
  const frames = Math.min(want.shape[2]!, answer.outputs.shape[2]!)
  const got = cut(answer.outputs, frames)
  const region = firstAlong(got.shape, 2, Math.min(valid, frames))
  findings.note(`chunk ${c.name} outputs`, compare(got.data, cut(want, frames).data, { ...tolerances.ort, region }))
  const cache = (atol: number) => ({ atol, rtol: 0 })
  for (const [name, tensor, atol] of [
    ['cache_last_channel_out', answer.cache_last_channel, tolerances.cache_channel_atol],
    ['cache_last_time_out', answer.cache_last_time, tolerances.cache_last_time_atol],
  ] as const)
    findings.note(`chunk ${c.name} ${name}`, compare(tensor.data, c.tensor(name).data, cache(atol)))
}

/** What a recorded chunk was fed with, but for its caches. */
const feedsOf = (c: ParityCase): Pick<StreamFeeds, 'audio_signal' | 'length' | 'drop'> => ({
  audio_signal: c.tensor('audio_signal'),
  length: Number(c.facts.length),
  drop: c.facts.drop === null ? undefined : Number(c.facts.drop),
})

const cachesOf = (c: ParityCase) => ({
  cache_last_channel: c.tensor('cache_last_channel'),
  cache_last_time: c.tensor('cache_last_time'),
  cache_last_channel_len: Number(c.facts.filled),
})

/** The first `count` frames of [1, D, T]. */
export function cut(tensor: FloatTensor, count: number): FloatTensor {
  const [, depth, frames] = tensor.shape as [number, number, number]
  if (frames === count) return tensor
  const data = new Float32Array(depth * count)
  for (let d = 0; d < depth; d++) data.set(tensor.data.subarray(d * frames, d * frames + count), d * count)
  return { ...tensor, shape: [1, depth, count], data }
}
