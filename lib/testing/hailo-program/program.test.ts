import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { after } from 'node:test'
import { bucketOf, buckets } from '../../failure/buckets.ts'
import { encodeModel } from '../../formats/onnx/index.ts'
import { capture } from '../../host/exec.ts'
import { smallModel } from './dfc-bench.ts'
import { complaints, fateOf, twists } from './scenarios.ts'
import { parseWords, usageOf } from './words.ts'
import { installHailoStandin } from './install-standin.ts'

const root = mkdtempSync(join(tmpdir(), 'standin-'))
after(() => rmSync(root, { recursive: true, force: true }))
// A space and a quote, as a person's folder may have them.
const { program } = installHailoStandin(join(root, "it's a venv"))
const onnx = join(root, 'small.onnx')
writeFileSync(onnx, encodeModel(smallModel()))

const parserWords = [
  'parser',
  'onnx',
  onnx,
  '--net-name',
  'net',
  '--har-path',
  join(root, 'net.har'),
  '--hw-arch',
  'hailo8',
]
const nodes = ['--start-node-names', 'input', '--end-node-names', 'head', '--tensor-shapes', '[1,1,1,32]']
const hailo = (...words: string[]) => capture([program, ...words], { cwd: root })

test('fateOf() takes a name for all, or the first pattern that fits the whole name, else a success', () => {
  assert.deepEqual(fateOf('hang', 'x'), { stage: 'compile', twist: 'hang' })
  assert.deepEqual(fateOf('hang@parse', 'x'), { stage: 'parse', twist: 'hang' })
  for (const setting of [undefined, '', 'success']) assert.equal(fateOf(setting, 'x'), null)
  const setting = JSON.stringify({ 'mono_f256.*': 'allocator', 'mono_.*': 'crash' })
  assert.deepEqual(fateOf(setting, 'mono_f256_bn8'), { stage: 'compile', complaint: complaints.allocator_infeasible })
  assert.deepEqual(fateOf(setting, 'mono_f64'), { stage: 'compile', twist: 'crash' })
  assert.equal(fateOf(setting, 'a_mono_f64'), null)
  assert.throws(() => fateOf('alocator', 'x'), /"alocator", which is no fate/)
})

test('complaints holds one for every bucket of the parser, the optimiser and the compiler', () => {
  // ONNX Runtime says these when it opens a graph, and PyTorch the last one when it exports; the vendor never does.
  const onnx = ['onnx_unknown_operator', 'onnx_no_kernel', 'onnx_quantised_invalid', 'onnx_invalid_graph']
  const others = [...onnx, 'pytorch_export']
  const wanted = Object.keys(buckets).filter(
    name => !others.includes(name) && ['parse', 'optimize', 'compile'].includes(bucketOf(name).stage),
  )
  assert.deepEqual(
    wanted.filter(name => !Object.hasOwn(complaints, name)),
    [],
  )
  assert.deepEqual(
    Object.keys(complaints).filter(name => !Object.hasOwn(buckets, name) || Object.hasOwn(twists, name)),
    [],
  )
})

test('parseWords() splits flags that take none, one or many words from the path', () => {
  const words = parseWords([...parserWords, '-y', '--end-node-names', 'a', 'b'], [])
  assert.ok(typeof words !== 'string')
  assert.deepEqual(
    [words.command, words.positional, words.has('y'), words.one('hw-arch')],
    ['parser', [onnx], true, 'hailo8'],
  )
  assert.deepEqual(
    [words.many('end-node-names'), words.one('tensor-shapes'), words.many('tensor-shapes')],
    [['a', 'b'], '', []],
  )
})

test('parseWords() refuses as argparse does', () => {
  const refusals: [string[], RegExp][] = [
    [['quantize'], /error: argument cmd: invalid choice: 'quantize'/],
    [['parser', 'tflite', 'x'], /invalid choice: 'tflite'/],
    [[...parserWords, '--fast'], /hailo parser: error: unrecognized arguments: --fast/],
    [['parser', 'onnx', 'x', '--hw-arch', 'hailo9'], /argument --hw-arch: invalid choice: 'hailo9'/],
    [['optimize', 'x.har'], /required: --hw-arch, --output-har-path/],
    [['compiler', '--hw-arch', 'hailo8', '--output-dir', 'd', '--output-har-path', 'h'], /required: path/],
    [['compiler', 'a', 'b'], /unrecognized arguments: b/],
    [['parser', 'onnx', 'x', '--net-name'], /argument --net-name: expected one argument/],
  ]
  for (const [argv, refusal] of refusals) assert.match(String(parseWords(argv, [])), refusal, argv.join(' '))
  assert.match(
    String(parseWords([...parserWords, ...nodes], ['tensor-shapes'])),
    /unrecognized arguments: --tensor-shapes/,
  )
  assert.match(usageOf('parser'), /^usage: hailo parser .*onnx.*--end-node-names/)
})

test('the stand-in ends with code 2 on an unknown flag, also in a folder with a quote in its name', async () => {
  const { exitCode, stderr } = await hailo(...parserWords, '--fast')
  assert.equal(exitCode, 2)
  assert.match(stderr, /unrecognized arguments: --fast/)
})

test('the stand-in asks (y/n) without -y: it waits for an answer, and at the end of its input it fails', async () => {
  const { exitCode, stdout, stderr } = await hailo(...parserWords, ...nodes)
  assert.equal(exitCode, 1)
  assert.match(stdout, /\(y\/n\) $/)
  assert.match(stderr, /EOFError/)

  const waiting = spawn(program, [...parserWords, ...nodes], { cwd: root, stdio: ['pipe', 'pipe', 'ignore'] })
  const ended = new Promise<number | null>(resolve => waiting.once('exit', resolve))
  await new Promise(asked =>
    waiting.stdout.on('data', (said: Buffer) => {
      if (said.includes('(y/n)')) asked(null)
    }),
  )
  assert.equal(await Promise.race([ended, sleep(300, 'waiting')]), 'waiting')
  waiting.stdin.end('y\n')
  assert.equal(await ended, 0)
  assert.ok(existsSync(join(root, 'net.har')))
})

test('the stand-in wants names of nodes, as the parser does, and not names of values', async () => {
  const { exitCode, stderr } = await hailo(
    ...parserWords,
    '-y',
    ...nodes.map(word => (word === 'head' ? 'output' : word)),
  )
  assert.equal(exitCode, 1)
  assert.match(stderr, /'output' is not in list/)
})

test('the stand-in refuses another input shape than the model has', async () => {
  const { exitCode, stderr } = await hailo(...parserWords, '-y', ...nodes.map(word => word.replace('32]', '64]')))
  assert.equal(exitCode, 1)
  assert.match(stderr, /unsupported input shape \[1,1,1,64\], the model has \[1,1,1,32\]/)
})
