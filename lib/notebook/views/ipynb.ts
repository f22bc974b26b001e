/**
 * Renders a run as `report.ipynb`, nbformat 4.5.
 *
 * A function of the report alone. The first code cell runs the same runbook again in Deno's kernel. Each cell of the
 * run is a static copy: its own TypeScript and what it gave. It calls the runbook's own functions, so it runs in the
 * runbook and not in a kernel, and is marked to be skipped.
 */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { oneLine } from '../../base/text.ts'
import { projectRoot } from '../../base/version.ts'
import { escapeMarkdown, fence } from '../display/display.ts'
import type * as kernel from './kernel.ts'
import { errorMarkdown, gatesMarkdown } from './markdown.ts'
import { fencedProse } from '../display/prose.ts'
import { cellStatus, isPending, runFacts, shownVerdict, verdictMark, verdictMeaning } from './summary.ts'
import type { CellRecord, ErrorRecord, OutputRecord, Report, Rerun } from './report.ts'

/** A run as a Jupyter notebook, JSON text. */
export function renderIpynb(report: Report): string {
  const notebook = {
    cells: [
      markdownCell('title', titleMarkdown(report)),
      ...(report.rerun === undefined ? [] : [rerunCell(report.rerun)]),
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
    escapeMarkdown(verdictMeaning(report)),
    `${runFacts(report).join(' · ')} · run ${escapeMarkdown(report.run)}`,
    fencedProse(report.intro),
    fence(report.command, 'sh'),
    report.rerun === undefined
      ? ''
      : "The first cell runs it again in Deno's kernel (`deno jupyter --install`); the others are a static copy.",
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

/** What the first cell needs of `kernel.ts`. */
const names = ['kernelSink', 'shown'] satisfies (keyof typeof kernel)[]

/** Imports the runbook and runs it with the words and variables of this run. */
function rerunCell({ script, argv, env, cwd }: Rerun) {
  const path = join(projectRoot, 'lib/notebook/views/kernel.ts')
  const given = Object.keys(env).length === 0 ? 'process.env' : `{ ...process.env, ...${JSON.stringify(env)} }`
  const lines = [
    '// Runs the same runbook again, here: its verdict, gates and tables are the result of this cell.',
    `process.chdir(${JSON.stringify(cwd)})`,
    `const { ${names.join(', ')} } = await import(${JSON.stringify(pathToFileURL(path).href)})`,
    `const { default: runbook } = await import(${JSON.stringify(pathToFileURL(script).href)})`,
    `const argv = ${JSON.stringify(argv)}`,
    `const { report } = await runbook.run({ argv, env: ${given}, stdout: kernelSink, stderr: kernelSink })`,
    'shown(report)',
  ]
  return {
    cell_type: 'code',
    id: 'run-again',
    execution_count: null,
    metadata: {},
    outputs: [],
    source: linesOf(lines.join('\n')),
  }
}

function codeCell(cell: CellRecord, index: number, report: Report) {
  const head = `// [${cell.n}] ${oneLine(cell.title)}: ${cellStatus(cell, report)} (static copy)`
  return {
    cell_type: 'code',
    // Jupyter wants ids of letters, digits, dashes and underscores, unlike each other; the place in the report is both.
    id: `cell-${index + 1}`,
    execution_count: cell.n,
    metadata: {
      // Papermill and nbclient leave such a cell as it is.
      tags: ['skip-execution'],
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
