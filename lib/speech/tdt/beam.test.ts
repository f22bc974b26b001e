import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { readNpz } from '../../formats/tensors/npz.ts'
import { float32, type FloatTensor } from '../../formats/tensors/tensor.ts'
import { openBackend } from '../../infer/open.ts'
import { dataPath, needsData } from '../../testing/needs.ts'
import { beamSearch, type BeamNetworks } from './beam.ts'
import { Boosting } from './boosting.ts'
import { GreedyTdt } from './greedy.ts'
import { decodeChunk } from './loop.ts'

const rules = { vocabSize: 4, durations: [0, 1, 2], maxSymbols: 3 }
/** Networks of a formula: a state is the list of tokens. */
const formula = (seed: number): BeamNetworks<readonly number[]> => ({
  begin: async () => [],
  predict: async (state, token) => [...state, token],
  joint: async (state, frame) => logitsOf(seed, state, frame),
})
function logitsOf(seed: number, state: readonly number[], frame: number): Float32Array {
  const h = state.reduce((a, b) => (a * 31 + b + 7) % 1009, seed)
  return Float32Array.from({ length: 8 }, (_, i) => 3 * Math.sin(h * 0.37 + frame * 1.7 + i * 2.9))
}
function greedyOf(seed: number, frames: number) {
  const greedy = new GreedyTdt(rules)
  const state: number[] = []
  const networks = { joint: (t: number) => logitsOf(seed, state, t), predict: (k: number) => void state.push(k) }
  decodeChunk(greedy, networks, frames)
  return [greedy.tokens.toArray(), greedy.timestamps.toArray(), greedy.durations.toArray()]
}

test('beamSearch() of width 1 makes the choices of greedy decoding', async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const [found] = await beamSearch(rules, formula(seed), 12, { width: 1 })
    assert.deepEqual([found!.tokens, found!.timestamps, found!.durations], greedyOf(seed, 12), String(seed))
  }
})

test('beamSearch() of a larger width is never less likely than greedy, and gives other answers too', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const [one] = await beamSearch(rules, formula(seed), 10, { width: 1 })
    const wide = await beamSearch(rules, formula(seed), 10, { width: 8, gamma: 50 })
    assert.ok(wide.every((h, i) => i === 0 || h.score <= wide[i - 1]!.score))
    assert.equal(new Set(wide.map(h => h.tokens.join())).size >= 2, true)
    assert.ok(wide[0]!.score >= one!.score - 1e-9, String(seed))
  }
})

/**
 * The log-probability of each list of tokens over all alignments, by walking every path. Durations are above 0, or one
 * token of duration 0 moves on: then no path is endless, and none depends on the tokens that stand on its frame.
 */
function everyPath(seed: number, frames: number, durations: readonly number[]): Map<string, number> {
  const log = (values: ArrayLike<number>) => {
    const total = Math.log(Array.from(values, Math.exp).reduce((a, b) => a + b))
    return Array.from(values, value => value - total)
  }
  const sums = new Map<string, number>()
  const walk = (tokens: readonly number[], frame: number, score: number) => {
    if (frame >= frames) {
      const key = tokens.join(' ')
      sums.set(key, (sums.get(key) ?? 0) + Math.exp(score))
      return
    }
    const logits = logitsOf(seed, tokens, frame)
    const [labels, lengths] = [log(logits.subarray(0, 5)), log(logits.subarray(5, 5 + durations.length))]
    for (const [label, p] of labels.entries())
      for (const [i, q] of lengths.entries())
        walk(label === 4 ? tokens : [...tokens, label], frame + Math.max(1, durations[i]!), score + p + q)
  }
  walk([], 0, 0)
  return new Map([...sums].map(([key, sum]) => [key, Math.log(sum)]))
}

test('beamSearch() that prunes nothing gives the exact log-probability of each list of tokens', async () => {
  for (const durations of [
    [1, 2, 3],
    [1, 2, 4],
    [0, 1, 2],
  ])
    for (let seed = 1; seed <= 4; seed++) {
      const want = everyPath(seed, 3, durations)
      const exact = { vocabSize: 4, durations, maxSymbols: 1 }
      const found = await beamSearch(exact, formula(seed), 3, { width: 10_000, gamma: 1e6 })
      assert.equal(found.length, want.size)
      for (const { tokens, score } of found)
        assert.ok(Math.abs(score - want.get(tokens.join(' '))!) < 1e-9, `${durations} ${seed} ${tokens}`)
      const total = found.reduce((sum, { score }) => sum + Math.exp(score), 0)
      assert.ok(Math.abs(total - 1) < 1e-9)
    }
})

test('beamSearch() of any width gives distinct lists, none above exact, the first no worse than greedy', async () => {
  for (const durations of [
    [1, 2, 3],
    [0, 1, 2],
  ])
    for (let seed = 1; seed <= 25; seed++) {
      const exact = everyPath(seed, 4, durations)
      const rule = { vocabSize: 4, durations, maxSymbols: 1 }
      const [greedy] = await beamSearch(rule, formula(seed), 4, { width: 1 })
      for (const width of [2, 3, 4, 8, 16]) {
        const found = await beamSearch(rule, formula(seed), 4, { width })
        assert.ok(found.length <= width)
        assert.equal(new Set(found.map(({ tokens }) => tokens.join())).size, found.length)
        assert.ok(found[0]!.score >= greedy!.score - 1e-12, `${seed} ${width}`)
        for (const { tokens, score } of found) assert.ok(score <= exact.get(tokens.join(' '))! + 1e-9)
      }
    }
})

test('beamSearch() ends at once without frames, and refuses a width of 0 and logits that are not finite', async () => {
  assert.deepEqual(await beamSearch(rules, formula(1), 0, { width: 2 }), [
    { tokens: [], timestamps: [], durations: [], score: 0 },
  ])
  await assert.rejects(beamSearch(rules, formula(1), 3, { width: 0 }), /beam of 0/)
  const broken = { ...formula(1), joint: async () => new Float32Array(8).fill(NaN) }
  await assert.rejects(beamSearch(rules, broken, 3, { width: 2 }), /a logit is NaN/)
})

test('Boosting makes a phrase likelier, token by token, and falls back where it breaks off', async () => {
  const boosting = new Boosting(
    [
      [1, 2, 3],
      [2, 0],
    ],
    5,
  )
  const at = (place: number) => {
    const scores = new Float64Array(4)
    boosting.add(scores, place)
    return [...scores]
  }
  assert.deepEqual(at(0), [0, 5, 5, 0])
  const afterOne = boosting.next(0, 1)
  assert.deepEqual(at(afterOne), [0, 5, 5, 0])
  const afterTwo = boosting.next(afterOne, 2)
  // "1 2" may go on with 3, and its end "2" with 0.
  assert.deepEqual(at(afterTwo), [5, 5, 5, 5])
  assert.equal(boosting.next(afterTwo, 1), afterOne)
  const plain = await beamSearch(rules, formula(3), 12, { width: 4 })
  const wanted = [3, 3]
  const boosted = await beamSearch(rules, formula(3), 12, { width: 4, boosting: new Boosting([wanted], 6) })
  const count = (h: readonly { tokens: readonly number[] }[]) => h[0]!.tokens.filter(token => token === 3).length
  assert.ok(count(boosted) > count(plain))
  assert.throws(() => new Boosting([[]], 1), /without tokens/)
  assert.throws(() => new Boosting([[1]], NaN), /by NaN/)
})

const golden = 'nemo/tdt-tiny-a/beam.json'
test(
  "beamSearch() of width 1 gives the tokens of NeMo's batched search of width 1",
  { skip: needsData(golden) },
  async () => {
    for (const name of ['tdt-tiny-a', 'tdt-tiny-b']) {
      const { items } = JSON.parse(readFileSync(dataPath(`nemo/${name}/beam.json`), 'utf8'))
      const inputs = await readNpz(dataPath(`nemo/${name}/decode-inputs.npz`))
      await using model = await openBackend(dataPath(`nemo/${name}/decoder_joint-${name}.onnx`))
      const one = items.find((i: { search: string; beam: number }) => i.search === 'malsd_batch' && i.beam === 1)
      for (const { name: clip, nbest } of one.items) {
        const encoder = inputs.get(clip)!.tensor() as FloatTensor
        const [found] = await beamSearch(
          { vocabSize: 32, durations: [0, 1, 2, 3, 4], maxSymbols: 10 },
          goldenStates(model, encoder),
          encoder.shape[1]!,
          { width: 1 },
        )
        assert.deepEqual(found!.tokens, nbest[0].tokens, `${name} ${clip}`)
      }
    }
  },
)

interface GoldenState {
  readonly token: number
  readonly past: readonly FloatTensor[]
}

/** NeMo's graph of both networks, with states as values. */
function goldenStates(model: Awaited<ReturnType<typeof openBackend>>, encoder: FloatTensor): BeamNetworks<GoldenState> {
  const names = model.inputs.filter(({ name }) => name.startsWith('input_states')).map(({ name }) => name)
  const [depth, frames] = encoder.shape as [number, number]
  const ask = async ({ token, past }: GoldenState, frame: number) =>
    await model.infer({
      encoder_outputs: float32(
        [1, depth, 1],
        Float32Array.from({ length: depth }, (_, d) => encoder.data[d * frames + frame]!),
      ),
      targets: { dtype: 'int32', shape: [1, 1], data: Int32Array.of(token) },
      target_length: { dtype: 'int32', shape: [1], data: Int32Array.of(1) },
      ...Object.fromEntries(names.map((name, i) => [name, past[i]!])),
    })
  return {
    async begin() {
      const past = names.map(name => {
        const shape = model.inputs.find(input => input.name === name)!.shape.map(n => (typeof n === 'number' ? n : 1))
        return float32(shape, new Float32Array(shape.reduce((a, b) => a * b)))
      })
      return { token: 32, past }
    },
    async predict(state, token) {
      const results = await ask(state, 0)
      const past = names.map(name => {
        const next = results[name.replace('input', 'output')]!
        return float32(next.shape, Float32Array.from(next.data as Float32Array))
      })
      return { token, past }
    },
    joint: async (state, frame) => Float32Array.from((await ask(state, frame)).outputs!.data as Float32Array),
  }
}
