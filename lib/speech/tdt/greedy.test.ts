import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import fc from 'fast-check'
import { readNpz } from '../../formats/tensors/npz.ts'
import type { FloatTensor } from '../../formats/tensors/tensor.ts'
import { dataPath, needsData } from '../../testing/needs.ts'
import { openGoldenNetworks } from '../../testing/tdt/golden-networks.ts'
import { decodeSequential, type Decoded } from '../../testing/tdt/sequential.ts'
import { GreedyTdt } from './greedy.ts'
import { decodeChunk, decodeChunkAsync, type TdtNetworks } from './loop.ts'
import type { TdtRules } from './rules.ts'

interface Rule {
  readonly t: number | '*'
  readonly last: number | '*'
  readonly n: number | '*'
  readonly logits: number[]
}
interface Vector {
  readonly name: string
  readonly blank: number
  readonly durations: number[]
  readonly max_symbols: number
  readonly T?: number
  readonly chunks?: number[]
  readonly rules: readonly Rule[]
  readonly expect: Readonly<Record<string, Decoded & { evals: number; t_end: number }>>
}

const vectors: Vector[] = JSON.parse(readFileSync(join(import.meta.dirname, '../../testing/tdt/vectors.json'), 'utf8'))
const rulesOf = (v: Vector): TdtRules => ({
  vocabSize: v.blank,
  durations: v.durations,
  maxSymbols: v.max_symbols,
})
/** Networks that answer by the vector's table: the first rule that fits frame, last token and count of tokens. */
function networksOf(v: Vector, offset = { frames: 0 }): TdtNetworks & { evaluations: number } {
  let [last, count] = [v.blank, 0]
  const fits = (pattern: number | '*', value: number) => pattern === '*' || pattern === value
  return {
    evaluations: 0,
    joint(frame) {
      this.evaluations++
      const t = frame + offset.frames
      const rule = v.rules.find(r => fits(r.t, t) && fits(r.last, last) && fits(r.n, count))
      return Float32Array.from(rule!.logits)
    },
    predict(token) {
      last = token
      count++
    },
  }
}
const answerOf = (greedy: GreedyTdt): Decoded => ({
  tokens: greedy.tokens.toArray(),
  timestamps: greedy.timestamps.toArray(),
  durations: greedy.durations.toArray(),
})
const parts = ({ tokens, timestamps, durations }: Decoded): Decoded => ({ tokens, timestamps, durations })

test('decodeChunk() gives what NeMo label looping gives on every vector, in as many evaluations', async () => {
  const whole = vectors.filter(v => v.T !== undefined)
  assert.equal(whole.length, 13)
  for (const v of whole) {
    const greedy = new GreedyTdt(rulesOf(v))
    decodeChunk(greedy, networksOf(v), v.T!)
    const want = v.expect.nemo_label_looping!
    assert.deepEqual(answerOf(greedy), parts(want), v.name)
    assert.equal(greedy.evaluations, want.evals, v.name)
    const later = new GreedyTdt(rulesOf(v))
    const networks = networksOf(v)
    const slow = { joint: async (t: number) => networks.joint(t), predict: async (k: number) => networks.predict(k) }
    await decodeChunkAsync(later, slow, v.T!)
    assert.deepEqual(answerOf(later), answerOf(greedy), v.name)
  }
})

test('decodeChunk() differs from the sequential strategy exactly where the vectors say so', () => {
  const differing = vectors.filter(v => {
    if (v.T === undefined) return false
    const { nemo_sequential: sequential, nemo_label_looping: looping } = v.expect
    assert.deepEqual(decodeSequential(rulesOf(v), networksOf(v), v.T), parts(sequential!), v.name)
    return JSON.stringify(parts(sequential!)) !== JSON.stringify(parts(looping!))
  })
  assert.deepEqual(
    differing.map(v => v.name.slice(0, 2)),
    ['07', '08'],
  )
})

test('decodeChunk() carries a jump over the end of a chunk, and repeats words when the jump is lost', () => {
  const v = vectors.find(({ chunks }) => chunks !== undefined)!
  for (const [keeps, name] of [
    [true, 'streaming_with_carry'],
    [false, 'streaming_without_carry'],
  ] as const) {
    const offset = { frames: 0 }
    const networks = networksOf(v, offset)
    let greedy = new GreedyTdt(rulesOf(v))
    const all: Decoded = { tokens: [], timestamps: [], durations: [] }
    for (const frames of v.chunks!) {
      if (!keeps) greedy = new GreedyTdt(rulesOf(v))
      decodeChunk(greedy, networks, frames)
      if (!keeps) {
        all.tokens.push(...greedy.tokens.toArray())
        all.timestamps.push(...greedy.timestamps.toArray().map(t => t + offset.frames))
      }
      offset.frames += frames
    }
    const got = keeps ? answerOf(greedy) : all
    assert.deepEqual([got.tokens, got.timestamps], [v.expect[name]!.tokens, v.expect[name]!.timestamps], name)
  }
})

test('GreedyTdt puts seven tokens on one frame where the guard allows ten, and keeps durations by value', () => {
  const rules = { vocabSize: 1, durations: [0, 2], maxSymbols: 10 }
  let fed = 0
  const networks = {
    joint: () => (fed < 7 ? Float32Array.of(5, 0, 5, 0) : Float32Array.of(0, 5, 0, 5)),
    predict: () => void fed++,
  }
  const greedy = new GreedyTdt(rules)
  decodeChunk(greedy, networks, 2)
  assert.deepEqual(greedy.timestamps.toArray(), [0, 0, 0, 0, 0, 0, 0])
  assert.deepEqual([greedy.frame, greedy.timeJump, greedy.evaluations], [2, 0, 8])
})

test('GreedyTdt takes a chunk that a jump skips whole, and an empty one', () => {
  const greedy = new GreedyTdt({ vocabSize: 1, durations: [1, 9], maxSymbols: 1 })
  let asked = 0
  const networks = {
    joint: () => {
      asked++
      return Float32Array.of(5, 0, 0, 5)
    },
    predict: () => {},
  }
  for (const frames of [1, 3, 0, 4, 2]) decodeChunk(greedy, networks, frames)
  assert.deepEqual([greedy.timestamps.toArray(), asked, greedy.timeJump], [[0, 9], 2, 8])
  assert.equal(greedy.decodedFrames, 10)
})

test('GreedyTdt refuses rules by which decoding need not end', () => {
  const rules = { vocabSize: 4, durations: [0, 1], maxSymbols: 10 }
  for (const bad of [
    { maxSymbols: 0 },
    { maxSymbols: NaN },
    { maxSymbols: Infinity },
    { maxSymbols: null as unknown as number },
    { maxSymbols: 2.5 },
    { durations: [] },
    { durations: [0, -1] },
    { durations: [0, 1.5] },
    { vocabSize: 0 },
  ])
    assert.throws(() => new GreedyTdt({ ...rules, ...bad }), /Cannot decode TDT/, JSON.stringify(bad))
})

test('GreedyTdt refuses logits that are not finite at every place, and a joint that is too narrow', () => {
  const rules = { vocabSize: 2, durations: [0, 1], maxSymbols: 3 }
  for (const bad of [NaN, Infinity, -Infinity])
    for (let i = 0; i < 5; i++) {
      const logits = Float32Array.of(1, 2, 3, 4, 5)
      logits[i] = bad
      const greedy = new GreedyTdt(rules)
      greedy.begin(1)
      assert.throws(() => greedy.step(logits), /it is (NaN|-?Infinity)/, `${bad} at ${i}`)
    }
  const greedy = new GreedyTdt(rules)
  greedy.begin(1)
  assert.throws(() => greedy.step(new Float32Array(4)), /4 logits: .* take 5/)
  assert.throws(() => greedy.begin(-1), /it is no count/)
  assert.throws(() => greedy.begin(NaN), /it is no count/)
})

test('GreedyTdt gives the same tokens however a stream is cut', () => {
  const rules = { vocabSize: 3, durations: [0, 1, 2, 4], maxSymbols: 3 }
  const networks = (offset: { frames: number }) => {
    let state = 1
    return {
      joint: (frame: number) =>
        Float32Array.from({ length: 8 }, (_, i) => Math.sin(state * 7.3 + (frame + offset.frames) * 3.1 + i * 5.7)),
      predict: (token: number) => void (state = (state * 5 + token + 1) % 97),
    }
  }
  fc.assert(
    fc.property(fc.array(fc.nat(9), { maxLength: 12 }), cuts => {
      const total = cuts.reduce((a, b) => a + b, 0)
      const whole = new GreedyTdt(rules)
      decodeChunk(whole, networks({ frames: 0 }), total)
      const pieces = new GreedyTdt(rules)
      const offset = { frames: 0 }
      const net = networks(offset)
      for (const frames of cuts) {
        decodeChunk(pieces, net, frames)
        offset.frames += frames
      }
      assert.deepEqual(answerOf(pieces), answerOf(whole))
    }),
    { seed: 11, numRuns: 200 },
  )
})

const near = (a: number, b: number, atol: number) => Math.abs(a - b) <= atol
const skip = needsData('nemo/tdt-tiny-a/decode.json')
const read = (path: string) => JSON.parse(readFileSync(dataPath(path), 'utf8'))
/** Run a check on both of NeMo's models. */
const onBoth = (check: (model: string, folder: string) => Promise<void>) => async () => {
  for (const model of ['tdt-tiny-a', 'tdt-tiny-b']) await check(model, `nemo/${model}`)
}
const rules = (maxSymbols: number) => ({ vocabSize: 32, durations: [0, 1, 2, 3, 4], maxSymbols })

test(
  'decodeChunk() gives what NeMo gives on both models, every evaluation of it',
  { skip },
  onBoth(async (model, folder) => {
    const inputs = await readNpz(dataPath(`${folder}/decode-inputs.npz`))
    await using networks = await openGoldenNetworks(dataPath(`${folder}/decoder_joint-${model}.onnx`), 32)
    let checked = 0
    for (const item of read(folder + '/decode.json').items) {
      const encoder = inputs.get(item.name)!.tensor() as FloatTensor
      for (const guard of ['10', '3', '1']) {
        networks.reset()
        networks.hear(encoder)
        const trace: number[][] = []
        const observer = (t: number, label: number, index: number) => void trace.push([t, label, index])
        const greedy = new GreedyTdt(rules(Number(guard)), { observer })
        decodeChunk(greedy, networks, item.T)
        const want = item.label_looping[guard]
        assert.deepEqual(answerOf(greedy), parts(want), `${item.name} ${guard}`)
        assert.equal(greedy.timeJump, want.time_jump)
        assert.equal(greedy.lastToken, want.last_label)
        if (model === 'tdt-tiny-b') assert.ok(near(greedy.score, want.score, 1e-3), `${greedy.score} ${want.score}`)
        const rows = item.trace10.rows.map((row: number[]) => row.slice(0, 3))
        if (guard === '10') assert.deepEqual(trace, rows, item.name)
        checked++
      }
    }
    assert.equal(checked, 36)
  }),
)

test(
  'decodeChunk() gives the single answers of both models for each item of a batch',
  { skip },
  onBoth(async (model, folder) => {
    const inputs = await readNpz(dataPath(`${folder}/decode-inputs.npz`))
    await using networks = await openGoldenNetworks(dataPath(`${folder}/decoder_joint-${model}.onnx`), 32)
    for (const batch of read(folder + '/decode-batch.json').items)
      for (const [i, name] of batch.items.entries()) {
        networks.reset()
        networks.hear(inputs.get(name)!.tensor() as FloatTensor)
        const greedy = new GreedyTdt(rules(batch.max_symbols))
        decodeChunk(greedy, networks, batch.lengths[i])
        const { tokens, timestamps } = batch.label_looping[i]
        assert.deepEqual([greedy.tokens.toArray(), greedy.timestamps.toArray()], [tokens, timestamps])
        assert.deepEqual(greedy.durations.toArray(), batch.same_as_single.durations_single[i])
      }
  }),
)

test(
  'decodeChunk() carries both models over pieces as NeMo does, and keeps every duration',
  { skip },
  onBoth(async (model, folder) => {
    const inputs = await readNpz(dataPath(`${folder}/decode-inputs.npz`))
    await using networks = await openGoldenNetworks(dataPath(`${folder}/decoder_joint-${model}.onnx`), 32)
    for (const item of read(folder + '/decode-carry.json').items) {
      const encoder = inputs.get(item.name)!.tensor() as FloatTensor
      networks.reset()
      const greedy = new GreedyTdt(rules(item.max_symbols))
      for (const chunk of item.chunks) {
        const before = greedy.tokens.length
        networks.hear(encoder, chunk.frames[0])
        decodeChunk(greedy, networks, chunk.frames[1] - chunk.frames[0])
        assert.deepEqual(greedy.tokens.toArray().slice(before), chunk.new_tokens)
        assert.deepEqual(greedy.timestamps.toArray().slice(before), chunk.new_timestamps)
        const state = [greedy.timeJump, greedy.lastToken, greedy.decodedFrames]
        assert.deepEqual(state, [chunk.time_jump, chunk.last_label, chunk.decoded_length])
        const [h, c] = networks.state()
        chunk.h.forEach((value: number, i: number) => assert.ok(near(value, h[i]!, 1e-4)))
        chunk.c.forEach((value: number, i: number) => assert.ok(near(value, c[i]!, 1e-4)))
      }
      assert.deepEqual(answerOf(greedy), parts(item.whole), item.name)
    }
  }),
)
const ran = 'nemo/tdt-vectors-run-by-nemo.json'
test('the vectors say what NeMo itself said of them', { skip: needsData(ran) }, () => {
  const { items } = JSON.parse(readFileSync(dataPath(ran), 'utf8'))
  let compared = 0
  for (const item of items) {
    const mine = vectors.find(({ name }) => name === item.name)
    if (!item.nemo_label_looping?.tokens || mine?.expect.nemo_label_looping === undefined) continue
    assert.deepEqual(parts(mine.expect.nemo_label_looping), parts(item.nemo_label_looping), item.name)
    compared++
  }
  assert.ok(compared >= 12, String(compared))
})
