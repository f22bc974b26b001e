import assert from 'node:assert/strict'
import { appendFileSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { makeExport } from '../../../testing/edgeinfer/exports.ts'
import { lockedModel, readExportConfig } from './config.ts'

const folder = mkdtempSync(join(tmpdir(), 'config-'))
test.before(() => makeExport(folder))
test.after(() => rmSync(folder, { recursive: true }))

const path = () => join(folder, 'export_config.yaml')

test('lockedModel finds the entry of a model file beside its configuration', async () => {
  const { entry, config } = await lockedModel(join(folder, 'tcn_encoder_nchw.onnx'))
  assert.equal(entry.form, 'nchw')
  assert.deepEqual(config.input.channel_order, ['ax', 'ay', 'az', 'gx', 'gy', 'gz', 'mx', 'my', 'mz'])
  assert.equal(config.motifs.length, 12)
})

test('lockedModel refuses a file that changed, one that is not named, and one without a configuration', async () => {
  const other = join(folder, 'other.onnx')
  copyFileSync(join(folder, 'tcn_encoder.onnx'), other)
  await assert.rejects(lockedModel(other), { exit: 'usage', message: /does not name it/ })
  appendFileSync(join(folder, 'tcn_encoder_sliced.onnx'), 'x')
  await assert.rejects(lockedModel(join(folder, 'tcn_encoder_sliced.onnx')), { exit: 'usage', message: /sha256/ })
  await assert.rejects(lockedModel(join(tmpdir(), 'nowhere', 'tcn_encoder.onnx')), { exit: 'blocked' })
})

test('readExportConfig refuses another normalisation or channel order, and names the key', async () => {
  const whole = readFileSync(path(), 'utf8')
  for (const [from, to, key] of [
    ['7.903189', '0.12', /normalization\.mean/],
    ['ax', 'gx', /input\.channel_order/],
    ['rate_hz: 100', 'rate_hz: 50', /input\.rate_hz/],
    ['version: 1', 'version: 2', /version/],
  ] as const) {
    writeFileSync(path(), whole.replace(from, to))
    await assert.rejects(readExportConfig(folder), { exit: 'usage', message: key })
  }
  writeFileSync(path(), whole)
  await readExportConfig(folder)
})
