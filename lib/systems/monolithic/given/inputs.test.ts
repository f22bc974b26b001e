import assert from 'node:assert/strict'
import test from 'node:test'
import { modelPaths, shapesFrom } from './inputs.ts'

test('modelPaths() splits at commas', () => {
  assert.deepEqual(modelPaths('a.onnx, b c.onnx,'), ['a.onnx', 'b c.onnx'])
})

test('shapesFrom() reads shapes by input, and refuses anything else', () => {
  assert.deepEqual(
    [...shapesFrom('mix=1x1x16000, a/b:0=2')],
    [
      ['mix', [1, 1, 16_000]],
      ['a/b:0', [2]],
    ],
  )
  assert.deepEqual([...shapesFrom(undefined)], [])
  for (const word of ['mix', 'mix=', 'mix=1xx2', 'mix=-1', '=1x2'])
    assert.throws(() => shapesFrom(word), { exit: 'usage', hint: /--shape name=1x1x16000/ })
})
