import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import wavefile from 'wavefile'
import { audio, describeSound, type AudioOptions } from './audio.ts'
import { RunbookError } from '../../base/errors.ts'
import type { OutputRecord } from '../views/report.ts'

const folder = mkdtempSync(join(tmpdir(), 'audio-'))
const render = (sound: string | Uint8Array | Float32Array, o: AudioOptions = {}) =>
  audio(sound, o).render() as OutputRecord

/** A WAV file that another library wrote. */
function wav(channels: number, sampleRate: number, depth: string, samples: number[]): Uint8Array {
  const file = new wavefile.WaveFile()
  file.fromScratch(channels, sampleRate, depth, samples)
  return file.toBuffer()
}

const exits = (exit: string, words: RegExp) => (error: unknown) =>
  error instanceof RunbookError && error.exit === exit && words.test(error.message)

test('audio() puts a player with the whole sound into the page', () => {
  const bytes = wav(
    1,
    16_000,
    '16',
    Array.from({ length: 8000 }, (_, i) => (i === 5 ? 16_384 : 0)),
  )
  const output = render(bytes, { title: 'a "b"' })
  const player = /<audio controls preload="metadata" aria-label="a &quot;b&quot;" src="data:audio\/wav;base64,([^"]+)"/
  const [, inside] = player.exec(output.html!)!
  assert.deepEqual(Buffer.from(inside!, 'base64'), Buffer.from(bytes))
  assert.match(output.text, /\n0\.50 s, 16000 Hz, mono, pcm16, 16 kB, peak -6\.0 dBFS$/)
  assert.equal(output.markdown, null)
})

test('audio() reads a file by its path and links to it in Markdown', () => {
  mkdirSync(join(folder, 'a b'))
  const path = join(folder, 'a b', 'mix #1.wav')
  writeFileSync(path, wav(2, 44_100, '24', [0, 0, 1, 1]))
  const output = render(path, { runFolder: folder })
  assert.equal(output.title, 'mix #1.wav')
  assert.match(output.markdown!, /^\[mix #1\.wav\]\(a%20b\/mix%20%231\.wav\): 0\.00 s, 44100 Hz, stereo, pcm24/)
})

test('audio() links to a sound over 2 MB and reads no more of it than its header', () => {
  const path = join(folder, 'long.wav')
  writeFileSync(
    path,
    wav(
      1,
      8000,
      '16',
      Array.from({ length: 100 }, () => 1),
    ),
  )
  truncateSync(path, 50_000_000)
  const output = render(path)
  assert.equal(output.html!.includes('<audio'), false)
  assert.match(output.html!, /<a href="long\.wav">long\.wav<\/a>/)
  assert.match(output.text, /too large to be inside the report: see long\.wav$/)
  assert.ok(output.html!.length < 1000)
})

test('audio() writes samples as a WAV that another reader understands', () => {
  const output = render(Float32Array.from([0, 0.5, -1, 2, NaN]), { sampleRate: 8000 })
  const file = new wavefile.WaveFile(Buffer.from(/base64,([^"]+)/.exec(output.html!)![1]!, 'base64'))
  assert.deepEqual([...(file.getSamples(false, Int16Array) as unknown as Int16Array)], [0, 16_384, -32_767, 32_767, 0])
  assert.equal((file.fmt as { sampleRate: number }).sampleRate, 8000)
})

test('audio() says that a sound is silent, and stands an empty one', () => {
  assert.match(render(new Float32Array(80), { sampleRate: 8000 }).text, /0\.01 s, 8000 Hz, mono, pcm16, 204 B, silent$/)
  assert.equal(render(new Float32Array(0), { sampleRate: 8000 }).text, '0.00 s, 8000 Hz, mono, pcm16, 44 B')
})

test('audio() refuses samples without a rate', () => {
  assert.throws(() => render(new Float32Array(4)), exits('usage', /their rate is not given/))
})

test('audio() is blocked by a file that is absent, and refuses one that is no WAV', () => {
  assert.throws(() => render(join(folder, 'absent.wav')), exits('blocked', /ENOENT/))
  const path = join(folder, 'not.wav')
  writeFileSync(path, 'ID3 this is no WAV')
  assert.throws(() => render(path), exits('usage', /not a WAV file/))
  assert.throws(() => render(folder), exits('usage', /folder/))
})

test('audio() refuses a WAV that ends inside its header', () => {
  const bytes = wav(1, 8000, '16', [1, 2, 3])
  for (const end of [0, 11, 12, 30, 36]) {
    assert.throws(() => render(bytes.subarray(0, end)), exits('usage', /WAV file|header/), `cut at ${end}`)
  }
})

test('describeSound() counts only the data that is there when a file was cut short', () => {
  const bytes = wav(
    1,
    8000,
    '16',
    Array.from({ length: 8000 }, () => 1),
  )
  assert.equal(describeSound(bytes.subarray(0, 44 + 8000)).durationS, 0.5)
})

test('describeSound() knows the encodings and says what it does not know', () => {
  const depths = [
    ['8', 'pcm8'],
    ['16', 'pcm16'],
    ['24', 'pcm24'],
    ['32', 'pcm32'],
    ['32f', 'float32'],
    ['64', 'float64'],
  ] as const
  for (const [depth, encoding] of depths) {
    const sound = describeSound(wav(2, 48_000, depth, [0, 0, 0, 0]))
    assert.deepEqual(
      [sound.encoding, sound.channels, sound.sampleRate, sound.durationS * 48_000],
      [encoding, 2, 48_000, 2],
    )
  }
  const strange = wav(1, 8000, '16', [1])
  strange[20] = 99
  assert.equal(describeSound(strange).encoding, 'format 99, 16 bits')
  assert.equal(describeSound(strange).peaks, null)
})

test('describeSound() measures peaks of float samples too', () => {
  const { peaks } = describeSound(wav(1, 8000, '32f', [0.25, -0.5]))
  assert.deepEqual([...peaks!], [0.25, 0.5])
})
