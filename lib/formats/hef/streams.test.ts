import assert from 'node:assert/strict'
import test from 'node:test'
import { written, type FieldValue } from '../../testing/hef/message.ts'
import { edge, hefOfEdges, layerInfo } from '../../testing/hef/samples.ts'
import { decodeHef } from '../../testing/hef/decode.ts'
import type { Pieces } from '../protobuf.ts'

const input = edge(0, layerInfo('in', [1, 1, 3]))
const names = (streams: readonly { name: string }[]) => streams.map(({ name }) => name)
/** The one group and the hazards of a HEF with a plain input and these outputs. */
function read(outputs: readonly Pieces[], sorted: readonly string[], more?: Parameters<typeof hefOfEdges>[2]) {
  const hef = decodeHef(hefOfEdges([input, ...outputs], sorted, more))
  return {
    group: hef.groups[0]!,
    hazards: hef.hazards.map(({ effect, libraries, message }) => `${effect} ${libraries.join('+')}: ${message}`),
  }
}
const mux = (name: string, declared: number, parts: readonly Pieces[]) =>
  written({ 1: name, 2: written({ 12: 1, 13: [written({})] }), 3: written({ 1: declared }), 5: parts })
const part = (name: string) => written({ 1: layerInfo(name, [2, 2, 4]) })

test('streamsOf() leaves out layers between contexts and into memory', () => {
  const inner = (type: number) => edge(1, layerInfo(`inner${type}`, [1, 1, 1]), 'info', { 5: written({ 3: type }) })
  const { group, hazards } = read([inner(1), inner(2), inner(3), edge(1, layerInfo('out', [1, 1, 2]))], ['out'])
  assert.deepEqual([names(group.inputs), names(group.outputs), hazards], [['in'], ['out'], []])
})

test('streamsOf() shows each part of a multiplexer, whatever its depth', () => {
  const { group, hazards } = read(
    [edge(1, mux('m', 2, [part('b'), written({ 2: mux('m2', 2, [part('c'), part('a')]) })]), 'mux')],
    ['a', 'b', 'c'],
  )
  assert.deepEqual([names(group.outputs), hazards], [['a', 'b', 'c'], []])
  assert.deepEqual(group.outputs[0]!.shape, { height: 2, width: 2, features: 4 })
})

test('streamsOf() finds the multiplexer that says more than it holds', () => {
  const { hazards } = read([edge(1, mux('m', 3, [part('a')]), 'mux')], ['a'])
  assert.deepEqual(hazards, ['crash 4+5: its multiplexer "m" names 3 parts and holds 1'])
})

test('streamsOf() shows a picture of planes as one stream', () => {
  const planes = (count: number, format: number) =>
    written({
      1: 'image',
      2: format,
      3: Array.from({ length: count }, (_, i) => part(`plane${i}`)),
      4: 480,
      5: 640,
      6: 3,
    })
  const nv12 = decodeHef(hefOfEdges([edge(0, planes(2, 0), 'planes'), edge(1, layerInfo('out', [1, 1, 1]))], ['out']))
  const [image] = nv12.groups[0]!.inputs
  assert.deepEqual(
    [image!.name, image!.order, image!.shape, image!.dtype],
    ['image', 'NV12', { height: 480, width: 640, features: 3 }, 'uint8'],
  )
  assert.deepEqual(nv12.hazards, [])
  const none = decodeHef(hefOfEdges([edge(0, planes(0, 2), 'planes'), edge(1, layerInfo('out', [1, 1, 1]))], ['out']))
  assert.deepEqual(
    [none.groups[0]!.inputs[0]!.order, none.hazards.map(({ message }) => message)],
    ['I420', ['its picture "image" has no planes']],
  )
})

test('streamsOf() turns height and width where the layer or the network is transposed, save for NC', () => {
  const layer = (format: number, isTransposed: boolean) =>
    edge(
      1,
      written({ 1: 'out', 2: written({ 1: 2, 3: 7, 5: 4, 7: format, 12: 1, 13: [written({})] }), 6: isTransposed }),
    )
  const shape = (one: Pieces, metadata = {}) => {
    const [out] = read([one], ['out'], { metadata }).group.outputs
    return [out!.isTransposed, out!.shape.height, out!.shape.width]
  }
  assert.deepEqual(shape(layer(0, false)), [false, 2, 7])
  assert.deepEqual(shape(layer(0, true)), [true, 7, 2])
  assert.deepEqual(shape(layer(1, false), { 3: true }), [true, 7, 2])
  assert.deepEqual(shape(layer(2, true)), [false, 2, 7])
})

test('streamsOf() puts NMS that was split over layers together again', () => {
  const nms = (more: Record<number, FieldValue>) => written({ 2: 20, 3: 50, 4: 5, 7: 2, ...more })
  const split = (name: string) =>
    edge(1, layerInfo(name, [1, 1, 1], { 7: 6, 11: written({ 1: nms({ 5: true, 6: written({ 3: 'boxes' }) }) }) }))
  const fused = written({
    1: true,
    2: ['boxes'],
    3: [written({ 1: layerInfo('boxes', [1, 1, 1], { 7: 6 }), 3: nms({ 2: 40 }) })],
  })
  const { group, hazards } = read([split('part0'), split('part1')], ['part0', 'part1'], { group: { 5: fused } })
  assert.deepEqual([names(group.outputs), hazards], [['boxes'], []])
  assert.deepEqual(
    [group.outputs[0]!.nms!.classes, group.outputs[0]!.nms!.maxBoxesPerClass, group.outputs[0]!.shape],
    [40, 100, { height: 40, width: 5, features: 100 }],
  )
})

test('streamsOf() finds what HailoRT dies of or refuses in a layer', () => {
  const one = (base: Record<number, FieldValue>, name = 'out') =>
    read([edge(1, layerInfo(name, [1, 1, 2], base))], [name]).hazards
  assert.deepEqual(one({ 13: [] }), ['crash 4+5: its layer "out" has no buffer indices'])
  assert.deepEqual(one({ 7: 9 }), ['refusal 4+5: its layer "out" has the unknown format 9'])
  assert.deepEqual(one({ 12: 4 }), ['refusal 4+5: its layer "out" has values of 4 bytes'])
  assert.match(one({ 14: true })[0]!, /wants the host to take the arg max/)
  assert.match(one({}, 'n'.repeat(128))[0]!, /has 128 bytes, over 127/)
  assert.deepEqual(one({}, 'n'.repeat(127)), [])
  assert.match(one({}, 'ü'.repeat(64))[0]!, /has 128 bytes/)
})

/** An input and an output of 4 features with so many zero points and scales. */
function scaled(inputs: readonly [number[], number[]], outputs: readonly [number[], number[]], extensions = [25]) {
  const layer = (name: string, [zeroPoints, scales]: readonly [number[], number[]]) =>
    written({
      1: name,
      2: written({ 1: 1, 3: 1, 5: 4, 12: 1, 13: [written({})] }),
      3: written({ 2: { float: 1 }, 5: { doubles: zeroPoints }, 6: { doubles: scales } }),
    })
  const hef = decodeHef(
    hefOfEdges([edge(0, layer('in', inputs)), edge(1, layer('out', outputs))], ['out'], { extensions }),
  )
  return hef.hazards.map(({ effect, libraries, message }) => `${effect} ${libraries.join('+')}: ${message}`)
}

test('streamsOf() finds the scales that HailoRT reads beyond their end', () => {
  const four = [1, 1, 1, 1]
  const rising = [1, 2, 3, 4]
  const none: number[] = []
  assert.deepEqual(scaled([four, four], [rising, rising]), [])
  // An input without scales of its own is what kills HailoRT 4; version 5 falls back on the scale of all.
  assert.deepEqual(scaled([none, none], [four, four]), [
    'crash 4: its input "in" has 0 zero points and 0 scales for 4 features',
  ])
  assert.deepEqual(scaled([[1, 1], four], [four, four]), [
    'crash 4+5: its input "in" has 2 zero points and 4 scales for 4 features',
  ])
  assert.deepEqual(scaled([four, four], [none, none]), [
    'refusal 4: its output "out" has 0 zero points and 0 scales for 4 features',
  ])
  assert.deepEqual(scaled([four, four], [four, [1, 1, 1, 1, 1]]), [
    'refusal 4+5: its output "out" has 4 zero points and 5 scales for 4 features',
  ])
  assert.deepEqual(scaled([four, rising], [four, four]), [
    'refusal 4+5: its input "in" has different scales for its features',
  ])
})

test('streamsOf() asks nothing of scales where the file does not use them', () => {
  assert.deepEqual(scaled([[], []], [[1], [1, 2]], []), [])
})
