/**
 * Rungs R6 and R7: what is decoded from sound to tokens, and which component is to blame where it differs.
 */
import { compare } from '../../../../parity/compare.ts'
import { firstDivergence, type Step } from '../../../../parity/first-divergence.ts'
import { fourWaySwap } from '../../../../parity/swap.ts'
import { float32, type FloatTensor } from '../../../../formats/tensors/tensor.ts'
import { NemoMel } from '../../../../signal/mel/nemo.ts'
import type { ParakeetContract } from '../../contract/read.ts'
import { melOptionsOf } from '../../model/meta.ts'
import { rowsOf } from '../../transcribe/networks.ts'
import type { CaseSource, ParityCase } from '../cases.ts'
import { decodeRows, type DecodedCase } from '../record.ts'
import { zeroState, type ParitySide } from '../side.ts'
import { answered, blocked, Findings, type RungResult } from './result.ts'

/** R6: from sound to tokens, timestamps and durations, exactly; and every evaluation on the way. */
export async function rungDecode(side: ParitySide, source: CaseSource): Promise<RungResult> {
  const rung = { rung: 'R6', asks: 'are tokens, timestamps and durations those of the reference?', tolerance: 'equal' }
  const findings = new Findings()
  const mel = new NemoMel(melOptionsOf(side.meta))
  let [sounds, tokens] = [0, 0]
  for await (const c of source.cases('decode')) {
    const features = mel.features(c.tensor('samples').data)
    const heard = await side.encode(float32([1, features.bins, features.frames], features.data), features.validFrames)
    const got = await decodeRows(side, rowsOf({ outputs: heard.outputs, from: 0, count: heard.length }))
    const want = c.facts as unknown as DecodedCase
    sounds++
    tokens += want.tokens.length
    const parts = firstDivergence(got.trace.map(asStep), want.trace.map(asStep), ['t', 'label', 'duration'])
    if (parts !== null) {
      const [mine, theirs] = [parts.got, parts.want].map(step => JSON.stringify(step))
      findings.say(`${c.name}, evaluation ${parts.step}: ${parts.fields.join(', ')} ${mine} instead of ${theirs}`)
    }
    for (const list of ['tokens', 'timestamps', 'durations'] as const)
      if (JSON.stringify(got[list]) !== JSON.stringify(want[list])) findings.say(`${c.name}: ${list} differ`)
  }
  return answered(rung, { compared: sounds, firstDivergence: findings.firstDivergence, metrics: { sounds, tokens } })
}

const asStep = (step: DecodedCase['trace'][number]): Step => ({ ...step })

/**
 * R7: the encoder's frames at the end of a stream (or of a recording) and the predictor's output after its long run,
 * from either side, through either joint. It passes where all agree, and names the component where not.
 */
export async function rungSwap(
  side: ParitySide,
  reference: ParitySide,
  source: CaseSource,
  { tolerances }: ParakeetContract,
): Promise<RungResult> {
  const rung = {
    rung: 'R7',
    asks: 'if the answers differ, which component is to blame?',
    tolerance: `logits atol ${tolerances.ort.atol} + rtol ${tolerances.ort.rtol}·|want|`,
  }
  const [mine, theirs] = [await endsOf(side, source), await endsOf(reference, source)]
  if (mine === null || theirs === null) return blocked(rung, 'the reference holds no frames to ask about')
  const swap = await fourWaySwap<FloatTensor, FloatTensor>({
    reference: { ...theirs, join: (rows, g) => reference.join(rows, g) },
    candidate: { ...mine, join: (rows, g) => side.join(rows, g) },
    isSame: (a, b) => a.data.length === b.data.length && compare(a.data, b.data, tolerances.ort).isClose,
  })
  const names = { left: 'encoder', right: 'predictor', join: 'joint' } as const
  const guilty = swap.guilty.map(part => names[part])
  return answered(rung, {
    compared: swap.pairs.length,
    firstDivergence: guilty.length > 0 ? `to blame: ${guilty.join(', ')}` : '',
    metrics: { guilty: guilty.join(', ') || 'none', pairs: swap.pairs.length },
  })
}

/** A side's encoder rows of the last chunk of every stream, and its predictor's output after all recorded tokens. */
async function endsOf(side: ParitySide, source: CaseSource): Promise<{ left: FloatTensor; right: FloatTensor } | null> {
  const left = (await lastRows(side, source)) ?? (await recordedRows(side, source))
  let state = zeroState(side.meta)
  let right: FloatTensor | null = null
  for await (const c of source.cases('predictor')) {
    const next = await side.predict(Number(c.facts.token), state)
    state = next
    right = next.g
  }
  return left === null || right === null ? null : { left, right }
}

async function lastRows(side: ParitySide, source: CaseSource): Promise<FloatTensor | null> {
  let last: FloatTensor | null = null
  let caches: Awaited<ReturnType<ParitySide['stream']>> | null = null
  for await (const c of source.cases('stream')) {
    const own = Number(c.facts.chunk) === 0 ? null : caches
    caches = await side.stream({
      audio_signal: c.tensor('audio_signal'),
      length: Number(c.facts.length),
      drop: Number(c.facts.drop),
      cache_last_channel: own?.cache_last_channel ?? c.tensor('cache_last_channel'),
      cache_last_time: own?.cache_last_time ?? c.tensor('cache_last_time'),
      cache_last_channel_len: own?.cache_last_channel_len ?? Number(c.facts.filled),
    })
    last = rowsOf({ outputs: caches.outputs, from: 0, count: Number(c.facts.valid) })
  }
  return last
}

async function recordedRows(side: ParitySide, source: CaseSource): Promise<FloatTensor | null> {
  let found: ParityCase | null = null
  for await (const c of source.cases('encoder')) found = c
  if (found === null) return null
  const { outputs, length } = await side.encode(found.tensor('audio'), Number(found.facts.length))
  return rowsOf({ outputs, from: 0, count: length })
}
