import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs, { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import test from 'node:test'
import { readWav } from '../../../formats/wav/index.ts'
import { siSdrDb } from '../../../signal/metrics.ts'
import { diskOf, relativeError, sampleRate, scratch, voice, wavFile } from '../../../testing/infer/fixtures.ts'
import { openOutputs, soundNames } from './outputs.ts'

const half = (samples: Float32Array) => samples.map(value => value / 2)
const base = (folder: string, samples: number) => ({ folder, sampleRate, samples, sources: 2, references: null })

test("soundNames() are the plan's, one for each source", () => {
  assert.deepEqual(soundNames(2), ['mix', 'sep_src1', 'sep_src2'])
  assert.deepEqual(soundNames(1), ['mix', 'sep_src1'])
})

test('openOutputs() writes what was pushed, and nothing is seen before it is finished', () => {
  const folder = scratch()
  const mix = voice(1000)
  using outputs = openOutputs(base(folder, 1000))
  outputs.push(mix.subarray(0, 300), [half(mix).subarray(0, 300), mix.subarray(0, 300)])
  outputs.push(mix.subarray(300), [half(mix).subarray(300), mix.subarray(300)])
  assert.ok(readdirSync(folder).every(name => name.endsWith('.tmp')))
  const { files } = outputs.finish()
  assert.deepEqual(readdirSync(folder).toSorted(), ['mix.wav', 'sep_src1.wav', 'sep_src2.wav'])
  for (const [path, want] of [
    [files.mix, mix],
    [files.sources[0]!, half(mix)],
    [files.sources[1]!, mix],
  ] as const) {
    const { info, channels } = readWav(path)
    assert.deepEqual([info.sampleRate, info.channels, info.encoding], [sampleRate, 1, 'pcm16'])
    assert.ok(relativeError(channels[0]!, want) < 2e-4, path)
  }
})

test('openOutputs() leaves nothing behind when it is closed before the end', () => {
  const folder = scratch()
  {
    using outputs = openOutputs(base(folder, 1000))
    outputs.push(voice(500), [voice(500), voice(500)])
  }
  assert.deepEqual(readdirSync(folder), [])
})

test('openOutputs() leaves the files of an earlier run alone until it has finished', () => {
  const folder = scratch()
  writeFileSync(join(folder, 'mix.wav'), 'earlier')
  {
    using outputs = openOutputs(base(folder, 100))
    outputs.push(voice(100), [voice(100), voice(100)])
  }
  assert.equal(readFileSync(join(folder, 'mix.wav'), 'utf8'), 'earlier')
})

test('openOutputs() measures how well the sources add up, in dB', () => {
  using outputs = openOutputs(base(scratch(), 1000))
  const mix = voice(1000)
  outputs.push(mix, [half(mix), mix.map(value => value * 0.4)])
  // A tenth of the mixture is missing: 20 dB.
  assert.ok(Math.abs(outputs.finish().consistencyDb - 20) < 1e-4)
})

test('openOutputs() measures blocks of changing length as one signal', () => {
  const mix = voice(3000)
  const measure = (cuts: readonly number[]) => {
    using outputs = openOutputs(base(scratch(), 3000))
    for (const [i, from] of cuts.entries()) {
      const block = mix.subarray(from, cuts[i + 1] ?? 3000)
      outputs.push(block, [half(block), block.map(value => value * 0.49)])
    }
    return outputs.finish().consistencyDb
  }
  assert.ok(Math.abs(measure([0, 2000, 2001, 2500]) - measure([0])) < 1e-9)
})

test('openOutputs() rescales sources of any level and sign so that they add up to the mixture', () => {
  const folder = scratch()
  const [a, b] = [voice(2000), voice(2000, 11)]
  const mix = a.map((value, i) => value + b[i]!)
  using outputs = openOutputs({ ...base(folder, 2000), rescales: true })
  const loud = [a.map(value => -6 * value), b.map(value => value / 4)]
  for (const [from, to] of [[0, 900] as const, [900, 2000] as const])
    outputs.push(
      mix.subarray(from, to),
      loud.map(one => one.subarray(from, to)),
    )
  assert.ok(readdirSync(folder).every(name => name.endsWith('.tmp')))
  const { files, sourceGains, clippedSamples, consistencyDb } = outputs.finish()
  assert.deepEqual(readdirSync(folder).toSorted(), ['mix.wav', 'sep_src1.wav', 'sep_src2.wav'])
  assert.ok(Math.abs(sourceGains![0]! + 1 / 6) < 1e-3 && Math.abs(sourceGains![1]! - 4) < 1e-2, `${sourceGains}`)
  assert.equal(clippedSamples, 0)
  assert.ok(consistencyDb < 0, 'as the model gave them they do not add up')
  for (const [i, want] of [a, b].entries()) {
    const { info, channels } = readWav(files.sources[i]!)
    assert.equal(info.encoding, 'pcm16')
    assert.ok(relativeError(channels[0]!, want) < 1e-2)
  }
})

test('openOutputs() leaves nothing behind when it is closed before sources were rescaled', () => {
  const folder = scratch()
  {
    using outputs = openOutputs({ ...base(folder, 1000), rescales: true })
    outputs.push(voice(500), [voice(500), voice(500, 7)])
  }
  assert.deepEqual(readdirSync(folder), [])
})

test('openOutputs() counts what is clipped in any file', () => {
  using outputs = openOutputs(base(scratch(), 3))
  outputs.push(Float32Array.of(2, 0, 0), [Float32Array.of(1.5, -1.5, 0), Float32Array.of(0, 0, 0.5)])
  assert.equal(outputs.finish().clippedSamples, 3)
})

test('openOutputs() draws one picture for each file', () => {
  using outputs = openOutputs(base(scratch(), 4000))
  outputs.push(voice(4000), [voice(4000), new Float32Array(4000)])
  const { spectrograms } = outputs.finish()
  assert.deepEqual(
    spectrograms.map(({ title }) => title),
    ['mix', 'sep_src1', 'sep_src2'],
  )
  assert.ok(spectrograms[0]!.picture.db.some(db => db > -40) && spectrograms[2]!.picture.db.every(db => db === -100))
})

test('openOutputs() scores against references in the order that fits best', () => {
  const [a, b] = [voice(2000), voice(2000, 11)]
  const mix = a.map((value, i) => value + b[i]!)
  const noisy = a.map((value, i) => value + 0.1 * b[i]!)
  const references = [a, b].map(voice => wavFile([voice], { encoding: 'float32' }))
  using outputs = openOutputs({ ...base(scratch(), 2000), references })
  outputs.push(mix, [b, noisy])
  const score = outputs.finish().score!
  assert.deepEqual(score.permutation, [1, 0])
  assert.ok(Math.abs(score.siSdrDb[0]! - siSdrDb(noisy, a)) < 1e-3)
  assert.ok(Math.abs(score.inputSiSdrDb[1]! - siSdrDb(mix, b)) < 1e-3)
})

test('openOutputs() takes references at another rate', () => {
  const reference = wavFile([voice(44_100)], { sampleRate: 44_100 })
  using outputs = openOutputs({ ...base(scratch(), 16_000), references: [reference, reference] })
  outputs.push(voice(16_000), [voice(16_000), voice(16_000)])
  assert.ok(outputs.finish().score!.siSdrDb.every(Number.isFinite))
})

test('openOutputs() refuses a reference of another length, and leaves nothing behind', () => {
  const folder = scratch()
  const references = [wavFile([voice(100)]), wavFile([voice(99)])]
  assert.throws(() => openOutputs({ ...base(folder, 100), references }), {
    exit: 'usage',
    message: /Cannot score against ".*": it has 99 samples at 16000 Hz, the mixture 100/,
    hint: /cut both to the same length/,
  })
  assert.deepEqual(readdirSync(folder), [])
})

test('openOutputs() does not score when there are fewer references than sources', () => {
  using outputs = openOutputs({ ...base(scratch(), 10), references: [wavFile([voice(10)])] })
  outputs.push(voice(10), [voice(10), voice(10)])
  assert.equal(outputs.finish().score, null)
})

test('openOutputs() is blocked where the folder cannot be written', () => {
  const file = join(scratch(), 'file')
  writeFileSync(file, '')
  for (const folder of [file, join(file, 'inner')])
    assert.throws(() => openOutputs(base(folder, 10)), { exit: 'blocked' })
})

test('openOutputs() is blocked by a full disk, and leaves room for others', t => {
  const disk = diskOf('size=64k') ?? scratch()
  // Where no file system can be mounted, every write fails as on a full one.
  const mocked =
    spawnSync('mountpoint', ['-q', disk]).status === 0
      ? null
      : t.mock.method(fs, 'writeSync', () => {
          throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
        })
  syncBuiltinESMExports()
  try {
    using outputs = openOutputs(base(disk, 100_000))
    assert.throws(
      () => {
        for (let i = 0; i < 100; i++) outputs.push(voice(1000), [voice(1000), voice(1000)])
      },
      { exit: 'blocked', hint: /the disk is full/ },
    )
  } finally {
    mocked?.mock.restore()
    syncBuiltinESMExports()
  }
  assert.deepEqual(readdirSync(disk), [])
})
