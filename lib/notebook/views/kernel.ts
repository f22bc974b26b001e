/**
 * Shows a run inside a notebook's kernel: the first cell of `report.ipynb` runs the runbook again under Deno.
 *
 * Deno's kernel asks a value for its MIME bundle under a symbol of its own; elsewhere the value is plain data.
 */
import { escapeHtml, escapeMarkdown, fence } from '../display/display.ts'
import { htmlTable } from '../display/table.ts'
import { gatesMarkdown } from './markdown.ts'
import type { Report } from './report.ts'
import { gateMark, gateValue, shownVerdict, verdictMark, verdictMeaning } from './summary.ts'

/** How a kernel of Deno asks for what it shows. */
const jupyterDisplay: unique symbol = Symbol.for('Jupyter.display') as never

/** A value that a kernel shows: text, Markdown and HTML of the same. */
export interface Shown {
  readonly [jupyterDisplay]: () => Record<string, string>
}

/** Where a runbook in a kernel writes: each piece becomes a line of the cell's output. */
export const kernelSink = { write: (text: string): void => console.log(text.replace(/\n$/, '')) }

/** A run's verdict, gates and tables as the result of a cell. */
export function shown(report: Report): Shown {
  const verdict = `${verdictMark(report)} ${shownVerdict(report)} ${report.runbook}`
  const meaning = verdictMeaning(report)
  const tables = report.cells.flatMap(({ outputs }) => outputs.filter(({ kind }) => kind === 'table'))
  const bundle = {
    'text/plain': [verdict, meaning, ...report.lines].join('\n'),
    'text/markdown': [
      `## ${escapeMarkdown(verdict)}`,
      escapeMarkdown(meaning),
      gatesMarkdown(report),
      ...tables.map(({ markdown, text }) => markdown ?? fence(text)),
    ].join('\n\n'),
    'text/html': [
      `<h2>${escapeHtml(verdict)}</h2><p>${escapeHtml(meaning)}</p>`,
      gatesHtml(report),
      ...tables.map(({ title, html }) => `<h3>${escapeHtml(title ?? 'table')}</h3>${html ?? ''}`),
    ].join('\n'),
  }
  return { [jupyterDisplay]: () => bundle }
}

function gatesHtml({ gates }: Report): string {
  const rows = gates.map(gate => [gateMark(gate), gate.name, gateValue(gate), gate.bound].map(escapeHtml))
  return htmlTable(['', 'gate', 'value', 'bound'], rows, ['left', 'left', 'right', 'left'])
}
