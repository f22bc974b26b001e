import assert from 'node:assert/strict'
import test from 'node:test'
import type { StreamInfo } from '../../../ffi/hailort/stream-info.ts'
import { RunbookError } from '../../base/errors.ts'
import { layoutOfStream } from './layout.ts'

const stream = (order: string, height: number, width: number, features: number): StreamInfo => ({
  name: 'net/it',
  network: 'net/net',
  isInput: true,
  order,
  type: 'UINT8',
  image: { height, width, features },
  quantisation: null,
})
const nms = (order: string): StreamInfo => ({
  name: 'net/nms',
  network: 'net/net',
  isInput: false,
  order,
  type: 'FLOAT32',
  nms: { classes: 2, boxesPerClass: 2, boxesTotal: 0 },
  quantisation: null,
})
const counted = (n: number) => Float32Array.from({ length: n }, (_, i) => i)

test('layoutOfStream() turns [1, C, H, W] into height, width, features and back when the order is NHWC or FCR', () => {
  for (const order of ['NHWC', 'FCR', 'RGB888']) {
    const layout = layoutOfStream(stream(order, 2, 3, 4))
    assert.deepEqual([layout.shape, layout.frameValues, layout.isPlain], [[1, 4, 2, 3], 24, false])
    const [tensor, frame, back] = [counted(24), new Float32Array(24), new Float32Array(24)]
    layout.frameFromTensor(tensor, frame)
    // At height 1, width 2, feature 3 lies the value of channel 3, row 1, column 2.
    assert.equal(frame[(1 * 3 + 2) * 4 + 3], tensor[(3 * 2 + 1) * 3 + 2])
    layout.tensorFromFrame(frame, back)
    assert.deepEqual(back, tensor)
  }
})

test('layoutOfStream() copies nothing but the values when one channel lies in one row', () => {
  const layout = layoutOfStream(stream('NHWC', 1, 16, 1))
  assert.deepEqual([layout.shape, layout.isPlain], [[1, 1, 1, 16], true])
  const frame = new Float32Array(16)
  layout.frameFromTensor(counted(16), frame)
  assert.deepEqual(frame, counted(16))
})

test('layoutOfStream() turns [1, C, H, W] into height, features, width when the order is NHCW', () => {
  const layout = layoutOfStream(stream('NHCW', 2, 3, 4))
  const [tensor, frame, back] = [counted(24), new Float32Array(24), new Float32Array(24)]
  layout.frameFromTensor(tensor, frame)
  assert.equal(frame[(1 * 4 + 3) * 3 + 2], tensor[(3 * 2 + 1) * 3 + 2])
  layout.tensorFromFrame(frame, back)
  assert.deepEqual(back, tensor)
  assert.equal(layoutOfStream(stream('NHCW', 1, 3, 4)).isPlain, true)
})

test('layoutOfStream() gives [1, C], [1, 1, H, W] or [1, C, H, W] when there is nothing to turn', () => {
  assert.deepEqual(layoutOfStream(stream('NC', 1, 1, 512)).shape, [1, 512])
  assert.deepEqual(layoutOfStream(stream('NHW', 4, 5, 1)).shape, [1, 1, 4, 5])
  assert.deepEqual(layoutOfStream(stream('NCHW', 4, 5, 6)).shape, [1, 6, 4, 5])
})

test('layoutOfStream() gives rows of class, box and score of detections, and marks the empty ones', () => {
  const layout = layoutOfStream(nms('HAILO_NMS_BY_CLASS'))
  assert.deepEqual([layout.shape, layout.frameValues], [[1, 4, 6], 22])
  const frame = new Float32Array(22)
  // No box of class 0, then two of class 1: the frame is packed.
  frame.set([0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  const rows = new Float32Array(24).fill(99)
  layout.tensorFromFrame(frame, rows)
  assert.deepEqual([...rows], [1, 1, 2, 3, 4, 5, 1, 6, 7, 8, 9, 10, -1, 0, 0, 0, 0, 0, -1, 0, 0, 0, 0, 0])
  assert.throws(() => layout.frameFromTensor(rows, frame), RunbookError)
})

test('layoutOfStream() reads no further than the frame when a count is absurd', () => {
  const layout = layoutOfStream(nms('HAILO_NMS'))
  for (const count of [1e9, -3, NaN, 2.9]) {
    const rows = new Float32Array(24)
    layout.tensorFromFrame(new Float32Array(22).fill(count), rows)
    assert.equal(rows.length, 24)
  }
})

test('layoutOfStream() refuses orders that become no array here', () => {
  for (const info of [
    stream('NV12', 2, 2, 3),
    stream('F8CR', 1, 4, 8),
    stream('BAYER_RGB', 4, 4, 1),
    nms('HAILO_NMS_BY_SCORE'),
    nms('HAILO_NMS_WITH_BYTE_MASK'),
  ]) {
    assert.throws(
      () => layoutOfStream(info),
      (thrown: unknown) =>
        thrown instanceof RunbookError && thrown.exit === 'usage' && thrown.message.includes(info.order),
    )
  }
})
