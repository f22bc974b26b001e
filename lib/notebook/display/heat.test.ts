import assert from 'node:assert/strict'
import test from 'node:test'
import { unzlibSync } from 'fflate'
import { heatPalette, indicesFromDb, spectrogram, ticks, type SpectrogramResult } from './heat.ts'
import type { OutputRecord } from '../views/report.ts'

const result = (over: Partial<SpectrogramResult> = {}): SpectrogramResult => ({
  columns: 2,
  rows: 2,
  db: Float32Array.from([0, -40, -80, -120]),
  secondsPerColumn: 0.5,
  hzPerRow: 4000,
  ...over,
})

const render = (over: Partial<SpectrogramResult> = {}, title = 't') =>
  spectrogram(result(over), { title }).render() as OutputRecord

/** The pixels of the PNG inside a display, one list per line from the top. */
function pixelsOf(output: OutputRecord, columns: number): number[][] {
  const png = Buffer.from(output.mime['image/png'] as string, 'base64')
  const at = png.indexOf('IDAT')
  const raw = unzlibSync(png.subarray(at + 4, at + 4 + png.readUInt32BE(at - 4)))
  const stride = columns + 1
  return Array.from({ length: raw.length / stride }, (_, row) => [
    ...raw.subarray(row * stride + 1, (row + 1) * stride),
  ])
}

test('spectrogram() of silence is dark, and says so', () => {
  const { text } = spectrogram({
    columns: 4,
    rows: 3,
    db: new Float32Array(12).fill(-100),
    secondsPerColumn: 1,
    hzPerRow: 1,
  }).render() as { text: string }
  assert.match(text, /silent$/)
  assert.doesNotMatch(text, /█/)
})

test('spectrogram() puts low frequencies at the bottom and time to the right', () => {
  assert.deepEqual(pixelsOf(render(), 2), [
    [0, 0],
    [255, 128],
  ])
})

test('spectrogram() scales to its own loudest point', () => {
  assert.deepEqual(pixelsOf(render({ db: Float32Array.from([-60, -100, -140, -200]) }), 2), [
    [0, 0],
    [255, 128],
  ])
})

test('spectrogram() draws NaN and minus infinity as silence', () => {
  assert.deepEqual(pixelsOf(render({ db: Float32Array.from([-10, NaN, -Infinity, -10]) }), 2), [
    [0, 255],
    [255, 0],
  ])
})

test('spectrogram() says that all is silent', () => {
  const output = render({ db: new Float32Array(4).fill(-Infinity) })
  assert.deepEqual(pixelsOf(output, 2), [
    [0, 0],
    [0, 0],
  ])
  assert.match(output.text, /0 to 1 s, 0 to 8 kHz, silent$/)
})

test('spectrogram() states its axes and its depth in words and shows shades in a terminal', () => {
  const output = render()
  assert.equal(output.text, '\n█▒\n0 to 1 s, 0 to 8 kHz, loudest 0 dB, 80 dB deep')
})

test('spectrogram() labels both axes in HTML, and carries its picture inside', () => {
  const { html } = render({}, '<b>"x"')
  assert.match(html!, /src="data:image\/png;base64,/)
  assert.match(html!, /alt="spectrogram of &lt;b&gt;&quot;x&quot;: 0 to 1 s/)
  for (const label of ['>0<', '>2<', '>8<', '>1<', 'kHz over seconds']) assert.ok(html!.includes(label), label)
  assert.equal(/https?:/.test(html!), false)
})

test('spectrogram() keeps its terminal version to 64 by 8 characters', () => {
  const [columns, rows] = [1000, 129]
  const output = render({ columns, rows, db: new Float32Array(columns * rows) })
  const lines = output.text.split('\n')
  assert.equal(lines.length, 9)
  assert.equal(lines[0], '█'.repeat(64))
})

test('spectrogram() refuses values that do not fit the shape, and no values', () => {
  assert.throws(() => spectrogram(result({ columns: 3 })), /Cannot show a spectrogram of 2 x 3: it holds 4 values/)
  assert.throws(() => spectrogram(result({ columns: 0, db: new Float32Array(0) })), /holds 0 values/)
})

test('heatPalette grows lighter with every step, so that it also reads in grey', () => {
  const light = Array.from({ length: 256 }, (_, i) => {
    const [r, g, b] = heatPalette.subarray(i * 3, i * 3 + 3)
    return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!
  })
  assert.equal(heatPalette.length, 768)
  for (let i = 1; i < 256; i++) assert.ok(light[i]! > light[i - 1]! - 0.5, `step ${i}`)
  assert.ok(light[0]! < 10 && light[255]! > 235)
})

test('indicesFromDb() clamps at both ends', () => {
  assert.deepEqual(
    [...indicesFromDb(Float32Array.from([-200, -80, -40, 0, 20, NaN]), { floor: -80, top: 0 })],
    [0, 0, 128, 255, 255, 0],
  )
})

test('ticks() are round and stay inside', () => {
  assert.deepEqual(ticks(8, 4), [0, 2, 4, 6, 8])
  assert.deepEqual(ticks(5.9, 6), [0, 1, 2, 3, 4, 5])
  assert.deepEqual(ticks(0.3, 3), [0, 0.1, 0.2, 0.3])
  assert.deepEqual([ticks(0, 4), ticks(NaN, 4), ticks(Infinity, 4)], [[0], [0], [0]])
})

test('spectrogram() weighs little: ten minutes at most a few hundred kilobytes', () => {
  const [columns, rows] = [1200, 128]
  const db = Float32Array.from({ length: columns * rows }, (_, i) => -60 * Math.abs(Math.sin(i * 0.013)) - (i % 11))
  const output = render({ columns, rows, db, secondsPerColumn: 0.5, hzPerRow: 62.5 })
  assert.ok(output.html!.length < 300_000, `${output.html!.length} characters`)
  assert.ok(output.html!.includes('>600<'), 'the axis goes to ten minutes')
})

test('spectrogram() draws one column and one row', () => {
  const output = render({ columns: 1, rows: 1, db: Float32Array.from([-3]) })
  assert.deepEqual(pixelsOf(output, 1), [[255]])
  assert.match(output.text, /^█\n/)
})
