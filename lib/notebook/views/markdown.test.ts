import assert from 'node:assert/strict'
import test from 'node:test'
import { renderMarkdown } from './markdown.ts'
import {
  blockedReport,
  failedReport,
  hostile,
  hostileReport,
  killedReport,
  passedReport,
} from '../../testing/notebook/sample-reports.ts'

test('renderMarkdown() begins with the verdict, the question and the facts of the run', async () => {
  const lines = renderMarkdown(await passedReport()).split('\n')
  assert.equal(lines[0], '# ✓ PASS monolithic-sweep')
  assert.equal(lines[2], '**which is the largest monolithic network that this toolchain compiles?**')
  assert.equal(
    lines[6],
    'gates 3/3 · 41.9 s · exit 0 · started 2026-02-23 05:29:29 UTC · run `module_runs/20260223_052929`',
  )
})

test('renderMarkdown() gives gates, next command, report lines, inputs and artifacts', async () => {
  const text = renderMarkdown(await passedReport())
  assert.match(text, /\| ✓ pass \| SNR of int8 against float32 \| 31\.42 dB \| >= 15 dB \| rung 3, 64 windows \|/)
  assert.match(text, /## Next\n\n```sh\nnpx tsx runbooks\/monolithic-infer\.ts --model \S+\n```/)
  assert.match(text, /## Report lines\n\n```\nharness: host\nfirst success: /)
  assert.match(text, /\| arch +\| `hailo8` +\| --arch +\|/)
  assert.match(text, /\| profile +\| `focused` +\| PROFILE +\|/)
  assert.match(text, /\| timeLimitMin +\| `120` +\| default +\|/)
  assert.match(
    text,
    /\[cases\/full N64\/sep_src1\.wav\]\(cases\/full%20N64\/sep_src1\.wav\) +\| +1\.2 MB \| `(?:09bc){16}` \|/,
  )
})

test('renderMarkdown() shows each output, and keeps the sources out', async () => {
  const text = renderMarkdown(await passedReport())
  assert.match(text, /### 1\. Author and compile the ladder \(ok, 31\.2 s\)\n\n```\ntoolchain host/)
  assert.match(text, /\*\*the ladder\*\*\n\n\| tag /)
  assert.match(text, /BackendAllocatorException: Timeout \\\| agent infeasible/)
  assert.match(text, /```json\n\{\n {2}"layers": 42/)
  assert.equal(text.includes('await cell('), false)
  assert.equal(text.includes('base64'), false)
})

test('renderMarkdown() puts the commands of the opening comment into a fence', async () => {
  assert.match(
    renderMarkdown(await passedReport()),
    /```\nnpx tsx runbooks\/monolithic-sweep\.ts --profile extended\n```/,
  )
})

test('renderMarkdown() shows a failed cell with its message and hint, and a clean log', () => {
  const text = renderMarkdown(failedReport())
  assert.match(text, /^# ✗ FAIL /)
  assert.match(text, /### 2\. Compile the ladder \(failed, 1\.7 s\)\n\n```\n\[error\] LCUs: 149\/96\nretry\n```\n\n> /)
  assert.match(text, /\n> \*\*RunbookError:\*\* Cannot compile/)
  assert.match(text, /> \*\*Hint:\*\* --ladder temporal/)
  assert.match(text, /\| ✗ FAIL +\| worst cosine +\| +NaN \|/)
  assert.match(text, /\| ■ blocked +\| on the device +\| {7}\| +\| no Hailo device/)
})

test('renderMarkdown() shows the stack of a bug, and that blocked is neither pass nor fail', () => {
  const text = renderMarkdown(blockedReport())
  assert.match(text, /```\nTypeError: x is not a function\n {4}at open/)
  assert.match(text, /neither a pass nor a fail/)
})

test('renderMarkdown() says that a run without a verdict is unfinished, and what was not drawn', () => {
  const text = renderMarkdown(killedReport())
  assert.match(text, /^# … UNFINISHED monolithic-sweep\n/)
  assert.match(text, /was killed\. What had been found by then stands below/)
  assert.match(text, /### 2\. Compile the ladder \(running\)/)
  assert.match(text, /\*\*not drawn yet\*\*\n\n\(still being drawn\)/)
  assert.match(text, /No gate has been judged yet\./)
  assert.match(text, /\(when the run ends\)/)
})

test('renderMarkdown() says that a cell never ended when the run did', () => {
  assert.match(
    renderMarkdown({ ...killedReport(), verdict: 'INTERRUPTED' }),
    /### 2\. Compile the ladder \(never ended\)/,
  )
})

test('renderMarkdown() lets no text become markup, outside of code', async () => {
  const report = await hostileReport()
  // What is the author's own Markdown stays Markdown.
  const cells = report.cells.map(cell => ({ ...cell, outputs: cell.outputs.filter(({ kind }) => kind !== 'markdown') }))
  const text = renderMarkdown({ ...report, intro: '', cells })
  const outside = text
    .replace(/^(`{3,})[^\n]*\n[\s\S]*?\n\1$/gm, '')
    .replace(/(?<!\\)(`+)(?!`)[^\n]*?[^`\\]\1(?!`)/g, '')
  assert.equal(outside.includes('<script'), false)
  assert.equal(/(?<!\\)\]\(javascript:/.test(outside), false)
  const rows = text.split('\n').filter(line => line.startsWith('| ✗'))
  assert.deepEqual(
    rows.map(row => row.replaceAll('\\|', '').split('|').length),
    [7],
  )
  assert.ok(text.includes(hostile), 'code shows the text as it is')
})

test('renderMarkdown() cuts a long output in the middle', () => {
  const report = killedReport()
  const long = Array.from({ length: 5000 }, (_, i) => `line ${i}`).join('\n')
  report.cells[0]!.outputs.push({ kind: 'text', title: null, text: long, mime: {}, html: null, markdown: null })
  const text = renderMarkdown(report)
  assert.match(text, /line 59\n… 4910 more lines …\nline 4970\n/)
})

test('renderMarkdown() is a function of the report alone', async () => {
  const report = await passedReport()
  const copy = structuredClone(report)
  assert.equal(renderMarkdown(report), renderMarkdown(copy))
  assert.deepEqual(report, copy)
})
