import assert from 'node:assert/strict'
import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { resampler } from './resample.ts'
import { concat, relativeError, scratch, voice, wavFile } from '../testing/infer/fixtures.ts'
import { openMono } from './mono-source.ts'

/** A WAV file by hand, for what our own writer does not write. */
function rawWav(o: { code: number; bits: number; data: Uint8Array; channels?: number; sampleRate?: number }): string {
  const { code, bits, data, channels = 1, sampleRate = 16_000 } = o
  const head = Buffer.alloc(44)
  const align = (channels * bits) / 8
  head.write('RIFF')
  head.writeUInt32LE(36 + data.length, 4)
  head.write('WAVEfmt ', 8)
  head.writeUInt32LE(16, 16)
  head.writeUInt16LE(code, 20)
  head.writeUInt16LE(channels, 22)
  head.writeUInt32LE(sampleRate, 24)
  head.writeUInt32LE(sampleRate * align, 28)
  head.writeUInt16LE(align, 32)
  head.writeUInt16LE(bits, 34)
  head.write('data', 36)
  head.writeUInt32LE(data.length, 40)
  const path = join(scratch(), 'raw.wav')
  writeFileSync(path, Buffer.concat([head, data]))
  return path
}

function readAll(path: string, sampleRate: number, sizes: readonly number[] = [1000]): Float32Array {
  using source = openMono(path, sampleRate)
  const pieces: Float32Array[] = []
  for (let i = 0; ; i++) {
    const piece = source.read(sizes[i % sizes.length]!)
    if (piece.length === 0) return concat(pieces)
    pieces.push(piece.slice())
  }
}

test('openMono() gives one channel at its own rate as it is, and says that nothing was done', () => {
  const samples = voice(50_000)
  const path = wavFile([samples], { encoding: 'float32' })
  using source = openMono(path, 16_000)
  assert.deepEqual(
    [source.totalSamples, source.mixdown, source.resampling],
    [50_000, 'none, one channel', 'none, already 16000 Hz'],
  )
  assert.deepEqual(readAll(path, 16_000), samples)
})

test('openMono() gives the same samples however they are asked for', () => {
  const path = wavFile([voice(40_000)], { sampleRate: 44_100 })
  const whole = readAll(path, 16_000, [40_000])
  for (const sizes of [[1], [16_384], [7, 5000, 1], [16_016]]) assert.deepEqual(readAll(path, 16_000, sizes), whole)
})

test('openMono() takes the mean over channels, as it says', () => {
  const [left, right] = [voice(3000), voice(3000, 11)]
  const path = wavFile([left, right], { encoding: 'float32' })
  using source = openMono(path, 16_000)
  assert.equal(source.mixdown, 'mean of 2 channels')
  assert.ok(
    relativeError(
      readAll(path, 16_000),
      left.map((value, i) => (value + right[i]!) / 2),
    ) < 1e-7,
  )
})

test('openMono() resamples with the method that it states, to exactly the length that it states', () => {
  for (const fromHz of [8000, 11_025, 22_050, 44_100, 48_000, 96_000]) {
    const samples = voice(fromHz + 37)
    const path = wavFile([samples], { sampleRate: fromHz, encoding: 'float32' })
    using source = openMono(path, 16_000)
    const oracle = resampler({ fromHz, toHz: 16_000 })
    const want = concat([oracle.push(samples), oracle.flush()])
    const have = readAll(path, 16_000)
    assert.equal(have.length, source.totalSamples)
    assert.deepEqual(have, want)
    assert.equal(source.resampling, `${fromHz} to 16000 Hz, ${oracle.method}`)
  }
})

test('openMono() keeps a tone at its pitch and its level when it resamples', () => {
  const tone = (rate: number) =>
    Float32Array.from({ length: rate }, (_, i) => 0.5 * Math.sin((2 * Math.PI * 440 * i) / rate))
  const have = readAll(wavFile([tone(44_100)], { sampleRate: 44_100, encoding: 'float32' }), 16_000)
  assert.ok(relativeError(have.subarray(500, 15_500), tone(16_000).subarray(500, 15_500)) < 1e-3)
})

test('openMono() reads 8, 24 and 32 bits, float and double to the same sound', () => {
  const samples = [0, 0.5, -0.5, 0.25, -1]
  const bytes = (of: (i: number, out: Buffer) => void, width: number) => {
    const out = Buffer.alloc(samples.length * width)
    for (const i of samples.keys()) of(i, out)
    return out
  }
  const files = [
    rawWav({ code: 1, bits: 8, data: bytes((i, out) => out.writeUInt8(128 + samples[i]! * 128, i), 1) }),
    rawWav({ code: 1, bits: 24, data: bytes((i, out) => out.writeIntLE(samples[i]! * 2 ** 23, i * 3, 3), 3) }),
    rawWav({ code: 1, bits: 32, data: bytes((i, out) => out.writeInt32LE(samples[i]! * 2 ** 31, i * 4), 4) }),
    rawWav({ code: 3, bits: 32, data: bytes((i, out) => out.writeFloatLE(samples[i]!, i * 4), 4) }),
    rawWav({ code: 3, bits: 64, data: bytes((i, out) => out.writeDoubleLE(samples[i]!, i * 8), 8) }),
  ]
  for (const path of files) assert.deepEqual([...readAll(path, 16_000)], samples)
})

test('openMono() refuses NaN, infinity and what is infinite in single precision where it meets them', () => {
  for (const odd of [Number.NaN, Infinity, 1e300]) {
    const data = Buffer.alloc(8 * 20_000)
    data.writeDoubleLE(odd, 8 * 18_000)
    using source = openMono(rawWav({ code: 3, bits: 64, data }), 16_000)
    assert.equal(source.read(16_000).length, 16_000)
    assert.throws(() => source.read(16_000), { exit: 'usage', message: /sample 18000 of channel 0 is (NaN|Infinity)/ })
  }
})

test('openMono() reads a recording of one sample', () => {
  assert.deepEqual([...readAll(wavFile([Float32Array.of(0.5)]), 16_000)], [0.5])
  assert.equal(readAll(wavFile([Float32Array.of(0.5)], { sampleRate: 44_100 }), 16_000).length, 1)
})

test('openMono() refuses what is absent, cut short, empty or no WAV', () => {
  const cut = wavFile([voice(1000)])
  truncateSync(cut, readFileSync(cut).length - 100)
  const text = join(scratch(), 'text.wav')
  writeFileSync(text, 'not sound')
  assert.throws(() => openMono(join(scratch(), 'no.wav'), 16_000), { exit: 'blocked', message: /no\.wav": ENOENT/ })
  assert.throws(() => openMono(cut, 16_000), { exit: 'usage', message: /it is cut short/ })
  assert.throws(() => openMono(text, 16_000), { exit: 'usage', message: /Cannot read ".*text\.wav"/ })
  assert.throws(() => openMono(rawWav({ code: 1, bits: 16, data: new Uint8Array(0) }), 16_000), {
    exit: 'usage',
    message: /it holds no sample/,
  })
})

test('openMono() refuses a rate that no recording has', () => {
  const path = rawWav({ code: 1, bits: 16, data: new Uint8Array(20), sampleRate: 4_000_000 })
  assert.throws(() => openMono(path, 16_000), { exit: 'usage', message: /its header says 4000000 Hz/ })
})

function isSilent(path: string): boolean {
  using source = openMono(path, 16_000)
  return source.isSilent()
}

test('isSilent() is true for zeros, and for channels that cancel out, however long', () => {
  const sound = voice(40_000)
  assert.equal(isSilent(wavFile([new Float32Array(40_000)])), true)
  assert.equal(isSilent(rawWav({ code: 1, bits: 8, data: new Uint8Array(100).fill(128) })), true)
  assert.equal(isSilent(wavFile([sound, sound.map(value => -value)], { encoding: 'float32' })), true)
})

test('isSilent() is false when a single sample is not zero', () => {
  const click = new Float32Array(40_000)
  click[39_999] = 1 / 32_768
  assert.equal(isSilent(wavFile([click])), false)
  assert.equal(isSilent(wavFile([new Float32Array(40_000), click])), false)
})

test('isSilent() leaves the source at its beginning', () => {
  const path = wavFile([voice(40_000)])
  using source = openMono(path, 16_000)
  assert.equal(source.isSilent(), false)
  assert.deepEqual(source.read(40_000), readAll(path, 16_000))
})
