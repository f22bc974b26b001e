/**
 * Renders a run as `report.md`.
 *
 * A function of the report alone. It leaves out the cells' sources, which are in `report.html` and `report.ipynb`, and
 * of a long output all but its beginning and its end.
 */
import { oneLine } from '../../base/text.ts'
import { cutLines, escapeMarkdown, fence, relativeHref, sizeText } from '../display/display.ts'
import {
  cellStatus,
  digestText,
  gateMark,
  gateValue,
  inputValue,
  isStopped,
  isPending,
  noGates,
  provenance,
  runFacts,
  shownVerdict,
  verdictMark,
  verdictMeaning,
} from './summary.ts'
import { fencedProse } from '../display/prose.ts'
import { markdownTable } from '../display/table.ts'
import type { CellRecord, ErrorRecord, OutputRecord, Report } from './report.ts'

/** A run as Markdown. */
export function renderMarkdown(report: Report): string {
  const parts = [
    `# ${verdictMark(report)} ${shownVerdict(report)} ${escapeMarkdown(report.runbook)}`,
    `**${escapeMarkdown(report.asks)}**`,
    escapeMarkdown(verdictMeaning(report)),
    `${runFacts(report).join(' · ')} · run ${codeSpan(report.run)}`,
    report.error === null || isStopped(report) ? '' : errorMarkdown(report.error),
    section('Gates', gatesMarkdown(report)),
    section('Next', nextMarkdown(report)),
    section('Report lines', report.lines.length === 0 ? '' : fence(report.lines.join('\n'))),
    section('Run again', fence(report.command, 'sh')),
    section('Inputs', inputsMarkdown(report)),
    section('Cells', report.cells.map(cell => cellMarkdown(cell, report)).join('\n\n')),
    section('Artifacts', artifactsMarkdown(report)),
    section('About', fencedProse(report.intro)),
    section('Fingerprint', fence(JSON.stringify(report.fingerprint, null, 2), 'json')),
  ]
  return `${parts.filter(part => part !== '').join('\n\n')}\n`
}

function nextMarkdown({ next, hint }: Report): string {
  return [next === null ? '' : fence(next, 'sh'), hint === null ? '' : escapeMarkdown(hint)]
    .filter(Boolean)
    .join('\n\n')
}

const section = (title: string, body: string): string => (body === '' ? '' : `## ${title}\n\n${body}`)

/** Text as code inside a line, whatever backticks it holds. */
function codeSpan(text: string): string {
  const clean = oneLine(text)
  const longest = Math.max(0, ...[...clean.matchAll(/`+/g)].map(run => run[0].length))
  const marks = '`'.repeat(longest + 1)
  return longest === 0 ? `${marks}${clean}${marks}` : `${marks} ${clean} ${marks}`
}

/** The same inside a table, where a bar would end the cell. */
const codeCell = (text: string): string => (oneLine(text) === '' ? '' : codeSpan(text).replaceAll('|', '\\|'))

/** The gates as a table, or the words that there is none. */
export function gatesMarkdown(report: Report): string {
  if (report.gates.length === 0) return noGates(report)
  const rows = report.gates.map(gate =>
    [gateMark(gate), gate.name, gateValue(gate), gate.bound, gate.note ?? ''].map(escapeMarkdown),
  )
  return markdownTable(['', 'gate', 'value', 'bound', 'note'], rows, ['left', 'left', 'right', 'left', 'left'])
}

function inputsMarkdown(report: Report): string {
  if (report.inputs.length === 0) return ''
  const rows = report.inputs.map(input => [
    escapeMarkdown(input.name),
    codeCell(inputValue(input)),
    escapeMarkdown(provenance(input)),
    escapeMarkdown(input.help),
  ])
  return markdownTable(['input', 'value', 'from', 'what it is'], rows, ['left', 'left', 'left', 'left'])
}

function artifactsMarkdown(report: Report): string {
  if (report.artifacts.length === 0) return ''
  const rows = report.artifacts.map(file => [
    `[${escapeMarkdown(file.path)}](${relativeHref(file.path)})`,
    sizeText(file.bytes),
    codeCell(digestText(file.sha256)),
  ])
  return markdownTable(['file', 'size', 'sha256'], rows, ['left', 'right', 'left'])
}

function cellMarkdown(cell: CellRecord, report: Report): string {
  const head = `### ${cell.n}. ${escapeMarkdown(cell.title)} (${cellStatus(cell, report)})`
  const parts = [head, ...cell.outputs.map(outputMarkdown), cell.error === null ? '' : errorMarkdown(cell.error)]
  return parts.filter(part => part !== '').join('\n\n')
}

function outputMarkdown(output: OutputRecord): string {
  const title = output.title === null ? '' : `**${escapeMarkdown(output.title)}**`
  if (isPending(output)) return [title, '(still being drawn)'].filter(Boolean).join('\n\n')
  const cut = cutLines(output.text.replace(/\n+$/, ''), { head: 60, tail: 30 })
  const body = output.markdown ?? (output.text.trim() === '' ? '' : fence(cut, output.kind === 'json' ? 'json' : ''))
  return [title, body].filter(Boolean).join('\n\n')
}

/** An error as a quotation, with its hint, and its stack where it is a bug. */
export function errorMarkdown(error: ErrorRecord): string {
  const hint = error.hint === null ? '' : `**Hint:** ${escapeMarkdown(error.hint)}`
  const quote = [`**${escapeMarkdown(error.name)}:** ${escapeMarkdown(error.message)}`, hint]
  const quoted = quote
    .filter(Boolean)
    .map(line => `> ${line}`)
    .join('\n>\n')
  return error.stack === null ? quoted : `${quoted}\n\n${fence(error.stack)}`
}
