import assert from 'node:assert/strict'
import test from 'node:test'
import { Spectrogram, floorDb } from './spectrogram.ts'

const sine = (hz: number, amplitude: number, samples: number): Float32Array =>
  Float32Array.from({ length: samples }, (_, i) => amplitude * Math.sin((2 * Math.PI * hz * i) / 16_000))

const pictureOf = (sound: Float32Array, block = sound.length): ReturnType<Spectrogram['result']> => {
  const picture = new Spectrogram({ sampleRate: 16_000, totalSamples: sound.length })
  for (let at = 0; at < sound.length; at += block) picture.push(sound.subarray(at, at + block))
  return picture.result()
}

test('Spectrogram shows a sine in its row at its level', () => {
  for (const [hz, amplitude, wanted] of [
    [1_000, 1, 0],
    [4_000, 0.1, -20],
    [31.25 * 20, 0.001, -60],
  ] as const) {
    const { columns, rows, db, hzPerRow } = pictureOf(sine(hz, amplitude, 16_000))
    const middle = columns >> 1
    const levels = Array.from({ length: rows }, (_, row) => db[row * columns + middle]!)
    const loudest = levels.indexOf(Math.max(...levels))
    assert.equal(loudest * hzPerRow, hz)
    assert.ok(Math.abs(levels[loudest]! - wanted) < 0.1, `${levels[loudest]} is not ${wanted}`)
    assert.ok(levels[loudest + 10]! <= Math.max(floorDb, wanted - 60))
  }
})

test('Spectrogram shows a constant in row 0 at its level', () => {
  const { columns, db } = pictureOf(new Float32Array(16_000).fill(0.5))
  assert.ok(Math.abs(db[columns >> 1]! - 20 * Math.log10(0.5)) < 0.1)
})

test('Spectrogram puts a click into the column of its time', () => {
  for (const at of [0, 5_000, 95_999]) {
    const sound = new Float32Array(96_000)
    sound[at] = 1
    const { columns, db, secondsPerColumn } = pictureOf(sound)
    const row = db.subarray(20 * columns, 21 * columns)
    const loudest = row.indexOf(Math.max(...row))
    assert.ok(
      Math.abs((loudest + 0.5) * secondsPerColumn - at / 16_000) <= secondsPerColumn,
      `click at ${at}, column ${loudest}`,
    )
  }
})

test('Spectrogram keeps within its columns and loses no click when the sound is long', () => {
  const minutes = 5
  const picture = new Spectrogram({ sampleRate: 16_000, totalSamples: minutes * 960_000, maxColumns: 100 })
  const block = new Float32Array(96_000)
  for (let n = 0; n < minutes * 10; n++) {
    block[777] = n === 33 ? 1 : 0
    picture.push(block)
  }
  const { columns, rows, db, secondsPerColumn } = picture.result()
  assert.ok(columns <= 100 && columns > 90)
  assert.ok(Math.abs(columns * secondsPerColumn - minutes * 60) <= secondsPerColumn)
  const row = db.subarray((rows >> 1) * columns, ((rows >> 1) + 1) * columns)
  assert.equal(row.indexOf(Math.max(...row)), Math.floor((33 * 96_000 + 777) / 16_000 / secondsPerColumn))
})

test('Spectrogram says the same whatever the size of the blocks', () => {
  const sound = Float32Array.from({ length: 20_000 }, (_, i) => Math.sin(i * i))
  const whole = pictureOf(sound)
  for (const block of [1_000, 511, 7]) assert.deepEqual(pictureOf(sound, block), whole)
})

test('Spectrogram may be looked at before the end, and looking changes nothing', () => {
  const sound = sine(500, 1, 16_000)
  const picture = new Spectrogram({ sampleRate: 16_000, totalSamples: sound.length })
  picture.push(sound.subarray(0, 7_000))
  const half = picture.result()
  picture.push(sound.subarray(7_000))
  assert.deepEqual(picture.result(), pictureOf(sound))
  assert.deepEqual(picture.result(), pictureOf(sound))
  const row = half.db.subarray(16 * half.columns, 17 * half.columns)
  assert.ok(row[5]! > -1 && row.at(-1) === floorDb)
})

test('Spectrogram is at the floor for silence, and shows a NaN', () => {
  assert.ok(pictureOf(new Float32Array(16_000)).db.every(level => level === floorDb))
  const sound = new Float32Array(16_000)
  sound[8_000] = NaN
  const { db } = pictureOf(sound)
  assert.ok(db.some(Number.isNaN) && db.some(level => level === floorDb))
})

test('Spectrogram copes with no sound, and with less than a window', () => {
  const empty = pictureOf(new Float32Array(0))
  assert.deepEqual([empty.columns, empty.db.length], [0, 0])
  const { columns, db } = pictureOf(Float32Array.of(1))
  assert.equal(columns, 1)
  assert.ok(db.every(level => level > floorDb))
})

test('Spectrogram refuses settings that make no sense, and more samples than were announced', () => {
  const good = { sampleRate: 16_000, totalSamples: 100 }
  const rates = [{ sampleRate: 0 }, { sampleRate: NaN }, { totalSamples: -1 }, { totalSamples: 1.5 }]
  for (const bad of [...rates, { maxColumns: 0 }, { fftSize: 500 }, { fftSize: 0 }]) {
    assert.throws(() => new Spectrogram({ ...good, ...bad }), /Cannot draw a spectrogram/)
  }
  assert.throws(() => new Spectrogram(good).push(new Float32Array(101)), /100 samples was pushed 101/)
})

test('Spectrogram tells two sines apart, and when each one sounds', () => {
  const sound = new Float32Array(32_000)
  sound.set(sine(1_000, 0.5, 16_000))
  sound.set(sine(3_000, 0.05, 16_000), 16_000)
  const { columns, db, hzPerRow, secondsPerColumn } = pictureOf(sound)
  const level = (hz: number, second: number): number =>
    db[Math.round(hz / hzPerRow) * columns + Math.floor(second / secondsPerColumn)]!
  assert.ok(Math.abs(level(1_000, 0.5) + 6.02) < 0.1 && Math.abs(level(3_000, 1.5) + 26.02) < 0.1)
  assert.ok(level(3_000, 0.5) < -80 && level(1_000, 1.5) < -80)
})

test('Spectrogram takes its rows from fftSize and the sample rate', () => {
  for (const fftSize of [64, 128, 1_024]) {
    const picture = new Spectrogram({ sampleRate: 8_000, totalSamples: 8_000, fftSize })
    picture.push(new Float32Array(8_000))
    const { rows, columns, db, hzPerRow, secondsPerColumn } = picture.result()
    assert.equal(rows, fftSize / 2 + 1)
    assert.equal((rows - 1) * hzPerRow, 4_000)
    assert.equal(db.length, rows * columns)
    assert.ok(columns <= 1_200 && Math.abs(columns * secondsPerColumn - 1) <= secondsPerColumn)
  }
})

test('Spectrogram in one column is the loudest moment of the whole sound', () => {
  const sound = sine(2_000, 0.01, 64_000)
  sound.set(sine(2_000, 0.5, 4_000), 30_000)
  const picture = new Spectrogram({ sampleRate: 16_000, totalSamples: sound.length, maxColumns: 1 })
  picture.push(sound)
  const { columns, db, secondsPerColumn } = picture.result()
  assert.equal(columns, 1)
  assert.ok(secondsPerColumn >= 4)
  assert.ok(Math.abs(db[64]! + 6.02) < 0.2)
})

test('Spectrogram holds no more for an hour than for a minute', () => {
  for (const seconds of [60, 3_600]) {
    const { db } = new Spectrogram({ sampleRate: 16_000, totalSamples: seconds * 16_000 }).result()
    assert.ok(db.length <= 1_200 * 257 && db.length > 600 * 257)
  }
})

test('Spectrogram spoils only the columns whose windows hold the NaN', () => {
  const sound = sine(1_000, 0.5, 16_000)
  sound[8_000] = NaN
  const { columns, db, secondsPerColumn } = pictureOf(sound)
  const spoilt = Array.from({ length: columns }, (_, column) => column).filter(column =>
    Number.isNaN(db[32 * columns + column]),
  )
  for (const column of spoilt) assert.ok(Math.abs((column + 0.5) * secondsPerColumn - 0.5) < 512 / 16_000)
  assert.ok(spoilt.length >= 4 && spoilt.length <= 9)
})
