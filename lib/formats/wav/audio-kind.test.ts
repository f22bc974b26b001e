import assert from 'node:assert/strict'
import test from 'node:test'
import { fileKindOf } from './audio-kind.ts'

const kindOf = (text: string) => fileKindOf(Buffer.from(text, 'latin1'))

test('fileKindOf() knows sound formats by their first bytes', () => {
  const sounds = {
    'ID3\x04\0\0': 'an MP3',
    '\xff\xfb\x90\x64': 'an MP3',
    'fLaC\0\0\0\x22': 'FLAC',
    'OggS\0\x02': 'Ogg (Vorbis or Opus)',
    '\0\0\0\x20ftypM4A ': 'an MP4 or M4A',
    'FORM\0\0\0\0AIFF': 'AIFF',
    'RIFX\0\0\0\0WAVE': 'a big-endian WAV (RIFX)',
    'riff\x2e\x91\xcf\x11': 'a Wave64 file',
    'RIFF\0\0\0\0AVI LIST': 'an AVI',
    '\x1aE\xdf\xa3': 'WebM or Matroska',
  }
  for (const [head, name] of Object.entries(sounds)) assert.deepEqual(kindOf(head), { name, isSound: true })
})

test('fileKindOf() knows what is no sound', () => {
  assert.deepEqual(kindOf('PK\x03\x04\x14'), { name: 'a zip', isSound: false })
  assert.deepEqual(kindOf('version https://git-lfs.github.com/spec/v1\n'), {
    name: 'a git-lfs pointer',
    isSound: false,
  })
  assert.deepEqual(kindOf('# a list of files\r\n\tone.wav\n'), { name: 'text', isSound: false })
})

test('fileKindOf() says nothing of bytes that it does not know', () => {
  assert.equal(kindOf(''), null)
  assert.equal(kindOf('\0\x01\x02\x03'), null)
  assert.equal(kindOf('RIFF'), null)
  assert.equal(kindOf('\x80\x86\x8c\x91\x96\x9b\xa0\xa5'), null)
  assert.equal(kindOf('\xd5\x55\xd4\x54\xd7\x57\xd6\x56'), null)
})
