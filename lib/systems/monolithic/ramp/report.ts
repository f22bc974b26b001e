/**
 * Tells a prefix ramp: rows for a person, the sidecar for a program, and what to try next.
 *
 * The boundary itself is found in `ramp.ts`.
 */
import type { ConvTasNetOptions } from '../../../models/convtasnet/options.ts'
import { commandWith } from '../../../notebook/inputs/command.ts'
import { bars, table, type Display } from '../../../notebook/display/show.ts'
import { text } from '../../../notebook/inputs/inputs.ts'
import type { Run } from '../../../notebook/run/session.ts'
import { isCompiled } from '../../../ladder/types.ts'
import type { ConvTasNetResult as CaseResult } from '../search/summary.ts'
import { knobCommand } from '../knob/knob-command.ts'
import { chooseKnob, outcomesOf } from '../knob/choose-knob.ts'
import { shortest, type Prefix, type RampCase, type RampStage } from './cases.ts'
import type { Boundary, RampResult } from './ramp.ts'
import type { rampInputs, RampValues } from './inputs.ts'
import { searchRows } from '../../../ladder/report.ts'
import { searchInputs, type SearchValues } from '../search/search-inputs.ts'
import { runbookCommand } from '../../../host/typescript.ts'

type Values = Readonly<Record<string, unknown>>

/** Name of the sidecar. */
export const boundaryFile = 'monolithic_prefix_boundary.json'

/** A row for each stage: how many prefixes, from which to which. */
export function stageRows(
  prefixes: readonly Prefix[],
): { stage: RampStage; cases: number; smallest: string; largest: string }[] {
  return [...new Set(prefixes.map(({ stage }) => stage))].map(stage => {
    const labels = prefixes.filter(prefix => prefix.stage === stage).map(({ label }) => label)
    return { stage, cases: labels.length, smallest: labels[0]!, largest: labels.at(-1)! }
  })
}

/** A row for each case that was run, with its stage and its label in place of the long tag. */
export function rampRows(cases: readonly RampCase[], results: readonly CaseResult[]) {
  const byTag = new Map(cases.map(rung => [rung.tag, rung]))
  return searchRows(results.filter(({ status }) => status !== 'not-reached')).map(({ tag, ...row }) => {
    const { stage, label } = byTag.get(tag)!
    return Object.assign({ stage, prefix: label }, row)
  })
}

/**
 * A table of the cases that were run, and a bar of seconds for each that was run here.
 * @param path the summary's path as a person would type it
 */
export function rampDisplays(cases: readonly RampCase[], results: readonly CaseResult[], path: string): Display[] {
  const rows = rampRows(cases, results)
  const ran = results.filter(({ origin }) => origin === 'ran')
  const bar = { title: 'seconds per case that was run here', x: 'prefix', y: 's', color: 'status' }
  return [
    table(rows, { title: `${path}: ${rows.length} of ${cases.length} cases were run` }),
    ...(ran.length > 0 ? [bars(rampRows(cases, ran), bar)] : []),
  ]
}

/** `last pass=<tag|none> ; first fail=<tag|none>`; a question that stays open reads `unknown`. */
export function boundaryText({ lastPass, firstFail, open }: Boundary): string {
  return `last pass=${lastPass?.tag ?? 'none'} ; first fail=${firstFail?.tag ?? (open === null ? 'none' : 'unknown')}`
}

/** How many prefixes compiled. */
export const passing = (results: readonly CaseResult[]): number => results.filter(isCompiled).length

/** The two sides of the boundary. */
export function boundaryRows(cases: readonly RampCase[], { lastPass, firstFail }: Boundary) {
  const row = (side: string, result: CaseResult | null) => ({
    side,
    prefix: cases.find(({ tag }) => tag === result?.tag)?.label ?? 'none',
    tag: result?.tag ?? '',
    bucket: result?.failure?.bucket ?? '',
    layers: result?.failure?.layers.join(', ') ?? '',
    why: result?.failureHead ?? '',
  })
  return [row('last pass', lastPass), row('first fail', firstFail)]
}

/** The sidecar. `shared` is what the caller knows of the run. */
export function boundaryRecord({ results, boundary }: RampResult, shared: Values): Record<string, unknown> {
  const { stage, lastPass, firstFail, open, passBehind } = boundary
  return {
    ...shared,
    answered: open === null,
    why_open: open,
    stage,
    last_pass: lastPass?.tag ?? null,
    first_fail: firstFail?.tag ?? null,
    exception_type: firstFail?.exceptionType ?? null,
    bucket: firstFail?.failure?.bucket ?? null,
    failure_head: firstFail?.failureHead ?? null,
    layers: firstFail?.failure?.layers ?? [],
    pass_behind_first_fail: passBehind.map(({ tag }) => tag),
    configured: results.length,
    run: results.filter(({ status }) => status !== 'not-reached').length,
  }
}

/** What the next step is chosen from. */
export interface NextOptions {
  readonly cases: readonly RampCase[]
  readonly toolchain: string
  readonly declared: ReturnType<typeof rampInputs>
  readonly inputs: Values &
    Pick<RampValues, 'ladder' | 'nRepeats'> &
    Pick<SearchValues, 'quickOpt' | 'caseTimeoutMin' | 'calibNpz'>
  readonly run: Run
  /** The model script's extra commands: what was tried already. */
  readonly scriptExtra: string
}

/** What to do, as a command where it is one, and why. */
export interface NextStep {
  readonly next: string
  readonly because: string
}

/** What to do about the boundary, as a command where it is one, and why. */
export function rampNext({ results, boundary }: RampResult, o: NextOptions): NextStep {
  const { declared, inputs: values, run } = o
  const again = (change: Values) => commandWith('runbooks/monolithic-ramp.ts', { declared, values, change })
  const { firstFail, open, undecided } = boundary
  if (undecided?.status === 'timed-out') {
    const because = 'the compiler had not given a verdict in time; it may take an hour'
    return { next: again({ resume: undefined, caseTimeoutMin: 60 }), because }
  }
  if (undecided) {
    const { tag, files } = undecided
    const log = files.failureLog || files.compileLog || files.parseLog
    const next = runbookCommand('runbooks/explain-log.ts', ['--log', `${run.shown}/${tag}/${log}`])
    return { next, because: 'this failure says nothing about the graph' }
  }
  if (open !== null) return { next: again({ resume: run.ts, timeLimitMin: 240 }), because: open }
  if (firstFail === null) {
    return o.toolchain === 'host'
      ? {
          next: again({ toolchain: 'dfc' }),
          because: 'every prefix passes on the host, which says nothing about a device',
        }
      : {
          next: again({ nRepeats: 2 * o.inputs.nRepeats }),
          because: 'every prefix passes: a larger network has more to show',
        }
  }
  const { stage, options } = o.cases[results.indexOf(firstFail)]!
  if (stage === 'end_nodes') return afterEndNode(firstFail, options, o)
  const { nBlocks, nRepeats } = stage === 'prefix_bypass' ? { nBlocks: 1, nRepeats: 1 } : shortest(options)
  const change = { by: 'end-nodes', search: 'bisect', nBlocks, nRepeats, resume: undefined }
  return { next: again(change), because: 'which node of that prefix is the first that fails?' }
}

/**
 * There is no smaller prefix to ask: the next change is one of the network or of the compiler, and the sweep tries it.
 */
function afterEndNode(firstFail: CaseResult, options: ConvTasNetOptions, o: NextOptions): NextStep {
  const {
    inputs,
    run,
    scriptExtra,
    declared: { ladder, profile },
  } = o
  const knob = chooseKnob('evidence', outcomesOf([firstFail]), { ...inputs, options, scriptExtra })
  const declared = { profile, ladder, config: text({ optional: true, help: 'as the sweep has it' }), ...searchInputs() }
  return { next: knobCommand(knob, { declared, inputs, run, scriptExtra }), because: knob.because }
}
