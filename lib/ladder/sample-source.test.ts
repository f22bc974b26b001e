import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { encodeNpy } from '../formats/tensors/npy.ts'
import { writeNpz } from '../formats/tensors/npz.ts'
import { float32, type Tensor } from '../formats/tensors/tensor.ts'
import { writeWav } from '../formats/wav/index.ts'
import { openSampleSource, type SampledInput } from './sample-source.ts'

const folder = mkdtempSync(join(tmpdir(), 'samples-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const sound: SampledInput = { name: 'sound', dtype: 'float32', shape: [1, 4] }
const step: SampledInput = { name: 'step', dtype: 'int64', shape: [1] }
const o = { sampleRate: 8000 }
const values = Float32Array.from({ length: 12 }, (_, i) => i + 1)

test('openSampleSource() takes arrays by the names of inputs, samples first', async () => {
  const path = join(folder, 'two.npz')
  const steps: Tensor = { dtype: 'int64', shape: [3, 1], data: BigInt64Array.of(7n, 8n, 9n) }
  await writeNpz(path, { sound: float32([3, 4], values), step: steps })
  const found = (await openSampleSource(path, o)).samples([sound, step], 2)
  assert.deepEqual(found[1], {
    sound: float32([1, 4], [5, 6, 7, 8]),
    step: { dtype: 'int64', shape: [1], data: BigInt64Array.of(8n) },
  })
  assert.equal(found.length, 2)
})

test('openSampleSource() takes one array of any name for one input, and one array a sample named 0|input', async () => {
  const npy = join(folder, 'one.npy')
  writeFileSync(npy, encodeNpy(float32([3, 1, 4], values)))
  assert.equal((await openSampleSource(npy, o)).samples([sound], 9).length, 3)
  const single = join(folder, 'single.npz')
  await writeNpz(single, { anything: float32([1, 4], values.subarray(0, 4)) })
  assert.equal((await openSampleSource(single, o)).samples([sound], 9).length, 1)
  const each = join(folder, 'each.npz')
  await writeNpz(each, {
    '0|sound': float32([1, 4], values.subarray(0, 4)),
    '1|sound': float32([1, 4], values.subarray(4, 8)),
  })
  assert.deepEqual((await openSampleSource(each, o)).samples([sound], 9)[1]!.sound, float32([1, 4], [5, 6, 7, 8]))
})

test('openSampleSource() refuses a missing name, another shape, another type and silence', async () => {
  const refused = async (tensors: Record<string, Tensor>, message: RegExp, inputs = [sound]) => {
    const path = join(folder, 'bad.npz')
    await writeNpz(path, tensors)
    const source = await openSampleSource(path, o)
    assert.throws(() => source.samples(inputs, 9), { exit: 'usage', message })
  }
  await refused({ sound: float32([3, 4], values) }, /it has no "step", but sound/, [sound, step])
  await refused(
    { sound: float32([3, 2, 2], values) },
    /Unsupported calibration shape: expected \(N, 4\), got \(3, 2, 2\)/,
  )
  await refused(
    { sound: { dtype: 'int32', shape: [3, 4], data: new Int32Array(12) } },
    /int32\[3, 4\], .*takes float32/,
  )
  await refused({ sound: float32([3, 4], new Float32Array(12)) }, /every value is 0/)
  await assert.rejects(openSampleSource(join(folder, 'no.npz'), o), { exit: 'blocked' })
})

test('openSampleSource() cuts windows from a folder of recordings, at the rate of the model', async () => {
  const wavs = join(folder, 'wavs')
  mkdirSync(wavs)
  writeWav(join(wavs, 'a.wav'), [Float32Array.from({ length: 800 }, (_, i) => Math.sin(i))], { sampleRate: 16_000 })
  const input: SampledInput = { name: 'mix', dtype: 'float32', shape: [1, 1, 100] }
  const source = await openSampleSource(wavs, o)
  assert.match(source.from, /1 recordings in .* at 8000 Hz/)
  const found = source.samples([input], 5)
  assert.equal(found.length, 5)
  assert.deepEqual(found[0]!.mix!.shape, [1, 1, 100])
  const tooLong = { ...input, shape: [1, 1, 16_000] }
  assert.throws(() => source.samples([tooLong], 5), { exit: 'usage', message: /none is as long as 16000 samples/ })
  assert.throws(() => source.samples([input, step], 5), { exit: 'usage', message: /the model takes/ })
  const empty = join(folder, 'empty')
  mkdirSync(empty)
  await assert.rejects(openSampleSource(empty, o), { exit: 'usage', message: /there is no \.wav in it/ })
})

test('openSampleSource() gives the same random numbers every time, and says that they are random', async () => {
  const [one, two] = [await openSampleSource('random', o), await openSampleSource('random', o)]
  assert.ok(one.isRandom)
  assert.deepEqual(one.samples([sound, step], 3), two.samples([sound, step], 3))
  const data = one.samples([sound], 1)[0]!.sound!.data as Float32Array
  assert.ok(data.every(value => Math.abs(value) <= 1) && new Set(data).size === 4)
})
