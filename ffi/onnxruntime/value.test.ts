import assert from 'node:assert/strict'
import test from 'node:test'
import { encodeModel } from '../../lib/formats/onnx/index.ts'
import { single } from '../../lib/testing/infer/fixtures.ts'
import { nativeTensor, type ElementType } from './elements.ts'
import { openOnnxRuntime } from './runtime.ts'

const runtime = openOnnxRuntime({ env: {} })
test.after(() => runtime.close())

test('OrtValue tells type, shape and numbers of what a run made, a scalar and nothing among them', async () => {
  const rows: readonly [ElementType, readonly number[], readonly (number | bigint)[]][] = [
    ['float32', [2], [1.5, -2]],
    ['int64', [1, 3], [1n, -2n, 3n]],
    ['float16', [2], [0x3c00, 0xc000]],
    ['bool', [2], [1, 0]],
    ['float64', [], [7]],
    ['uint8', [0, 4], []],
  ]
  for (const [dtype, shape, numbers] of rows) {
    const open = shape.map((_, axis) => `d${axis}`)
    const session = await runtime.openSession(encodeModel(single('Identity', { dtype, input: open, output: open })))
    const binding = session.openBinding()
    const input = nativeTensor(dtype, shape)
    input.data.set(numbers as never)
    binding.setInput('input', input)
    binding.setOutput('output')
    binding.runSync()
    const [value] = binding.take(['output'])
    assert.deepEqual(
      [value!.dtype, value!.shape, value!.size, [...value!.read()]],
      [dtype, shape, numbers.length, numbers],
    )
    value!.release()
    await session.close()
  }
})
