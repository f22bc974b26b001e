import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import FFT from 'fft.js'
import { readWav } from '../../formats/wav/index.ts'
import { sha256File } from '../../host/digest.ts'
import { RunbookError } from '../../base/errors.ts'
import { needsTool } from '../../testing/needs.ts'
import { SeparationScore } from '../../signal/metrics.ts'
import { packagesOf } from './rebuild-recordings.ts'
import {
  buildRecording,
  decodeCommand,
  mulawValue,
  pcmFromBytes,
  promptKey,
  recordingPaths,
  recordingRecipes,
  recordingSampleRate,
  recordingsFolder,
  writeRecording,
} from './recordings.ts'

const recipe = recordingRecipes[0]!
const packages = packagesOf(recordingRecipes)
const allSources = recordingRecipes.flatMap(({ sources }) => sources)

/** The one channel of a file, in 16-bit units. */
const unitsOf = (path: string): Float32Array => readWav(path).channels[0]!.map(x => x * 32_768)

/** A shipped recording in 16-bit units: mixture, s1, s2. */
function shipped(name: string): { mix: Float32Array; s1: Float32Array; s2: Float32Array } {
  const paths = recordingPaths(recordingsFolder, name)
  return { mix: unitsOf(paths.mix), s1: unitsOf(paths.s1), s2: unitsOf(paths.s2) }
}

/** Stand-ins for decoded prompts: a tone each, of the length and level that a prompt has. */
const tones = (amplitude: number): Map<string, Int16Array> =>
  new Map(
    allSources.map((source, voice) => [
      promptKey(source),
      Int16Array.from(
        { length: 94_000 + source.fromSample },
        (_, i) => amplitude * Math.sin((0.05 + 0.03 * voice) * i),
      ),
    ]),
  )

const rmsDb = (samples: Float32Array): number =>
  10 * Math.log10(samples.reduce((sum, x) => sum + x * x, 0) / samples.length / 32_768 ** 2)

const isUsage =
  (pattern: RegExp) =>
  (e: unknown): boolean =>
    e instanceof RunbookError && e.exit === 'usage' && pattern.test(e.message)

test('the shipped recordings are the exact sums of their references, sample for sample', () => {
  for (const { name, samples } of recordingRecipes) {
    const { mix, s1, s2 } = shipped(name)
    assert.deepEqual([mix.length, s1.length, s2.length], [samples, samples, samples])
    assert.ok(mix.every(Number.isInteger))
    assert.deepEqual(
      mix,
      s1.map((x, i) => x + s2[i]!),
    )
  }
})

test('the shipped recordings are 16 kHz mono, 16-bit for the mixture and mu-law for the references', () => {
  let bytes = 0
  for (const { name } of recordingRecipes) {
    const paths = recordingPaths(recordingsFolder, name)
    for (const [path, encoding] of [
      [paths.mix, 'pcm16'],
      [paths.s1, 'mulaw'],
      [paths.s2, 'mulaw'],
    ] as const) {
      const { info } = readWav(path)
      assert.deepEqual([info.sampleRate, info.channels, info.encoding], [recordingSampleRate, 1, encoding])
      bytes += statSync(path).size
    }
  }
  assert.ok(bytes < 1_000_000, `${bytes} bytes`)
})

test('the shipped recordings hold two voices at once, at the levels that the recipe promises, and clip nowhere', () => {
  for (const [r, { name }] of recordingRecipes.entries()) {
    const { mix, s1, s2 } = shipped(name)
    assert.ok(mix.every(x => Math.abs(x) < 32_000))
    assert.ok(Math.abs(rmsDb(s1) + 22) < 0.3)
    assert.ok(Math.abs(rmsDb(s1) - rmsDb(s2) - [0, 2][r]!) < 0.3)
    const window = recordingSampleRate / 2
    const starts = Array.from({ length: mix.length / window }, (_, i) => i * window)
    const active = starts.filter(at => [s1, s2].every(voice => rmsDb(voice.subarray(at, at + window)) > -40))
    assert.ok(
      active.length >= 0.8 * starts.length,
      `${name}: both speak in ${active.length} of ${starts.length} windows`,
    )
  }
})

test('the README beside the recordings names every package, prompt and speaker, and the licence', () => {
  const text = readFileSync(join(recordingsFolder, 'README.md'), 'utf8')
  const prompts = allSources.map(({ file }) => file)
  const people = ['Maxim Topal', 'Nickolay V. Shmyrev']
  for (const name of [...packages.map(({ name }) => name), ...prompts, ...people, 'CC BY 3.0']) {
    assert.ok(text.includes(name), `${name} is not there`)
  }
})

test('the mask that knows the answer separates the shipped recordings by 8 dB or more, in either order', () => {
  for (const { name } of recordingRecipes) {
    const { mix, s1, s2 } = shipped(name)
    const estimates = idealRatioMasks(mix, [s1, s2])
    for (const order of [
      [0, 1],
      [1, 0],
    ]) {
      const score = new SeparationScore(2)
      for (let at = 0; at < mix.length; at += 7_777) {
        const cut = (signal: Float32Array): Float32Array => signal.subarray(at, at + 7_777)
        score.push(
          cut(mix),
          order.map(i => cut(estimates[i]!)),
          [cut(s1), cut(s2)],
        )
      }
      const result = score.result()
      assert.deepEqual(result.permutation, order)
      assert.ok(result.siSdriDb >= 8 && result.siSdriDb < 25, `${name}: ${result.siSdriDb} dB`)
      assert.ok(Math.abs(result.inputSiSdrDb[0]! + result.inputSiSdrDb[1]!) < 1, 'the mixture favours neither by much')
    }
  }
})

/** The magnitude of the bin that number i of an interleaved spectrum belongs to. */
const magnitude = (bins: readonly number[], i: number): number => Math.hypot(bins[i - (i % 2)]!, bins[i - (i % 2) + 1]!)

/**
 * Separates with the ideal ratio mask |S1| / (|S1| + |S2|) in a Hann basis of 512 samples, overlap-added at half a
 * window.
 */
function idealRatioMasks(
  mix: Float32Array,
  targets: readonly [Float32Array, Float32Array],
): [Float32Array, Float32Array] {
  const [size, hop] = [512, 256]
  const fft = new FFT(size)
  const spectrum = (signal: Float32Array, at: number): number[] => {
    const windowed = Array.from({ length: 2 * size }, (_, i) =>
      i % 2 ? 0 : (0.5 - 0.5 * Math.cos((2 * Math.PI * (i / 2)) / size)) * (signal[at + i / 2] ?? 0),
    )
    const out = fft.createComplexArray() as number[]
    fft.transform(out, windowed)
    return out
  }
  const outputs: [Float32Array, Float32Array] = [new Float32Array(mix.length), new Float32Array(mix.length)]
  for (let at = -hop; at < mix.length; at += hop) {
    const [m, a, b] = [mix, ...targets].map(signal => spectrum(signal, at)) as [number[], number[], number[]]
    for (const [voice, own] of [a, b].entries()) {
      const masked = m.map((x, i) => (x * magnitude(own, i)) / (magnitude(a, i) + magnitude(b, i) + 1e-9))
      const sound = fft.createComplexArray() as number[]
      fft.inverseTransform(sound, masked)
      for (let i = Math.max(0, -at); i < size && at + i < mix.length; i++) outputs[voice]![at + i]! += sound[2 * i]!
    }
  }
  return outputs
}

test('buildRecording() sums two mu-law voices and ends in silence when the prompts do', () => {
  const {
    mix,
    sources: [s1, s2],
  } = buildRecording(recipe, tones(20_000))
  assert.equal(mix.length, 96_000)
  assert.ok(mix.every((x, i) => x === s1[i]! + s2[i]!))
  assert.ok(s1.every(x => mulawValue(x) === x))
  assert.ok(mix.subarray(0, 94_000).some(x => Math.abs(x) > 10_000) && mix.subarray(94_000).every(x => x === 0))
})

test('buildRecording() refuses a prompt that is absent or too short, and a sum that clips', () => {
  assert.throws(() => buildRecording(recipe, new Map()), isUsage(/ivrvoice-festvox-1.*vm-newuser.*not decoded/))
  const short = tones(1_000).set(promptKey(recipe.sources[1]), new Int16Array(6_400))
  assert.throws(() => buildRecording(recipe, short), isUsage(/only 6400 samples/))
  const loud = {
    ...recipe,
    sources: [
      { ...recipe.sources[0], gain: 0.9 },
      { ...recipe.sources[1], gain: 0.9 },
    ] as const,
  }
  assert.throws(() => buildRecording(loud, tones(30_000)), isUsage(/clips/))
})

test('writeRecording() writes the same bytes each time, and what comes back is what was built', () => {
  const folders = [1, 2].map(() => mkdtempSync(join(tmpdir(), 'recordings-')))
  const built = buildRecording(recipe, tones(20_000))
  const [first, second] = folders.map(folder => writeRecording(folder, recipe.name, built))
  for (const part of ['mix', 's1', 's2'] as const) assert.equal(sha256File(first![part]), sha256File(second![part]))
  const back = [first!.mix, first!.s1, first!.s2].map(path => Int16Array.from(unitsOf(path)))
  assert.deepEqual(back, [built.mix, ...built.sources])
})

test('mulawValue() holds 255 values, keeps each of them, and errs by at most half a step', () => {
  const values = new Set<number>()
  for (let x = -32_768; x <= 32_767; x++) {
    const y = mulawValue(x)
    values.add(y)
    assert.equal(mulawValue(y), y)
    assert.equal(mulawValue(-x), y === 0 ? 0 : -y)
    assert.ok(Math.abs(y - x) <= Math.max(4, (Math.abs(x) + 132) / 32) || Math.abs(x) > 32_635)
  }
  assert.equal(values.size, 255)
  assert.deepEqual([mulawValue(0), mulawValue(8), mulawValue(32_767)], [0, 8, 32_124])
})

test('pcmFromBytes() reads little-endian samples, from any offset, and refuses half of one', () => {
  const bytes = Uint8Array.of(9, 1, 0, 255, 255, 0, 128)
  assert.deepEqual(pcmFromBytes(bytes.subarray(1)), Int16Array.of(1, -1, -32_768))
  assert.throws(() => pcmFromBytes(bytes), /cut/)
})

test('decodeCommand() makes ffmpeg decode G.722 to raw samples', { skip: needsTool('ffmpeg') }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'g722-'))
  const [g722, raw] = [join(folder, 'tone.g722'), join(folder, 'tone.s16le')]
  const encode = [
    '-v',
    'error',
    '-f',
    'lavfi',
    '-i',
    'sine=frequency=500:sample_rate=16000:duration=1',
    '-f',
    'g722',
    g722,
  ]
  assert.equal(spawnSync('ffmpeg', encode).status, 0)
  const [program, ...words] = decodeCommand(g722, raw)
  assert.equal(spawnSync(program!, words).status, 0)
  const samples = pcmFromBytes(readFileSync(raw))
  assert.equal(samples.length, 16_000)
  const crossings = samples.reduce((count, x, i) => count + (i > 0 && x >= 0 && samples[i - 1]! < 0 ? 1 : 0), 0)
  // The coding noise adds a crossing here and there; another rate would double or halve them.
  assert.ok(Math.abs(crossings - 500) <= 25, `${crossings} periods`)
})

test('the recipes name two different voices and four prompts, and digests that are digests', () => {
  assert.equal(new Set(packages.map(({ folder }) => folder)).size, 2)
  assert.equal(new Set(allSources.map(promptKey)).size, 4)
  for (const {
    sources: [a, b],
  } of recordingRecipes)
    assert.notEqual(a.package, b.package)
  for (const source of allSources) assert.ok(packages.includes(source.package))
  for (const { sha256 } of [...allSources, ...packages]) assert.match(sha256, /^[0-9a-f]{64}$/)
})

test('recordingPaths() lays the files out as LibriMix does', () => {
  assert.deepEqual(recordingPaths('base', 'x'), {
    mix: join('base', 'mix_clean', 'x.wav'),
    s1: join('base', 's1', 'x.wav'),
    s2: join('base', 's2', 'x.wav'),
  })
})

test('buildRecording() begins a prompt where the recipe says, and applies its gain', () => {
  const [a, b] = recipe.sources
  const ramp = Int16Array.from({ length: 20_000 }, (_, i) => i)
  const prompts = new Map([
    [promptKey(a), ramp],
    [promptKey(b), new Int16Array(b.fromSample + 1)],
  ])
  const {
    mix,
    sources: [s1, s2],
  } = buildRecording({ ...recipe, sources: [{ ...a, fromSample: 1_000, gain: 0.5 }, b] }, prompts)
  assert.deepEqual([s1[0], s1[10_000]], [mulawValue(500), mulawValue(5_500)])
  assert.ok(s2.every(x => x === 0))
  assert.deepEqual(mix, s1)
})

test('buildRecording() says which of two prompts is missing, with the command that decodes it', () => {
  const prompts = tones(1_000)
  prompts.delete(promptKey(recipe.sources[1]))
  assert.throws(
    () => buildRecording(recipe, prompts),
    (e: unknown) => e instanceof RunbookError && e.message.includes('ru_0635') && e.hint.startsWith('ffmpeg -nostdin'),
  )
})

test('decodeCommand() fails, and writes nothing, when the prompt is absent', { skip: needsTool('ffmpeg') }, () => {
  const out = join(mkdtempSync(join(tmpdir(), 'g722-')), 'out.s16le')
  const [program, ...words] = decodeCommand(`${out}.absent.g722`, out)
  assert.notEqual(spawnSync(program!, words).status, 0)
  assert.throws(() => statSync(out), /ENOENT/)
})
