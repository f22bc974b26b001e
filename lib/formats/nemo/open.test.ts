import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { gzipSync } from 'node:zlib'
import { dataPath, needsData } from '../../testing/needs.ts'
import { nemoFile, tarFile } from '../../testing/nemo/write.ts'
import { readSafetensors } from '../tensors/safetensors.ts'
import { float32 } from '../tensors/tensor.ts'
import { configValue, openNemo } from './open.ts'

const weights = new Map([['encoder.w', float32([2], [1, 2])]])
const config = 'encoder:\n  d_model: 64\nlabels: [a, "b"]\n'
const file = (t: TestContext, bytes: Uint8Array) => {
  const folder = mkdtempSync(join(tmpdir(), 'rungbook-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'm.nemo')
  writeFileSync(path, bytes)
  return path
}

test('openNemo() reads configuration, weights and artifacts of a tar and of a gzipped tar', async t => {
  const bytes = nemoFile({ config, weights, artifacts: { ab_vocab: Buffer.from('hi') } })
  const before = readdirSync(tmpdir()).filter(name => name.startsWith('rungbook-nemo-')).length
  for (const form of [bytes, gzipSync(bytes)]) {
    using nemo = await openNemo(file(t, form))
    assert.equal(configValue(nemo.config, 'encoder.d_model'), 64)
    assert.equal(configValue(nemo.config, 'encoder.absent.deeper'), undefined)
    assert.deepEqual(nemo.weights().get('encoder.w')!.tensor(), weights.get('encoder.w'))
    assert.equal(Buffer.from(nemo.artifact('nemo:ab_vocab')).toString(), 'hi')
    assert.throws(() => nemo.artifact('nemo:cd_vocab'), /holds no "nemo:cd_vocab"/)
  }
  assert.equal(readdirSync(tmpdir()).filter(name => name.startsWith('rungbook-nemo-')).length, before)
})

test('openNemo() refuses an archive without weights, broken gzip and a configuration that is no table', async t => {
  const bare = tarFile([{ name: 'model_config.yaml', bytes: Buffer.from(config) }])
  await assert.rejects(openNemo(file(t, bare)), /holds no model_weights\.ckpt/)
  const zipped = gzipSync(nemoFile({ config, weights }))
  await assert.rejects(openNemo(file(t, zipped.subarray(0, 200))), /its gzip stream breaks \(Z_BUF_ERROR\)/)
  await assert.rejects(openNemo(file(t, nemoFile({ config: '- a\n', weights }))), /is no table/)
  await assert.rejects(openNemo(file(t, nemoFile({ config: 'a: [', weights }))), /is no YAML/)
  await assert.rejects(openNemo('/nowhere/x.nemo'), /ENOENT/)
})

const golden = 'nemo/tdt-tiny-a/tdt-tiny-a.nemo'
test('openNemo() reads what NeMo saved', { skip: needsData(golden) }, async () => {
  using nemo = await openNemo(dataPath(golden))
  const model = JSON.parse(readFileSync(dataPath('nemo/tdt-tiny-a/model.json'), 'utf8'))
  assert.equal(nemo.files.size, 5)
  assert.equal(configValue(nemo.config, 'joint.num_extra_outputs'), 5)
  assert.equal(configValue(nemo.config, 'nemo_version'), '2.6.2')
  const expected = readSafetensors(dataPath('nemo/tdt-tiny-a/weights.safetensors'))
  assert.deepEqual([...nemo.weights().keys()].toSorted(), [...expected.keys()].toSorted())
  assert.equal(Object.keys(model.tensors).length, expected.size)
  assert.ok(nemo.artifact(String(configValue(nemo.config, 'tokenizer.model_path'))).length > 1000)
})
