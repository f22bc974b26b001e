import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { readNpz } from '../../formats/tensors/npz.ts'
import type { FloatTensor } from '../../formats/tensors/tensor.ts'
import { dataPath, needsData } from '../../testing/needs.ts'
import { openGoldenNetworks } from '../../testing/tdt/golden-networks.ts'
import { piecesFromModel } from '../pieces.ts'
import { aggregated, confidenceOf, ConfidenceRecorder, type ConfidenceMethod } from './confidence.ts'
import { GreedyTdt } from './greedy.ts'
import { decodeChunk } from './loop.ts'
import { spansOf } from './timestamps.ts'

const usual: ConfidenceMethod = { name: 'entropy', entropyType: 'tsallis', alpha: 0.33, norm: 'exp' }
const methods = (['entropy', 'max_prob'] as const).flatMap(name =>
  (['tsallis', 'gibbs', 'renyi'] as const).flatMap(entropyType =>
    [0.33, 1].flatMap(alpha => (['lin', 'exp'] as const).map(norm => ({ name, entropyType, alpha, norm }))),
  ),
)
const near = (a: number, b: number, atol = 1e-5) => Math.abs(a - b) <= atol

test('confidenceOf() is 0 where nothing is known and 1 where all is, by every method', () => {
  for (const method of methods) {
    assert.ok(near(confidenceOf([3, 3, 3, 3], 0, 4, method), 0, 1e-9), JSON.stringify(method))
    assert.ok(near(confidenceOf([500, 0, 0, 0], 0, 4, method), 1, 1e-9), JSON.stringify(method))
  }
})

test('confidenceOf() looks at its own outputs alone, and refuses an alpha of 0', () => {
  const alone = confidenceOf([1, 2, 3], 0, 3, usual)
  assert.equal(confidenceOf([99, 1, 2, 3, -99], 1, 4, usual), alone)
  assert.throws(() => confidenceOf([1, 2], 0, 2, { ...usual, alpha: 0 }), /alpha 0/)
})

test('aggregated() knows four ways, and gives NaN for nothing', () => {
  assert.deepEqual(
    (['min', 'max', 'mean', 'prod'] as const).map(how => aggregated([0.5, 0.25], how)),
    [0.25, 0.5, 0.375, 0.125],
  )
  assert.ok(Number.isNaN(aggregated([], 'min')))
})

const rules = { vocabSize: 32, durations: [0, 1, 2, 3, 4], maxSymbols: 10 }
const golden = 'nemo/tdt-tiny-a/confidence.json'
test(
  "ConfidenceRecorder gives NeMo's confidences of evaluations, tokens and words",
  { skip: needsData(golden) },
  async () => {
    const pieces = piecesFromModel(readFileSync(dataPath('nemo/tokenizer/tokenizer.model')))
    for (const model of ['tdt-tiny-a', 'tdt-tiny-b']) {
      const folder = `nemo/${model}`
      const { runs, methods: table } = JSON.parse(readFileSync(dataPath(`${folder}/confidence.json`), 'utf8'))
      const inputs = await readNpz(dataPath(`${folder}/decode-inputs.npz`))
      await using networks = await openGoldenNetworks(dataPath(`${folder}/decoder_joint-${model}.onnx`), 32)
      const record = (name: string, options: ConstructorParameters<typeof ConfidenceRecorder>[1]) => {
        const encoder = inputs.get(name)!.tensor() as FloatTensor
        networks.reset()
        networks.hear(encoder)
        const recorder = new ConfidenceRecorder(rules, options)
        const greedy = new GreedyTdt(rules, { observer: recorder.observe })
        decodeChunk(greedy, networks, encoder.shape[1]!)
        return { recorder, greedy }
      }
      const same = (got: readonly number[], want: readonly number[], what: string) => {
        assert.equal(got.length, want.length, what)
        got.forEach((value, i) => assert.ok(near(value, want[i]!), `${what}: ${value} ${want[i]}`))
      }
      for (const run of runs)
        for (const item of run.items) {
          const { recorder, greedy } = record(item.name, {
            method: usual,
            aggregation: run.aggregation,
            excludeBlank: run.exclude_blank,
            includeDuration: run.tdt_include_duration,
          })
          const what = `${model} ${item.name} ${run.aggregation} ${run.exclude_blank} ${run.tdt_include_duration}`
          same(recorder.tokens(), item.token_confidence, what)
          const times = [greedy.tokens, greedy.timestamps, greedy.durations].map(list => list.toArray())
          const spans = spansOf(pieces, { tokens: times[0]!, timestamps: times[1]!, durations: times[2]! })
          if (spans.words.length === item.word_confidence.length)
            same(recorder.spans(spans.words), item.word_confidence, what)
        }
      for (const row of table.rows) {
        const method = { name: row.name, entropyType: row.entropy_type, alpha: row.alpha, norm: row.norm }
        const options = { method, aggregation: 'min', excludeBlank: true, includeDuration: false } as const
        const flat = record(table.input, options)
          .recorder.evaluations()
          .map(e => e.confidence)
        same(flat.slice(0, row.frame_confidence_flat.length), row.frame_confidence_flat, JSON.stringify(method))
      }
    }
  },
)
