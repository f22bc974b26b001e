import assert from 'node:assert/strict'
import { renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test from 'node:test'
import { haloFrames } from '../../../models/convtasnet/options.ts'
import { halves, modelFile, scratch, tinyModel, tinyOptions } from '../../../testing/infer/fixtures.ts'
import { modelFacts, sidecarOf } from './model-facts.ts'

/** A graph of somebody else, with metadata. */
function foreign(metadata: Record<string, string> = {}): string {
  const model = halves(400)
  model.metadataProps = Object.entries(metadata).map(([key, value]) => ({ key, value }))
  return modelFile(model)
}

test('modelFacts() reads everything from the metadata of a model that we authored, whatever its name', () => {
  for (const more of [
    {},
    { encoderMode: 'framed' },
    { nBlocks: 3, nRepeats: 2 },
    { kernelSize: 32, stride: 16, nFilters: 32 },
    { sampleRate: 8000 },
  ] as const) {
    const o = tinyOptions(more)
    assert.deepEqual(modelFacts(tinyModel(more, 'mono_b9_r9_t1.onnx')), {
      sampleRate: o.sampleRate,
      layout: { kernel: o.kernelSize, stride: o.stride },
      haloFrames: haloFrames(o),
      assumed: [],
    })
  }
  const path = tinyModel()
  renameSync(path, join(dirname(path), 'MODEL.ONNX'))
  assert.equal(modelFacts(join(dirname(path), 'MODEL.ONNX')).haloFrames, 4)
})

test('modelFacts() reads the JSON beside a compiled file, and knows nothing of one without', () => {
  const hef = join(scratch(), 'winner.hef')
  assert.deepEqual(modelFacts(hef).layout, undefined)
  assert.match(modelFacts(hef).assumed[0]!, /16000 Hz: nothing says its rate/)
  const o = tinyOptions({ kernelSize: 128, stride: 64, inputLen: 1280 })
  writeFileSync(sidecarOf(hef), JSON.stringify({ convtasnet: o }))
  assert.deepEqual(modelFacts(hef), {
    sampleRate: 16_000,
    layout: { kernel: 128, stride: 64 },
    haloFrames: haloFrames(o),
    assumed: [],
  })
})

test('modelFacts() takes a sample rate of another exporter, and refuses one that is none or contradicts a flag', () => {
  assert.deepEqual(modelFacts(foreign({ sample_rate: '8000' })).sampleRate, 8000)
  assert.deepEqual(modelFacts(foreign({ Sampling_Rate: '44100' })).assumed, [])
  for (const rate of ['fast', '0', '-1', '16000.5'])
    assert.throws(() => modelFacts(foreign({ sample_rate: rate })), { exit: 'usage', message: /is no sample rate/ })
  assert.throws(() => modelFacts(foreign({ sample_rate: '8000' }), { sampleRate: 16_000 }), {
    exit: 'usage',
    message: /with --sample-rate 16000: the model says 8000/,
  })
})

test('modelFacts() takes what a person says where the file is silent', () => {
  const facts = modelFacts(foreign(), { sampleRate: 8000, stride: 64, haloFrames: 3 })
  assert.deepEqual(facts, { sampleRate: 8000, layout: { kernel: 128, stride: 64 }, haloFrames: 3, assumed: [] })
  assert.throws(() => modelFacts(tinyModel(), { stride: 4 }), { exit: 'usage', message: /the model says 8/ })
  assert.throws(() => modelFacts(foreign(), { kernel: 16, stride: 4 }), { exit: 'usage', hint: /--stride 8/ })
  assert.equal(modelFacts(tinyModel(), { haloFrames: 9 }).haloFrames, 9, 'more may always be dropped')
})

test('modelFacts() is blocked when the model is not there, and a usage error when it is cut short', () => {
  assert.throws(() => modelFacts(join(scratch(), 'no.onnx')), { exit: 'blocked' })
  const cut = join(scratch(), 'cut.onnx')
  writeFileSync(cut, Buffer.from([8, 7, 58, 200, 1]))
  assert.throws(() => modelFacts(cut), { exit: 'usage' })
})
