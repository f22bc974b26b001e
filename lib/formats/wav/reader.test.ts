import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import fc from 'fast-check'
import { RunbookError } from '../../base/errors.ts'
import { fieldRecordings } from '../../testing/field-cases.ts'
import { dataPath, needsData, needsTool } from '../../testing/needs.ts'
import { openWav, readWav } from './index.ts'

const { WaveFile } = createRequire(import.meta.url)('wavefile') as typeof import('wavefile')

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'rungbook-'))
  t.after(() => rmSync(path, { recursive: true }))
  return path
}
/** A WAV file by wavefile; `channels` in the units of the encoding. */
function wavBy(path: string, code: string, channels: readonly (readonly number[])[], sampleRate = 16000): string {
  const wav = new WaveFile()
  const samples = channels.length === 1 ? Array.from(channels[0]!) : channels.map(channel => Array.from(channel))
  wav.fromScratch(channels.length, sampleRate, code, samples as number[])
  writeFileSync(path, wav.toBuffer())
  return path
}
const isUsage = (why: RegExp) => (error: unknown) =>
  error instanceof RunbookError && error.exit === 'usage' && error.hint !== '' && why.test(error.message)
const isBlocked = (error: unknown) => error instanceof RunbookError && error.exit === 'blocked'
const ffmpeg = (...args: string[]) => execFileSync('ffmpeg', ['-v', 'error', '-y', ...args], { maxBuffer: 1 << 26 })
const openFiles = () => readdirSync(`/proc/${process.pid}/fd`).length
const ramp = (n: number, step: number) => Array.from({ length: n }, (_, i) => (((i * 7919) % 200) - 100) * step)

test('readWav() reads every width that wavefile writes, in stereo', t => {
  const at = folder(t)
  const codes = {
    8: ['pcm8', 1 / 128, 128],
    16: ['pcm16', 1 / 2 ** 15, 0],
    24: ['pcm24', 1 / 2 ** 23, 0],
    32: ['pcm32', 1 / 2 ** 31, 0],
  } as const
  for (const [code, [encoding, scale, zero]] of Object.entries(codes)) {
    const [left, right] = [ramp(50, 1), ramp(50, -1)]
    const stored = [left, right].map(channel => channel.map(value => value + zero))
    const { info, channels } = readWav(wavBy(join(at, `${code}.wav`), code, stored, 44100))
    assert.deepEqual(info, {
      sampleRate: 44100,
      channels: 2,
      encoding,
      frames: 50,
      durationS: 50 / 44100,
      warnings: [],
    })
    assert.deepEqual(
      channels,
      [left, right].map(channel => Float32Array.from(channel, value => value * scale)),
    )
  }
})

test('readWav() reads the floats and the companded files of wavefile', t => {
  const at = folder(t)
  for (const [code, encoding] of [
    ['32f', 'float32'],
    ['64', 'float64'],
  ] as const) {
    const values = ramp(50, 0.013)
    const { info, channels } = readWav(wavBy(join(at, `${code}.wav`), code, [values]))
    assert.equal(info.encoding, encoding)
    assert.deepEqual(channels, [Float32Array.from(values)])
  }
  for (const [code, encoding] of [
    ['8m', 'mulaw'],
    ['8a', 'alaw'],
  ] as const) {
    const path = wavBy(join(at, `${code}.wav`), code, [[0, 1, 127, 128, 200, 255]])
    const oracle = new WaveFile(readFileSync(path))
    if (code === '8m') oracle.fromMuLaw('16')
    else oracle.fromALaw('16')
    const { info, channels } = readWav(path)
    assert.equal(info.encoding, encoding)
    assert.deepEqual(channels, [Float32Array.from(oracle.getSamples(), value => value / 0x8000)])
  }
})

test('read() gives the same samples in pieces as in one, and then nothing', t => {
  const path = wavBy(join(folder(t), 'x.wav'), '24', [ramp(70_001, 1), ramp(70_001, 3)])
  const whole = readWav(path).channels
  for (const maxFrames of [1009, 40_000, 70_001, 1_000_000]) {
    using wav = openWav(path)
    const pieces: Float32Array[][] = []
    for (let piece = wav.read(maxFrames); piece.length > 0; piece = wav.read(maxFrames)) pieces.push(piece)
    assert.ok(pieces.every(piece => piece.length === 2 && piece[0]!.length <= maxFrames))
    for (const c of [0, 1])
      assert.deepEqual(
        pieces.flatMap(piece => Array.from(piece[c]!)),
        Array.from(whole[c]!),
      )
    assert.deepEqual(wav.read(maxFrames), [])
  }
})

test('read() leaves earlier pieces alone', t => {
  using wav = openWav(wavBy(join(folder(t), 'x.wav'), '16', [[1, 2, 3, 4]]))
  const [first] = wav.read(2)
  wav.read(2)
  assert.deepEqual(first, Float32Array.of(1 / 0x8000, 2 / 0x8000))
})

test('read() refuses a count that is none, and a reader that is closed', t => {
  const wav = openWav(wavBy(join(folder(t), 'x.wav'), '16', [[1, 2]]))
  for (const count of [0, -1, 1.5, NaN, Infinity]) assert.throws(() => wav.read(count), RangeError)
  wav.close()
  wav.close()
  assert.throws(() => wav.read(1), /closed/)
})

test('read() refuses a NaN and an infinity, and says where', t => {
  const at = folder(t)
  const nan = wavBy(join(at, 'nan.wav'), '32f', [
    [0, 0, 0],
    [0, NaN, 0],
  ])
  assert.throws(() => readWav(nan), isUsage(/sample 1 of channel 1 is NaN/))
  // 1e300 is a fine float64 and no float32.
  assert.throws(
    () => readWav(wavBy(join(at, 'huge.wav'), '64', [[0, 1e300]])),
    isUsage(/sample 1 of channel 0 is Infinity/),
  )
})

test('read() refuses float sound on the scale of integers, and lets a peak above full scale pass', t => {
  const at = folder(t)
  const loud = wavBy(join(at, 'loud.wav'), '32f', [[0.1, -3, 2.5]])
  assert.deepEqual(
    Array.from(readWav(loud).channels[0]!, value => Math.round(value * 10)),
    [1, -30, 25],
  )
  for (const scale of [32768, 2 ** 23, 128]) {
    const path = wavBy(join(at, 'scaled.wav'), '32f', [[0.001 * scale, 0.7 * scale]])
    assert.throws(() => readWav(path), isUsage(/is on the scale of integers/))
  }
})

test('read() gives RIFX, low-standing and high-standing samples their value', t => {
  const path = join(folder(t), 'x.wav')
  const plain = readFileSync(wavBy(path, '24', [[-8388608, 4194304, 1, 0, 77, -4, 9, 8, 7, 6, 5, 4]]))
  const expected = Array.from(readWav(path).channels[0]!)
  const wide = (shift: number) => {
    const data = Buffer.alloc(48)
    for (let i = 0; i < 12; i++) data.writeInt32LE(plain.readIntLE(44 + 3 * i, 3) * 2 ** shift, 4 * i)
    const head = Buffer.from(plain.subarray(0, 44))
    head.writeUInt16LE(4, 32)
    head.writeUInt32LE(48, 40)
    return Buffer.concat([head, data])
  }
  const big = Buffer.from(plain)
  big.write('RIFX', 'latin1')
  for (const at of [4, 16, 24, 28, 40]) big.subarray(at, at + 4).reverse()
  for (const at of [20, 22, 32, 34]) big.subarray(at, at + 2).reverse()
  for (let i = 0; i < 12; i++) big.subarray(44 + 3 * i, 47 + 3 * i).reverse()
  for (const [name, bytes] of Object.entries({ high: wide(8), low: wide(0), big })) {
    writeFileSync(path, bytes)
    assert.deepEqual(Array.from(readWav(path).channels[0]!), expected, name)
  }
})

test('read() refuses a file that got shorter after it was opened', t => {
  const path = wavBy(join(folder(t), 'x.wav'), '16', [ramp(100, 1)])
  using wav = openWav(path)
  truncateSync(path, 60)
  assert.throws(() => wav.read(100), isUsage(/it became shorter than its 100 frames/))
})

test('openWav() reads a recording of an hour in pieces without its size in memory', t => {
  // A sparse file: 3600 s at 16 kHz, 115 MB of zeros that take no room on the disk.
  const path = wavBy(join(folder(t), 'hour.wav'), '16', [[0]])
  const bytes = readFileSync(path).subarray(0, 44)
  bytes.writeUInt32LE(115_200_000, 40)
  bytes.writeUInt32LE(115_200_036, 4)
  writeFileSync(path, bytes)
  truncateSync(path, 115_200_044)
  const before = process.memoryUsage().arrayBuffers
  using wav = openWav(path)
  assert.equal(wav.info.durationS, 3600)
  assert.equal(wav.read(16_000)[0]!.length, 16_000)
  assert.ok(process.memoryUsage().arrayBuffers - before < 4 << 20)
})

test('openWav() blocks when the file is absent', t => {
  assert.throws(() => openWav(join(folder(t), 'none.wav')), isBlocked)
})

test('openWav() refuses a folder, and a pipe without waiting for a writer', { skip: needsTool('mkfifo') }, t => {
  const at = folder(t)
  mkdirSync(join(at, 'dir.wav'))
  assert.throws(() => openWav(join(at, 'dir.wav')), isUsage(/it is a folder, not a file/))
  execFileSync('mkfifo', [join(at, 'pipe.wav')])
  assert.throws(() => openWav(join(at, 'pipe.wav')), isUsage(/a pipe or a device/))
})

test('openWav() closes the file when it refuses it', { skip: needsTool('/proc/self/fd') }, t => {
  const path = join(folder(t), 'x.wav')
  writeFileSync(path, 'no sound')
  const before = openFiles()
  for (let n = 0; n < 20; n++) assert.throws(() => openWav(path), isUsage(/text/))
  assert.ok(openFiles() < before + 10)
})

test('readWav() of changed or cut bytes is sound or one operating error, never anything else', t => {
  const path = join(folder(t), 'x.wav')
  const files = ['8', '16', '24', '32f', '64', '8m'].map(code =>
    readFileSync(
      wavBy(path, code, [
        [0, 1, 0, 1],
        [1, 0, 1, 0],
      ]),
    ),
  )
  const change = fc.record({ at: fc.nat(200), byte: fc.nat(255) })
  fc.assert(
    fc.property(fc.constantFrom(...files), fc.array(change, { maxLength: 4 }), fc.nat(30), (file, changes, cut) => {
      const bytes = Buffer.from(file.subarray(0, file.length - Math.max(0, cut - 20)))
      for (const { at, byte } of changes) bytes[at % bytes.length] = byte
      writeFileSync(path, bytes)
      try {
        const { info, channels } = readWav(path)
        assert.ok(channels.length === info.channels && channels.every(channel => channel.length === info.frames))
      } catch (error) {
        if (!(error instanceof RunbookError)) throw error
      }
    }),
    { numRuns: 500 },
  )
})

test('readWav() agrees with ffmpeg on every encoding', { skip: needsTool('ffmpeg') }, t => {
  const at = folder(t)
  const codecs = {
    pcm_u8: 'pcm8',
    pcm_s16le: 'pcm16',
    pcm_s24le: 'pcm24',
    pcm_s32le: 'pcm32',
    pcm_f32le: 'float32',
    pcm_f64le: 'float64',
    pcm_mulaw: 'mulaw',
    pcm_alaw: 'alaw',
  }
  for (const [codec, encoding] of Object.entries(codecs)) {
    const path = join(at, `${codec}.wav`)
    ffmpeg('-f', 'lavfi', '-i', 'sine=d=0.1:r=22050', '-ac', '2', '-c:a', codec, path)
    const floats = new Uint8Array(ffmpeg('-i', path, '-f', 'f32le', '-'))
    const oracle = new Float32Array(floats.buffer)
    const {
      info,
      channels: [left, right],
    } = readWav(path)
    assert.deepEqual([info.encoding, info.sampleRate, info.frames], [encoding, 22050, 2205])
    const isNear = (channel: Float32Array, c: number) =>
      channel.every((value, i) => Math.abs(value - oracle[2 * i + c]!) < 1e-7)
    assert.ok(isNear(left!, 0) && isNear(right!, 1), codec)
  }
})

test('readWav() reads what ffmpeg writes into a pipe, and RF64', { skip: needsTool('ffmpeg') }, t => {
  const at = folder(t)
  const sine = ['-f', 'lavfi', '-i', 'sine=d=0.1:r=16000']
  writeFileSync(join(at, 'pipe.wav'), ffmpeg(...sine, '-f', 'wav', '-'))
  ffmpeg(...sine, '-rf64', 'always', join(at, 'rf64.wav'))
  const [pipe, rf64] = ['pipe', 'rf64'].map(name => readWav(join(at, `${name}.wav`)))
  assert.equal(pipe!.info.frames, 1600)
  assert.deepEqual(rf64, pipe)
})

test('readWav() reads a real recording', { skip: needsData('speech/jfk.wav') }, () => {
  const { info, channels } = readWav(dataPath('speech/jfk.wav'))
  assert.deepEqual(info, {
    sampleRate: 16000,
    channels: 1,
    encoding: 'pcm16',
    frames: 176000,
    durationS: 11,
    warnings: [],
  })
  assert.ok(statSync(dataPath('speech/jfk.wav')).size > 2 * 176000)
  assert.ok(channels[0]!.some(value => Math.abs(value) > 0.1))
})

test('openWav() names the real MP3 and FLAC', { skip: needsData('speech/jfk.mp3') }, () => {
  assert.throws(() => openWav(dataPath('speech/jfk.mp3')), isUsage(/it is an MP3/))
  assert.throws(() => openWav(dataPath('speech/jfk.flac')), isUsage(/it is FLAC/))
})

test('readWav() gives every recording of the field its right answer', { skip: needsData('field/cases.tsv') }, () => {
  for (const [name, wanted] of Object.entries(fieldRecordings)) {
    const path = dataPath(`field/wav/${name}.wav`)
    if ('refused' in wanted) {
      assert.throws(() => readWav(path), { exit: 'usage', message: wanted.refused, hint: wanted.hint }, name)
      continue
    }
    const { info, channels } = readWav(path)
    const peak = channels[0]!.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    assert.equal(info.frames, wanted.frames, name)
    assert.ok(peak > 0.3 && peak <= 1, `${name} peaks at ${peak}`)
    if (wanted.warns) assert.match(info.warnings.join(), wanted.warns, name)
  }
})
