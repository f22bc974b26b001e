/**
 * What one answered window leaves in the telemetry: enough to see how it went, and to choose what to label next.
 */
import { decimalText } from '../../../base/number-text.ts'
import { sha256 } from '../../../host/digest.ts'
import { edgeinferContract } from '../contract.ts'
import type { Answered } from './ask.ts'

const { sha256: contractDigest, telemetry } = edgeinferContract()

/** Version of the record's form. */
const recordVersion = 1

/** An answered window and where it came from. */
export interface Served {
  readonly window: Float32Array
  readonly answered: Answered
  readonly requestId: string
  readonly route: string
}

/** Uncertainty of a row of scores: entropy in nats, distance of the first two, and the highest with its place. */
export function uncertainty(scores: ArrayLike<number>): {
  entropy: number
  margin: number
  top: number
  score: number
} {
  let [entropy, first, second, top] = [0, -1, -1, 0]
  for (let k = 0; k < scores.length; k++) {
    const p = scores[k]!
    if (p > 0) entropy -= p * Math.log(p)
    if (p > first) [second, first, top] = [first, p, k]
    else if (p > second) second = p
  }
  return { entropy, margin: first - Math.max(0, second), top, score: first }
}

/** Decimals of every number that is recorded. */
const decimals = 5
const round = (value: number) => Math.round(value * 1e5) / 1e5

/**
 * The record of one answer, as the text of its fields: written for each answer, and made twice as fast this way.
 * @param o.index how many records the segment holds already
 * @param o.chance in [0, 1); decides whether the raw window is kept
 * @param o.choose whether a window of this uncertainty, in nats, is kept for labelling
 */
export function recordOf(
  { window, answered, requestId, route }: Served,
  o: {
    model: { sha256: string; backend: string } | null
    motifs: readonly string[]
    index: number
    chance: number
    choose: (entropy: number) => boolean
  },
): string {
  const { latent, motifScores } = answered
  const { entropy, margin, top, score } = uncertainty(motifScores)
  const bytes = new Uint8Array(window.buffer, window.byteOffset, window.byteLength)
  // A reservoir of the whole segment (Vitter's algorithm R), written as it goes: of all windows with one `slot`, the
  // last one is in the sample.
  const slot = Math.floor(o.chance * (o.index + 1))
  const isSampled = slot < telemetry.rawWindows
  const isChosen = o.choose(entropy)
  const raw = isSampled || isChosen ? { window_f32: Buffer.from(bytes).toString('base64') } : {}
  const facts = {
    v: recordVersion,
    ts: new Date().toISOString(),
    request_id: requestId,
    route,
    model: answered.model,
    model_sha256: o.model?.sha256.slice(0, 16) ?? null,
    contract_sha256: contractDigest.slice(0, 16),
    backend: o.model?.backend ?? 'stub',
    latency_s: round(answered.seconds),
    queue_s: round(answered.waitedSeconds),
    input_sha256: sha256(bytes).slice(0, 16),
    motif: o.motifs[top] ?? `motif-${top + 1}`,
    score: round(score),
    entropy: round(entropy),
    margin: round(margin),
    ...(isSampled ? { slot } : {}),
    ...(isChosen ? { chosen: true } : {}),
    ...raw,
  }
  const scores = `"motif_scores":[${decimalText(motifScores, decimals)}]`
  return `${JSON.stringify(facts).slice(1, -1)},${scores},"latent":[${decimalText(latent, decimals)}]`
}
