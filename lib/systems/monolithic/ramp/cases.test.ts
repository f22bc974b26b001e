import assert from 'node:assert/strict'
import test from 'node:test'
import { decodeModel } from '../../../formats/onnx/index.ts'
import { convTasNetGraph } from '../../../models/convtasnet/graph.ts'
import { convTasNetOptions, dilationsOf, type ConvTasNetOptions } from '../../../models/convtasnet/options.ts'
import { RunbookError } from '../../../base/errors.ts'
import { checkModel } from '../../../onnx/check/check.ts'
import { prefixesFor, prefixesOf, rampCase, shortest } from './cases.ts'
import { rampDefaults } from './inputs.ts'
import type { CaseSetting } from '../search/convtasnet-case.ts'

const base = convTasNetOptions({
  nFilters: 16,
  bnChan: 4,
  hidChan: 8,
  skipChan: 4,
  nBlocks: 2,
  nRepeats: 2,
  inputLen: 160,
})
const setting: CaseSetting = {
  calibration: {
    from: 'nowhere',
    windows: (inputLen, count) => Array.from({ length: count }, () => new Float32Array(inputLen)),
  },
  calibrationSamples: 2,
  batchSize: 1,
  quick: true,
  scriptExtra: '',
  weights: undefined,
}
const values = { by: 'prefixes', ladder: 'plan', rung: 10, nBlocks: 2, nRepeats: 2, decoder: 'polyphase' } as const

test('prefixesOf() begins with the bypass and grows by truncated blocks, then blocks, then repeats', () => {
  const found = prefixesOf(base, ['truncate', 'blocks', 'repeats'])
  assert.deepEqual(
    found.map(({ tag, stage }) => [tag, stage]),
    [
      ['mono_f16_bn4_hid8_skip4_b2_r2_t160_bypass', 'prefix_bypass'],
      ...[1, 2, 3, 4].map(k => [`mono_f16_bn4_hid8_skip4_b2_r2_t160_k${k}`, 'truncate']),
      ['mono_f16_bn4_hid8_skip4_b1_r1_t160_blocks', 'blocks'],
      ['mono_f16_bn4_hid8_skip4_b2_r1_t160_blocks', 'blocks'],
      ['mono_f16_bn4_hid8_skip4_b2_r1_t160_repeats', 'repeats'],
      ['mono_f16_bn4_hid8_skip4_b2_r2_t160_repeats', 'repeats'],
    ],
  )
  const blocksOf = (stage: string) =>
    found.filter(prefix => prefix.stage === stage).map(({ options }) => dilationsOf(options))
  assert.deepEqual(blocksOf('prefix_bypass'), [[]])
  assert.deepEqual(blocksOf('truncate'), [[1], [1, 2], [1, 2, 1], [1, 2, 1, 2]])
  assert.deepEqual(blocksOf('blocks'), [[1], [1, 2]])
  assert.deepEqual(blocksOf('repeats'), [
    [1, 2],
    [1, 2, 1, 2],
  ])
})

test('prefixesOf() by end nodes has one prefix for each node, tags that a file system and a compiler take', () => {
  const found = prefixesOf(base, ['end-nodes'])
  const nodes = convTasNetGraph(base).graph.node
  assert.deepEqual(
    found.map(({ label }) => label),
    nodes.map(({ name }) => name),
  )
  assert.deepEqual(
    found.map(({ endNode }) => endNode),
    nodes.map(({ output }) => output[0]),
  )
  for (const { tag } of found) assert.match(tag, /^mono_f16_bn4_hid8_skip4_b2_r2_t160_end_\w+$/)
})

test('prefixesOf() never gives two prefixes one tag, whatever the base', () => {
  for (const [nBlocks, nRepeats] of [
    [1, 1],
    [1, 3],
    [4, 1],
    [3, 2],
  ]) {
    const tags = prefixesOf(convTasNetOptions({ ...base, nBlocks, nRepeats }), [
      'truncate',
      'blocks',
      'repeats',
      'end-nodes',
    ]).map(({ tag }) => tag)
    assert.equal(new Set(tags).size, tags.length, `${nBlocks} x ${nRepeats}`)
  }
})

test('prefixesFor() takes the channels of the rung that was named', () => {
  const { options } = prefixesFor({ ...values, by: 'truncate' }).at(-1)!
  assert.deepEqual(
    [options.nFilters, options.bnChan, options.nBlocks, options.nRepeats, options.truncateKBlocks],
    [64, 24, 2, 2, 4],
  )
  assert.equal(prefixesFor({ ...values, ladder: 'temporal', rung: 4, by: 'blocks' })[0]!.options.inputLen, 2040)
  const refused = (change: object, pattern: RegExp) =>
    assert.throws(
      () => prefixesFor({ ...values, ...change }),
      (e: unknown) => e instanceof RunbookError && e.exit === 'usage' && pattern.test(`${e.message} ${e.hint}`),
    )
  refused({ rung: 11 }, /rung 11: the ladder plan has 10 .*--rung 1 to 10/)
  refused({ ladder: 'temporal', rung: 5 }, /the ladder temporal has 4/)
  refused({ nBlocks: 40 }, /at most 16/)
})

test('the base of a ramp without flags is large enough that no two of its axes are the same prefixes', () => {
  const found = prefixesFor({ ...values, ...rampDefaults })
  const lists = ['truncate', 'blocks', 'repeats'].map(stage =>
    found.filter(prefix => prefix.stage === stage).map(({ options }) => dilationsOf(options).join()),
  )
  assert.deepEqual(
    lists.map(({ length }) => length),
    [8, 4, 2],
  )
  assert.ok(
    lists[0]!.some(list => list.includes('8,1')),
    'a small dilation behind a large one',
  )
  for (const other of lists.slice(1))
    assert.ok(other.length < lists[0]!.length && other.every(list => lists[0]!.includes(list)))
})

/** The shortest options, checked to give the same nodes and weights. */
function sameNetwork(options: ConvTasNetOptions): ConvTasNetOptions {
  const [whole, short] = [options, shortest(options)].map(o => convTasNetGraph(o).graph)
  assert.deepEqual(short!.node, whole!.node)
  assert.deepEqual(short!.initializer, whole!.initializer)
  return shortest(options)
}

test('shortest() describes the same network: the same nodes and the same weights', () => {
  const found = [0, 1, 2, 3, 4, 5, 6].map(truncateKBlocks => sameNetwork({ ...base, nRepeats: 3, truncateKBlocks }))
  assert.deepEqual(
    found.map(({ nBlocks, nRepeats, truncateKBlocks }) => [nBlocks, nRepeats, truncateKBlocks]),
    [
      [2, 3, 0],
      [1, 1, 0],
      [2, 1, 0],
      [2, 2, 3],
      [2, 2, 0],
      [2, 3, 5],
      [2, 3, 0],
    ],
  )
  assert.equal(sameNetwork({ ...base, maskMulMode: 'bypass' }).truncateKBlocks, 0)
})

test('rampCase() gives equal prefixes of different axes equal bytes', async () => {
  const cases = prefixesOf(base, ['truncate', 'blocks', 'repeats']).map(prefix => rampCase(prefix, setting))
  const bytes = await Promise.all(cases.map(async rung => Buffer.from((await rung.prepare()).onnx).toString('base64')))
  const [, k1, k2, k3, k4, b1, b2, r1, r2] = bytes
  assert.deepEqual([b1 === k1, b2 === k2, r1 === k2, r2 === k4], [true, true, true, true])
  assert.equal(new Set([bytes[0], k1, k2, k3, k4]).size, 5)
  assert.deepEqual(
    cases.map(({ config }) => [config.nBlocks, config.nRepeats]),
    [
      [2, 2],
      [2, 2],
      [2, 2],
      [2, 2],
      [2, 2],
      [1, 1],
      [2, 1],
      [2, 1],
      [2, 2],
    ],
  )
})

test('rampCase() at an end node prepares a sound graph that ends there, with calibration for its input', async () => {
  for (const prefix of prefixesOf(base, ['end-nodes'])) {
    const prepared = await rampCase(prefix, setting).prepare()
    const model = decodeModel(prepared.onnx)
    assert.deepEqual(checkModel(model).problems, [], prefix.tag)
    assert.deepEqual(prepared.outputs, [prefix.endNode])
    assert.deepEqual(
      model.graph.output.map(({ name }) => name),
      [prefix.endNode],
    )
    assert.deepEqual(prepared.inputs, [{ name: 'input', shape: [1, 1, 1, 160] }])
  }
})

test('rampCase() authors nothing before its turn: a missing weights file is no matter until then', async () => {
  const rung = rampCase(prefixesOf(base, ['truncate'])[1]!, { ...setting, weights: '/nowhere/weights.npz' })
  await assert.rejects(async () => {
    await rung.prepare()
  }, /weights\.npz/)
})
