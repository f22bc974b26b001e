/**
 * Checks that the exported forms of one network give the same output.
 */
import { join } from 'node:path'
import { edgeinferContract } from '../contract.ts'
import { openEngine, type Answer } from '../model/engine.ts'
import type { ExportConfig } from './config.ts'
import { readGolden } from './golden.ts'

/** Each form against the first. */
export interface FormsComparison {
  readonly rows: readonly { form: string; file: string; maxAbsLatent: number; maxAbsScore: number }[]
  /** The largest difference of latents, as a share of the largest latent (at least 1). */
  readonly maxAbsOfScale: number
  /** The highest motif of each golden window. */
  readonly top: readonly number[]
}

/** Ask every exported form about the golden windows. */
export async function compareForms(folder: string, config: ExportConfig): Promise<FormsComparison> {
  const golden = await readGolden(join(folder, edgeinferContract().names.golden))
  const all: Answer[][] = []
  const exported = config.files.filter(({ stage }) => stage === 'exported')
  for (const { file } of exported) {
    await using engine = await openEngine(join(folder, file), { backend: 'auto', slots: 1 })
    const answers: Answer[] = []
    for (const { window } of golden) answers.push(await engine.infer(window))
    all.push(answers)
  }
  const [first = []] = all
  const scale = Math.max(1, ...first.flatMap(({ latent }) => [...latent].map(Math.abs)))
  const farthest = (answers: readonly Answer[], key: keyof Answer) =>
    Math.max(
      ...answers.flatMap((answer, i) => [...answer[key]].map((value, k) => Math.abs(value - first[i]![key][k]!))),
    )
  const rows = exported.map(({ form, file }, i) => ({
    form,
    file,
    maxAbsLatent: farthest(all[i]!, 'latent'),
    maxAbsScore: farthest(all[i]!, 'motifScores'),
  }))
  return {
    rows,
    maxAbsOfScale: Math.max(...rows.map(row => row.maxAbsLatent)) / scale,
    top: first.map(({ motifScores }) => motifScores.indexOf(Math.max(...motifScores))),
  }
}
