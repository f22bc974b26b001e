import assert from 'node:assert/strict'
import test from 'node:test'
import { readNpz } from '../../formats/tensors/npz.ts'
import { float32, type FloatTensor, type Tensor } from '../../formats/tensors/tensor.ts'
import { compare } from '../../parity/compare.ts'
import { goldenModel, openGraph } from '../../testing/tdt/golden-models.ts'
import { dataPath, needsData } from '../../testing/needs.ts'
import { authorJoint, authorJointStep, authorPredictor, authorProjection } from './decoder.ts'
import { seededTdtWeights } from './seeded-weights.ts'
import { tinyConfig, tinySizes } from './synthetic.ts'

const close = { atol: 1e-4, rtol: 1e-4 }
const skip = needsData('nemo/tdt-tiny-a/components.npz')
const numbers = (tensor: Tensor | undefined) => tensor!.data as Float32Array
const copy = (tensor: Tensor) => float32(tensor.shape, Float32Array.from(numbers(tensor)))
const token = (id: number): Tensor => ({ dtype: 'int64', shape: [1, 1], data: BigInt64Array.of(BigInt(id)) })

test("authorPredictor() gives NeMo's own outputs and states over 51 tokens, fed with its own", { skip }, async t => {
  for (const name of ['tdt-tiny-a', 'tdt-tiny-b']) {
    const { config, weights } = goldenModel(name)
    const { layers, hidden } = config.decoder
    const model = await openGraph(t, authorPredictor(config.decoder, { name: 'predictor', weights }))
    const golden = await readNpz(dataPath(`nemo/${name}/components.npz`))
    const of = (part: string) => numbers(golden.get(`pred.${part}`)!.tensor())
    let [h, c] = [0, 1].map(() => float32([layers, 1, hidden], new Float32Array(layers * hidden))) as [
      FloatTensor,
      FloatTensor,
    ]
    const tokens = golden.get('pred.tokens')!.tensor().data
    assert.equal(tokens.length, 51)
    for (const [step, id] of [...tokens].entries()) {
      const results = await model.infer({ y: token(Number(id)), h, c })
      const row = (all: Float32Array, size: number) => all.subarray(step * size, (step + 1) * size)
      assert.ok(compare(numbers(results.g), row(of('g'), hidden), close).isClose, `${name} ${step}`)
      ;[h, c] = [copy(results.h_out!), copy(results.c_out!)]
      assert.ok(compare(h.data, row(of('h'), layers * hidden), close).isClose, `${name} ${step} h`)
      assert.ok(compare(c.data, row(of('c'), layers * hidden), close).isClose, `${name} ${step} c`)
    }
  }
})

test("authorJoint() gives NeMo's logits, and its two halves give the same", { skip }, async t => {
  for (const name of ['tdt-tiny-a', 'tdt-tiny-b']) {
    const { config, weights } = goldenModel(name)
    const { width } = config.encoder
    const golden = await readNpz(dataPath(`nemo/${name}/components.npz`))
    const of = (part: string) => golden.get(`joint.${part}`)!.tensor()
    const joint = await openGraph(t, authorJoint(config.decoder, width, { name: 'joint', weights }))
    const whole = await joint.infer({ encoder: of('encoder'), g: of('predictor') })
    assert.ok(compare(numbers(whole.logits), numbers(of('logits')), close).isClose)
    const first = await openGraph(t, authorProjection(config.decoder, width, { name: 'projection', weights }))
    const encoder = of('encoder')
    const rows = encoder.shape[1]!
    const projected = (await first.infer({ encoder: { ...encoder, shape: [rows, width] } })).projected!
    assert.ok(compare(numbers(projected), numbers(of('project_encoder')), close).isClose)
    const rest = await openGraph(t, authorJointStep(config.decoder, { name: 'step', weights }))
    const [, tokens, hidden] = of('predictor').shape as [number, number, number]
    const outputs = config.decoder.vocabSize + 1 + config.decoder.durations.length
    const kept = copy(projected)
    for (let u = 0; u < tokens; u++) {
      const g = float32([1, 1, hidden], numbers(of('predictor')).slice(u * hidden, (u + 1) * hidden))
      const { logits } = await rest.infer({ projected: kept, g })
      for (let frame = 0; frame < rows; frame++) {
        const at = (frame * tokens + u) * outputs
        const want = numbers(of('logits')).subarray(at, at + outputs)
        assert.ok(compare(numbers(logits).subarray(frame * outputs, (frame + 1) * outputs), want, close).isClose)
      }
    }
  }
})

test('authorPredictor() hears nothing before the first token: the row of blank is zero', async t => {
  const weights = seededTdtWeights(tinyConfig, tinySizes, 3)
  const { vocabSize, hidden } = tinyConfig.decoder
  const row = weights.read('decoder.prediction.embed.weight').data.subarray(vocabSize * hidden)
  assert.ok(row.every(value => value === 0))
  const model = await openGraph(t, authorPredictor(tinyConfig.decoder, { name: 'predictor', weights }))
  const zeros = float32([2, 1, hidden], new Float32Array(2 * hidden))
  const a = await model.infer({ y: token(vocabSize), h: zeros, c: zeros })
  const first = Float32Array.from(numbers(a.g))
  const b = await model.infer({ y: token(0), h: zeros, c: zeros })
  assert.ok(!compare(numbers(b.g), first, close).isClose)
})
