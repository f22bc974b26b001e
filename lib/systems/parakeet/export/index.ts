/**
 * The steps of an export, as the runbook takes them.
 */
import { join } from 'node:path'
import { openNemo } from '../../../formats/nemo/open.ts'
import { readModel } from '../../../formats/onnx/index.ts'
import type { ParakeetContract } from '../contract/read.ts'
import type { ModelMeta } from '../model/meta.ts'
import { checkGraphs, compareMeta, normalisersOf, type ComparedValue, type FileProblems } from './check-export.ts'
import { commandOf, versionsOf } from './provenance.ts'
import { exportReport } from './report.ts'
import { modelFromNemo, syntheticModel, type SyntheticShape } from './sources.ts'
import { writeModelFolder } from './write-model.ts'

export { smokeRun } from './smoke.ts'
export { nemoExportArguments, nemoExportProblems, nemoExportProgram } from './nemo-python.ts'

/** What is exported: a `.nemo`, or a seeded shape. */
export interface ExportInputs {
  readonly nemo: string | undefined
  readonly synthetic: SyntheticShape
  readonly seed: number
  /** Keys of the configuration that have no effect, with commas between them. */
  readonly accept?: string | undefined
}

/**
 * Write the folder of a model.
 * @throws RunbookError as `openNemo` and `writeModelFolder`
 */
export async function writeFrom(
  folder: string,
  { nemo: path, synthetic, seed, accept }: ExportInputs,
  contract: ParakeetContract,
  print: (line: string) => void,
): Promise<ModelMeta> {
  using nemo = path === undefined ? undefined : await openNemo(path)
  const model = nemo
    ? modelFromNemo(nemo, contract, { accept: accept?.split(',') ?? [] })
    : syntheticModel(synthetic, contract, seed)
  return writeModelFolder(folder, model, file => print(`wrote ${file}`))
}

/** What checking a folder found. */
export interface FolderFacts {
  readonly graphs: readonly FileProblems[]
  readonly normalisers: readonly string[]
  readonly values: readonly ComparedValue[]
  /** Values that contradict the contract, but for those that a seeded shape has on purpose. */
  readonly wrong: readonly ComparedValue[]
}

/** Check the graphs, the joints and the values of a folder. */
export function checkFolder(
  folder: string,
  meta: ModelMeta,
  contract: ParakeetContract,
  { nemo, synthetic }: ExportInputs,
): FolderFacts {
  const isThatModel = nemo !== undefined || synthetic === 'full'
  const values = compareMeta(meta, contract, isThatModel)
  const onPurpose = nemo === undefined && synthetic === 'tiny-streaming' ? ['/features/normalize'] : []
  return {
    graphs: checkGraphs(folder, Object.keys(meta.artifacts)),
    normalisers: ['joint.onnx', 'joint_step.onnx'].flatMap(file =>
      normalisersOf(readModel(join(folder, file)), 'logits').map(found => `${file}: ${found}`),
    ),
    values,
    wrong: values.filter(({ same, pointer }) => !same && !onPurpose.includes(pointer)),
  }
}

/** `EXPORT_REPORT.md` of an export. */
export const reportOf = (
  meta: ModelMeta,
  { graphs, values }: FolderFacts,
  o: { inputs: Readonly<Record<string, unknown>>; device: string; contract: string },
): string =>
  exportReport({
    meta,
    graphs,
    values,
    contract: o.contract,
    command: commandOf('parakeet-export', o.inputs),
    versions: { ...versionsOf(), 'ONNX Runtime on': o.device },
  })
