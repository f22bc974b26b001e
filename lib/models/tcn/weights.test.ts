import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { encodeModel } from '../../formats/onnx/index.ts'
import { encodeSafetensors } from '../../testing/formats/safetensors.ts'
import { float32, sizeOf, type FloatTensor } from '../../formats/tensors/tensor.ts'
import { tcnGraph } from './graph.ts'
import { receptiveField, seededTcnWeights, tcnWeightSpecs, tcnWeightsFrom } from './weights.ts'

const folder = mkdtempSync(join(tmpdir(), 'tcn-'))
test.after(() => rmSync(folder, { recursive: true }))
const head = { weight: float32([3, 64], new Float32Array(192)), bias: float32([3], new Float32Array(3)) }
const write = (name: string, tensors: ReadonlyMap<string, FloatTensor>) => {
  const path = join(folder, name)
  writeFileSync(path, encodeSafetensors(tensors))
  return path
}

test('receptiveField counts the samples that one output sees', () => {
  assert.equal(receptiveField, 29)
})

test('seededTcnWeights are the same for a seed, and differ between seeds and tensors', () => {
  const [one, again, other] = [seededTcnWeights(1), seededTcnWeights(1), seededTcnWeights(2)]
  assert.deepEqual(
    [...one.keys()],
    tcnWeightSpecs.map(({ name }) => name),
  )
  for (const { name, shape } of tcnWeightSpecs) {
    assert.deepEqual(one.get(name)!.data, again.get(name)!.data)
    assert.notDeepEqual(one.get(name)!.data, other.get(name)!.data)
    assert.equal(one.get(name)!.data.length, sizeOf(shape))
  }
})

test('tcnWeightsFrom reads a donor by name, prefixed or not, and an exported graph', async () => {
  const seeded = seededTcnWeights(3)
  const prefixed = new Map([...seeded].map(([name, tensor]) => [`tcn_encoder.${name}`, tensor]))
  writeFileSync(join(folder, 'donor.onnx'), encodeModel(tcnGraph('sliced', seeded, head)))
  for (const path of [write('a.safetensors', seeded), write('b.safetensors', prefixed), join(folder, 'donor.onnx')]) {
    const got = await tcnWeightsFrom(path)
    for (const [name, { data }] of seeded) assert.deepEqual(got.get(name)!.data, data, `${path} ${name}`)
  }
})

test('tcnWeightsFrom refuses a donor that lacks a weight, has another shape, or holds NaN', async () => {
  const without = new Map(seededTcnWeights(1))
  without.delete('fc_mu.bias')
  await assert.rejects(tcnWeightsFrom(write('c.safetensors', without)), { exit: 'usage', message: /fc_mu\.bias/ })
  const wide = new Map(seededTcnWeights(1)).set('fc_mu.bias', float32([65], new Float32Array(65)))
  await assert.rejects(tcnWeightsFrom(write('d.safetensors', wide)), { exit: 'usage', message: /\[65\].*\[64\]/ })
  const odd = new Map(seededTcnWeights(1)).set('fc_mu.bias', float32([64], new Float32Array(64).fill(NaN)))
  await assert.rejects(tcnWeightsFrom(write('e.safetensors', odd)), { exit: 'usage', message: /element 0 is NaN/ })
  await assert.rejects(tcnWeightsFrom(join(folder, 'none.safetensors')), { exit: 'blocked' })
  await assert.rejects(tcnWeightsFrom(join(folder, 'x.txt')), { exit: 'usage' })
})
