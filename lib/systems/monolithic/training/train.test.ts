import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { encodeNpy } from '../../../formats/tensors/npy.ts'
import { float32, type Tensor } from '../../../formats/tensors/tensor.ts'
import { exitNameOf } from '../../../base/errors.ts'
import { readNdjson } from '../../../host/ndjson.ts'
import { needsTorch } from '../../../testing/needs.ts'
import { findTorch } from './programs.ts'
import { measure } from './measure.ts'
import { trainedIn, trainNetwork, voicesIn, type CurvePoint } from './train.ts'

const root = mkdtempSync(join(tmpdir(), 'train-'))
after(() => rmSync(root, { recursive: true, force: true }))
const signal = new AbortController().signal

/** A buzz of one pitch with a slow swell, so that a crop of it is never a pause. */
const buzz = (hz: number, samples: number, at: number): number[] =>
  Array.from({ length: samples }, (_, n) => {
    const t = (n + at) / 16_000
    return 0.2 * Math.sign(Math.sin(2 * Math.PI * hz * t)) * (0.6 + 0.4 * Math.sin(2 * Math.PI * 3 * t))
  })

/** Speech and mixtures as `voices.py` leaves them, of two buzzing voices. */
function prepared(): string {
  const data = join(root, 'data')
  mkdirSync(data)
  const save = (name: string, tensor: Tensor) => writeFileSync(join(data, `${name}.npy`), encodeNpy(tensor))
  for (const [voice, hz] of [['woman', 210] as const, ['man', 110] as const]) {
    const speech = Int16Array.from(buzz(hz, 5 * 16_000, 0), value => value * 32_767)
    save(`${voice}-train`, { dtype: 'int16', shape: [speech.length], data: speech })
  }
  for (const set of ['validation', 'test', 'one-stranger', 'two-strangers', 'two-women']) {
    const rows = [0, 1].flatMap(i => [210, 110].flatMap(hz => buzz(hz, 16_000, 500 * i)))
    save(set, float32([2, 2, 16_000], rows))
  }
  return data
}

test('trainNetwork learns, and ONNX Runtime answers as PyTorch did', { skip: needsTorch() }, async () => {
  const python = await findTorch('/usr/bin/python3')
  const data = prepared()
  const points: CurvePoint[] = []
  const shop = { folder: root, signal, python, data }
  const budget = { cpuSeconds: 1, seed: 3, everySeconds: 0.3 }
  const trained = await trainNetwork('small', budget, { ...shop, onPoint: point => points.push(point) })
  assert.ok(trained.steps >= 3 && trained.seed === 3)
  assert.deepEqual(points, trained.curve)
  const measured = await measure('small', trained, { ...shop, onSet: () => {} })
  assert.ok(measured.pytorchDifference < 1e-5, `${measured.pytorchDifference}`)
  // PyTorch scored the network with its batch normalisation; ONNX Runtime has it folded.
  const lines = readNdjson(trained.log) as Readonly<Record<string, number | string>>[]
  const inTorch = Number(lines.find(line => line.set === 'test')!.mean)
  assert.ok(Math.abs(measured.scores.float32!.mean - inTorch) < 0.01, `${measured.scores.float32!.mean} ${inTorch}`)
})

test('trainedIn refuses a training that did not end, and is blocked where there is none', () => {
  const folder = join(root, 'cut')
  mkdirSync(folder)
  writeFileSync(join(folder, 'log.ndjson'), '{"config": "1", "seed": 1}\n{"step": 1, "val": 2}\n')
  assert.throws(() => trainedIn(folder), { exit: 'usage', message: /did not end/ })
  assert.throws(
    () => trainedIn(join(root, 'nowhere')),
    (e: unknown) => exitNameOf(e) === 'blocked',
  )
})

test('trainedIn reads the curve and what was spent', () => {
  const folder = join(root, 'done')
  mkdirSync(folder)
  const lines = [
    '{"config": "1", "seed": 5}',
    '{"step": 9, "val": 2}',
    '{"done": true, "steps": 9, "cpu_seconds": 4, "wall_seconds": 8}',
  ]
  writeFileSync(join(folder, 'log.ndjson'), `${lines.join('\n')}\n`)
  const { curve, seed, steps, cpuSeconds, wallSeconds } = trainedIn(folder)
  assert.deepEqual([curve.length, seed, steps, cpuSeconds, wallSeconds], [1, 5, 9, 4, 8])
})

test('voicesIn is blocked for a folder that was not prepared', () => {
  assert.throws(
    () => voicesIn(join(root, 'nowhere')),
    (e: unknown) => exitNameOf(e) === 'blocked',
  )
})
