/**
 * How is a prefix ramp told: rows for a person, the sidecar for a program, and what to try next?
 *
 * The boundary itself is found in `prefix-ramp.ts`.
 */
import { flagFromName } from '../notebook/argv.ts'
import type { Inputs } from '../notebook/inputs.ts'
import { evidenceKnob } from './next-knob.ts'
import { outcomesOf } from './ladder.ts'
import { searchRows } from './report.ts'
import { shortest, type Prefix, type RampCase, type RampStage } from './prefix-cases.ts'
import type { CaseResult } from './case.ts'
import type { Boundary, RampResult } from './prefix-ramp.ts'

/** Name of the sidecar. */
export const boundaryFile = 'monolithic_prefix_boundary.json'

/** A row for each stage: how many prefixes, from which to which. */
export function stageRows(prefixes: readonly Prefix[]): { stage: RampStage; cases: number; smallest: string; largest: string }[] {
  return [...new Set(prefixes.map(({ stage }) => stage))].map(stage => {
    const tags = prefixes.filter(prefix => prefix.stage === stage).map(({ tag }) => tag)
    return { stage, cases: tags.length, smallest: tags[0]!, largest: tags.at(-1)! }
  })
}

/** A row for each case that was run, with its stage and its label in place of the long tag. */
export function rampRows(cases: readonly RampCase[], { results }: RampResult) {
  const byTag = new Map(cases.map(rung => [rung.tag, rung]))
  return searchRows(results.filter(({ status }) => status !== 'not-reached')).map(({ tag, ...row }) => {
    const { stage, label } = byTag.get(tag)!
    return { stage, prefix: label, ...row }
  })
}

/** `last pass=<tag|none> ; first fail=<tag|none>`; a question that stays open reads `unknown`. */
export function boundaryText({ lastPass, firstFail, open }: Boundary): string {
  return `last pass=${lastPass?.tag ?? 'none'} ; first fail=${firstFail?.tag ?? (open === null ? 'none' : 'unknown')}`
}

/** The two sides of the boundary. */
export function boundaryRows(cases: readonly RampCase[], { lastPass, firstFail }: Boundary) {
  const row = (side: string, result: CaseResult | null) => ({
    side, prefix: cases.find(({ tag }) => tag === result?.tag)?.label ?? 'none', tag: result?.tag ?? '', bucket: result?.failure?.bucket ?? '',
    layers: result?.failure?.layers.join(', ') ?? '', why: result?.failureHead ?? '',
  })
  return [row('last pass', lastPass), row('first fail', firstFail)]
}

/** The sidecar. `shared` is what the caller knows of the run. */
export function boundaryRecord({ results, boundary }: RampResult, shared: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { stage, lastPass, firstFail, open, passBehind } = boundary
  return {
    ...shared, answered: open === null, why_open: open, stage, last_pass: lastPass?.tag ?? null, first_fail: firstFail?.tag ?? null,
    exception_type: firstFail?.exceptionType ?? null, bucket: firstFail?.failure?.bucket ?? null, failure_head: firstFail?.failureHead ?? null,
    layers: firstFail?.failure?.layers ?? [], pass_behind_first_fail: passBehind.map(({ tag }) => tag),
    configured: results.length, run: results.filter(({ status }) => status !== 'not-reached').length,
  }
}

/** The command that asks again, without what is about to change: flags for every input that differs from its default. */
export function commandWith(runbook: string, o: { declared: Inputs; values: Readonly<Record<string, unknown>>; change: Readonly<Record<string, unknown>> }): string {
  const all: Record<string, unknown> = { ...o.values, ...o.change }
  const flags = Object.entries(o.declared).flatMap(([name, { flag, fallback }]) => {
    const value = all[name]
    if (value === undefined || value === null || value === fallback) return []
    const dashed = flag ?? flagFromName(name)
    if (typeof value === 'boolean') return [value ? `--${dashed}` : `--no-${dashed}`]
    return [`--${dashed} ${/^[\w@%+=:,./-]+$/.test(String(value)) ? String(value) : JSON.stringify(value)}`]
  })
  return ['npx tsx', runbook, ...flags].join(' ')
}

export interface NextOptions {
  readonly cases: readonly RampCase[]
  readonly toolchain: string
  readonly ladder: 'plan' | 'temporal'
  /** The same question with other values of these inputs. */
  readonly again: (change: Readonly<Record<string, unknown>>) => string
  readonly run: string
}

/** What to do about the boundary, and why. */
export function rampNext({ results, boundary }: RampResult, o: NextOptions): { next: string; because: string } {
  const { firstFail, open, undecided } = boundary
  if (undecided) return afterNoVerdict(undecided, o)
  if (open !== null) return { next: o.again({ resume: o.run, timeLimitMin: 240 }), because: open }
  if (firstFail === null) {
    if (o.toolchain === 'host') return { next: o.again({ toolchain: 'dfc' }), because: 'every prefix passes on the host, which says nothing about a device' }
    const { options } = o.cases.at(-1)!
    return { next: o.again({ nRepeats: 2 * options.nRepeats }), because: 'every prefix passes: a larger network has more to show' }
  }
  const { stage, options } = o.cases[results.indexOf(firstFail)]!
  if (stage === 'end_nodes') {
    const { change, because } = evidenceKnob(outcomesOf([firstFail]), { ladder: o.ladder, decoder: options.decoderMode, encoder: options.encoderMode, tried: [] })
    return { next: change, because }
  }
  const { nBlocks, nRepeats } = stage === 'prefix_bypass' ? { nBlocks: 1, nRepeats: 1 } : shortest(options)
  return { next: o.again({ by: 'end-nodes', search: 'bisect', nBlocks, nRepeats, resume: undefined }), because: 'which node of that prefix is the first that fails?' }
}

function afterNoVerdict({ status, tag, files }: NonNullable<Boundary['undecided']>, o: NextOptions): { next: string; because: string } {
  if (status === 'timed-out') return { next: o.again({ resume: undefined, caseTimeoutMin: 60 }), because: 'the compiler had not given a verdict in time; it may take an hour' }
  const log = files.failureLog || files.hefLog || files.harLog
  return { next: `npx tsx runbooks/explain-log.ts --log ${o.run}/${tag}/${log}`, because: 'this failure says nothing about the graph' }
}
