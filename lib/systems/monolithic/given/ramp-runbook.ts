/**
 * The cells of a ramp over a given model: open, climb, name the node, propose.
 */
import { shownPath } from '../../../host/files.ts'
import { runbookCommand } from '../../../host/typescript.ts'
import { caseTeller, milestoneTeller } from '../../../ladder/report.ts'
import { isCompiled } from '../../../ladder/types.ts'
import { openSampleSource } from '../../../ladder/sample-source.ts'
import { table } from '../../../notebook/display/show.ts'
import type { Inputs } from '../../../notebook/inputs/inputs.ts'
import type { Tools } from '../../../notebook/run/session.ts'
import { monolithicContract } from '../contract.ts'
import type { Search } from '../search/search.ts'
import { shapesFrom, type GivenValues } from './inputs.ts'
import { climbNodes, nodeCases, onlyModel, type NodeBoundary, type NodeCase } from './ramp-model.ts'

type Pen = Pick<Tools<Inputs>, 'cell' | 'gate' | 'hint' | 'line' | 'next' | 'run' | 'signal'>

/** The table of a model's prefixes. */
const summaryFile = 'model_ramp_summary.tsv'

/** What a ramp over a given model is told. */
export interface RampModelValues extends GivenValues {
  readonly model: string
  readonly profile: 'focused' | 'extended'
}

/**
 * Find the first node that does not compile, name it, and say what to do.
 * @throws RunbookError as `nodeCases` and `openSampleSource`
 */
export async function rampModel(pen: Pen, values: RampModelValues, search: Search): Promise<void> {
  const { cell, run, signal } = pen
  const path = onlyModel(values.model)
  const shapes = shapesFrom(values.shape)
  const sampleRate = values.sampleRate ?? monolithicContract().model.sampleRateHz
  const source = await openSampleSource(values.calib, { sampleRate })
  const cases = await cell(`List the prefixes of ${path}`, ({ print }) => {
    const found = nodeCases(path, shapes)
    print(`${found.length}, from ${found[0]!.label} to ${found.at(-1)!.label}; calibration: ${source.from}`)
    return found
  })
  const { name } = search.toolchain
  const boundary = await cell(`Compile prefix by prefix (${name})`, async ({ print, note, show }) => {
    const found = await climbNodes(path, cases, {
      setting: { shapes, source, count: search.setting.calibrationSamples },
      board: { ...search.ladder, onCase: caseTeller({ print, note }, cases.length), onLine: milestoneTeller(note) },
      summaryPath: run.path(summaryFile),
      profile: values.profile,
    })
    show(table(rowsOf(cases, found), { title: shownPath(run.path(summaryFile)) }))
    return found
  })
  signal.throwIfAborted()
  tell(pen, { boundary, cases, path, search })
}

const rowsOf = (cases: readonly NodeCase[], { results }: NodeBoundary) =>
  results.flatMap(({ status, durationMs, failure, failureHead }, i) =>
    status === 'not-reached'
      ? []
      : [
          {
            node: cases[i]!.label,
            nodes: cases[i]!.prefix.nodes,
            status,
            s: durationMs / 1000,
            bucket: failure?.bucket ?? '',
            why: failureHead.replaceAll(/\s+/g, ' ').slice(0, 120),
          },
        ],
  )

interface Told {
  readonly boundary: NodeBoundary
  readonly cases: readonly NodeCase[]
  readonly path: string
  readonly search: Search
}

function tell({ gate, hint, line, next, run }: Pen, { boundary, cases, path, search }: Told): void {
  const { results, lastPass, firstFail, open } = boundary
  const { toolchain, tail } = search
  const passed = results.filter(isCompiled).length
  const tagAt = (i: number | null, none: string) => (i === null ? none : cases[i]!.tag)
  const unknown = open === null ? 'none' : 'unknown'
  const found = `last pass=${tagAt(lastPass, 'none')} ; first fail=${tagAt(firstFail, unknown)}`
  if (open === null) gate(`prefixes that compile (${toolchain.name})`, passed, { atLeast: 1 }, { note: found })
  else gate.blocked('boundary', open)
  line(`Ramp boundary: ${found}${tail}`)
  const last = results.findLast(({ status, stage }) => status !== 'not-reached' && stage !== 'compiled')
  const failed = firstFail === null ? last : results[firstFail]
  if (failed !== undefined) {
    const { failureLog, compileLog, parseLog } = failed.files
    const log = shownPath(run.path(failed.tag, failureLog || compileLog || parseLog))
    const explain = runbookCommand('runbooks/explain-log.ts', ['--log', log])
    next({ pass: explain, blocked: explain, fail: explain })
  } else next({ pass: runbookCommand('runbooks/monolithic-sweep.ts', ['--model', path]) })
  if (firstFail === null) return
  line(`First failing node: ${cases[firstFail]!.label}${tail}`)
  hint({ pass: proposal(boundary, cases, run.folder), fail: proposal(boundary, cases, run.folder) })
}

/** What to do about the node: end the graph before it, and let the host go on. */
function proposal({ lastPass, firstFail, results }: NodeBoundary, cases: readonly NodeCase[], folder: string): string {
  const { node, op } = cases[firstFail!]!.prefix
  const { failure } = results[firstFail!]!
  const fix = failure?.fix ?? 'rewrite the node'
  if (lastPass === null) return `the very first node, ${node} (${op}), fails: ${fix}`
  const { prefix, tag } = cases[lastPass]!
  const file = shownPath(`${folder}/${tag}/${tag}.onnx`)
  return `${fix}; or end the graph at ${prefix.outputs.join(', ')} (${file}) and go on from there on the host`
}
