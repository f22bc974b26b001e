/**
 * The words, marks and numbers that all views of a run share.
 *
 * The Markdown, the HTML and the notebook take their sentences, marks and numbers from here, so that none says more
 * than another.
 */
import { durationText } from './narrative.ts'
import { formatValue } from '../run/gates.ts'
import { interruptedCode } from '../../base/async.ts'
import type { CellRecord, GateRecord, InputRecord, OutputRecord, Report, VerdictName } from './report.ts'

/** A verdict as it is shown; a report without one is unfinished. */
export type Shown = VerdictName | 'UNFINISHED'

/** The verdict's word, a mark that does not need colour, and what it means. */
const verdicts: Readonly<Record<Shown, { readonly mark: string; readonly means: string }>> = {
  PASS: { mark: '✓', means: 'Every gate passed.' },
  FAIL: { mark: '✗', means: 'The question was answered, and the answer is no.' },
  BLOCKED: {
    mark: '■',
    means: 'Something outside is absent, so the question was not answered. This is neither a pass nor a fail.',
  },
  USAGE: { mark: '?', means: 'Something that was given is malformed; nothing was judged.' },
  INTERRUPTED: { mark: '◼', means: 'Somebody stopped the run. What had been found by then stands below.' },
  BUG: { mark: '!', means: 'The runbook itself broke; this is no statement on what it examined.' },
  'DRY-RUN': { mark: '○', means: 'Nothing was done: this is what would be done.' },
  UNFINISHED: {
    mark: '…',
    means:
      'This run was still going when this report was written, or it was killed. ' +
      'What had been found by then stands below.',
  },
}

/** The verdict as it is shown. */
export const shownVerdict = (report: Report): Shown => report.verdict ?? 'UNFINISHED'
/** The mark of the verdict, one character. */
export const verdictMark = (report: Report): string => verdicts[shownVerdict(report)].mark
/** What the verdict says, in a sentence; of a pass also what it proves. */
export function verdictMeaning(report: Report): string {
  const { means } = verdicts[shownVerdict(report)]
  if (report.verdict === 'PASS' && report.proves !== undefined) return `${means} ${report.proves}`
  const [failed, ...more] = report.gates.filter(({ status }) => status === 'fail')
  if (report.verdict !== 'FAIL' || failed === undefined) return means
  const others = more.length === 0 ? '' : `, and ${more.length} more`
  const note = failed.note ? `. ${failed.note}` : ''
  return `${means} Failed: ${failed.name}, ${gateValue(failed)} (${failed.bound})${others}${note}`
}

/** Whether the run was stopped by somebody and ended in order: its verdict says all, and its error adds nothing. */
export const isStopped = ({ verdict, error }: Report): boolean =>
  verdict === 'INTERRUPTED' && error?.code === interruptedCode

/** `gates 3/4`, `12.3 s`, `exit 0`, `2026-02-23 05:29:29 UTC`: what is known of the run as a whole. */
export function runFacts(report: Report): string[] {
  const passed = report.gates.filter(gate => gate.status === 'pass').length
  const facts = [`gates ${passed}/${report.gates.length}`]
  if (report.durationMs !== null) facts.push(durationText(report.durationMs))
  if (report.exit !== null) facts.push(`exit ${report.exit}`)
  return [...facts, `started ${timeText(report.startedAt)}`]
}

/** `2026-02-23 05:29:29 UTC` from an ISO time; anything else as it is. */
export const timeText = (iso: string): string =>
  iso.replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z$/, '$1 $2 UTC')

/** What stands in the place of the gates when there are none. */
export const noGates = (report: Report): string =>
  report.verdict === null ? 'No gate has been judged yet.' : 'No gate was judged.'

/** How a gate ended, with a mark. */
export const gateMark = (gate: GateRecord): string =>
  ({ pass: '✓ pass', fail: '✗ FAIL', blocked: '■ blocked' })[gate.status]

/** A gate's value with its unit; empty when it could not be measured. */
export function gateValue(gate: GateRecord): string {
  if (gate.value === null) return gate.status === 'blocked' ? '' : 'none'
  return gate.unit ? `${formatValue(gate.value)} ${gate.unit}` : formatValue(gate.value)
}

/** `ok, 1.2 s`; a cell that never ended says so. */
export function cellStatus(cell: CellRecord, report: Report): string {
  const word = cell.status === 'running' && report.verdict !== null ? 'never ended' : cell.status
  return cell.durationMs === null ? word : `${word}, ${durationText(cell.durationMs)}`
}

/** Where an input's value came from, as somebody would set it: `--arch`, `HW_ARCH`, `default`. */
export const provenance = (input: InputRecord): string =>
  input.from === 'flag' ? `--${input.flag.replace(/^--/, '')}` : input.from === 'env' ? (input.env ?? 'env') : 'default'

/** An input's value on one line. */
export function inputValue(input: InputRecord): string {
  if (input.value === null || input.value === undefined) return '(none)'
  return typeof input.value === 'string' ? input.value : (JSON.stringify(input.value) ?? String(input.value))
}

/** An output that was announced, but whose drawing has not come. */
export const isPending = (output: OutputRecord): boolean =>
  output.kind !== 'text' && output.text === '' && output.html === null && Object.keys(output.mime).length === 0

/** The digest, or why there is none yet. */
export const digestText = (sha256: string): string => (sha256 === '' ? '(when the run ends)' : sha256)
