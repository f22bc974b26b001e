import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { openNemo } from '../../../formats/nemo/open.ts'
import { seededTdtWeights, tdtWeightShapes } from '../../../models/tdt/seeded-weights.ts'
import { tinyConfig, tinySizes } from '../../../models/tdt/synthetic.ts'
import { nemoFile } from '../../../testing/nemo/write.ts'
import { tinyNemoConfig } from '../../../testing/tdt/tiny-nemo.ts'
import { parakeetContract } from '../contract/read.ts'
import { modelFromNemo } from './sources.ts'

const contract = parakeetContract()
const source = seededTdtWeights(tinyConfig, tinySizes, 1)
const weights = new Map([...tdtWeightShapes(tinyConfig, tinySizes).keys()].map(name => [name, source.read(name)]))

/** The model of a tiny configuration in which one line stands for another. */
async function modelOf(t: TestContext, line: string, other: string, accept: readonly string[] = []) {
  const folder = mkdtempSync(join(tmpdir(), 'rungbook-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const config = tinyNemoConfig()
  assert.ok(config.includes(line))
  writeFileSync(join(folder, 'm.nemo'), nemoFile({ config: config.replace(line, other), weights }))
  using nemo = await openNemo(join(folder, 'm.nemo'))
  return modelFromNemo(nemo, contract, { accept })
}

test("modelFromNemo() takes NeMo's defaults for what is silent, and null for none", async t => {
  const { features } = await modelOf(t, '  n_fft: 512\n', '')
  assert.deepEqual([features.n_fft, features.preemphasis, features.normalize], [512, 0.97, 'per_feature'])
  const none = await modelOf(t, '  normalize: per_feature', '  normalize: null\n  preemph: null')
  assert.deepEqual([none.features.preemphasis, none.features.normalize], [0, 'NA'])
  const named = await modelOf(t, '  n_fft: 512', '  n_fft: null\n  log_zero_guard_value: eps')
  assert.deepEqual([named.features.n_fft, named.features.log_zero_guard_value], [512, 2 ** -23])
  const short = await modelOf(t, '  window_size: 0.025\n', '')
  assert.equal(short.features.window_length, 320)
})

test('modelFromNemo() takes max_symbols under both names, and refuses none at all', async t => {
  const line = 'greedy: { max_symbols: 10 }'
  const guard = async (other: string) => (await modelOf(t, line, other)).parts.decode.max_symbols
  assert.equal(await guard('greedy: { max_symbols: 3 }'), 3)
  assert.equal(await guard('greedy: { max_symbols_per_step: 4 }'), 4)
  assert.equal(await guard('strategy: greedy_batch'), contract.decode.max_symbols)
  await assert.rejects(guard('greedy: { max_symbols: null }'), /max_symbols is null, and decoding need not end/)
})

test('modelFromNemo() refuses durations and front ends that contradict each other, and unknown keys', async t => {
  await assert.rejects(
    modelOf(t, 'greedy: {', 'durations: [0, 1, 2, 4, 8]\n  greedy: {'),
    /decoding\.durations is \[0, 1, 2, 4, 8\], and model_defaults\.tdt_durations is \[0, 1, 2, 3, 4\]/,
  )
  await assert.rejects(modelOf(t, '  features: 128', '  features: 80'), /feat_in is 128, and the front end has 80/)
  await assert.rejects(modelOf(t, 'encoder:\n', 'encoder:\n  rotary: true\n'), /encoder\.rotary is true/)
  const accepted = await modelOf(t, 'encoder:\n', 'encoder:\n  rotary: true\n', ['encoder.rotary'])
  assert.equal(accepted.config.encoder.layers, 2)
})
