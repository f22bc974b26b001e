import assert from 'node:assert/strict'
import test from 'node:test'
import { newGraph, newNode, newValueInfo, type GraphProto } from '../../formats/onnx/index.ts'
import { checkLeftovers, checkNames, nodeLabel, realInputs } from './names.ts'

const abs = (input: string, output: string, name = '') =>
  newNode({ opType: 'Abs', name, input: [input], output: [output] })
const value = (name: string) => newValueInfo(name, 'float32')
const weight = (name: string) => ({ dims: [], dataType: 1, name, floatData: Float32Array.of(1) })

/** A graph from x to y of these nodes. */
const graphOf = (node: GraphProto['node'], more: Partial<GraphProto> = {}) =>
  newGraph({ node, input: [value('x')], output: [value('y')], ...more })

test('nodeLabel() names a node by its output when it has no name', () => {
  assert.equal(nodeLabel(abs('x', 'y', 'first')), 'The Abs node "first"')
  assert.equal(nodeLabel(abs('x', 'y')), 'The Abs node that makes "y"')
  assert.equal(nodeLabel(newNode({ opType: 'Split', output: ['', 'b'] })), 'The Split node that makes "b"')
})

test('realInputs() leaves out those that an initializer gives', () => {
  const graph = graphOf([], { input: [value('x'), value('w'), value('s')], initializer: [weight('w')] })
  graph.sparseInitializer = [{ values: weight('s'), dims: [4n] }]
  assert.deepEqual(
    realInputs(graph).map(({ name }) => name),
    ['x'],
  )
})

test('checkNames() finds nothing in a chain of many nodes, and walks it without recursion', () => {
  const count = 20_000
  const name = (i: number) => (i === 0 ? 'x' : i === count ? 'y' : `v${i}`)
  const graph = graphOf(Array.from({ length: count }, (_, i) => abs(name(i), name(i + 1))))
  assert.deepEqual([...checkNames(graph), ...checkLeftovers(graph)], [])
  graph.node.reverse()
  assert.equal(checkNames(graph).length, count - 1)
})

test('checkNames() finds a node that reads itself', () => {
  assert.deepEqual(checkNames(graphOf([abs('y', 'y', 'loop')])), ['The nodes "loop" form a circle'])
})

test('checkNames() finds a circle beside a sound path, and says only that', () => {
  const graph = graphOf([abs('x', 'y'), abs('b', 'a', 'one'), abs('a', 'b', 'two')])
  const [problem, ...more] = checkNames(graph)
  assert.match(problem!, /^The nodes "(one" -> "two|two" -> "one)" form a circle$/)
  assert.deepEqual(more, [])
})

test('checkNames() finds inputs and outputs that are declared twice, and a node with no output', () => {
  const graph = graphOf([abs('x', 'y'), newNode({ opType: 'Abs', name: 'mute', input: ['x'], output: [''] })])
  graph.input.push(value('x'))
  graph.output.push(value('y'))
  assert.deepEqual(checkNames(graph), [
    'The input "x" is declared more than once',
    'The output "y" is declared more than once',
    'The Abs node "mute" has no output',
  ])
})

test('checkNames() takes nameless nodes and left out values as no name at all', () => {
  const clip = newNode({ opType: 'Clip', input: ['x', '', ''], output: ['y'] })
  const drop = newNode({ opType: 'Dropout', input: ['x'], output: ['z', ''] })
  const split = newNode({ opType: 'Split', input: ['z'], output: ['w', ''] })
  const graph = graphOf([clip, drop, split], { output: [value('y'), value('w')] })
  assert.deepEqual([...checkNames(graph), ...checkLeftovers(graph)], [])
})

test('checkNames() lets an output be an input or an initializer', () => {
  assert.deepEqual(checkNames(graphOf([], { output: [value('x'), value('w')], initializer: [weight('w')] })), [])
})

test('checkNames() finds a value that a subgraph makes too, and a name that only a later node makes', () => {
  const body = newGraph({ name: 'body', node: [abs('x', 'a')], output: [value('a')] })
  const attribute = [{ name: 'then_branch', g: body, type: 5 }]
  const choose = newNode({ opType: 'If', name: 'if', input: ['x'], output: ['y'], attribute })
  const graph = graphOf([abs('x', 'a', 'outer'), choose])
  assert.ok(checkNames(graph).includes('The value "a" of a subgraph hides one of the graph around it'))
  body.node = [abs('late', 'b', 'inner')]
  body.output = [value('b')]
  graph.node = [choose, abs('x', 'late', 'after')]
  assert.ok(checkNames(graph).includes('The If node "if" reads "late" before the Abs node "after" makes it'))
})

test('checkLeftovers() counts what a subgraph reads as read, and lets a Loop leave its counter alone', () => {
  const input = [value('i'), value('go')]
  const body = newGraph({ name: 'body', input, node: [abs('w', 'o')], output: [value('go'), value('o')] })
  const loop = newNode({
    opType: 'Loop',
    input: ['x', ''],
    output: ['y'],
    attribute: [{ name: 'body', g: body, type: 5 }],
  })
  const graph = graphOf([abs('x', 'w'), loop])
  assert.deepEqual([...checkNames(graph), ...checkLeftovers(graph)], [])
  body.initializer.push(weight('spare'))
  assert.deepEqual(checkLeftovers(graph), ['The initializer "spare" is read by no node'])
})

test('checkLeftovers() finds a whole branch that leads nowhere, but not what an output hangs on', () => {
  const graph = graphOf([abs('x', 'a', 'dead1'), abs('a', 'b', 'dead2'), abs('x', 'c', 'alive'), abs('c', 'y', 'last')])
  assert.deepEqual(checkLeftovers(graph), [
    'The Abs node "dead1" leads to no output',
    'The Abs node "dead2" leads to no output',
  ])
})
