/**
 * Renders a run as `report.ipynb`, nbformat 4.5.
 *
 * A function of the report alone. Each cell of the run is a code cell with its own TypeScript and what it gave. The
 * notebook is a record to read: the cells call the runbook's own functions, so they run in the runbook and not in a
 * kernel.
 */
import { oneLine } from '../../base/text.ts'
import { escapeMarkdown, fence } from '../display/display.ts'
import { errorMarkdown, gatesMarkdown } from './markdown.ts'
import { fencedProse } from '../display/prose.ts'
import { cellStatus, isPending, runFacts, shownVerdict, verdictMark, verdictMeaning } from './summary.ts'
import type { CellRecord, ErrorRecord, OutputRecord, Report } from './report.ts'

/** A run as a Jupyter notebook, JSON text. */
export function renderIpynb(report: Report): string {
  const notebook = {
    cells: [
      markdownCell('title', titleMarkdown(report)),
      ...report.cells.map((cell, i) => codeCell(cell, i, report)),
      markdownCell('verdict', closingMarkdown(report)),
    ],
    metadata: {
      kernelspec: { name: 'deno', display_name: 'Deno', language: 'typescript' },
      language_info: {
        name: 'typescript',
        file_extension: '.ts',
        mimetype: 'text/x.typescript',
        codemirror_mode: 'typescript',
        pygments_lexer: 'typescript',
        nbconvert_exporter: 'script',
      },
      title: `${shownVerdict(report)} ${report.runbook}`,
      rungbook: { schema: report.schema, run: report.run, verdict: report.verdict },
    },
    nbformat: 4,
    nbformat_minor: 5,
  }
  return `${JSON.stringify(notebook, null, 1)}\n`
}

const markdownCell = (id: string, source: string) => ({
  cell_type: 'markdown',
  id,
  metadata: {},
  source: linesOf(source),
})

function titleMarkdown(report: Report): string {
  return [
    `# ${verdictMark(report)} ${shownVerdict(report)} ${escapeMarkdown(report.runbook)}`,
    `**${escapeMarkdown(report.asks)}**`,
    verdictMeaning(report),
    `${runFacts(report).join(' · ')} · run ${escapeMarkdown(report.run)}`,
    fencedProse(report.intro),
    fence(report.command, 'sh'),
  ]
    .filter(part => part !== '')
    .join('\n\n')
}

function closingMarkdown(report: Report): string {
  return [
    `## ${verdictMark(report)} ${shownVerdict(report)}`,
    gatesMarkdown(report),
    report.error === null ? '' : errorMarkdown(report.error),
    report.lines.length === 0 ? '' : fence(report.lines.join('\n')),
    report.next === null ? '' : `Next:\n\n${fence(report.next, 'sh')}`,
  ]
    .filter(part => part !== '')
    .join('\n\n')
}

function codeCell(cell: CellRecord, index: number, report: Report) {
  const head = `// [${cell.n}] ${oneLine(cell.title)}: ${cellStatus(cell, report)}`
  return {
    cell_type: 'code',
    // Jupyter wants ids of letters, digits, dashes and underscores, unlike each other; the place in the report is both.
    id: `cell-${index + 1}`,
    execution_count: cell.n,
    metadata: {
      rungbook: { title: cell.title, status: cell.status, startedAt: cell.startedAt, durationMs: cell.durationMs },
    },
    outputs: [
      ...cell.outputs.filter(output => !isPending(output)).flatMap(outputsOf),
      ...(cell.error === null ? [] : [errorOutput(cell.error)]),
    ],
    source: linesOf(cell.source.trim() === '' ? head : `${head}\n${cell.source}`),
  }
}

/**
 * Text becomes a stream. All else is a display; where it has no text of its own around it, a line with its title goes
 * before.
 */
function outputsOf(output: OutputRecord): object[] {
  if (output.kind === 'text') return [stream(output.title === null ? output.text : `${output.title}\n${output.text}`)]
  const isPicture = output.kind === 'image' || output.kind === 'audio'
  const caption = [output.title ?? '', isPicture ? output.text.split('\n').at(-1)! : ''].filter(Boolean).join(': ')
  return [
    ...(caption === '' ? [] : [stream(caption)]),
    { output_type: 'display_data', metadata: {}, data: bundle(output) },
  ]
}

const stream = (text: string) => ({
  output_type: 'stream',
  name: 'stdout',
  text: linesOf(text.endsWith('\n') ? text : `${text}\n`),
})

/**
 * A MIME bundle that the schema accepts: text and base64 as strings, values under JSON types only. HTML stands for a
 * sound.
 */
function bundle(output: OutputRecord): Record<string, unknown> {
  const data: Record<string, unknown> = { 'text/plain': output.text }
  for (const [mime, value] of Object.entries(output.mime)) {
    const isJson = /^application\/(?:.*\+)?json$/.test(mime)
    data[mime] = isJson || typeof value === 'string' ? (value ?? null) : (JSON.stringify(value) ?? '')
  }
  if (output.html !== null && Object.keys(data).length === 1) data['text/html'] = output.html
  return data
}

/** As a kernel would say it; Jupyter prints the traceback alone. */
function errorOutput(error: ErrorRecord) {
  const words = (error.stack ?? `${error.name}: ${error.message}`).split('\n')
  const traceback = error.hint === null ? words : [...words, `Hint: ${error.hint}`]
  return { output_type: 'error', ename: error.name, evalue: error.message, traceback }
}

/** Text as nbformat keeps it: lines with their ends. */
const linesOf = (text: string): string[] => text.match(/[^\n]*\n|[^\n]+$/g) ?? []
