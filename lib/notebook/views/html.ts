/**
 * Renders a run as `report.html`: one file, opened from disk, with nothing fetched.
 *
 * A function of the report alone. The page forbids itself every address but `data:`; every text is escaped here, and
 * only `OutputRecord.html` is taken as it is.
 */
import { cutLines, escapeHtml, relativeHref, sizeText } from '../display/display.ts'
import { script, scriptDigest } from './html-script.ts'
import { style } from './html-style.ts'
import { proseHtml } from '../display/prose.ts'
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
  timeText,
  verdictMark,
  verdictMeaning,
} from './summary.ts'
import { htmlTable } from '../display/table.ts'
import type { CellRecord, ErrorRecord, OutputRecord, Report } from './report.ts'

const policy = [
  "default-src 'none'",
  'img-src data:',
  'media-src data:',
  "style-src 'unsafe-inline'",
  `script-src '${scriptDigest}'`,
  "base-uri 'none'",
  "form-action 'none'",
].join('; ')

/** A run as one self-contained HTML page. */
export function renderHtml(report: Report): string {
  const verdict = shownVerdict(report)
  const body = [
    banner(report),
    contents(report),
    report.error === null || isStopped(report) ? '' : errorHtml(report.error),
    section('gates', 'Gates', gatesHtml(report)),
    section('next', 'Next', nextHtml(report)),
    section(
      'lines',
      'Report lines',
      report.lines.length === 0 ? '' : `<pre>${escapeHtml(report.lines.join('\n'))}</pre>`,
    ),
    section('cells', 'Cells', cellsHtml(report)),
    section('inputs', 'Inputs', inputsHtml(report)),
    section('again', 'Run again', command(report.command)),
    section('artifacts', 'Artifacts', artifactsHtml(report)),
    report.intro.trim() === ''
      ? ''
      : details('About this runbook', `<div class="prose">${proseHtml(report.intro)}</div>`),
    details('Fingerprint', `<pre>${escapeHtml(JSON.stringify(report.fingerprint, null, 2))}</pre>`),
  ].filter(part => part !== '')
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(`${verdict} ${report.runbook}`)}</title>
<link rel="icon" href="data:,">
<style>
${style}
</style>
</head>
<body class="v-${verdict.toLowerCase()}">
<main>
${body.join('\n')}
<footer>${escapeHtml(report.schema)} · nothing on this page is fetched</footer>
</main>
<script>${script}</script>
</body>
</html>
`
}

/** Where the page's parts are; a cell that did not end well is named by itself. */
function contents(report: Report): string {
  const parts: [string, string, boolean][] = [
    ['gates', 'Gates', true],
    ['next', 'Next', report.next !== null || report.hint !== null],
    ['lines', 'Report lines', report.lines.length > 0],
    ['cells', 'Cells', report.cells.length > 0],
    ['inputs', 'Inputs', report.inputs.length > 0],
    ['again', 'Run again', true],
    ['artifacts', 'Artifacts', report.artifacts.length > 0],
  ]
  const cells = report.cells.map((cell, i) => {
    const mark = cell.status === 'ok' ? '' : ` (${cell.status})`
    return `<li><a href="#cell-${i + 1}">${cell.n} ${escapeHtml(cell.title)}${mark}</a></li>`
  })
  const links = parts
    .filter(([, , isThere]) => isThere)
    .map(([id, title]) => `<li><a href="#${id}">${title}</a></li>${id === 'cells' ? cells.join('') : ''}`)
  return `<nav class="contents" aria-label="contents"><ul>${links.join('')}</ul></nav>`
}

const section = (id: string, title: string, body: string): string =>
  body === '' ? '' : `<section id="${id}"><h2>${title}</h2>\n${body}\n</section>`
const details = (title: string, body: string): string => `<details><summary>${title}</summary>\n${body}\n</details>`

/** A command that one click selects whole. */
const command = (words: string): string => `<pre class="command"><code>${escapeHtml(words)}</code></pre>`

function banner(report: Report): string {
  const facts = runFacts(report)
    .map(fact => `<li>${escapeHtml(fact)}</li>`)
    .join('')
  return `<header class="banner">
<p class="runbook">${escapeHtml(report.runbook)}</p>
<h1 id="verdict"><span class="mark" aria-hidden="true">${verdictMark(report)}</span> ${shownVerdict(report)}</h1>
<p class="asks">${escapeHtml(report.asks)}</p>
<p class="means">${escapeHtml(verdictMeaning(report))}</p>
<ul class="facts">${facts}<li><code>${escapeHtml(report.run)}</code></li></ul>
</header>`
}

function nextHtml({ next, hint }: Report): string {
  return [next === null ? '' : command(next), hint === null ? '' : `<p>${escapeHtml(hint)}</p>`].join('')
}

const noteHtml = (text: string): string => (text === '' ? '' : `<span class="note">${escapeHtml(text)}</span>`)
/** A number or a bound stays on one line; a longer text may break. */
const numberHtml = (text: string): string =>
  text === '' || text.length > 24 ? escapeHtml(text) : `<span class="number">${escapeHtml(text)}</span>`

function gatesHtml(report: Report): string {
  if (report.gates.length === 0) return `<p class="note">${noGates(report)}</p>`
  const rows = report.gates.map(gate => [
    `<span class="badge ${gate.status}">${gateMark(gate)}</span>`,
    escapeHtml(gate.name),
    numberHtml(gateValue(gate)),
    numberHtml(gate.bound),
    noteHtml(gate.note ?? ''),
  ])
  return htmlTable(['', 'gate', 'value', 'bound', 'note'], rows, ['left', 'left', 'right', 'left', 'left'])
}

/** What was set stands open; what is at its default is folded away. */
function inputsHtml(report: Report): string {
  if (report.inputs.length === 0) return ''
  const given = report.inputs.filter(({ from }) => from !== 'default')
  const rest = report.inputs.filter(({ from }) => from === 'default')
  return [
    given.length === 0 ? '<p class="note">Every input is at its default.</p>' : inputTable(given),
    rest.length === 0 ? '' : details(`${rest.length} at their default`, inputTable(rest)),
  ].join('\n')
}

function inputTable(inputs: Report['inputs']): string {
  const rows = inputs.map(input => [
    `<strong>${escapeHtml(input.name)}</strong>`,
    `<code>${escapeHtml(inputValue(input))}</code>`,
    `<span class="from ${input.from}">${escapeHtml(provenance(input))}</span>`,
    noteHtml(input.help),
  ])
  return htmlTable(['input', 'value', 'from', 'what it is'], rows, ['left', 'left', 'left', 'left'])
}

function artifactsHtml(report: Report): string {
  if (report.artifacts.length === 0) return ''
  const rows = report.artifacts.map(file => [
    `<a href="${relativeHref(file.path)}">${escapeHtml(file.path)}</a>`,
    sizeText(file.bytes),
    `<code class="digest">${escapeHtml(digestText(file.sha256))}</code>`,
  ])
  return htmlTable(['file', 'size', 'sha256'], rows, ['left', 'right', 'left'])
}

/** Where the time went: one segment per cell, as wide as it took long. */
function strip(report: Report): string {
  const segments = report.cells.map((cell, i) => {
    const label = escapeHtml(`${cell.n}. ${cell.title}: ${cellStatus(cell, report)}`)
    const share = Math.max(1, Math.round(cell.durationMs ?? 1))
    const words = `title="${label}" aria-label="${label}" style="flex-grow:${share}"`
    return `<a class="${cell.status}" href="#cell-${i + 1}" ${words}></a>`
  })
  return `<nav class="strip" aria-label="where the time went">${segments.join('')}</nav>\n`
}

const cellsHtml = (report: Report): string =>
  report.cells.length === 0 ? '' : strip(report) + report.cells.map((cell, i) => cellHtml(cell, i, report)).join('\n')

/** Lines of a log that an untroubled cell shows unasked. */
const openLines = 12

function cellHtml(cell: CellRecord, index: number, report: Report): string {
  const source =
    cell.source.trim() === '' ? '' : details('source', `<pre><code>${escapeHtml(cell.source)}</code></pre>`)
  const parts = [
    cell.error === null ? '' : errorHtml(cell.error),
    ...cell.outputs.map(output => outputHtml(output, cell)),
    source,
  ]
  return `<article class="cell ${cell.status}" id="cell-${index + 1}">
<h3><span class="n">${cell.n}</span> <span class="title">${escapeHtml(cell.title)}</span>
<span class="badge ${cell.status}">${escapeHtml(cellStatus(cell, report))}</span></h3>
${parts.filter(part => part !== '').join('\n')}
<p class="when">${escapeHtml(timeText(cell.startedAt))}</p>
</article>`
}

function outputHtml(output: OutputRecord, cell: CellRecord): string {
  const title = output.title === null ? '' : `<figcaption>${escapeHtml(output.title)}</figcaption>`
  if (isPending(output)) return `<figure class="output">${title}<p class="note">(still being drawn)</p></figure>`
  const body = output.html ?? `<pre>${escapeHtml(cutLines(output.text, { head: 1500, tail: 500 }))}</pre>`
  const lines = output.text.split('\n').length
  const isLog = output.kind === 'text' && cell.status === 'ok' && lines > openLines
  const last = escapeHtml(output.text.trimEnd().split('\n').at(-1)!)
  const shown = isLog ? details(`${lines} lines, the last: <code>${last}</code>`, body) : body
  return `<figure class="output ${output.kind}">${title}${shown}</figure>`
}

function errorHtml(error: ErrorRecord): string {
  const hint = error.hint === null ? '' : `<p class="hint"><strong>Hint</strong> ${escapeHtml(error.hint)}</p>`
  const stack = error.stack === null ? '' : details('stack', `<pre>${escapeHtml(error.stack)}</pre>`)
  const words = `<p><strong>${escapeHtml(error.name)}</strong> ${escapeHtml(error.message)}</p>`
  return `<div class="error" role="note">${words}${hint}${stack}</div>`
}
