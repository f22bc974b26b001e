import assert from 'node:assert/strict'
import test from 'node:test'
import { RunbookError } from '../base/errors.ts'
import { frameSignal, framesOf, OverlapAdd, paddedSamples, tiles } from './frames.ts'

const framing = { kernel: 16, stride: 8 }
const ramp = (n: number) => Float32Array.from({ length: n }, (_, i) => i + 1)

/** Halves of the frames as polyphase coefficients of one source: overlap-add must give the signal back. */
const halved = (samples: Float32Array) => Float32Array.from(frameSignal(samples, framing).data, value => value / 2)

test('framesOf() and paddedSamples() count the last stride', () => {
  assert.deepEqual([framesOf(16000, 8), framesOf(7, 8), framesOf(8, 8), framesOf(0, 8)], [2001, 1, 2, 1])
  assert.deepEqual(
    [paddedSamples(16000, 8), paddedSamples(7, 8), paddedSamples(9, 8), paddedSamples(0, 8)],
    [16000, 8, 16, 0],
  )
})

test('frameSignal() pads half a kernel on both sides', () => {
  const { shape, data } = frameSignal(ramp(16), framing)
  assert.deepEqual(shape, [1, 16, 1, 3])
  const column = (g: number) => Array.from({ length: 16 }, (_, k) => data[k * 3 + g])
  assert.deepEqual(column(0), [0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8])
  assert.deepEqual(column(1), [...ramp(16)])
  assert.deepEqual(column(2), [9, 10, 11, 12, 13, 14, 15, 16, 0, 0, 0, 0, 0, 0, 0, 0])
})

test('frameSignal() of a window equals the same columns of the whole when it has only the samples it needs', () => {
  const samples = ramp(400)
  const whole = frameSignal(samples, framing)
  const [f, n] = [13, 20]
  const [first, end] = [8 * (f - 1), 8 * (f + n)]
  const part = frameSignal(samples.subarray(first, end), framing, { firstFrame: f, frames: n, firstSample: first })
  for (let k = 0; k < 16; k++) {
    const columns = whole.data.subarray(k * 51 + f, k * 51 + f + n)
    assert.deepEqual(part.data.subarray(k * n, (k + 1) * n), columns)
  }
})

test('frameSignal() gives one frame of zeros when the signal is empty', () => {
  assert.deepEqual(frameSignal(new Float32Array(0), framing).data, new Float32Array(16))
})

test('OverlapAdd gives the signal back from halved frames, exactly', () => {
  const samples = ramp(800)
  const [out] = new OverlapAdd({ ...framing, sources: 1 }).push(halved(samples), { columns: 101, firstFrame: 0 })
  assert.deepEqual(out, samples)
})

test('OverlapAdd gives the same samples when the frames come window by window', () => {
  const samples = ramp(800)
  const all = halved(samples)
  const adder = new OverlapAdd({ ...framing, sources: 1 })
  const out: number[] = []
  for (const [from, to] of [
    [0, 1],
    [1, 1],
    [1, 40],
    [40, 41],
    [41, 101],
  ] as const) {
    out.push(...adder.push(all, { columns: 101, firstFrame: 0, from, to })[0]!)
  }
  assert.equal(adder.nextFrame, 101)
  assert.deepEqual(Float32Array.from(out), samples)
})

test('OverlapAdd keeps two sources apart', () => {
  const a = halved(ramp(80))
  const both = new Float32Array(a.length * 2)
  both.set(a)
  both.set(
    a.map(value => -value),
    a.length,
  )
  const [first, second] = new OverlapAdd({ ...framing, sources: 2 }).push(both, { columns: 11, firstFrame: 0 })
  assert.deepEqual(first, ramp(80))
  assert.deepEqual(
    second,
    ramp(80).map(value => -value),
  )
})

test('OverlapAdd refuses a frame that is missing or comes twice', () => {
  const adder = new OverlapAdd({ ...framing, sources: 1 })
  adder.push(new Float32Array(16 * 4), { columns: 4, firstFrame: 0 })
  assert.throws(() => adder.push(new Float32Array(16 * 4), { columns: 4, firstFrame: 5 }), /frame 5 came, 4 was due/)
  assert.throws(
    () => adder.push(new Float32Array(16 * 4), { columns: 4, firstFrame: 0, from: 3 }),
    /frame 3 came, 4 was due/,
  )
})

test('OverlapAdd names both sizes when the output is no polyphase decoder', () => {
  const adder = new OverlapAdd({ ...framing, sources: 2 })
  assert.throws(
    () => adder.push(new Float32Array(2 * 2001), { columns: 2001, firstFrame: 0 }),
    (error: unknown) => {
      assert.ok(error instanceof RunbookError)
      assert.equal(error.exit, 'usage')
      assert.match(error.message, /4002 coefficients.*64032/)
      return true
    },
  )
})

test('tiles() covers every position once and keeps its distance from inner edges', () => {
  const cases = [
    [2001, 256, 3],
    [2001, 256, 4],
    [257, 256, 3],
    [513, 256, 100],
    [7, 3, 1],
    [1000, 100, 0],
  ] as const
  for (const [total, width, halo] of cases) {
    let done = 0
    for (const { start, from, to } of tiles({ total, width, halo })) {
      assert.equal(start + from, done, `${total} ${width} ${halo}`)
      assert.ok(start >= 0 && start + width <= total && to > from)
      assert.ok(start === 0 || from >= halo, 'the left edge is thrown away')
      assert.ok(start + width === total ? to === width : to <= width - halo, 'the right edge is thrown away')
      done = start + to
    }
    assert.equal(done, total)
  }
})

test('tiles() gives one tile when the whole fits', () => {
  assert.deepEqual(tiles({ total: 256, width: 256, halo: 3 }), [{ start: 0, from: 0, to: 256 }])
  assert.deepEqual(tiles({ total: 100, width: 256, halo: 300 }), [{ start: 0, from: 0, to: 100 }])
})

test('tiles() says so when the halo leaves nothing of a tile', () => {
  assert.throws(() => tiles({ total: 2001, width: 1530, halo: 765 }), /halo of 765 on both sides leaves nothing/)
})
