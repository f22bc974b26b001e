/**
 * The steps of a parity run, as the runbook takes them.
 */
import { statSync } from 'node:fs'
import type { ParakeetContract } from '../contract/read.ts'
import { commandOf } from '../export/provenance.ts'
import { syntheticModel } from '../export/sources.ts'
import { writeModelFolder } from '../export/write-model.ts'
import { readCases, type CaseSource } from './cases.ts'
import type { RungGroup } from './groups.ts'
import { readStreamJsonl } from './jsonl.ts'
import { climbEngines, climbOrt, climbStream, enginesNotRun, manifestRung, recordTo } from './ladder.ts'
import { validationReport } from './report.ts'
import { rungPolygraphy } from './rungs/engines.ts'
import { rungManifest } from './rungs/manifest.ts'
import { notRun, type RungResult } from './rungs/result.ts'
import { openSide, type ParitySide } from './side.ts'

export { inOrder } from './ladder.ts'

/** What a run was asked. */
export interface ParityInputs {
  readonly referenceDir: string | undefined
  readonly reference: string | undefined
  readonly rungs: RungGroup
  readonly enginesFp32: string | undefined
  readonly enginesFp16: string | undefined
  readonly enginesBf16: string | undefined
  readonly enginesInt8: string | undefined
  readonly melFixture: string | undefined
  readonly polygraphy: string | undefined
  readonly manifest: string | undefined
  readonly werMax: number | undefined
  readonly language: string
}

/** Write a tiny seeded model; gives its folder. */
export function seedFolder(folder: string, contract: ParakeetContract): string {
  writeModelFolder(folder, syntheticModel('tiny', contract, 1))
  return folder
}

/** The candidate and the reference, open until both are disposed of. */
export interface Sides extends AsyncDisposable {
  readonly side: ParitySide
  readonly reference: ParitySide
}

/**
 * Open both sides: the C API for the candidate, and the onnxruntime-node package for a reference of the same folder.
 */
export function openSides(modelDir: string, { referenceDir }: ParityInputs): Sides {
  const side = openSide(modelDir, { name: 'candidate' })
  const reference = openSide(referenceDir ?? modelDir, { name: 'reference', ort: { driver: 'node' } })
  return {
    side,
    reference,
    async [Symbol.asyncDispose]() {
      await side[Symbol.asyncDispose]()
      await reference[Symbol.asyncDispose]()
    },
  }
}

/** Whether a reference is a stream that another program recorded. */
const isStream = (path: string | undefined): path is string => path?.endsWith('.jsonl') === true

/** The cases of a run: a recorded stream, recorded cases, or what the reference answers now. */
export async function sourceOf(
  { reference, side }: Sides,
  inputs: ParityInputs,
  path: string,
  contract: ParakeetContract,
): Promise<CaseSource> {
  if (isStream(inputs.reference)) {
    statSync(inputs.reference)
    return readStreamJsonl(inputs.reference, side.meta.streaming?.valid_out_len ?? 0)
  }
  return inputs.reference === undefined ? await recordTo(path, reference, contract) : readCases(inputs.reference)
}

/** Climb the rungs that were asked for. */
export async function climb(
  o: Sides & { source: CaseSource; modelDir: string; contract: ParakeetContract },
  inputs: ParityInputs,
  print: (line: string) => void,
): Promise<RungResult[]> {
  const { side, reference, source, modelDir, contract } = o
  const results: RungResult[] = []
  if (isStream(inputs.reference)) results.push(...(await climbStream(side, source, contract)))
  else if (inputs.rungs !== 'trt')
    results.push(...(await climbOrt(modelDir, { side, reference, source, contract, fixture: inputs.melFixture })))
  const folders = {
    ...(inputs.enginesFp32 !== undefined && { fp32: inputs.enginesFp32 }),
    ...(inputs.enginesFp16 !== undefined && { fp16: inputs.enginesFp16 }),
    ...(inputs.enginesBf16 !== undefined && { bf16: inputs.enginesBf16 }),
    ...(inputs.enginesInt8 !== undefined && { int8: inputs.enginesInt8 }),
  }
  if (inputs.polygraphy !== undefined) results.push(rungPolygraphy(inputs.polygraphy, contract))
  const wantsEngines = inputs.rungs !== 'ort' || Object.keys(folders).length > 0
  if (wantsEngines) results.push(...(await climbEngines(folders, source, contract)))
  else results.push(...enginesNotRun(contract).slice(inputs.polygraphy === undefined ? 0 : 1))
  if (inputs.manifest === undefined) results.push(notRun(manifestRung))
  else {
    const werMax = inputs.werMax ?? contract.tolerances.wer_max
    const onDone = (done: number, total: number) => print(`${done}/${total} recordings`)
    results.push(await rungManifest(modelDir, contract, inputs.manifest, { werMax, language: inputs.language, onDone }))
  }
  for (const { rung, status, firstDivergence } of results) print(`${rung} ${status} ${firstDivergence}`.trimEnd())
  return results
}

/** Rows of a plot: the largest error of every case of a rung. */
export const driftRows = (results: readonly RungResult[]): { rung: string; case: number; max_abs: number }[] =>
  results.flatMap(({ rung, series }) =>
    Object.values(series ?? {}).flatMap(values => values.map((max_abs, i) => ({ rung, case: i, max_abs }))),
  )

/** Both reports: rungs on ONNX Runtime, and those on engines. */
export function reportsOf(
  results: readonly RungResult[],
  { inputs, modelDir, reference }: { inputs: ParityInputs; modelDir: string; reference: string },
): { ort: string; trt: string } {
  const head = {
    candidate: modelDir,
    reference,
    command: commandOf('parakeet-parity', inputs as unknown as Record<string, unknown>),
  }
  const isEngine = ({ rung }: RungResult) => rung === 'R8' || rung === 'R9'
  return {
    ort: validationReport(
      { ...head, title: 'Validation report: ONNX Runtime' },
      results.filter(r => !isEngine(r)),
    ),
    trt: validationReport({ ...head, title: 'Validation report: TensorRT' }, results.filter(isEngine)),
  }
}
