import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { encodeNpy } from '../../../formats/tensors/npy.ts'
import { writeNpz } from '../../../formats/tensors/npz.ts'
import { float32 } from '../../../formats/tensors/tensor.ts'
import { RunbookError } from '../../../base/errors.ts'
import { dataPath, needsData } from '../../../testing/needs.ts'
import { openCalibration } from './calibration.ts'

const folder = mkdtempSync(join(tmpdir(), 'calibration-'))
const npz = async (name: string, shape: readonly number[], fill = (i: number) => i % 16) => {
  const size = shape.reduce((a, b) => a * b, 1)
  const path = join(folder, name)
  await writeNpz(path, {
    calib_data: float32(
      shape,
      Float32Array.from({ length: size }, (_, i) => fill(i)),
    ),
  })
  return path
}
const refused = (exit: string, message: RegExp) => (error: unknown) =>
  error instanceof RunbookError && error.exit === exit && message.test(error.message)

test('openCalibration() without a file cuts windows of any width from the shipped recordings', async () => {
  const { windows } = await openCalibration({ path: undefined, lengthPolicy: 'error' })
  for (const width of [16_000, 2040]) {
    const cut = windows(width, 16)
    assert.equal(cut.length, 16)
    assert.ok(cut.every(window => window.length === width))
    assert.equal(
      new Set(cut.map(window => Buffer.from(window.slice().buffer).toString('base64'))).size,
      16,
      'windows differ',
    )
  }
  assert.throws(() => windows(200_000, 4), refused('usage', /Unsupported calibration shape/))
})

test('openCalibration() takes every layout of one window a row', async () => {
  for (const shape of [
    [3, 8],
    [3, 1, 8],
    [3, 1, 1, 8],
    [3, 1, 8, 1],
  ]) {
    const { windows } = await openCalibration({
      path: await npz(`${shape.join('x')}.npz`, shape),
      lengthPolicy: 'error',
    })
    assert.deepEqual(
      windows(8, 2).map(window => [...window]),
      [
        [0, 1, 2, 3, 4, 5, 6, 7],
        [8, 9, 10, 11, 12, 13, 14, 15],
      ],
      shape.join(),
    )
  }
})

test('openCalibration() refuses windows of another width, and cuts wider ones only when asked to', async () => {
  const path = await npz('wide.npz', [2, 10])
  const strict = await openCalibration({ path, lengthPolicy: 'error' })
  assert.throws(
    () => strict.windows(8, 2),
    refused('usage', /Unsupported calibration shape: expected \(N, 8\), got \(2, 10\)/),
  )
  assert.throws(() => strict.windows(16, 2), refused('usage', /got \(2, 10\)/))
  const crop = await openCalibration({ path, lengthPolicy: 'crop' })
  assert.deepEqual(
    crop.windows(3, 2).map(window => [...window]),
    [
      [0, 1, 2],
      [10, 11, 12],
    ],
  )
  assert.throws(() => crop.windows(16, 2), refused('usage', /got \(2, 10\)/))
})

test('openCalibration() refuses samples on the scale of integers, however they are stored', async () => {
  for (const scale of [32768, 2 ** 23, 128])
    await assert.rejects(
      openCalibration({ path: await npz(`scale${scale}.npz`, [2, 8], i => (i / 16) * scale), lengthPolicy: 'error' }),
      refused('usage', /sound lies in \[-1, 1\]/),
    )
})

test('openCalibration() refuses what is empty, not finite, of another rank, or not there', async () => {
  const open = (path: string) => openCalibration({ path, lengthPolicy: 'error' })
  await assert.rejects(open(await npz('empty.npz', [0, 8])), refused('usage', /empty/))
  await assert.rejects(
    open(await npz('nan.npz', [2, 8], i => (i === 11 ? Number.NaN : 0))),
    refused('usage', /window 1, sample 3 is NaN/),
  )
  await assert.rejects(open(await npz('rank.npz', [2, 3, 8])), refused('usage', /its shape is float32\[2, 3, 8\]/))
  await assert.rejects(open(join(folder, 'absent.npz')), refused('blocked', /absent\.npz/))
  const none = join(folder, 'none.npz')
  await writeNpz(none, {})
  await assert.rejects(open(none), refused('usage', /holds no array|no entr|empty/i))
  const ints = join(folder, 'ints.npy')
  writeFileSync(ints, encodeNpy({ dtype: 'int16', shape: [1, 2], data: Int16Array.of(1, 2) }))
  await assert.rejects(open(ints), refused('usage', /int16/))
})

test(
  'openCalibration() reads the real LibriMix windows beside a pickled array',
  { skip: needsData('convtasnet/calibration_1000ms_16k_64.npz') },
  async () => {
    const { windows, from } = await openCalibration({
      path: dataPath('convtasnet/calibration_1000ms_16k_64.npz'),
      lengthPolicy: 'error',
    })
    assert.equal(windows(16_000, 1024).length, 64)
    assert.match(from, /64 windows of 16000 samples/)
  },
)

test(
  'openCalibration() gives every file of the field its right answer',
  { skip: needsData('field/cases.tsv') },
  async () => {
    const open = (name: string) => openCalibration({ path: dataPath(`field/npz/${name}`), lengthPolicy: 'error' })
    await assert.rejects(open('pcm-scale-as-float.npz'), refused('usage', /sound lies in \[-1, 1\]/))
    await assert.rejects(open('cut.npy'), refused('usage', /Cannot read ".*cut\.npy"/))
    for (const name of ['rate-first.npz', 'object-note-first.npz', 'WINDOWS.NPY'])
      assert.match((await open(name)).from, /windows of \d+ samples/, name)
  },
)
