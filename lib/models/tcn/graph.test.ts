import assert from 'node:assert/strict'
import { join } from 'node:path'
import test from 'node:test'
import { encodeModel } from '../../formats/onnx/index.ts'
import { readNpz } from '../../formats/tensors/npz.ts'
import { float32 } from '../../formats/tensors/tensor.ts'
import { onnxruntimeNode } from '../../host/onnxruntime-node.ts'
import { sha256, sha256File } from '../../host/digest.ts'
import { checkModel, inspect } from '../../onnx/index.ts'
import { dataPath, needsData } from '../../testing/needs.ts'
import { tcnFeed, tcnForms, tcnGraph, tcnInput, tcnInputShape, tcnLatent, tcnLogits, type TcnForm } from './graph.ts'
import { seededTcnWeights, tcnWeightSpecs, tcnWeightsFrom, type MotifHead, type TcnWeights } from './weights.ts'

const shipped = join(import.meta.dirname, '../../../contracts/edgeinfer')
const head: MotifHead = {
  weight: float32(
    [12, 64],
    Float32Array.from({ length: 768 }, (_, i) => Math.sin(i) / 8),
  ),
  bias: float32(
    [12],
    Float32Array.from({ length: 12 }, (_, i) => i / 12),
  ),
}
/** Standardised windows that no pair of axes, samples or channels could be confused in. */
const windows = [0, 1, 2].map(seed =>
  Float32Array.from({ length: 900 }, (_, i) => Math.sin(i * 0.7 + seed) + ((i * 7919) % 101) / 101 - 0.5),
)

async function answers(form: TcnForm, weights: TcnWeights, feeds: readonly Float32Array[]) {
  const ort = await onnxruntimeNode()
  const options = { intraOpNumThreads: 1, interOpNumThreads: 1 }
  const session = await ort.InferenceSession.create(encodeModel(tcnGraph(form, weights, head)), options)
  const latents: Float32Array[] = []
  const logits: Float32Array[] = []
  for (const window of feeds) {
    const feed = new ort.Tensor('float32', tcnFeed(form, window), tcnInputShape(form))
    const results = await session.run({ [tcnInput]: feed })
    latents.push(results[tcnLatent]!.data as Float32Array)
    logits.push(results[tcnLogits]!.data as Float32Array)
  }
  await session.release()
  return { latents, logits }
}

const farthest = (a: readonly Float32Array[], b: readonly Float32Array[]) =>
  Math.max(...a.flatMap((row, i) => [...row].map((value, k) => Math.abs(value - b[i]![k]!))))

test('tcnGraph is a sound graph of 441,984 weights and a head, in every form', () => {
  assert.equal(
    tcnWeightSpecs.reduce((sum, { shape }) => sum + shape.reduce((product, n) => product * n, 1), 0),
    441_984,
  )
  for (const form of tcnForms) {
    const model = tcnGraph(form, seededTcnWeights(1), head)
    assert.deepEqual(checkModel(model).problems, [], form)
    assert.equal(inspect(model).parameters, 441_984 + 64 * 12 + 12, form)
  }
})

test('tcnGraph gives the same bytes for the same weights, and others for another seed', () => {
  const digest = (seed: number) => sha256(encodeModel(tcnGraph('causal', seededTcnWeights(seed), head)))
  assert.equal(digest(7), digest(7))
  assert.notEqual(digest(7), digest(8))
})

test('tcnGraph answers alike in all three forms', async () => {
  const weights = await tcnWeightsFrom(join(shipped, 'tcn_encoder.safetensors'))
  const [causal, nchw, sliced] = await Promise.all(tcnForms.map(form => answers(form, weights, windows)))
  const scale = Math.max(...causal!.latents.flatMap(row => [...row].map(Math.abs)))
  assert.ok(scale > 0.5, 'the latents are not flat')
  for (const other of [nchw!, sliced!]) {
    assert.ok(farthest(causal!.latents, other.latents) <= 1e-6 * Math.max(1, scale))
    assert.ok(farthest(causal!.logits, other.logits) <= 1e-5)
  }
})

test('tcnGraph gives what PyTorch gave on the golden windows', async () => {
  const golden = await readNpz(join(shipped, 'golden.npz'))
  const latent = golden.get('latent')!.tensor().data as Float32Array
  const raw = golden.get('window')!.tensor().data as Float32Array
  assert.equal(
    Buffer.from(golden.get('weights_sha256')!.tensor().data as Uint8Array).toString('hex'),
    sha256File(join(shipped, 'tcn_encoder.safetensors')),
  )
  const { readContract } = await import('../../contract/contract.ts')
  const { normalization } = readContract<{ normalization: { mean: number[]; std: number[] } }>('edgeinfer')
  const standard = Float32Array.from(raw, (value, i) => {
    const [mean, std] = [normalization.mean[i % 9]!, normalization.std[i % 9]!].map(Math.fround)
    return Math.fround(Math.fround(value - mean!) / std!)
  })
  const feeds = Array.from({ length: raw.length / 900 }, (_, i) => standard.subarray(i * 900, (i + 1) * 900))
  const weights = await tcnWeightsFrom(join(shipped, 'tcn_encoder.safetensors'))
  const { latents } = await answers('causal', weights, feeds)
  const want = feeds.map((_, i) => latent.subarray(i * 64, (i + 1) * 64))
  assert.ok(farthest(latents, want) < 1e-5)
})

test('the shipped encoder ignores the magnetometer', async () => {
  const weights = await tcnWeightsFrom(join(shipped, 'tcn_encoder.safetensors'))
  const [window] = windows
  const turned = Float32Array.from(window!, (value, i) => (i % 9 >= 6 ? value * 50 + 3 : value))
  const { latents } = await answers('causal', weights, [window!, turned])
  assert.deepEqual(latents[0], latents[1])
})

const donor = 'encoder/tcn_encoder_for_edgeinfer.onnx'
test(
  'tcnGraph with the weights of an exported donor gives what the donor gives, in every form',
  { skip: needsData(donor) },
  async () => {
    const ort = await onnxruntimeNode()
    const session = await ort.InferenceSession.create(dataPath(donor))
    const want = []
    for (const window of windows) {
      const results = await session.run({ imu_window: new ort.Tensor('float32', window, [1, 100, 9]) })
      want.push(results.latent_embeddings!.data as Float32Array)
    }
    const weights = await tcnWeightsFrom(dataPath(donor))
    const [causal, nchw, sliced] = await Promise.all(tcnForms.map(form => answers(form, weights, windows)))
    for (const { latents } of [causal!, nchw!, sliced!]) assert.ok(farthest(latents, want) <= 5e-6)
    assert.ok(farthest(sliced!.latents, want) <= 5e-7)
  },
)
