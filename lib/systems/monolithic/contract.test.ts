import assert from 'node:assert/strict'
import test from 'node:test'
import { tensorDims } from '../../formats/onnx/index.ts'
import { sizeOf } from '../../formats/tensors/tensor.ts'
import { convTasNetGraph, inputName, outputName } from '../../models/convtasnet/graph.ts'
import { ladderConfigs, monolithicContract } from './contract.ts'
import { convTasNetDefaults, latentFrames, runTag, type ConvTasNetOptions } from '../../models/convtasnet/options.ts'

const parameters = (o: ConvTasNetOptions) =>
  convTasNetGraph(o).graph.initializer.reduce((sum, tensor) => sum + sizeOf(tensorDims(tensor)), 0)

test("ladderConfigs() gives the plan's ten configurations in its order", () => {
  assert.deepEqual(ladderConfigs('plan').map(runTag), [
    'mono_f256_bn128_hid256_skip128_b2_r1_t16000',
    'mono_f256_bn96_hid192_skip96_b2_r1_t16000',
    'mono_f256_bn64_hid128_skip64_b2_r1_t16000',
    'mono_f192_bn64_hid128_skip64_b2_r1_t16000',
    'mono_f128_bn64_hid128_skip64_b2_r1_t16000',
    'mono_f128_bn48_hid96_skip48_b2_r1_t16000',
    'mono_f128_bn32_hid64_skip32_b2_r1_t16000',
    'mono_f96_bn32_hid64_skip32_b2_r1_t16000',
    'mono_f96_bn24_hid48_skip24_b1_r1_t16000',
    'mono_f64_bn24_hid48_skip24_b1_r1_t16000',
  ])
  assert.ok(ladderConfigs('plan').every(o => o.decoderMode === 'polyphase' && o.encoderMode === 'conv'))
})

test('ladderConfigs() puts the trained networks above the plan, framed and in windows of one second', () => {
  const rungs = ladderConfigs('voices')
  assert.deepEqual(rungs.slice(0, 3).map(runTag), [
    'mono_f128_bn64_hid128_skip64_b6_r1_t16000_k128_s64',
    'mono_f128_bn64_hid128_skip64_b2_r1_t16000_k128_s64',
    'mono_f64_bn32_hid64_skip32_b4_r1_t16000_k128_s64',
  ])
  assert.ok(rungs.slice(0, 3).every(o => o.encoderMode === 'framed' && latentFrames(o) === 251))
  assert.deepEqual(rungs.slice(3), ladderConfigs('plan'))
})

test('ladderConfigs() leaves the trained networks out when a change takes the meaning of their weights', () => {
  assert.deepEqual(ladderConfigs('voices', { normMode: 'identity' }), ladderConfigs('plan', { normMode: 'identity' }))
  assert.equal(ladderConfigs('voices', { encoderMode: 'conv', decoderMode: 'deconv' }).length, 13)
})

test('ladderConfigs() begins with the defaults of the options', () => {
  assert.deepEqual(ladderConfigs('plan')[0], convTasNetDefaults)
})

test('ladderConfigs() keeps the channels of rung 1 and shortens the width on the temporal ladder', () => {
  const rungs = ladderConfigs('temporal')
  assert.deepEqual(rungs.map(latentFrames), monolithicContract().ladders.temporal.latentFrames)
  assert.deepEqual(
    rungs.map(o => o.inputLen),
    [16000, 8184, 4088, 2040],
  )
  for (const o of rungs) {
    assert.deepEqual([o.nFilters, o.bnChan, o.hidChan, o.skipChan], [256, 128, 256, 128])
    assert.deepEqual([o.encoderMode, o.decoderMode], ['framed', 'polyphase'])
  }
})

test('ladderConfigs() applies a change to every rung', () => {
  const rungs = ladderConfigs('plan', { decoderMode: 'conv1x1_head', seed: 3 })
  assert.ok(rungs.every(o => o.decoderMode === 'conv1x1_head' && o.seed === 3))
})

test('ladderConfigs() refuses a change that contradicts a rung', () => {
  assert.throws(() => ladderConfigs('plan', { truncateKBlocks: 2 }), {
    name: 'RunbookError',
    message: /0 \(all\) to 1/,
  })
  const contract = structuredClone(monolithicContract())
  const bad = {
    ...contract,
    ladders: { ...contract.ladders, temporal: { ...contract.ladders.temporal, fromRung: 11 } },
  }
  assert.throws(() => ladderConfigs('temporal', {}, bad), /from rung 11: the plan has 10/)
})

test('ladderConfigs() has the parameters of the plan where the decoder is a head alone', () => {
  assert.deepEqual(
    ladderConfigs('plan', { decoderMode: 'conv1x1_head' }).map(parameters),
    [404_482, 306_946, 229_890, 158_722, 103_938, 79_234, 59_650, 41_474, 30_434, 17_122],
  )
})

test('a rung of the plan is authored as the plan asks: names, opset and padding', () => {
  const graph = convTasNetGraph(ladderConfigs('plan')[9]!)
  assert.deepEqual([inputName, outputName], ['input', 'output'])
  assert.deepEqual([graph.irVersion, graph.opsetImport[0]!.version], [7, 12])
})

test('monolithicContract() lists 17 columns for the sweep and 20 for the ramp, none twice', () => {
  const { sweepColumns, rampColumns } = monolithicContract().tsv
  assert.deepEqual([sweepColumns.length, new Set(sweepColumns).size], [17, 17])
  assert.deepEqual([rampColumns.length, new Set(rampColumns).size], [20, 20])
})
