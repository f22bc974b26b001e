import assert from 'node:assert/strict'
import { renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test from 'node:test'
import { haloFrames, runTag } from '../../../models/convtasnet/options.ts'
import { halves, modelFile, scratch, tinyModel, tinyOptions } from '../../../testing/infer/fixtures.ts'
import { haloOf } from './halo.ts'

const named = (name: string) => modelFile(halves(16), name)

test('haloOf() reads it from the metadata of a model that we authored, whatever its name', () => {
  for (const more of [
    {},
    { encoderMode: 'framed' },
    { nBlocks: 3, nRepeats: 2 },
    { truncateKBlocks: 1 },
    { convKernelSize: 5 },
  ] as const) {
    assert.equal(haloOf(tinyModel(more)), haloFrames(tinyOptions(more)), JSON.stringify(more))
    assert.equal(haloOf(tinyModel(more, 'mono_b9_r9_t1.onnx')), haloFrames(tinyOptions(more)))
  }
  const path = tinyModel()
  renameSync(path, join(dirname(path), 'MODEL.ONNX'))
  assert.equal(haloOf(join(dirname(path), 'MODEL.ONNX')), 4)
})

test('haloOf() reads it from the run tag where the file says nothing, and never too small', () => {
  for (const [nBlocks, nRepeats, want] of [
    [1, 1, 2],
    [2, 1, 4],
    [2, 3, 10],
    [8, 3, 766],
  ] as const) {
    const o = tinyOptions({ nBlocks, nRepeats })
    assert.equal(haloOf(named(`${runTag(o)}.host_compiled.onnx`)), want)
    assert.ok(want >= haloFrames(o) && want >= haloFrames({ ...o, encoderMode: 'framed' }))
  }
})

test('haloOf() does not open a HEF for its halo: the name is enough', () => {
  assert.equal(haloOf(join(scratch(), `${runTag(tinyOptions())}.hef`)), 4)
})

test('haloOf() does not guess', () => {
  for (const path of [named('somebody.onnx'), named('model_b2.onnx'), join(scratch(), 'model.hef')]) {
    assert.throws(() => haloOf(path), { exit: 'usage', message: /Cannot tell the halo/, hint: /--halo-frames N/ })
  }
})

test('haloOf() is blocked when the model is not there, and a usage error when it is cut short', () => {
  assert.throws(() => haloOf(join(scratch(), 'no.onnx')), { exit: 'blocked' })
  const cut = join(scratch(), 'cut.onnx')
  writeFileSync(cut, Buffer.from([8, 7, 58, 200, 1]))
  assert.throws(() => haloOf(cut), { exit: 'usage' })
})
