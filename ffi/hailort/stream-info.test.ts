import assert from 'node:assert/strict'
import test from 'node:test'
import { parseVersion } from './abi/profiles.ts'
import { describeStream, isNmsOrder, quantisationFrom, streamInfoFrom, type RawVStreamInfo } from './stream-info.ts'

const quantum = { qp_zp: 3, qp_scale: 0.5, limvals_min: -1, limvals_max: 1 }
const raw = (order: number, more: Partial<RawVStreamInfo> = {}): RawVStreamInfo => ({
  name: 'net/out',
  network_name: 'net/net',
  direction: 1,
  format: { type: 1, order, flags: 1 },
  shape: {
    image: { height: 1, width: 2, features: 3 },
    nms: { number_of_classes: 4, max_bboxes_per_class: 5, max_bboxes_total: 6 },
  },
  quant_info: quantum,
  ...more,
})

test('streamInfoFrom() takes a picture or detections from the union by the order of the format', () => {
  const version = parseVersion('4.23.0')
  assert.deepEqual(streamInfoFrom(raw(1), version).image, { height: 1, width: 2, features: 3 })
  assert.equal(streamInfoFrom(raw(1), version).nms, undefined)
  for (const order of [9, 20, 21, 22]) {
    assert.deepEqual(
      streamInfoFrom(raw(order), version).nms,
      { classes: 4, boxesPerClass: 5, boxesTotal: 6 },
      String(order),
    )
    assert.equal(streamInfoFrom(raw(order), version).image, undefined)
  }
})

test('streamInfoFrom() reads the one number of 4.20 as boxes of a class, or of all when they come by score', () => {
  const version = parseVersion('4.20.0')
  const shape = {
    image: { height: 4, width: 7, features: 0 },
    nms: { number_of_classes: 4, boxes: { max_bboxes_per_class: 7 } },
  }
  assert.deepEqual(streamInfoFrom(raw(22, { shape }), version).nms, { classes: 4, boxesPerClass: 7, boxesTotal: 0 })
  assert.deepEqual(streamInfoFrom(raw(23, { shape }), version).nms, { classes: 4, boxesPerClass: 0, boxesTotal: 7 })
})

test('quantisationFrom() is null for a scale of zero, which nobody may divide by', () => {
  assert.equal(quantisationFrom({ qp_zp: 0, qp_scale: 0, limvals_min: 0, limvals_max: 0 }), null)
  assert.deepEqual(quantisationFrom(quantum), { zeroPoint: 3, scale: 0.5, min: -1, max: 1 })
})

test('describeStream() says name, order and size', () => {
  const version = parseVersion('4.23.0')
  assert.equal(describeStream(streamInfoFrom(raw(3), version)), 'net/out FCR 1x2x3')
  assert.equal(describeStream(streamInfoFrom(raw(22), version)), 'net/out HAILO_NMS_BY_CLASS 4 classes of 5 boxes')
})

test('isNmsOrder() is true for the five orders of detections alone', () => {
  assert.deepEqual(Array.from({ length: 24 }, (_, order) => order).filter(isNmsOrder), [9, 20, 21, 22, 23])
})
