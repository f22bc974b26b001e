import assert from 'node:assert/strict'
import test from 'node:test'
import { checkModel } from '../onnx/check/check.ts'
import { inspect } from '../onnx/inspect.ts'
import { mobileNet, pictures } from './mobilenet.ts'

test("mobileNet() is a sound graph of MobileNetV2's size, the same every time", () => {
  const model = mobileNet()
  assert.deepEqual(checkModel(model).problems, [])
  const { parameters, macs } = inspect(model)
  assert.ok(parameters > 3.4e6 && parameters < 3.6e6, `${parameters} parameters`)
  assert.ok(macs > 2.8e8 && macs < 3.2e8, `${macs} multiply-accumulates`)
  assert.equal(model.graph.node.filter(({ opType }) => opType === 'Conv').length, 52)
})

test('pictures() are finite, in [-1, 1], and differ from one another', () => {
  const all = pictures(2, 16)
  assert.equal(all.length, 2 * 3 * 16 * 16)
  assert.ok(all.every(value => Math.abs(value) <= 1))
  assert.notDeepEqual(all.slice(0, 768), all.slice(768))
})
