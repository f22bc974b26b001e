import assert from 'node:assert/strict'
import test from 'node:test'
import { checkModel } from '../onnx/check/check.ts'
import { benchOrt, busyGraph, tinyGraph } from './ort.ts'

test('tinyGraph() and busyGraph() are models without a problem', () => {
  for (const model of [tinyGraph(), busyGraph(3, 16)]) assert.deepEqual(checkModel(model).problems, [])
})

test('benchOrt() measures both drivers, the heap and two slots, and closes what it opened', async () => {
  const bench = await benchOrt({ calls: 2000, rounds: 1 })
  assert.match(bench.version, /^1\.\d+\.\d+$/)
  assert.equal(bench.calls, 2000)
  for (const [name, value] of Object.entries(bench).filter(([key]) => key !== 'version' && key !== 'heapBytesPerCall'))
    assert.ok(Number(value) >= 0, `${name} is ${value}`)
  assert.equal(bench.latencyRatio, bench.nodeLatencyUsP50 / bench.latencyUsP50)
  assert.equal(bench.slotsRatio, bench.twoSlotsPerS / bench.oneSlotPerS)
})
