/**
 * Writes the validation reports: every rung with its tolerance, its numbers, and the first thing that was wrong.
 */
import type { RungResult } from './rungs/result.ts'

/** What stands above the table. */
export interface ReportHead {
  readonly title: string
  readonly candidate: string
  readonly reference: string
  readonly command: string
}

/** A report as Markdown. */
export function validationReport(head: ReportHead, results: readonly RungResult[]): string {
  const row = (...cells: readonly string[]) => `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`
  const shown = (metrics: RungResult['metrics']) =>
    Object.entries(metrics)
      .map(([name, value]) => `${name} ${typeof value === 'number' ? Number(value.toPrecision(4)) : value}`)
      .join(', ')
  return [
    `# ${head.title}`,
    '',
    `Candidate: ${head.candidate}. Reference: ${head.reference}.`,
    '',
    '```sh',
    head.command,
    '```',
    '',
    row('Rung', 'Question', 'Status', 'Tolerance', 'Numbers', 'First divergence'),
    row('---', '---', '---', '---', '---', '---'),
    ...results.map(r => row(r.rung, r.asks, r.status, r.tolerance, shown(r.metrics), r.firstDivergence || r.note)),
    '',
    ...results.flatMap(r =>
      Object.entries(r.series ?? {}).map(([name, values]) => `- ${r.rung} ${name} by case: ${spread(values)}`),
    ),
    '',
    'A rung that is blocked or was not run says nothing about the model.',
    '',
  ].join('\n')
}

/** Median and largest of some errors. */
function spread(values: readonly number[]): string {
  const sorted = values.filter(Number.isFinite).toSorted((a, b) => a - b)
  if (sorted.length === 0) return 'none'
  const at = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!.toExponential(2)
  return `median ${at(0.5)}, p95 ${at(0.95)}, max ${at(1)} of ${values.length}`
}
