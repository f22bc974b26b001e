import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { encodeNpy } from '../../../formats/tensors/npy.ts'
import { encodeSafetensors } from '../../../testing/formats/safetensors.ts'
import { float32 } from '../../../formats/tensors/tensor.ts'
import { convTasNetOptions } from '../../../models/convtasnet/options.ts'
import { seededWeights } from '../../../models/convtasnet/weights.ts'
import { graphFacts, losses, readMixtures, scoreInt8, scoreTiled, scoreWhole, spreadOf } from './score.ts'

const root = mkdtempSync(join(tmpdir(), 'score-'))
after(() => rmSync(root, { recursive: true, force: true }))
const samples = 1600

/** Two tones a mixture, as float32 [count, 2, samples]. */
function mixturesFile(count: number): string {
  const data = Float32Array.from({ length: count * 2 * samples }, (_, i) => {
    const [row, n] = [Math.floor(i / samples), i % samples]
    return 0.1 * Math.sin(((0.05 + 0.11 * row) * n) % (2 * Math.PI))
  })
  const path = join(root, `tones-${count}.npy`)
  writeFileSync(path, encodeNpy(float32([count, 2, samples], data)))
  return path
}

const options = convTasNetOptions({
  nFilters: 32,
  bnChan: 8,
  hidChan: 12,
  skipChan: 8,
  nBlocks: 2,
  nRepeats: 1,
  kernelSize: 32,
  stride: 16,
  inputLen: 480,
})
const weights = join(root, 'seeded.safetensors')
writeFileSync(weights, encodeSafetensors(seededWeights(options)))
const job = { weights, options, folder: root, mixtures: readMixtures(mixturesFile(3)) }

test('readMixtures gives two voices and their sum', () => {
  const [first, second] = job.mixtures
  assert.equal(job.mixtures.length, 3)
  assert.equal(first!.mixture[7], Math.fround(first!.voices[0][7]! + first!.voices[1][7]!))
  assert.notDeepEqual(first!.voices[0], second!.voices[0])
})

test('scoreTiled agrees with scoreWhole on every mixture', async () => {
  const [whole, tiled] = [await scoreWhole(job), await scoreTiled(job)]
  assert.equal(whole.length, 3)
  for (const [i, value] of whole.entries()) assert.ok(Math.abs(value - tiled[i]!) < 1e-3, `${value} ${tiled[i]}`)
})

test('scoreWhole hands on two sources of the whole length', async () => {
  const lengths: number[][] = []
  await scoreWhole(job, { onAnswer: sources => lengths.push(sources.map(one => one.length)) })
  assert.deepEqual(
    lengths,
    Array.from({ length: 3 }, () => [samples, samples]),
  )
})

test('scoreInt8 stays near the float scores', async () => {
  const [tiled, int8] = [await scoreTiled(job), await scoreInt8(job, { calibration: job.mixtures, windows: 5 })]
  assert.ok(Math.max(...losses(tiled, int8).map(Math.abs)) < 1)
  assert.notDeepEqual(tiled, int8)
})

test('graphFacts counts the work of one second whatever the window', async () => {
  const [short, long] = [await graphFacts(job), await graphFacts({ ...job, options: { ...options, inputLen: 16_000 } })]
  assert.equal(short.parameters, long.parameters)
  assert.ok(Math.abs(short.mmacPerS / long.mmacPerS - 1) < 0.05)
})

test('spreadOf gives mean, median and worst, and NaN of nothing', () => {
  assert.deepEqual(spreadOf([3, 1, 8, 4]), { mean: 4, median: 3.5, worst: 1 })
  assert.deepEqual(spreadOf([2, 9, 1]), { mean: 4, median: 2, worst: 1 })
  assert.ok(Number.isNaN(spreadOf([]).worst))
})
