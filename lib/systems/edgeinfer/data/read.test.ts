import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { dataPath, needsData } from '../../../testing/needs.ts'
import { readDataSet } from './read.ts'
import { startsEvery, windowAt, windowsOf, type Recording } from './recording.ts'

const folder = mkdtempSync(join(tmpdir(), 'imu-'))
test.after(() => rmSync(folder, { recursive: true }))

const ramp = (samples: number, rateHz: number): Recording => ({
  signal: Float32Array.from({ length: samples * 6 }, (_, i) => Math.floor(i / 6) / rateHz + (i % 6)),
  channels: 6,
  rateHz,
  label: 0,
  split: 'train',
  name: 'ramp',
})

test('windowAt interpolates a slower signal linearly, and leaves the missing magnetometer at zero', () => {
  const window = windowAt(ramp(128, 50), 0.76)
  for (const k of [0, 1, 50, 99]) {
    for (let c = 0; c < 6; c++) assert.ok(Math.abs(window[k * 9 + c]! - (0.76 + k / 100 + c)) < 1e-5)
    assert.deepEqual(window.slice(k * 9 + 6, k * 9 + 9), new Float32Array(3))
  }
})

test('windowAt gives the samples themselves at the rate of the model', () => {
  const recording = ramp(100, 100)
  const window = windowAt(recording, 0)
  assert.equal(window[99 * 9], recording.signal[99 * 6])
})

test('windowsOf leaves out starts that do not fit, and names each window', () => {
  const windows = windowsOf([ramp(128, 50), ramp(40, 50)], startsEvery(0.76))
  assert.deepEqual(
    windows.map(({ name }) => name),
    ['ramp@0', 'ramp@0.76', 'ramp@1.52'],
  )
})

test('readDataSet ships 540 recordings, every label in both splits, and no recording twice', async () => {
  const { recordings, labels } = await readDataSet()
  assert.equal(recordings.length, 540)
  assert.equal(new Set(recordings.map(({ name }) => name)).size, 540)
  for (const split of ['train', 'test'] as const) {
    for (const label of labels.keys())
      assert.ok(recordings.filter(r => r.split === split && r.label === label).length >= 40)
  }
  const lying = recordings.find(({ label }) => labels[label] === 'laying')!
  const standing = recordings.find(({ label }) => labels[label] === 'standing')!
  assert.ok(standing.signal[0]! > 8 && Math.abs(lying.signal[0]!) < 6, 'gravity in m/s², along x when upright')
})

test('readDataSet reads a CSV by the names of its columns, and keeps a recording in one split', async () => {
  const path = join(folder, 'a.csv')
  const rows = ['one', 'two', 'three'].flatMap(recording =>
    Array.from({ length: 120 }, (_, t) => `${recording},${t < 60 ? 'rest' : 'walk'},${t},0,9.8,0,0,0`),
  )
  writeFileSync(path, `recording,label,ax,ay,az,gx,gy,gz\n${rows.join('\n')}\n`)
  const { recordings, labels } = await readDataSet(path, { rateHz: 50 })
  assert.deepEqual(labels, ['rest', 'walk'])
  assert.deepEqual(
    recordings.map(({ split }) => split),
    ['train', 'train', 'train', 'train', 'test', 'test'],
  )
  assert.equal(windowsOf(recordings, startsEvery(0.1)).length, 6 * 2)
})

test('readDataSet refuses data that cannot be meant', async () => {
  const refuse = async (text: string, message: RegExp) => {
    const path = join(folder, 'bad.csv')
    writeFileSync(path, text)
    await assert.rejects(readDataSet(path), { exit: 'usage', message })
  }
  await refuse('ax,ay,az\n1,2,3\n', /no column gx, gy, gz/)
  await refuse('', /holds no samples/)
  await refuse('ax,ay,az,gx,gy,gz\n1,2,3,4,5,x\n', /line 2, gz is "x"/)
  await refuse('split,ax,ay,az,gx,gy,gz\nvalid,1,2,3,4,5,6\n', /split "valid"/)
  await refuse('recording,split,ax,ay,az,gx,gy,gz\na,train,1,2,3,4,5,6\na,test,1,2,3,4,5,6\n', /in both splits/)
  await assert.rejects(readDataSet(join(folder, 'none.csv')), { exit: 'blocked' })
  mkdirSync(join(folder, 'empty'))
  await assert.rejects(readDataSet(join(folder, 'empty')), { exit: 'usage', message: /no y_train\.txt/ })
})

test(
  'readDataSet reads the whole of UCI HAR, whose test windows share no stretch with the training windows',
  { skip: needsData('imu/ucihar') },
  async () => {
    const { recordings } = await readDataSet(dataPath('imu/ucihar'))
    const count = (split: string) => recordings.filter(r => r.split === split).length
    assert.deepEqual([count('train'), count('test')], [2400, 950])
    // The set's own windows overlap by half: a shared recording would show as an equal half.
    const halves = ({ signal }: Recording) => [signal.slice(0, 64 * 6), signal.slice(64 * 6)].map(half => half.join())
    const trained = new Set(recordings.filter(r => r.split === 'train').flatMap(halves))
    const shared = recordings.filter(r => r.split === 'test' && halves(r).some(half => trained.has(half)))
    assert.deepEqual(
      shared.map(({ name }) => name),
      [],
    )
  },
)
