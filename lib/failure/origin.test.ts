import assert from 'node:assert/strict'
import test from 'node:test'
import { originOf } from './origin.ts'

test('originOf() tells the tools apart by their words', () => {
  const rows: readonly (readonly [text: string, has: string, hasNot: string, isForeign: boolean])[] = [
    ['[HailoRT] [error] CHECK failed', 'hailort', 'compiler', true],
    ['[TRT] [E] x', 'tensorrt', 'compiler', true],
    ['[ONNXRuntimeError] : 1 : FAIL : x', 'onnxruntime', 'compiler', true],
    ['[error] Mapping Failed', 'compiler', 'tensorrt', false],
    ['[info] Translation started on ONNX model a\nTF32 is on', 'compiler', 'tensorrt', false],
    ['Segmentation fault', 'compiler', 'tensorrt', false],
    ['moo', 'host', 'compiler', false],
  ]
  for (const [text, has, hasNot, isForeign] of rows) {
    const origin = originOf(text)
    const names: ReadonlySet<string> = origin.families
    assert.ok(names.has(has) && !names.has(hasNot), text)
    assert.equal(origin.isForeign, isForeign, text)
  }
})
