import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { smallDims } from '../../testing/whisper/models.ts'
import { readManifest, writeManifest } from './manifest.ts'

const exported = () => {
  const folder = mkdtempSync(join(tmpdir(), 'exported-'))
  writeFileSync(join(folder, 'encoder.onnx'), 'encoder')
  writeFileSync(join(folder, 'decoder.onnx'), 'decoder')
  const o = {
    name: 'tiny',
    form: 'cached',
    precision: 'float32',
    dims: smallDims,
    alignmentHeads: [[0, 1]],
    weights: 'ab',
  } as const
  return { folder, manifest: writeManifest(folder, o) }
}

test('readManifest gives what writeManifest wrote', () => {
  const { folder, manifest } = exported()
  assert.deepEqual(readManifest(folder, { verify: true }), manifest)
})

test('readManifest is blocked without a manifest or a graph, and refuses another graph', () => {
  const { folder } = exported()
  writeFileSync(join(folder, 'decoder.onnx'), 'of another model')
  assert.equal(readManifest(folder).name, 'tiny')
  assert.throws(() => readManifest(folder, { verify: true }), { exit: 'usage', message: /decoder\.onnx/ })
  rmSync(join(folder, 'decoder.onnx'))
  assert.throws(() => readManifest(folder), { exit: 'blocked', message: /decoder\.onnx is absent/ })
  assert.throws(() => readManifest(join(folder, 'none')), { exit: 'blocked', hint: /whisper-export/ })
})

test('readManifest refuses a manifest that is not whole', () => {
  const { folder } = exported()
  const path = join(folder, 'whisper.json')
  const whole = JSON.parse(readFileSync(path, 'utf8')) as object
  for (const bad of [null, [], {}, { ...whole, schema: 'other' }, { ...whole, dims: {} }, { ...whole, form: 'x' }]) {
    writeFileSync(path, JSON.stringify(bad))
    assert.throws(() => readManifest(folder), { exit: 'usage' }, JSON.stringify(bad).slice(0, 60))
  }
})
