import assert from 'node:assert/strict'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test from 'node:test'
import { openWav } from '../../formats/wav/index.ts'
import { scratch } from '../../testing/infer/fixtures.ts'
import { pickRecording, shippedMixtures } from './pick-recording.ts'

const inner = 'Libri2Mix/wav16k/min/test'

/** A LibriMix folder with these files in it, seen from the folder above `Libri2Mix`. */
function librimix(files: readonly string[]): string {
  const root = scratch()
  for (const file of files) {
    const path = join(root, inner, file)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, '')
  }
  return root
}

test('pickRecording() finds the first clean mixture from any folder between LibriMix and the mixtures', () => {
  const root = librimix(['mix_clean/b.wav', 'mix_clean/a.wav', 'mix_both/0.wav'])
  const want = join(root, inner, 'mix_clean/a.wav')
  for (const level of [
    '',
    'Libri2Mix',
    'Libri2Mix/wav16k',
    'Libri2Mix/wav16k/min',
    inner,
    `${inner}/mix_clean`,
    `${inner}/mix_clean/`,
  ]) {
    assert.deepEqual(
      pickRecording({ librimixRoot: join(root, level) }),
      { mix: want, references: null, from: 'LIBRIMIX_ROOT' },
      level,
    )
  }
})

test('pickRecording() takes a mixture with noise when there is no clean one, or when its folder is named', () => {
  const noisy = librimix(['mix_both/a.wav'])
  mkdirSync(join(noisy, inner, 'mix_clean'))
  assert.equal(pickRecording({ librimixRoot: noisy }).mix, join(noisy, inner, 'mix_both/a.wav'))
  const both = librimix(['mix_both/a.wav', 'mix_clean/b.wav'])
  assert.equal(pickRecording({ librimixRoot: join(both, inner, 'mix_both') }).mix, join(both, inner, 'mix_both/a.wav'))
})

test('pickRecording() takes the voices beside the mixture as references only when both are there', () => {
  const root = librimix(['mix_clean/a.wav', 's1/a.wav', 's2/a.wav'])
  const references = ['s1', 's2'].map(name => join(root, inner, name, 'a.wav'))
  assert.deepEqual(pickRecording({ librimixRoot: root }).references, references)
  assert.deepEqual(pickRecording({ mixWav: join(root, inner, 'mix_clean/a.wav') }).references, references)
  assert.equal(pickRecording({ librimixRoot: librimix(['mix_clean/a.wav', 's1/a.wav', 's2/b.wav']) }).references, null)
})

test('pickRecording() prefers the recording that is named, and does not look whether it is there', () => {
  const picked = pickRecording({ mixWav: '/nowhere/x.wav', librimixRoot: '/nowhere' })
  assert.deepEqual(picked, { mix: '/nowhere/x.wav', references: null, from: 'MIX_WAV' })
})

test('pickRecording() is blocked below a folder without mixtures, and says where it looked', () => {
  const roots = [
    join(scratch(), 'nothing'),
    scratch(),
    librimix(['mix_clean/readme.txt', 'mix_clean/._a.wav', 's1/a.wav']),
  ]
  for (const librimixRoot of roots) {
    assert.throws(() => pickRecording({ librimixRoot }), {
      exit: 'blocked',
      message: new RegExp(
        `Cannot find a mixture below "${librimixRoot}": there is no ${inner}/\\{mix_clean,mix_both\\}`,
      ),
      hint: /--mix-wav/,
    })
  }
})

test('pickRecording() is no bug when a file stands where the folder should be', () => {
  const root = scratch()
  writeFileSync(join(root, 'mix_clean'), '')
  assert.throws(() => pickRecording({ librimixRoot: root }), {
    exit: 'blocked',
    message: /Cannot list ".*mix_clean": ENOTDIR/,
  })
})

test('pickRecording() passes over hidden files and takes endings in capitals', () => {
  const root = librimix(['mix_clean/._a.wav', 'mix_clean/B.WAV', 'mix_clean/a.txt'])
  assert.equal(pickRecording({ librimixRoot: root }).mix, join(root, inner, 'mix_clean/B.WAV'))
})

test('pickRecording() gives a recording that ships with the project, with both voices', () => {
  const { mix, references, from } = pickRecording({})
  assert.equal(from, 'shipped')
  for (const path of [mix, ...references!]) {
    using wav = openWav(path)
    assert.deepEqual([wav.info.sampleRate, wav.info.frames], [16_000, 96_000])
  }
})

test('shippedMixtures() lists recordings that are there', () => {
  assert.ok(shippedMixtures().length >= 2)
  assert.ok(shippedMixtures().every(path => existsSync(path)))
})
