/**
 * Chooses windows from the telemetry and writes what a person needs to label them.
 */
import { join } from 'node:path'
import { writeNpz } from '../../../formats/tensors/npz.ts'
import { float32 } from '../../../formats/tensors/tensor.ts'
import { makeFolder, writeFileAtomic } from '../../../host/files.ts'
import { edgeinferContract } from '../contract.ts'
import { joined } from '../export/golden.ts'
import { momentsOf } from '../motifs/train.ts'
import { uncertainty } from '../sidecar/record.ts'
import type { KeptWindow } from './pool.ts'
import { chooseNext, classBalanced, withoutDuplicates, type Strategy } from './strategies.ts'

/** How windows are chosen. */
export interface SelectOptions {
  readonly strategy: Strategy
  readonly count: number
  readonly seed: number
  /** Latents closer than this, in standard deviations over all dimensions, are one moment seen twice. */
  readonly duplicateDistance: number
}

/** The chosen windows, most wanted first. */
export function chooseFromTelemetry(kept: readonly KeptWindow[], o: SelectOptions): KeptWindow[] {
  if (kept.length === 0) return []
  const { mean, std } = momentsOf(kept.map(({ latent }) => latent))
  const latents = kept.map(({ latent }) => latent.map((value, j) => (value - mean[j]!) / std[j]!))
  const pool = { latents, scores: kept.map(({ scores }) => scores) }
  const order = chooseNext(o.strategy, pool, { count: kept.length, seed: o.seed, labelled: [] })
  const distinct = withoutDuplicates(latents, order, o.duplicateDistance)
  const balanced = classBalanced(distinct, i => uncertainty(kept[i]!.scores).top)
  return balanced.slice(0, o.count).map(i => kept[i]!)
}

/**
 * Write `manifest.json` and `windows.npz` (float32 [n, 100, 9], raw units) into `folder`; labels are left for a person.
 * @returns the path of the manifest
 */
export async function writeManifest(folder: string, chosen: readonly KeptWindow[], o: SelectOptions): Promise<string> {
  makeFolder(folder)
  const { model, sha256 } = edgeinferContract()
  const windows = joined(chosen.map(({ window }) => window))
  await writeNpz(join(folder, 'windows.npz'), {
    window: float32([chosen.length, model.windowSamples, model.channels], windows),
  })
  const items = chosen.map(({ seq, ts, requestId, model: name, motif, scores }, row) => {
    const { entropy, margin, score } = uncertainty(scores)
    return { row, seq, ts, request_id: requestId, model: name, guess: motif, score, entropy, margin, label: null }
  })
  const head = { version: 1, contract_sha256: sha256, strategy: o.strategy, seed: o.seed, windows: 'windows.npz' }
  const order = { channel_order: model.channelOrder, units: model.units, rate_hz: model.rateHz }
  const path = join(folder, 'manifest.json')
  writeFileAtomic(path, `${JSON.stringify({ ...head, ...order, items }, null, 2)}\n`)
  return path
}
