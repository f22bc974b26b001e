/**
 * Pools to choose from: a labelled one for measuring strategies, and what the telemetry kept.
 */
import { listSegments, readSegment } from '../../../serve/telemetry/segments.ts'
import { edgeinferContract } from '../contract.ts'
import type { LabelledWindow } from '../data/recording.ts'
import { momentsOf, type LabelledLatents } from '../motifs/train.ts'
import { windowSize } from '../window/layout.ts'

/** Share of the windows of each class that a long-tailed pool keeps, the most common class first. */
const tail = [1, 0.5, 0.25, 0.12, 0.06, 0.03]
/** Which activity is how common: people mostly lie, sit and stand. Indices into UCI HAR's labels. */
const commonFirst = [5, 3, 4, 0, 1, 2]

/** Pool and test windows for curves, latents standardised by the pool. */
export function poolsForCurves(
  windows: readonly LabelledWindow[],
  latents: readonly Float32Array[],
  o: { isLongTailed: boolean },
): { pool: LabelledLatents; test: LabelledLatents } {
  const part = (split: LabelledWindow['split']) => windows.map((_, i) => i).filter(i => windows[i]!.split === split)
  const train = o.isLongTailed ? longTailed(part('train'), windows) : part('train')
  const { mean, std } = momentsOf(train.map(i => latents[i]!))
  const of = (at: readonly number[]): LabelledLatents => ({
    latents: at.map(i => latents[i]!.map((value, j) => (value - mean[j]!) / std[j]!)),
    labels: at.map(i => windows[i]!.label),
  })
  return { pool: of(train), test: of(part('test')) }
}

function longTailed(at: readonly number[], windows: readonly LabelledWindow[]): number[] {
  const sizes = commonFirst.map(label => at.filter(i => windows[i]!.label === label).length)
  const most = Math.max(...sizes)
  const left = new Map(commonFirst.map((label, n) => [label, Math.round(most * tail[n]!)]))
  return at.filter(i => {
    const { label } = windows[i]!
    const count = left.get(label) ?? 0
    left.set(label, count - 1)
    return count > 0
  })
}

/** A window that the telemetry kept. */
export interface KeptWindow {
  readonly seq: number
  readonly ts: string
  readonly requestId: string
  readonly model: string
  readonly motif: string
  readonly latent: Float32Array
  readonly scores: Float64Array
  readonly window: Float32Array
}

/** What a telemetry folder holds. */
export interface TelemetryPool {
  readonly kept: readonly KeptWindow[]
  readonly records: number
  readonly badLines: number
}

/**
 * Every window that a telemetry folder keeps: those that were chosen as they came, and those of the reservoirs. Of one
 * segment and slot, the last window is in the sample.
 */
export async function readTelemetryPool(folder: string): Promise<TelemetryPool> {
  const kept: KeptWindow[] = []
  let [records, badLines] = [0, 0]
  for (const { path } of await listSegments(folder)) {
    const slots = new Map<number, KeptWindow>()
    for await (const { record } of readSegment(path)) {
      if (record === null) badLines++
      else {
        records++
        const found = keptFrom(record)
        if (found && record.chosen === true) kept.push(found)
        else if (found) slots.set(record.slot as number, found)
      }
    }
    kept.push(...slots.values())
  }
  return { kept, records, badLines }
}

function keptFrom(record: Record<string, unknown>): KeptWindow | null {
  const { window_f32: encoded, latent, motif_scores: scores } = record
  if (typeof encoded !== 'string' || !Array.isArray(latent) || !Array.isArray(scores)) return null
  const bytes = Buffer.from(encoded, 'base64')
  if (bytes.length !== windowSize * 4 || latent.length !== edgeinferContract().model.latentSize) return null
  return {
    seq: Number(record.seq),
    ts: String(record.ts),
    requestId: String(record.request_id),
    model: String(record.model),
    motif: String(record.motif),
    latent: Float32Array.from(latent as number[]),
    scores: Float64Array.from(scores as number[]),
    window: new Float32Array(new Uint8Array(bytes).buffer),
  }
}
