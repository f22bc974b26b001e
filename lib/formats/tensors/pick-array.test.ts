import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { encodeNpy } from './npy.ts'
import { writeNpz } from './npz.ts'
import { pickArray } from './pick-array.ts'
import { float32, type Tensor } from './tensor.ts'

const folder = mkdtempSync(join(tmpdir(), 'pick-array-'))
after(() => rmSync(folder, { recursive: true }))
const windows = float32([2, 3], Float32Array.of(1, 2, 3, 4, 5, 6))
const rate: Tensor = { dtype: 'int64', shape: [], data: BigInt64Array.of(16000n) }
const archive = async (tensors: Record<string, Tensor>) => {
  const path = join(folder, `${Object.keys(tensors).join('-')}.npz`)
  await writeNpz(path, tensors)
  return path
}

test('pickArray() takes the named array, else the only one of floats, whatever stands first', async () => {
  assert.deepEqual(pickArray(await archive({ rate, windows }), 'calib_data'), windows)
  assert.deepEqual(
    pickArray(await archive({ other: float32([1], Float32Array.of(9)), calib_data: windows }), 'calib_data'),
    windows,
  )
})

test('pickArray() names every array when none or several could be meant', async () => {
  const two = await archive({ a: windows, b: windows, rate })
  assert.throws(() => pickArray(two, 'calib_data'), {
    exit: 'usage',
    message: /a \(float32\[2, 3\]\), b \(.*rate \(int64/,
  })
  const none = await archive({ rate })
  assert.throws(() => pickArray(none, 'calib_data'), { exit: 'usage', message: /rate \(int64\[\]\)/ })
})

test('pickArray() reads a .npy of any spelling, and names the file in its errors', () => {
  const bytes = encodeNpy(windows)
  for (const name of ['WINDOWS.NPY', 'windows.npz', 'windows']) {
    writeFileSync(join(folder, name), bytes)
    assert.deepEqual(pickArray(join(folder, name), 'x'), windows, name)
  }
  writeFileSync(join(folder, 'cut.npy'), bytes.subarray(0, bytes.length - 4))
  assert.throws(() => pickArray(join(folder, 'cut.npy'), 'x'), { exit: 'usage', message: /Cannot read ".*cut\.npy"/ })
  assert.throws(() => pickArray(join(folder, 'absent.npy'), 'x'), { exit: 'blocked' })
})
