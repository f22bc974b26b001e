import assert from 'node:assert/strict'
import test from 'node:test'
import type { ModelProto } from '../../formats/onnx/index.ts'
import { GraphBuilder } from '../builder.ts'
import { normal } from '../../testing/onnx/graphs.ts'
import { planQuantization, unclippedValues } from './plan.ts'

/** Operators over an input of two channels; each row is an operator, its inputs and its output. */
function graphOf(rows: readonly (readonly [op: string, inputs: readonly string[], output: string])[]): ModelProto {
  const builder = new GraphBuilder({ name: 'g', opset: 13 })
  builder.input('x', 'float32', [1, 2, 8])
  builder.weight('w', normal([2, 2, 1], { seed: 1 }))
  for (const [op, inputs, output] of rows) builder.node(op, [...inputs], { output })
  builder.output(rows.at(-1)![2], 'float32', [1, 2, 8])
  return builder.build()
}
const planOf = (rows: Parameters<typeof graphOf>[0]) => {
  const model = graphOf(rows)
  const ranges = new Map(['x', ...rows.map(([, , output]) => output)].map(name => [name, { min: -1, max: 1 }]))
  const { values, integerNodes } = planQuantization(model, ranges)
  return { values: [...values.keys()], integer: [...integerNodes].map(({ output }) => output[0]) }
}

test('planQuantization() leaves an input alone that only float operators read, behind views and sums too', () => {
  for (const rows of [
    [
      ['Mul', ['x', 'x'], 'p'],
      ['Log', ['p'], 'l'],
      ['Conv', ['l', 'w'], 'y'],
    ],
    [
      ['Add', ['x', 'x'], 'p'],
      ['Sqrt', ['p'], 'l'],
      ['Conv', ['l', 'w'], 'y'],
    ],
    [
      ['Transpose', ['x'], 't'],
      ['Exp', ['t'], 'e'],
      ['Transpose', ['e'], 'l'],
      ['Conv', ['l', 'w'], 'y'],
    ],
  ] as const)
    assert.deepEqual(planOf(rows), { values: ['l', 'y'], integer: ['y'] })
})

test('planQuantization() takes a view of the input along when only convolutions read it', () => {
  const both = planOf([
    ['Identity', ['x'], 't'],
    ['Conv', ['t', 'w'], 'y'],
  ])
  assert.deepEqual(both, { values: ['x', 't', 'y'], integer: ['t', 'y'] })
  const shared = planOf([
    ['Identity', ['x'], 't'],
    ['Log', ['t'], 'l'],
    ['Conv', ['t', 'w'], 'y'],
  ])
  assert.deepEqual(shared, { values: ['t', 'y'], integer: ['y'] })
})

test('planQuantization() leaves differences, means and tanh in float, as what they cancel is lost in steps', () => {
  const { integer } = planOf([
    ['Conv', ['x', 'w'], 'a'],
    ['Conv', ['a', 'w'], 'b'],
    ['Sub', ['a', 'b'], 'd'],
    ['Tanh', ['d'], 't'],
    ['Conv', ['t', 'w'], 'y'],
  ])
  assert.deepEqual(integer, ['a', 'b', 'y'])
})

test('unclippedValues() names what is squared, and what a float operator reads', () => {
  const { graph } = graphOf([
    ['Conv', ['x', 'w'], 'a'],
    ['Mul', ['a', 'a'], 'p'],
    ['Log', ['p'], 'l'],
    ['Mul', ['a', 'l'], 'm'],
    ['Conv', ['m', 'w'], 'y'],
  ])
  assert.deepEqual([...unclippedValues(graph)].toSorted(), ['a', 'p'])
})
