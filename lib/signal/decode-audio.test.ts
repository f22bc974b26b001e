import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { hasCode } from '../base/errors.ts'
import { needsTool } from '../testing/needs.ts'
import { decodeAudio, type AudioErrorCode } from './decode-audio.ts'

const folder = mkdtempSync(join(tmpdir(), 'audio-'))
after(() => rmSync(folder, { recursive: true }))
const skip = needsTool('ffmpeg')
const usual = { sampleRate: 16_000, secondsMax: 30 }
const ffmpeg = (...argv: string[]) => execFileSync('ffmpeg', ['-nostdin', '-loglevel', 'error', '-y', ...argv])
const at = (name: string) => join(folder, name)

/** One second of a 440 Hz tone at half of full scale, as any file that ffmpeg writes. */
function tone(name: string, ...how: string[]): string {
  ffmpeg('-f', 'lavfi', '-i', 'aevalsrc=0.5*sin(2*PI*440*t):s=44100:d=1', ...how, at(name))
  return at(name)
}
const refused = async (path: string, code: AudioErrorCode, o = {}) =>
  await assert.rejects(decodeAudio(path, { ...usual, ...o }), thrown => hasCode(thrown, code))
const left = () => readdirSync(tmpdir()).filter(name => name.startsWith('decode-'))

test('decodeAudio() gives the same sound from every container and codec', { skip }, async () => {
  const files = [
    tone('a.wav'),
    tone('a.mp3'),
    tone('a.flac'),
    tone('a.ogg', '-c:a', 'libvorbis'),
    tone('a.webm', '-c:a', 'libopus'),
    tone('a.m4a', '-c:a', 'aac'),
    tone('a-24.wav', '-c:a', 'pcm_s24le'),
    tone('a-mulaw.wav', '-c:a', 'pcm_mulaw'),
  ]
  for (const file of files) {
    const { samples, seconds, by } = await decodeAudio(file, usual)
    assert.equal(by, file.endsWith('.wav') ? 'wav' : 'ffmpeg', file)
    assert.ok(Math.abs(seconds - 1) < 0.1, `${file} lasts ${seconds} s`)
    const middle = samples.subarray(4000, 12_000)
    const rms = Math.sqrt(middle.reduce((sum, value) => sum + value * value, 0) / middle.length)
    assert.ok(Math.abs(rms - 0.5 / Math.SQRT2) < 0.02, `${file} has an RMS of ${rms}`)
    const crossings = middle.filter((value, i) => i > 0 && value > 0 && middle[i - 1]! <= 0).length
    assert.ok(Math.abs(crossings - 220) <= 3, `${file} crosses zero ${crossings} times`)
  }
  assert.deepEqual(left(), [])
})

test('decodeAudio() goes by content when the extension lies', { skip }, async () => {
  writeFileSync(at('really-mp3.wav'), readFileSync(tone('b.mp3')))
  writeFileSync(at('really-wav.mp3'), readFileSync(tone('b.wav')))
  assert.equal((await decodeAudio(at('really-mp3.wav'), usual)).by, 'ffmpeg')
  assert.equal((await decodeAudio(at('really-wav.mp3'), usual)).by, 'wav')
})

test(
  'decodeAudio() refuses a recording that is too long, by either way, and takes one that just fits',
  { skip },
  async () => {
    for (const file of [tone('c.wav'), tone('c.flac')]) {
      await refused(file, 'audio_too_long', { secondsMax: 0.5 })
      assert.equal((await decodeAudio(file, { ...usual, secondsMax: 1 })).samples.length, 16_000)
    }
  },
)

test('decodeAudio() refuses what holds no sound, and names ffmpeg’s reason', { skip }, async () => {
  ffmpeg('-f', 'lavfi', '-i', 'testsrc=d=0.2:s=32x32', at('film.mp4'))
  writeFileSync(at('text.mp3'), 'this is a text\n'.repeat(50))
  writeFileSync(at('zero.wav'), '')
  for (const name of ['film.mp4', 'text.mp3', 'zero.wav']) await refused(at(name), 'audio_unsupported')
  assert.deepEqual(left(), [])
})

test('decodeAudio() reads no file but the one that it was given', { skip }, async () => {
  const secret = tone('secret.wav')
  writeFileSync(at('list.m3u8'), `#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n${secret}\n#EXT-X-ENDLIST\n`)
  writeFileSync(at('list.ffconcat'), `ffconcat version 1.0\nfile secret.wav\n`)
  writeFileSync(at('list.wav'), `ffconcat version 1.0\nfile secret.wav\n`)
  for (const name of ['list.m3u8', 'list.ffconcat', 'list.wav']) await refused(at(name), 'audio_unsupported')
})

test('decodeAudio() refuses a cut file, or gives what there is, and never hangs', { skip }, async () => {
  for (const [name, how] of [
    ['d.m4a', 'aac'],
    ['d.flac', 'flac'],
    ['d.webm', 'libopus'],
  ] as const) {
    const file = tone(name, '-c:a', how)
    for (const bytes of [16, 200, 2000]) {
      truncateSync(file, bytes)
      try {
        assert.ok((await decodeAudio(file, usual)).seconds <= 1.1)
      } catch (thrown) {
        assert.ok(hasCode(thrown, 'audio_unsupported') || hasCode(thrown, 'audio_empty'), String(thrown))
      }
    }
  }
})

test('decodeAudio() stops ffmpeg when its time is over or the caller is gone', { skip }, async () => {
  const file = tone('e.flac')
  await refused(file, 'audio_timeout', { timeoutMs: 0 })
  await assert.rejects(decodeAudio(file, { ...usual, signal: AbortSignal.abort() }), { exit: 'interrupted' })
  assert.deepEqual(left(), [])
})

test('decodeAudio() is blocked when the file is absent', async () => {
  await assert.rejects(decodeAudio(at('none.wav'), usual), { exit: 'blocked' })
})
