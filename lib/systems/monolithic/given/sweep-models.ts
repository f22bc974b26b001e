/**
 * Quantises, compiles and measures models that somebody gives, one after the other.
 */
import { join } from 'node:path'
import { usageError } from '../../../base/errors.ts'
import { shellWord } from '../../../base/text.ts'
import { shownPath } from '../../../host/files.ts'
import type { TsvValue } from '../../../host/tsv.ts'
import { givenCase, tagOf, type GivenConfig } from '../../../ladder/given-case.ts'
import { runLadder, type LadderSummary } from '../../../ladder/ladder.ts'
import { caseTeller, milestoneTeller, whyUndecided } from '../../../ladder/report.ts'
import { openSampleSource, type SampleSource } from '../../../ladder/sample-source.ts'
import { isCompiled, type CaseResult, type LadderCase } from '../../../ladder/types.ts'
import { table } from '../../../notebook/display/show.ts'
import type { Inputs } from '../../../notebook/inputs/inputs.ts'
import type { Tools } from '../../../notebook/run/session.ts'
import { monolithicContract } from '../contract.ts'
import type { Toolchain } from '../../../compile/toolchain.ts'
import type { Search } from '../search/search.ts'
import { modelPaths, shapesFrom, type GivenValues } from './inputs.ts'
import { asCase, readModels } from './read-models.ts'
import { runbookCommand } from '../../../host/typescript.ts'

type Pen = Pick<Tools<Inputs>, 'cell' | 'gate' | 'next' | 'proves' | 'run'>

/** The table of given models. */
export const modelsSummary = 'models_summary.tsv'
const columns = [
  'model',
  'status',
  'stage',
  'exception_type',
  'failure_head',
  'parameters',
  'macs',
  'snr_db',
  'outputs',
  'latency_ms',
  'compiled_bytes',
  'compiled_path',
  'failure_log',
]

/** Metrics of single outputs, `snrDb.<output>` and `agreement.<output>`, in words. */
const outputsOf = (metrics: CaseResult['metrics']): string =>
  Object.entries(metrics)
    .flatMap(([name, value]) => {
      const match = /^(snrDb|agreement)\.(.*)$/.exec(name)
      if (match === null) return []
      return [match[1] === 'snrDb' ? `${match[2]} ${value.toFixed(1)} dB` : `${match[2]} ${(100 * value).toFixed(2)} %`]
    })
    .join(', ')

function rowOf(result: CaseResult<GivenConfig>, at: (name: string) => string): Record<string, TsvValue> {
  const { metrics, files } = result
  const shown = (name: string) => (name === '' ? '' : shownPath(at(name)))
  return {
    model: result.config.path,
    status: result.status,
    stage: result.stage ?? '',
    exception_type: result.exceptionType,
    failure_head: result.failureHead.replaceAll(/\s+/g, ' '),
    parameters: metrics.parameters ?? null,
    macs: metrics.macs ?? null,
    snr_db: metrics.snrDb ?? null,
    outputs: outputsOf(metrics),
    latency_ms: metrics.latencyMsP50 ?? null,
    compiled_bytes: metrics.compiledBytes ?? null,
    compiled_path: shown(files.compiled),
    failure_log: shown(files.failureLog),
  }
}

/**
 * The rungs of `--model`.
 * @throws RunbookError usage when two files have one name, or when shapes are written wrongly; blocked when calibration
 *   is absent
 */
export async function givenCases(
  values: GivenValues & { model: string; source?: SampleSource | undefined },
  count: number,
) {
  const paths = modelPaths(values.model)
  const tags = paths.map(tagOf)
  const double = tags.find((tag, i) => tags.indexOf(tag) !== i)
  if (double !== undefined) {
    throw usageError(`Cannot tell two models apart: both are called "${double}"`, 'rename one of the files')
  }
  const sampleRate = values.sampleRate ?? monolithicContract().model.sampleRateHz
  const source = values.source ?? (await openSampleSource(values.calib, { sampleRate }))
  const read = readModels(paths, { shapes: shapesFrom(values.shape), source, count })
  const cases = paths.map((path, i) => ({
    ...givenCase(path, { shapes: read[i]!.shapes, source, count }),
    ...(read[i]!.refusal && { prepare: () => Promise.reject(asCase(read[i]!.refusal!)) }),
  }))
  const refusals = read.flatMap(({ refusal }, i) => (refusal ? [{ tag: tags[i]!, refusal }] : []))
  return { source, cases, refusals, notes: [...new Set(read.flatMap(({ notes }) => notes))] }
}

const provedBy: Readonly<Record<Toolchain['name'], string>> = {
  host: 'Proved on this CPU alone: no device took part.',
  dfc: 'The Dataflow Compiler made the HEFs.',
  trtexec: 'TensorRT made the engines.',
}

/** What a sweep of given models is told. */
export interface SweepValues extends GivenValues {
  readonly model: string
  readonly compileOnly: boolean
  /** Samples to calibrate with, instead of those that `calib` names. */
  readonly source?: SampleSource | undefined
  readonly board: string
}

/** Compile every given model, show what came of it, and judge each. */
export async function sweepModels(pen: Pen, values: SweepValues, search: Search): Promise<void> {
  const { cell, gate, next, proves, run } = pen
  const { toolchain, setting } = search
  const { source, cases, refusals, notes } = await givenCases(values, setting.calibrationSamples)
  const path = run.path(modelsSummary)
  const summary: LadderSummary<GivenConfig> = { path, columns, row: rowOf }
  const at = (result: CaseResult) => (name: string) => (name === '' ? '' : join(run.folder, result.tag, name))
  const results = await cell(`Compile ${cases.length} models (${toolchain.name})`, async ({ print, note, show }) => {
    print([`calibration: ${source.from}`, ...notes].join('\n'))
    const found = await climb(search, { cases, summary, print, note })
    for (const { tag, metrics } of found)
      if (metrics.quantisedNodes === 0) print(`${tag}: none of its nodes can become int8, and it stays float32`)
    show(
      table(
        found.map(result => rowOf(result, at(result))),
        { title: shownPath(path) },
      ),
    )
    return found
  })
  proves(`${provedBy[toolchain.name]} Measured on ${source.from}.`)
  const absent = refusals.filter(({ refusal }) => refusal.exit === 'blocked')
  for (const { tag, refusal } of absent) gate.blocked(`${tag} is read`, refusal.message)
  const failures = results.filter(result => !isCompiled(result) && !absent.some(({ tag }) => tag === result.tag))
  const why = failures.length === 0 ? null : whyUndecided(failures)
  const name = `models that compile (${toolchain.name})`
  if (why === null) gate(name, results.filter(isCompiled).length, { equals: cases.length - absent.length })
  else gate.blocked(name, why)
  judgeLikeness(pen, results, { isRandom: source.isRandom, compileOnly: values.compileOnly, toolchain: toolchain.name })
  const failed = results.find(result => !isCompiled(result))
  if (failed === undefined) {
    const compiled = results.map(result => shownPath(at(result)(result.files.compiled)))
    const files = compiled.map(shellWord).join(' ')
    if (values.compileOnly) next({ pass: `scp ${files} ${shellWord(`${values.board}:rungbook/`)}` })
    return
  }
  const log = failed.files.failureLog || failed.files.compileLog || failed.files.parseLog
  const explain = runbookCommand('runbooks/explain-log.ts', ['--log', shownPath(run.path(failed.tag, log))])
  next({ fail: explain, blocked: explain })
}

interface Climb {
  readonly cases: readonly LadderCase<GivenConfig>[]
  readonly summary: LadderSummary<GivenConfig>
  readonly print: (text: string) => void
  readonly note: (text: string) => void
}

async function climb(search: Search, { cases, summary, print, note }: Climb) {
  const { results } = await runLadder({
    ...search.ladder,
    cases,
    profile: 'extended',
    summary,
    onCase: caseTeller({ print, note }, cases.length),
    onLine: milestoneTeller(note),
  })
  return results
}

interface Judging {
  readonly isRandom: boolean
  readonly compileOnly: boolean
  readonly toolchain: Toolchain['name']
}

/** One gate a model. What was measured on random numbers says so; what no device has answered is blocked. */
function judgeLikeness({ gate }: Pen, results: readonly CaseResult[], o: Judging): void {
  const { int8SnrDbMin } = monolithicContract().gates
  const what = o.toolchain === 'trtexec' ? 'engine' : 'int8'
  for (const { tag, metrics, stage } of results) {
    if (stage !== 'compiled' || metrics.quantisedNodes === 0) continue
    const name = `${what} against float32, ${tag}${o.isRandom ? ' (on random numbers)' : ''}`
    if (metrics.snrDb !== undefined) gate(name, metrics.snrDb, { atLeast: int8SnrDbMin }, { unit: 'dB' })
    else if (metrics.askedOnDevice === 0 && !o.compileOnly)
      gate.blocked(name, 'no GPU answered here; --compile-only passes for the engine alone')
    else if (metrics.quantisedBefore === undefined && metrics.heldOutSamples !== undefined)
      gate.blocked(name, 'no output of floats has both signal and noise on these samples')
  }
}
