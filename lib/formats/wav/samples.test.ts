import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import test from 'node:test'
import type { WavEncoding } from './format.ts'
import { sampleBytes, sampleDecoder, sampleEncoder } from './samples.ts'

const { WaveFile } = createRequire(import.meta.url)('wavefile') as typeof import('wavefile')

/** Decode bytes given as hex. */
function decoded(encoding: WavEncoding, hex: string): number[] {
  const bytes = Uint8Array.from(Buffer.from(hex, 'hex'))
  const sample = sampleDecoder(encoding, bytes.buffer)
  return Array.from({ length: bytes.length / sampleBytes[encoding] }, (_, i) => sample(i))
}

/** Encode values; hex. */
function encoded(encoding: 'pcm16' | 'float32' | 'mulaw', values: readonly number[]): string {
  const bytes = new Uint8Array(values.length * sampleBytes[encoding])
  const store = sampleEncoder(encoding, bytes.buffer)
  for (const [i, value] of values.entries()) store(i, value)
  return Buffer.from(bytes).toString('hex')
}

test('sampleDecoder() gives the extremes and the zero of every integer width', () => {
  assert.deepEqual(decoded('pcm8', '0080ff'), [-1, 0, 127 / 128])
  assert.deepEqual(decoded('pcm16', '00800000ff7f'), [-1, 0, 32767 / 32768])
  assert.deepEqual(decoded('pcm24', '000080000000ffff7fffffff'), [-1, 0, (2 ** 23 - 1) / 2 ** 23, -1 / 2 ** 23])
  assert.deepEqual(decoded('pcm32', '0000008000000000ffffff7f'), [-1, 0, (2 ** 31 - 1) / 2 ** 31])
})

test('sampleDecoder() reads floats as they are, beyond full scale too', () => {
  assert.deepEqual(decoded('float32', '000020400000c07f'), [2.5, NaN])
  assert.deepEqual(decoded('float64', '00000000000004c0'), [-2.5])
})

test('sampleDecoder() sees bytes that come into the buffer later', () => {
  const bytes = new Uint8Array(2)
  const sample = sampleDecoder('pcm16', bytes.buffer)
  bytes.set([0, 0x40])
  assert.equal(sample(0), 0.5)
})

test('sampleDecoder() of mu-law and A-law agrees with wavefile on all 256 codes', () => {
  const codes = Uint8Array.from({ length: 256 }, (_, code) => code)
  const mulaw = new WaveFile()
  mulaw.fromScratch(1, 8000, '8m', codes)
  mulaw.fromMuLaw('16')
  assert.deepEqual(
    decoded('mulaw', Buffer.from(codes).toString('hex')),
    Array.from(mulaw.getSamples(), value => value / 0x8000),
  )
  const alaw = new WaveFile()
  alaw.fromScratch(1, 8000, '8a', codes)
  alaw.fromALaw('16')
  assert.deepEqual(
    decoded('alaw', Buffer.from(codes).toString('hex')),
    Array.from(alaw.getSamples(), value => value / 0x8000),
  )
})

test('sampleEncoder() of mu-law takes every code back to itself, but for the second zero', () => {
  const codes = Buffer.from(Uint8Array.from({ length: 256 }, (_, code) => code)).toString('hex')
  assert.equal(encoded('mulaw', decoded('mulaw', codes)), codes.replace('7e7f80', '7eff80'))
})

test('sampleEncoder() of mu-law is within half a step of the sample', () => {
  for (let sample = -0x8000; sample < 0x8000; sample += 13) {
    const [back] = decoded('mulaw', encoded('mulaw', [sample / 0x8000]))
    const stepOver2 = Math.max(4, (Math.abs(sample) + 132) / 32)
    const isClipped = Math.abs(sample) > 32635
    assert.ok(isClipped || Math.abs(back! * 0x8000 - sample) <= stepOver2, `${sample} came back as ${back! * 0x8000}`)
  }
})

test('sampleEncoder() of pcm16 takes all 65536 samples back to themselves', () => {
  const all = Buffer.from(Int16Array.from({ length: 65536 }, (_, i) => i - 0x8000).buffer).toString('hex')
  assert.equal(encoded('pcm16', decoded('pcm16', all)), all)
})

test('sampleEncoder() of pcm16 rounds to the nearest sample, the same on both sides of zero', () => {
  const step = 1 / 0x8000
  const values = [0.49, -0.49, 0.5, -0.5, 0.51, -0.51, 1.49].map(value => value * step)
  assert.equal(encoded('pcm16', values), '000000000100ffff0100ffff0100')
})

test('sampleEncoder() clips pcm16 and mulaw, and leaves float32', () => {
  assert.equal(encoded('pcm16', [1, 1.5, -1, -1.5, 0.99999]), 'ff7fff7f00800080ff7f')
  assert.equal(encoded('mulaw', [2, -2]), '8000')
  assert.equal(encoded('float32', [2.5]), '00002040')
})
