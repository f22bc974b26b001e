import assert from 'node:assert/strict'
import test from 'node:test'
import { convTasNetGraph } from '../../models/convtasnet/graph.ts'
import { convTasNetOptions } from '../../models/convtasnet/options.ts'
import { compileMetrics, dfcVersionIn, endNodesIn, endPointsOf, optimizeMetrics, startNodesIn, whyCut } from './log.ts'

const small = { nFilters: 32, bnChan: 8, hidChan: 16, skipChan: 8, nBlocks: 1, nRepeats: 1, inputLen: 800 }
const ends = [{ node: 'decoder', same: ['output', 'squeeze', 'decoded', 'decoder'] }]

test('endPointsOf() names the decoder behind a Squeeze and without one, and knows what else stands for it', () => {
  const squeezed = convTasNetGraph(convTasNetOptions({ ...small, decoderMode: 'conv1x1_head' }))
  assert.deepEqual(endPointsOf(squeezed, ['output']), ends)
  const plain = convTasNetGraph(convTasNetOptions({ ...small, decoderMode: 'polyphase' }))
  assert.deepEqual(endPointsOf(plain, ['output']), [{ node: 'decoder', same: ['output', 'decoder'] }])
})

test('endPointsOf() takes a value in the middle as it is, and a value that nothing makes by its own name', () => {
  const model = convTasNetGraph(convTasNetOptions({ ...small, decoderMode: 'polyphase' }))
  const masked = model.graph.node.find(({ name }) => name === 'apply_mask')!.output[0]!
  assert.deepEqual(
    endPointsOf(model, [masked, 'nowhere', 'input']).map(({ node }) => node),
    ['apply_mask', 'nowhere', 'input'],
  )
})

test('endPointsOf() keeps a Squeeze that stands right behind the input', () => {
  const model = convTasNetGraph(convTasNetOptions({ ...small, decoderMode: 'conv1x1_head' }))
  const squeeze = model.graph.node.at(-1)!
  model.graph.node = [{ ...squeeze, input: ['input'] }]
  assert.deepEqual(endPointsOf(model, ['output']), [{ node: 'squeeze', same: ['output', 'squeeze'] }])
})

test('endNodesIn() reads the last list, with colours, carriage returns and both quotes', () => {
  assert.deepEqual(endNodesIn("[info] End nodes mapped from original model: 'a'.\n"), ['a'])
  const words = 'End nodes mapped from original model:'
  const retried = `[info] ${words} 'a'.\r\x1b[32m[info]\x1b[0m ${words} '/m.0/Conv', "it's", 'Conv_234'.\n`
  assert.deepEqual(endNodesIn(retried), ['/m.0/Conv', "it's", 'Conv_234'])
  assert.equal(endNodesIn('[info] Translation completed\n'), null)
  assert.deepEqual(endNodesIn('[info] End nodes mapped from original model: .'), [])
})

test('startNodesIn() gives the names of the original model and not those of its layers', () => {
  const line = "[info] Start nodes mapped from original model: 'x': 'net/input_layer1', 'y': 'net/input_layer2'."
  assert.deepEqual(startNodesIn(line), ['x', 'y'])
  assert.equal(startNodesIn('nothing'), null)
})

const parsed = (start: string, end: string) =>
  [
    `[info] Start nodes mapped from original model: '${start}': 'net/input_layer1'.`,
    `[info] End nodes mapped from original model: ${end}.`,
  ].join('\n')

const why = (log: string) => whyCut(log, { inputNames: ['input'], ends })

test('whyCut() is content when the graph ends where it was asked to, under any of its names', () => {
  for (const name of ['decoder', 'squeeze', 'output', 'decoded']) {
    assert.equal(why(parsed('input', `'${name}'`)), null, name)
  }
  const two = [
    { node: 'a', same: ['a'] },
    { node: 'b', same: ['b'] },
  ]
  assert.equal(
    whyCut(parsed('input', "'b', 'a'"), { inputNames: ['input'], ends: two }),
    null,
    'their order does not matter',
  )
})

test('whyCut() says what is asked and what is found when an end is missing, another, or one too many', () => {
  assert.equal(
    why(parsed('input', "'apply_mask'")),
    'the parser cut the graph short: asked to end at decoder, it ended at apply_mask',
  )
  assert.match(why(parsed('input', "'decoder', 'apply_mask'"))!, /it ended at decoder, apply_mask$/)
  assert.match(why(parsed('input', ''))!, /it ended at nothing$/)
  const two = [
    { node: 'a', same: ['a'] },
    { node: 'b', same: ['b'] },
  ]
  assert.match(
    whyCut(parsed('input', "'a'"), { inputNames: ['input'], ends: two })!,
    /asked to end at a, b, it ended at a$/,
  )
})

test('whyCut() names a cut at the head, and a log that shows nothing', () => {
  assert.match(why(parsed('encoder', "'decoder'"))!, /at its head: asked to start at input, it started at encoder/)
  assert.match(why('[info] Translation completed\n')!, /names no end nodes/)
  assert.equal(why("End nodes mapped from original model: 'decoder'."), null, 'no word of a start is no cut')
})

test('dfcVersionIn() reads every form of the version and never takes that of HailoRT', () => {
  const forms = {
    '[info] HailoRT Version: 4.23.0\n[info] Hailo DFC Version: 3.33.1\n': '3.33.1',
    'Hailo Dataflow Compiler v3.30.0': '3.30.0',
    'hailo_dataflow_compiler-3.28.0-py3-none-linux_x86_64.whl': '3.28.0',
    '[\x1b[32minfo\x1b[0m] Hailo DFC Version: 5.3.0': '5.3.0',
    'hailo 3.27.0\n': '3.27.0',
    '3.29.0\n': '3.29.0',
  }
  for (const [text, version] of Object.entries(forms)) assert.equal(dfcVersionIn(text), version, text)
  for (const text of ['', 'HailoRT v4.20.0\n', '[info] HailoRT Version: 4.21.0\n', 'DFC']) {
    assert.equal(dfcVersionIn(text), null, text)
  }
})

test('optimizeMetrics() flags a level that fell to 0, and keeps the worst SNR', () => {
  const warned = [
    "[warning] Reducing optimization level to 0 (x) because there's less data",
    '[info] Using dataset with 16 entries for calibration',
    'output_layer1 SNR:\t9.179 dB',
    'output_layer2 SNR:\t-3.5 dB',
  ].join('\n')
  assert.deepEqual(optimizeMetrics(warned), {
    optimizationLevelReduced: 1,
    calibrationSamples: 16,
    outputSnrDbMin: -3.5,
  })
  assert.deepEqual(optimizeMetrics('[info] Reducing compression level to 0\n'), { optimizationLevelReduced: 0 })
})

test('compileMetrics() counts contexts where the log names them', () => {
  assert.deepEqual(compileMetrics('Found valid partition to 4 contexts\nFound valid partition to 3 contexts\n'), {
    contexts: 3,
  })
  assert.deepEqual(compileMetrics('[info] Using Single-context flow\n'), { contexts: 1 })
  assert.deepEqual(compileMetrics('[info] Successful Compilation\n'), {})
})
