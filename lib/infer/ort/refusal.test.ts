import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { encodeModel } from '../../formats/onnx/index.ts'
import { float32 } from '../../formats/tensors/tensor.ts'
import { GraphBuilder } from '../../onnx/builder.ts'
import { dataPath, needsData } from '../../testing/needs.ts'
import { openOrtC } from './c-api.ts'
import { openOrtNode } from './node-package.ts'
import { refusal } from './refusal.ts'

const folder = mkdtempSync(join(tmpdir(), 'refusal-'))
after(() => rmSync(folder, { recursive: true }))

/** A model of one node, written to a file. */
function modelOf(name: string, o: { opset?: number; irVersion?: number; op?: string; outside?: boolean } = {}): string {
  const { opset = 13, irVersion = 7, op = 'Add', outside = false } = o
  const builder = new GraphBuilder({ name, opset, irVersion })
  const x = builder.input('x', 'float32', [2])
  const place = { location: `${name}.onnx.data`, offset: 0, length: 8 }
  const w = outside
    ? builder.weightIn('w', { dtype: 'float32', shape: [2] }, place)
    : builder.weight('w', float32([2], Float32Array.of(1, 2)))
  builder.output(builder.node(op, [x, w], { output: 'y' }), 'float32', [2])
  const path = join(folder, `${name}.onnx`)
  writeFileSync(path, encodeModel(builder.build()))
  return path
}

test('openOrtC() and openOrtNode() say why ONNX Runtime refuses a model, each with what helps', async () => {
  const cut = join(folder, 'cut.onnx')
  writeFileSync(cut, 'not a model at all')
  const rows: readonly (readonly [path: string, exit: string, message: RegExp, hint: RegExp])[] = [
    [modelOf('ir', { irVersion: 99 }), 'usage', /IR version 99, and this runtime reads up to \d+/, /ONNXRUNTIME_LIB/],
    [modelOf('opset', { opset: 99 }), 'usage', /opset 99, and this runtime knows up to \d+/, /lower opset/],
    [modelOf('outside', { outside: true }), 'blocked', /outside\.onnx\.data/, /put outside\.onnx\.data beside/],
    [modelOf('operator', { op: 'Blur' }), 'usage', /no operator Blur/, /without that operator/],
    [cut, 'usage', /cut\.onnx is no ONNX model/, /git lfs pull/],
  ]
  for (const [path, exit, message, hint] of rows) {
    for (const open of [openOrtC, openOrtNode]) await assert.rejects(open(path), { exit, message, hint }, path)
  }
})

test('refusal() keeps the words of a refusal that nobody knows', () => {
  const { message, hint, exit } = refusal('/m/a.onnx', 'FAIL : the moon\n is full', null)
  assert.match(message, /^Cannot open "\/m\/a\.onnx": ONNX Runtime refuses it: FAIL : the moon is full$/)
  assert.deepEqual([hint, exit], ['check the file: it may be cut short, or not be ONNX', 'usage'])
  const long = refusal(
    'a.onnx',
    `failed:/src/core/graph/model.cc:17 a::b(int, c::d<e(f)>&) Something ${'x'.repeat(900)}`,
    null,
  )
  assert.ok(long.message.length < 800 && !long.message.includes('model.cc'))
})

const field = { skip: needsData('field/onnx/ir-too-new.onnx') }
test('openOrtC() gives the right answers for the models of the field', field, async () => {
  const open = (name: string) => openOrtC(dataPath(`field/onnx/${name}.onnx`))
  await assert.rejects(open('weights-beside'), {
    exit: 'blocked',
    hint: /^put weights-beside\.onnx\.data beside the model/,
  })
  await assert.rejects(open('ir-too-new'), { exit: 'usage', message: /IR version 14, and this runtime reads up to/ })
  await assert.rejects(open('opset-too-new'), { exit: 'usage', message: /opset 28, and this runtime knows up to/ })
  assert.ok(!existsSync(dataPath('field/onnx/weights-beside.onnx.data')))
})
