import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { seededTdtWeights, tdtWeightShapes } from '../lib/models/tdt/seeded-weights.ts'
import { tinyConfig, tinySizes } from '../lib/models/tdt/synthetic.ts'
import { nemoFile } from '../lib/testing/nemo/write.ts'
import { runInProcess } from '../lib/testing/run-in-process.ts'
import { tinyNemoConfig } from '../lib/testing/tdt/tiny-nemo.ts'
import parakeetExport from './parakeet-export.ts'
import parakeetTranscribe from './parakeet-transcribe.ts'

const weights = (config = tinyConfig) => {
  const source = seededTdtWeights(config, tinySizes, 1)
  return new Map([...tdtWeightShapes(config, tinySizes).keys()].map(name => [name, source.read(name)]))
}
const nemoPath = (config: string, tensors = weights()) => {
  const path = join(mkdtempSync(join(tmpdir(), 'rungbook-')), 'm.nemo')
  writeFileSync(path, nemoFile({ config, weights: tensors }))
  return path
}

test('parakeet-export authors a seeded model that its own transcription reads', async () => {
  const ran = await runInProcess(parakeetExport, ['--run-ts', 't'])
  assert.match(ran.verdict, /^PASS parakeet-export gates=5\/5 /)
  const report = ran.read('EXPORT_REPORT.md')
  assert.match(report, /npx tsx runbooks\/parakeet-export\.ts/)
  for (const file of ['encoder.onnx', 'encoder_streaming.onnx', 'predictor.onnx', 'joint.onnx', 'vocab.txt'])
    assert.match(report, new RegExp(`\\| ${file.replace('.', '\\.')} \\| \\d+ \\| [0-9a-f]{64} \\|`))
  const heard = await runInProcess(parakeetTranscribe, ['--run-ts', 't', '--model-dir', ran.path('model')])
  assert.match(heard.verdict, /^PASS parakeet-transcribe /)
  assert.ok(JSON.parse(heard.read('transcript.json')).tokens.length > 0)
  const streamed = await runInProcess(parakeetTranscribe, [
    '--run-ts',
    't',
    '--stream',
    '--model-dir',
    ran.path('model'),
  ])
  assert.match(streamed.verdict, /^PASS parakeet-transcribe /)
})

test('parakeet-export gives the same bytes from a .nemo as from the seed of its weights, twice', async () => {
  const digests = async (argv: string[]) => {
    const ran = await runInProcess(parakeetExport, ['--run-ts', 't', ...argv])
    const { artifacts } = JSON.parse(ran.read('model', 'model_meta.json'))
    return { ran, digest: artifacts['predictor.onnx'].sha256 + artifacts['encoder.onnx'].bytes }
  }
  const seeded = await digests([])
  assert.equal((await digests([])).digest, seeded.digest)
  const fromNemo = await digests(['--nemo', nemoPath(tinyNemoConfig())])
  // A tiny model is not the contract's: the report says which values differ.
  assert.match(fromNemo.ran.verdict, /^FAIL parakeet-export gates=4\/5/)
  assert.match(fromNemo.ran.read('EXPORT_REPORT.md'), /\/encoder\/d_model: the contract says 1024, the model 32/)
})

test('parakeet-export refuses a .nemo that lacks a weight, is cut, or is of another kind', async () => {
  const poor = weights()
  poor.delete('encoder.layers.1.norm_out.weight')
  const lacking = await runInProcess(parakeetExport, ['--run-ts', 't', '--nemo', nemoPath(tinyNemoConfig(), poor)])
  assert.match(lacking.verdict, /^USAGE parakeet-export/)
  assert.match(lacking.stderr, /it has no weight "encoder\.layers\.1\.norm_out\.weight"/)
  const other = await runInProcess(parakeetExport, [
    '--run-ts',
    't',
    '--nemo',
    nemoPath(tinyNemoConfig({ subsampling: 'striding' })),
  ])
  assert.match(other.stderr, /subsampling is "striding"/)
  const words = await runInProcess(parakeetExport, [
    '--run-ts',
    't',
    '--nemo',
    nemoPath(tinyNemoConfig({ pieces: 31 })),
  ])
  assert.match(words.stderr, /its vocabulary has 31 pieces, and the predictor 32/)
})

test("parakeet-export is BLOCKED, not passed, where the Python for NeMo's own export cannot make one", async () => {
  const ran = await runInProcess(parakeetExport, [
    '--run-ts',
    't',
    '--python',
    '/bin/false',
    '--nemo',
    nemoPath(tinyNemoConfig()),
  ])
  assert.ok(ran.report.gates.some(gate => gate.status === 'blocked' && gate.name === "NeMo's own export"))
  assert.match(ran.read('nemo_export.py'), /restore_from/)
})

test("parakeet-export believes NeMo's own export by its files and their digests, not by its exit code", async () => {
  const exported = async (files: string) => {
    const python = join(mkdtempSync(join(tmpdir(), 'rungbook-')), 'python')
    const program = `#!/usr/bin/env node
const { createHash } = require('node:crypto')
const { mkdirSync, writeFileSync } = require('node:fs')
const out = process.argv[process.argv.indexOf('--out') + 1]
mkdirSync(out, { recursive: true })
writeFileSync(out + '/encoder-model.onnx', 'graph')
const sha = createHash('sha256').update('graph').digest('hex')
const result = { python: '3.11', torch: '2.7.0', nemo: '2.6.2', files: ${files} }
if (result.files !== null) writeFileSync(out + '/nemo_export.json', JSON.stringify(result))
`
    writeFileSync(python, program, { mode: 0o755 })
    const ran = await runInProcess(parakeetExport, [
      '--run-ts',
      't',
      '--nemo',
      nemoPath(tinyNemoConfig()),
      '--python',
      python,
    ])
    return ran.report.gates.find(({ name }) => name === "NeMo's own export")!
  }
  assert.equal((await exported("{ 'encoder-model.onnx': sha }")).status, 'pass')
  for (const [files, why] of [
    ['null', /wrote no nemo_export\.json/],
    ['{}', /no ONNX graph/],
    ["{ 'encoder-model.onnx': 'another' }", /is not there as it says/],
  ] as const) {
    const gate = await exported(files)
    assert.equal(gate.status, 'fail', files)
    assert.match(gate.note ?? '', why)
  }
})
