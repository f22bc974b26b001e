import assert from 'node:assert/strict'
import test from 'node:test'
import { written, type FieldValue } from '../../testing/hef/message.ts'
import { edge, layerInfo, sealed } from '../../testing/hef/samples.ts'
import { decodeHef } from '../../testing/hef/decode.ts'
import type { Pieces } from '../protobuf.ts'

const pad = (index: number, name = '', more: Record<number, FieldValue> = {}) =>
  written({ 1: { always: index }, 2: name, ...more })
const link = (from: number, to: number) => written({ 1: { always: from }, 2: to })

/** A HEF whose device gives `a` (4×6, 8 features, pad 0) and `b` (2×3, pad 1), with these operations on the host. */
function hefWith(ops: readonly Pieces[], edges: readonly Pieces[], sorted: readonly string[], extensions = [13, 26]) {
  const core = {
    1: written({ 1: 'net' }),
    4: sorted,
    3: [
      written({
        3: written({
          2: [
            edge(0, layerInfo('in', [8, 8, 3])),
            edge(1, layerInfo('a', [4, 6, 8]), 'info', { 7: { always: 0 } }),
            edge(1, layerInfo('b', [2, 3, 8]), 'info', { 7: 1 }),
          ],
        }),
      }),
    ],
  }
  const group = written({ ...core, 3: [], 8: [written({ 1: 'core', 4: written(core) }), ...ops], 9: edges })
  return decodeHef(
    sealed(
      written({
        1: written({ 1: 1, 3: '3.31.0', 4: 4 }),
        2: [group],
        5: extensions.map(index => written({ 1: index })),
      }),
    ),
  )
}
const nmsOp = (kind: number, nms: Record<number, FieldValue> = {}, body: Pieces = written({})) =>
  written({
    1: 'nms',
    2: [pad(10), pad(11)],
    3: [pad(20, 'boxes')],
    5: written({ 1: { double: 0.3 }, 2: { double: 0.6 }, 3: 100, 4: 80, [kind]: body, ...nms }),
  })
const links = [link(0, 10), link(1, 11)]
const outputsOf = (hef: ReturnType<typeof hefWith>) => hef.groups[0]!.outputs
const messages = (hef: ReturnType<typeof hefWith>) => hef.hazards.map(({ effect, message }) => `${effect}: ${message}`)

test('outputsAfterHost() gives the boxes in place of the streams that NMS eats', () => {
  const hef = hefWith([nmsOp(12)], links, ['boxes'])
  assert.deepEqual([hef.hazards, outputsOf(hef).length], [[], 1])
  const [boxes] = outputsOf(hef)
  assert.deepEqual(
    [boxes!.name, boxes!.order, boxes!.deviceOrder, boxes!.dtype, boxes!.shape],
    ['boxes', 'HAILO_NMS_BY_CLASS', null, 'float32', { height: 80, width: 5, features: 100 }],
  )
  assert.deepEqual(boxes!.nms, {
    classes: 80,
    maxBoxesPerClass: 100,
    where: 'host',
    boxSize: null,
    kind: 'yolov8',
    scoreThreshold: 0.3,
    iouThreshold: 0.6,
  })
  assert.equal(boxes!.quantization.scale, 1)
})

test('outputsAfterHost() knows each kind of NMS, and takes the background from the classes', () => {
  const kinds = [7, 8, 9, 10, 11, 12].map(kind => outputsOf(hefWith([nmsOp(kind)], links, ['boxes']))[0]!)
  assert.deepEqual(
    kinds.map(({ nms }) => nms!.kind),
    ['yolov5', 'yolox', 'ssd', 'iou', 'yolov5_seg', 'yolov8'],
  )
  assert.equal(kinds[4]!.order, 'HAILO_NMS_WITH_BYTE_MASK')
  assert.equal(outputsOf(hefWith([nmsOp(9, { 5: true })], links, ['boxes']))[0]!.nms!.classes, 79)
})

test('outputsAfterHost() counts the rows where boxes are only decoded', () => {
  const yolov8 = outputsOf(hefWith([nmsOp(12, { 13: true })], links, ['boxes']))[0]!
  assert.deepEqual(
    [yolov8.nms, yolov8.order, yolov8.shape],
    [null, 'NHWC', { height: 1, width: (24 + 6) / 2, features: 84 }],
  )
  const anchors = (padIndex: number) =>
    written({ 2: Uint8Array.of(10, 20, 30), 3: Uint8Array.of(10, 20, 30), 5: padIndex })
  const yolov5 = outputsOf(
    hefWith([nmsOp(7, { 13: true }, written({ 4: [anchors(0), anchors(1)] }))], links, ['boxes']),
  )[0]!
  assert.deepEqual(yolov5.shape, { height: 1, width: 3 * (24 + 6), features: 85 })
})

test("outputsAfterHost() leaves the streams that nothing eats, in the order of the file's list", () => {
  const softmax = written({
    1: 'softmax',
    2: [pad(10)],
    3: [pad(20, 'p', { 3: 6, 8: 1, 5: written({ 1: { float: 3 }, 2: { float: 0.5 } }) })],
    6: written({ 1: 1 }),
  })
  const hef = hefWith([softmax], [link(1, 10)], ['p', 'a'])
  assert.deepEqual([outputsOf(hef).map(({ name }) => name), hef.hazards], [['p', 'a'], []])
  const [p] = outputsOf(hef)
  assert.deepEqual(
    [p!.shape, p!.order, p!.dtype, p!.quantization.zeroPoint, p!.quantization.scale],
    [{ height: 2, width: 3, features: 8 }, 'NC', 'uint8', 3, 0.5],
  )
})

test('outputsAfterHost() gives one feature for an arg max', () => {
  const argmax = written({ 1: 'argmax', 2: [pad(10)], 3: [pad(20, 'k', { 3: 5, 8: 2 })], 6: written({}) })
  const [, k] = outputsOf(hefWith([argmax], [link(0, 10)], ['b', 'k']))
  assert.deepEqual(
    [k!.name, k!.shape, k!.order, k!.dtype],
    ['k', { height: 4, width: 6, features: 1 }, 'NHW', 'uint16'],
  )
})

test('outputsAfterHost() finds operations that hang in the air', () => {
  assert.deepEqual(messages(hefWith([nmsOp(12)], [link(0, 10)], ['a', 'b'])), [
    'refusal: its host operation "nms" is joined to no stream of the device',
  ])
  const blind = written({ 1: 'nms', 2: [pad(10)], 5: written({ 4: 80 }) })
  assert.deepEqual(messages(hefWith([blind], links, ['a', 'b'])), ['crash: its host operation "nms" has no output'])
  const deaf = written({ 1: 'nms', 3: [pad(20, 'boxes')], 5: written({ 4: 80 }) })
  assert.deepEqual(messages(hefWith([deaf], links, ['a', 'b'])), ['crash: its host operation "nms" has no input'])
})

test('readHef() reads host operations only where the extension says that there are any', () => {
  const hef = hefWith([nmsOp(12)], links, ['boxes'], [26])
  assert.deepEqual(hef.groups[0]!.contexts, 0)
  assert.ok(messages(hef).includes('crash: its network group "net" has no context'))
})

test('readHef() finds a group of operations without one for the device', () => {
  const group = written({ 1: written({ 1: 'net' }), 8: [nmsOp(12)] })
  const hef = decodeHef(sealed(written({ 1: written({ 1: 1, 4: 4 }), 2: [group], 5: [written({ 1: 13 })] })))
  assert.ok(messages(hef).includes('crash: its network group "net" has no operation for the device'))
})
