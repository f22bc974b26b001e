import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs, { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire, syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { RunbookError } from '../../base/errors.ts'
import { needsTool } from '../../testing/needs.ts'
import { createWav, readWav, writeWav, type WavWriterOptions } from './index.ts'

const { WaveFile } = createRequire(import.meta.url)('wavefile') as typeof import('wavefile')

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'rungbook-'))
  t.after(() => rmSync(path, { recursive: true }))
  return path
}
const options = (over: Partial<WavWriterOptions> = {}): WavWriterOptions => ({
  sampleRate: 16000,
  channels: 1,
  encoding: 'pcm16',
  ...over,
})
const isUsage = (why: RegExp) => (error: unknown) =>
  error instanceof RunbookError && error.exit === 'usage' && error.hint !== '' && why.test(error.message)
const wave = (n: number, phase = 0) => Float32Array.from({ length: n }, (_, i) => 0.9 * Math.sin(i / 7 + phase))

test('writeWav() makes a file that wavefile reads back, in every encoding and in stereo', t => {
  const at = folder(t)
  const codes = { pcm16: '16', float32: '32f', mulaw: '8m' } as const
  for (const [encoding, code] of Object.entries(codes) as ['pcm16' | 'float32' | 'mulaw', string][]) {
    const path = join(at, `${encoding}.wav`)
    const channels = [wave(999), wave(999, 1)]
    writeWav(path, channels, { sampleRate: 22050, encoding })
    const oracle = new WaveFile(readFileSync(path))
    assert.equal(oracle.bitDepth, code)
    assert.deepEqual(oracle.fmt, { ...oracle.fmt, numChannels: 2, sampleRate: 22050 })
    if (encoding === 'mulaw') oracle.fromMuLaw('16')
    const scale = encoding === 'float32' ? 1 : 0x8000
    const samples = oracle.getSamples() as unknown as Float64Array[]
    const [left, right] = samples.map(channel => Float32Array.from(channel, value => value / scale))
    assert.deepEqual(readWav(path).channels, [left, right])
    const worst = Math.max(...channels[0]!.map((value, i) => Math.abs(value - left![i]!)))
    assert.ok(worst <= { pcm16: 0.51 / 0x8000, float32: 0, mulaw: 0.02 }[encoding], `${encoding}: ${worst}`)
  }
})

test('writeWav() makes a file of three channels that it and ffmpeg read', { skip: needsTool('ffmpeg') }, t => {
  const path = join(folder(t), 'x.wav')
  for (const encoding of ['pcm16', 'float32', 'mulaw'] as const) {
    writeWav(path, [wave(11), wave(11, 1), wave(11, 2)], { sampleRate: 16000, encoding })
    const { info, channels } = readWav(path)
    assert.deepEqual([info.encoding, info.channels, info.frames], [encoding, 3, 11])
    const bytes = execFileSync('ffmpeg', ['-v', 'fatal', '-i', path, '-f', 'f32le', '-'])
    const interleaved = Float32Array.from({ length: 33 }, (_, i) => channels[i % 3]![Math.floor(i / 3)]!)
    assert.deepEqual(new Float32Array(new Uint8Array(bytes).buffer), interleaved)
  }
})

test('writeWav() writes the lengths that the file has, with a byte of padding after an odd one', t => {
  const path = join(folder(t), 'x.wav')
  writeWav(path, [wave(3)], { sampleRate: 8000, encoding: 'mulaw' })
  const bytes = readFileSync(path)
  const data = bytes.indexOf('data', 0, 'latin1')
  const fact = bytes.indexOf('fact', 0, 'latin1')
  assert.equal(bytes.length % 2, 0)
  assert.equal(bytes.readUInt32LE(4), bytes.length - 8)
  assert.equal(bytes.readUInt32LE(data + 4), 3)
  assert.equal(bytes.readUInt32LE(fact + 8), 3)
  assert.equal(readWav(path).info.frames, 3)
})

test('writeWav() counts frames, not samples, in the fact chunk of a stereo file', t => {
  const path = join(folder(t), 'x.wav')
  writeWav(path, [wave(10), wave(10)], { sampleRate: 8000, encoding: 'mulaw' })
  const bytes = readFileSync(path)
  assert.equal(bytes.readUInt32LE(bytes.indexOf('fact', 0, 'latin1') + 8), 10)
})

test('writeWav() writes pcm16 unless asked otherwise, into a folder that it makes', t => {
  const path = join(folder(t), 'a', 'b', 'x.wav')
  writeWav(path, [wave(10)], { sampleRate: 8000 })
  assert.equal(readWav(path).info.encoding, 'pcm16')
})

test('append() in pieces makes the same file as one piece', t => {
  const at = folder(t)
  const channels = [wave(70_001), wave(70_001, 2)]
  for (const encoding of ['pcm16', 'float32', 'mulaw'] as const) {
    writeWav(join(at, 'one.wav'), channels, { sampleRate: 16000, encoding })
    using wav = createWav(join(at, 'many.wav'), options({ channels: 2, encoding }))
    for (let from = 0; from < 70_001; from += 4999)
      wav.append(channels.map(channel => channel.subarray(from, from + 4999)))
    wav.append([new Float32Array(0), new Float32Array(0)])
    wav.close()
    assert.deepEqual(readFileSync(join(at, 'many.wav')), readFileSync(join(at, 'one.wav')))
  }
})

test('close() is what puts the file in its place, and leaves nothing beside it', t => {
  const at = folder(t)
  const path = join(at, 'x.wav')
  writeFileSync(path, 'the old one')
  const wav = createWav(path, options())
  wav.append([wave(5)])
  assert.equal(readFileSync(path, 'utf8'), 'the old one')
  wav.close()
  wav.close()
  assert.equal(readWav(path).info.frames, 5)
  assert.deepEqual(readdirSync(at), ['x.wav'])
  assert.throws(() => wav.append([wave(5)]), /closed/)
})

test('createWav() that is never closed leaves the old file and no half of a new one', t => {
  const at = folder(t)
  writeFileSync(join(at, 'x.wav'), 'the old one')
  {
    using wav = createWav(join(at, 'x.wav'), options())
    wav.append([wave(5)])
  }
  assert.deepEqual(readdirSync(at), ['x.wav'])
  assert.equal(readFileSync(join(at, 'x.wav'), 'utf8'), 'the old one')
})

test('createWav() lets two writers of one name work side by side; the last to close wins', t => {
  const path = join(folder(t), 'x.wav')
  const [first, second] = [createWav(path, options()), createWav(path, options())]
  first.append([wave(5)])
  second.append([wave(6)])
  second.close()
  first.close()
  assert.equal(readWav(path).info.frames, 5)
})

test('append() refuses a NaN or an infinity, says where, and the file never appears', t => {
  const at = folder(t)
  for (const bad of [NaN, Infinity, -Infinity]) {
    const wav = createWav(join(at, 'x.wav'), options({ encoding: 'float32' }))
    wav.append([wave(100)])
    const why = new RegExp(`Cannot write ".*x\\.wav": sample 102 of channel 0 is ${bad}$`)
    assert.throws(() => wav.append([Float32Array.of(0, 0, bad)]), isUsage(why))
    wav.close()
    assert.deepEqual(readdirSync(at), [])
  }
})

test('clippedSamples counts what was beyond full scale, which is clipped', t => {
  const path = join(folder(t), 'x.wav')
  const wav = createWav(path, options())
  wav.append([Float32Array.of(1, -1, 1.5, -2, 0.5)])
  wav.close()
  assert.equal(wav.clippedSamples, 2)
  assert.deepEqual(readWav(path).channels, [Float32Array.of(32767 / 0x8000, -1, 32767 / 0x8000, -1, 0.5)])
  writeWav(path, [Float32Array.of(1.5)], { sampleRate: 16000, encoding: 'float32' })
  assert.deepEqual(readWav(path).channels, [Float32Array.of(1.5)])
})

test('append() refuses channels that are too few or of unlike length', t => {
  const path = join(folder(t), 'x.wav')
  const append = (...channels: Float32Array[]) => createWav(path, options({ channels: 2 })).append(channels)
  assert.throws(() => append(wave(5)), isUsage(/1 channels were given to a file of 2/))
  assert.throws(() => append(wave(5), wave(6)), isUsage(/5 and 6 samples/))
})

test('append() refuses more than 4 GiB before it writes a byte', t => {
  const at = folder(t)
  const one = new Float32Array(70_000)
  const many = Array.from({ length: 32_767 }, () => one)
  const write = () => writeWav(join(at, 'x.wav'), many, { sampleRate: 16000 })
  assert.throws(write, isUsage(/4587380068 bytes are more than the 4 GiB/))
  assert.deepEqual(readdirSync(at), [])
})

test('close() refuses a file without a sample', t => {
  const at = folder(t)
  assert.throws(() => createWav(join(at, 'x.wav'), options()).close(), isUsage(/it would hold no sample/))
  assert.throws(() => writeWav(join(at, 'x.wav'), [new Float32Array(0)], { sampleRate: 16000 }), isUsage(/no sample/))
  assert.deepEqual(readdirSync(at), [])
})

test('createWav() refuses impossible options and creates nothing', t => {
  const at = folder(t)
  const create = (over: Partial<WavWriterOptions>) => () => createWav(join(at, 'x.wav'), options(over))
  for (const channels of [0, -1, 1.5, 40_000, NaN]) assert.throws(create({ channels }), isUsage(/channels/))
  for (const sampleRate of [0, -1, 0.5, NaN, 2 ** 33]) assert.throws(create({ sampleRate }), isUsage(/Hz/))
  assert.deepEqual(readdirSync(at), [])
})

test('append() blocks when the disk is full, and takes its half away', t => {
  const at = folder(t)
  const wav = createWav(join(at, 'x.wav'), options())
  const full = t.mock.method(fs, 'writeSync', () => {
    throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
  })
  syncBuiltinESMExports()
  try {
    assert.throws(
      () => wav.append([wave(5)]),
      (error: unknown) => {
        return error instanceof RunbookError && error.exit === 'blocked' && /the disk is full/.test(error.hint)
      },
    )
  } finally {
    full.mock.restore()
    syncBuiltinESMExports()
  }
  wav.close()
  assert.deepEqual(readdirSync(at), [])
})

test('append() goes on when the system writes a part of what it was given', t => {
  const path = join(folder(t), 'x.wav')
  const real = fs.writeSync as (
    fd: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ) => number
  const partial = (fd: number, bytes: Uint8Array, offset: number, length: number, position: number) =>
    real(fd, bytes, offset, Math.min(length, 1000), position)
  const mocked = t.mock.method(fs, 'writeSync', partial as unknown as typeof fs.writeSync)
  syncBuiltinESMExports()
  try {
    writeWav(path, [wave(5000)], { sampleRate: 16000, encoding: 'float32' })
  } finally {
    mocked.mock.restore()
    syncBuiltinESMExports()
  }
  assert.deepEqual(readWav(path).channels, [wave(5000)])
})

test('createWav() blocks when a part of the path is a file, and close() refuses a target that is a folder', t => {
  const at = folder(t)
  writeFileSync(join(at, 'file'), '')
  assert.throws(
    () => createWav(join(at, 'file', 'x.wav'), options()),
    (error: unknown) => error instanceof RunbookError,
  )
  mkdirSync(join(at, 'dir.wav'))
  const wav = createWav(join(at, 'dir.wav'), options())
  wav.append([wave(5)])
  assert.throws(() => wav.close(), isUsage(/it is a folder/))
  assert.deepEqual(readdirSync(at).toSorted(), ['dir.wav', 'file'])
})

test(
  'writeWav() makes a file that ffmpeg reads to the same samples without a word',
  { skip: needsTool('ffmpeg') },
  t => {
    const path = join(folder(t), 'x.wav')
    for (const encoding of ['pcm16', 'float32', 'mulaw'] as const) {
      writeWav(path, [wave(1001), wave(1001, 1)], { sampleRate: 16000, encoding })
      assert.ok(existsSync(path))
      const bytes = execFileSync('ffmpeg', ['-v', 'error', '-xerror', '-i', path, '-f', 'f32le', '-'])
      const [left, right] = readWav(path).channels
      const interleaved = Float32Array.from({ length: 2002 }, (_, i) => (i % 2 ? right : left)![i >> 1]!)
      assert.deepEqual(new Float32Array(new Uint8Array(bytes).buffer), interleaved)
    }
  },
)
