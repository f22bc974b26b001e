import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { renderIpynb } from './ipynb.ts'
import {
  blockedReport,
  everyReport,
  failedReport,
  killedReport,
  passedReport,
} from '../../testing/notebook/sample-reports.ts'
import demo from '../../testing/notebook/demo-runbook.ts'
import { needsTool } from '../../testing/needs.ts'
import { denoProgram } from '../../testing/runtimes.ts'
import type { Report } from './report.ts'

interface Output {
  output_type: string
  text?: string[]
  data?: Record<string, unknown>
  ename?: string
  evalue?: string
  traceback?: string[]
}
interface Cell {
  cell_type: string
  id: string
  source: string[]
  execution_count?: number
  outputs?: Output[]
}
interface Notebook {
  cells: Cell[]
  metadata: Record<string, Record<string, string>>
  nbformat: number
  nbformat_minor: number
}

const notebookOf = (report: Report): Notebook => JSON.parse(renderIpynb(report)) as Notebook

/** Debian's own Python, for which python3-nbformat is packaged. */
const python = '/usr/bin/python3'
const haveNbformat = existsSync(python) && spawnSync(python, ['-c', 'import nbformat']).status === 0
const skip = haveNbformat ? false : 'tool: python3-nbformat is not installed'

/** What nbformat itself says of a notebook: nothing when it is valid. */
function complaint(notebook: string): string {
  const program = [
    'import sys, warnings, nbformat',
    'warnings.simplefilter("error")',
    'nbformat.validate(nbformat.reads(sys.stdin.read(), as_version=nbformat.NO_CONVERT))',
  ].join('\n')
  const child = spawnSync(python, ['-c', program], { input: notebook, encoding: 'utf8' })
  return child.status === 0 ? '' : child.stderr
}

test('renderIpynb() satisfies nbformat, whatever the run was', { skip, timeout: 600_000 }, async () => {
  for (const [name, report] of Object.entries(await everyReport()))
    assert.equal(complaint(renderIpynb(report)), '', name)
})

test(
  'nbformat refuses a notebook with two equal ids, so that its silence means something',
  { skip, timeout: 600_000 },
  () => {
    const notebook = notebookOf(failedReport())
    notebook.cells[1]!.id = notebook.cells[2]!.id
    assert.match(complaint(JSON.stringify(notebook)), /Non-unique cell id/i)
    const broken = notebookOf(failedReport())
    delete broken.cells[1]!.outputs
    assert.match(complaint(JSON.stringify(broken)), /'outputs' is a required property|data\.cells\[1\] must be valid/)
  },
)

test('renderIpynb() says 4.5, and that its cells are TypeScript', () => {
  const { nbformat, nbformat_minor, metadata } = notebookOf(failedReport())
  assert.deepEqual([nbformat, nbformat_minor], [4, 5])
  assert.equal(metadata.language_info!.name, 'typescript')
  assert.equal(metadata.kernelspec!.language, 'typescript')
})

test('renderIpynb() has a cell per cell between a beginning and an end, with the same ids each time', async () => {
  const { cells } = notebookOf(await passedReport())
  assert.deepEqual(
    cells.map(cell => cell.id),
    ['title', 'cell-1', 'cell-2', 'cell-3', 'verdict'],
  )
  assert.deepEqual(
    cells.map(cell => cell.cell_type),
    ['markdown', 'code', 'code', 'code', 'markdown'],
  )
  assert.deepEqual(
    cells.map(cell => cell.execution_count),
    [undefined, 1, 2, 3, undefined],
  )
  for (const { id } of cells) assert.match(id, /^[a-zA-Z0-9-_]{1,64}$/)
})

test('renderIpynb() begins with the question and ends with gates and the next command', async () => {
  const { cells } = notebookOf(await passedReport())
  assert.match(cells[0]!.source.join(''), /^# ✓ PASS monolithic-sweep\n\n\*\*which is the largest/)
  assert.match(
    cells.at(-1)!.source.join(''),
    /\| ✓ pass \| worst cosine[\s\S]*Next:\n\n```sh\nnpx tsx runbooks\/monolithic-infer\.ts/,
  )
})

test('renderIpynb() keeps each source with its title, status and time above it', async () => {
  const { cells } = notebookOf(await passedReport())
  assert.equal(cells[1]!.source[0], '// [1] Author and compile the ladder: ok, 31.2 s (static copy)\n')
  assert.equal(cells[1]!.source[1], "await cell('Author and compile the ladder', async ({ print }) => {\n")
  const bare = failedReport()
  const unknown = { ...bare, cells: [{ ...bare.cells[0]!, source: '' }] }
  assert.deepEqual(notebookOf(unknown).cells[1]!.source, ['// [1] Read the contract: ok, 840 ms (static copy)'])
})

test('renderIpynb() gives text as a stream and all else as a display', async () => {
  const [, first, second, third] = notebookOf(await passedReport()).cells
  assert.deepEqual(
    first!.outputs!.map(output => output.output_type),
    ['stream', 'stream', 'display_data', 'stream', 'display_data'],
  )
  assert.deepEqual(first!.outputs![0]!.text, ['toolchain host (ONNX Runtime 1.30.0)\n', '10 rungs, N=64 first\n'])
  assert.deepEqual(first!.outputs![1]!.text, ['the ladder\n'])
  assert.deepEqual(Object.keys(first!.outputs![2]!.data!), ['text/plain', 'text/html'])
  const kinds = [...second!.outputs!, ...third!.outputs!]
    .filter(output => output.data)
    .map(output => Object.keys(output.data!).at(-1))
  assert.deepEqual(kinds, [
    'image/svg+xml',
    'image/svg+xml',
    'application/json',
    'image/png',
    'text/html',
    'text/markdown',
  ])
})

test('renderIpynb() brings the player of a sound as HTML, and its caption as text', async () => {
  const outputs = notebookOf(await passedReport()).cells[3]!.outputs!
  const player = outputs.find(output => String(output.data?.['text/html']).includes('<audio'))
  assert.match(player!.data!['text/html'] as string, /src="data:audio\/wav;base64,/)
  assert.ok(outputs.some(output => output.text?.[0]?.startsWith('sep_src1: 1.00 s, 16000 Hz')))
})

test('renderIpynb() records an error as a kernel would, with its hint', () => {
  const output = notebookOf(failedReport()).cells[2]!.outputs!.at(-1)!
  assert.equal(output.output_type, 'error')
  assert.equal(output.ename, 'RunbookError')
  assert.match(output.evalue!, /^Cannot compile/)
  assert.deepEqual(output.traceback!.at(-1), 'Hint: --ladder temporal')
  const bug = notebookOf(blockedReport()).cells[1]!.outputs!.at(-1)!
  assert.deepEqual(bug.traceback, ['TypeError: x is not a function', '    at open (backend.ts:12:3)'])
})

test('renderIpynb() leaves out what is not drawn yet, and says that the run has no verdict', () => {
  const { cells } = notebookOf(killedReport())
  assert.deepEqual(
    cells[2]!.outputs!.map(output => output.output_type),
    ['stream'],
  )
  assert.match(cells[2]!.source[0]!, /: running \(static copy\)\n$/)
  assert.match(cells[0]!.source.join(''), /UNFINISHED/)
})

test('renderIpynb() makes text of a value that its MIME type does not allow', () => {
  const report = failedReport()
  const mime = { 'text/html': 7, 'application/json': undefined, 'application/vnd.x+json': { a: 1 } }
  report.cells[0]!.outputs.push({ kind: 'plot', title: null, text: 't', mime, html: null, markdown: null })
  const { data } = notebookOf(report).cells[1]!.outputs![0]!
  assert.deepEqual(data, {
    'text/plain': 't',
    'text/html': '7',
    'application/json': null,
    'application/vnd.x+json': { a: 1 },
  })
})

/** Executes a notebook as a person would with "run all", in Deno's kernel, and prints it. */
const execute = `
import json, os, pathlib, sys, tempfile, nbformat, nbclient
home = tempfile.mkdtemp()
kernel = pathlib.Path(home, 'kernels', 'deno')
kernel.mkdir(parents=True)
argv = [sys.argv[1], 'jupyter', '--kernel', '--conn', '{connection_file}']
(kernel / 'kernel.json').write_text(json.dumps({'argv': argv, 'display_name': 'Deno', 'language': 'typescript'}))
os.environ['JUPYTER_PATH'] = home
notebook = nbformat.reads(sys.stdin.read(), as_version=4)
nbclient.NotebookClient(notebook, timeout=120, resources={'metadata': {'path': home}}).execute()
print(nbformat.writes(notebook))
`
const deno = denoProgram() ?? 'no deno'
const needsKernel =
  needsTool(deno) ||
  (spawnSync(python, ['-c', 'import nbclient']).status === 0 ? false : 'tool: python3-nbclient is not installed')

test(
  'renderIpynb() gives a notebook that runs its runbook again in the kernel of Deno',
  { skip: needsKernel },
  async t => {
    const folder = mkdtempSync(join(tmpdir(), 'ipynb-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const quiet = { write: () => {} }
    const argv = ['--value', '7', '--out-dir', folder, '--run-ts', 'one']
    await demo.run({ argv, env: {}, cwd: folder, stdout: quiet, stderr: quiet })
    const input = readFileSync(join(folder, 'one/report.ipynb'), 'utf8')
    const { status, stdout, stderr } = spawnSync(python, ['-c', execute, deno], { input, encoding: 'utf8' })
    assert.equal(status, 0, stderr)
    const [, again, copy] = (JSON.parse(stdout) as Notebook).cells
    const said = again!.outputs!.flatMap(({ text }) => text ?? []).join('')
    assert.match(said, /^PASS demo-runbook gates=\d\/\d .*run=.*one-2/m)
    const data = again!.outputs!.at(-1)!.data as Record<string, string[]>
    assert.match([data['text/html']].flat().join(''), /<h2>✓ PASS demo-runbook<\/h2>[\s\S]*<table>/)
    assert.match(copy!.source[0]!, /\(static copy\)/)
    const kinds = (cell: Cell) => cell.outputs!.map(({ output_type }) => output_type)
    assert.deepEqual(kinds(copy!), kinds((JSON.parse(input) as Notebook).cells[2]!))
  },
)

test('renderIpynb() is a function of the report alone', async () => {
  const report = await passedReport()
  const copy = structuredClone(report)
  assert.equal(renderIpynb(report), renderIpynb(copy))
  assert.deepEqual(report, copy)
})
