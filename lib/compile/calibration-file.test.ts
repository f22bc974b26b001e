import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { decodeNpy } from '../formats/tensors/npy.ts'
import { float32, type Tensor } from '../formats/tensors/tensor.ts'
import { readFile } from '../host/files.ts'
import { readCalibration, writeCalibration } from './calibration-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'calibration-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const sample = float32([1, 2, 1, 3], [1, 2, 3, 10, 20, 30])
const write = (layout: 'nchw' | 'nhwc', samples = [{ x: sample }, { x: sample }]) =>
  writeCalibration(folder, { inputs: ['x'], samples, layout })

test('writeCalibration() writes samples first, channels first or last as the toolchain wants them', async () => {
  const first = await write('nchw')
  assert.deepEqual(decodeNpy(readFile(first.path)).shape, [2, 2, 1, 3])
  const last = await write('nhwc')
  const written = decodeNpy(readFile(last.path))
  assert.deepEqual(written.shape, [2, 1, 3, 2])
  assert.deepEqual([...(written.data as Float32Array)].slice(0, 6), [1, 10, 2, 20, 3, 30])
  assert.notEqual(first.sha256, last.sha256)
  assert.equal(last.count, 2)
})

test('writeCalibration() moves the channels of an image behind its rows and columns', async () => {
  const image = float32([1, 2, 2, 2], [0, 1, 2, 3].flatMap(v => [v]).concat([10, 11, 12, 13]))
  const { path } = await write('nhwc', [{ x: image }])
  const { shape, data } = decodeNpy(readFile(path))
  assert.deepEqual(shape, [1, 2, 2, 2])
  assert.deepEqual([...(data as Float32Array)], [0, 10, 1, 11, 2, 12, 3, 13])
})

test('readCalibration() gives back several inputs of any rank and type as they were', async () => {
  const feeds = (n: number): Record<string, Tensor> => ({
    tokens: { dtype: 'int64', shape: [2, 3], data: BigInt64Array.from([1n, 2n, 3n, 4n, 5n, BigInt(n)]) },
    scale: float32([], [n]),
    sound: float32([1, 4], [n, 0, 0, n]),
  })
  const inputs = [
    { name: 'tokens', shape: [2, 3] },
    { name: 'scale', shape: [] },
    { name: 'sound', shape: [1, 4] },
  ]
  const samples = [feeds(7), feeds(8), feeds(9)]
  const { path, count } = await writeCalibration(folder, {
    inputs: inputs.map(({ name }) => name),
    samples,
    layout: 'nchw',
  })
  assert.equal(count, 3)
  assert.deepEqual(await readCalibration(path, inputs), samples)
})

test('writeCalibration() refuses no samples, a sample without an input, and two shapes or types', async () => {
  const refused = (samples: Record<string, Tensor>[], message: RegExp) =>
    assert.rejects(writeCalibration(folder, { inputs: ['x'], samples, layout: 'nchw' }), { exit: 'usage', message })
  await refused([], /there are no samples/)
  await refused([{ x: sample }, { y: sample }], /sample 1 has no "x"/)
  await refused([{ x: sample }, { x: float32([1, 2], [1, 2]) }], /sample 1 of "x" is float32\[1, 2\]/)
  const whole: Tensor = { dtype: 'int32', shape: sample.shape, data: new Int32Array(6) }
  await refused([{ x: sample }, { x: whole }], /is int32/)
})
