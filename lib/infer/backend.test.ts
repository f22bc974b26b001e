import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { smallHef } from '../testing/hef/samples.ts'
import { float32 } from '../formats/tensors/tensor.ts'
import { checkFeeds, indexOfNonFinite, listed } from './backend.ts'
import { openBackend } from './open.ts'
import type { BackendName } from './options.ts'
import { halves, modelFile, scratch } from '../testing/infer/fixtures.ts'

const hefBytes = Buffer.from(smallHef())
function fileOf(name: string, bytes: string | Uint8Array): string {
  const path = join(scratch(), name)
  writeFileSync(path, bytes)
  return path
}

test('openBackend() opens an .onnx on ONNX Runtime, by its ending or when told so', async () => {
  for (const [backend, name] of [
    ['auto', 'm.onnx'],
    ['auto', 'M.ONNX'],
    ['ort', 'model.bin'],
  ] as const) {
    await using model = await openBackend(modelFile(halves(16), name), { backend })
    assert.equal(model.name, 'ort')
    assert.match(model.device, /^cpu \(ONNX Runtime \d+\.\d+\.\d+\)$/)
    assert.deepEqual(
      [listed(model.inputs), listed(model.outputs)],
      ['input float32[1, 1, 1, 16]', 'output float32[1, 2, 1, 16]'],
    )
    assert.ok(model.loadMs > 0)
  }
})

test('openBackend() is blocked on a HEF, says what to install, and never falls back', async () => {
  for (const backend of ['auto', 'hailort'] as const) {
    await assert.rejects(openBackend(fileOf('model.hef', hefBytes), { backend }), {
      exit: 'blocked',
      hint: /install it .*export HAILORT_LIB=.*pyhailort\/hailo_platform, is not needed/,
    })
  }
})

test('openBackend() refuses a HEF for ONNX Runtime, and an ONNX file for HailoRT', async () => {
  await assert.rejects(openBackend(fileOf('model.hef', hefBytes), { backend: 'ort' }), {
    exit: 'usage',
    message: /it is a HEF/,
    hint: /--backend hailort/,
  })
  await assert.rejects(openBackend(fileOf('model.onnx', hefBytes)), {
    exit: 'usage',
    message: /on ONNX Runtime: it is a HEF/,
  })
  await assert.rejects(openBackend(modelFile(halves(16)), { backend: 'hailort' }), {
    exit: 'usage',
    message: /it is not a HEF \(/,
  })
})

test('openBackend() refuses a file that only claims to be a HEF', async () => {
  for (const [bytes, state] of [
    ['HEF\n this is text', 'begins "HEF'],
    ['', '(empty)'],
    ['\u0001HE', 'it begins with'],
  ] as const) {
    await assert.rejects(
      openBackend(fileOf('model.hef', bytes)),
      (error: { exit: string; message: string }) => error.exit === 'usage' && error.message.includes(state),
    )
  }
})

test('openBackend() is blocked when there is no such file, whatever its ending', async () => {
  for (const name of ['no.onnx', 'no.hef', 'no.xyz', 'no']) {
    for (const backend of ['auto', 'ort', 'hailort'] as BackendName[]) {
      await assert.rejects(openBackend(join(scratch(), name), { backend }), {
        exit: 'blocked',
        message: /Cannot read ".*no/,
      })
    }
  }
})

test('openBackend() is a usage error for a folder, and for an ending that it does not know', async () => {
  const folder = join(scratch(), 'model.onnx')
  mkdirSync(folder)
  await assert.rejects(openBackend(folder), { exit: 'usage', message: /it is a folder/ })
  await assert.rejects(openBackend(fileOf('model.bin', 'ptrt')), {
    exit: 'usage',
    message: /the ending ".bin" is unknown/,
    hint: /--backend ort/,
  })
})

const inputs = [
  { name: 'mix', dtype: 'float32', shape: [1, 'n'] },
  { name: 'gain', dtype: 'float64', shape: [2] },
] as const
const mix = float32([1, 3], [1, 2, 3])
const gain = { dtype: 'float64', shape: [2], data: new Float64Array(2) } as const

test('checkFeeds() takes feeds that fit, any size where a dimension is open', () => {
  checkFeeds({ mix, gain }, inputs)
  checkFeeds({ gain, mix: float32([1, 1], [0]) }, inputs)
})

test('checkFeeds() names the input and both shapes when something does not fit', () => {
  const refused = (feeds: Parameters<typeof checkFeeds>[0], message: RegExp) =>
    assert.throws(() => checkFeeds(feeds, inputs), { exit: 'usage', message })
  refused({ mix }, /Cannot infer without "gain": the model takes mix float32\[1, n\], gain float64\[2\]/)
  refused({ mix, gain, more: mix }, /Cannot feed "more": the model takes mix/)
  refused({ mix: float32([3], [1, 2, 3]), gain }, /Cannot feed float32\[3\] to "mix": it takes float32\[1, n\]/)
  refused({ mix: float32([2, 1], [1, 2]), gain }, /Cannot feed float32\[2, 1\]/)
  refused({ mix: { dtype: 'int8', shape: [1, 3], data: new Int8Array(3) }, gain }, /Cannot feed int8\[1, 3\] to "mix"/)
  refused({ mix: { ...mix, data: new Float32Array(4) }, gain }, /Cannot feed float32\[1, 3\] with 4 values/)
})

test('checkFeeds() refuses NaN and infinity, in single and in double precision, and says where', () => {
  for (const odd of [Number.NaN, Infinity, -Infinity]) {
    assert.throws(() => checkFeeds({ mix: float32([1, 3], [0, 0, odd]), gain }, inputs), {
      exit: 'usage',
      message: `Cannot feed "mix": value 2 is ${odd}`,
    })
    assert.throws(() => checkFeeds({ mix, gain: { ...gain, data: Float64Array.of(0, odd) } }, inputs), {
      exit: 'usage',
      message: /"gain": value 1/,
    })
  }
})

test('openBackend() says by the ending whose file it is when a device was asked to run an ONNX file', async () => {
  const path = modelFile(halves(2))
  await assert.rejects(openBackend(path, { backend: 'hailort' }), {
    exit: 'usage',
    message: /it is not a HEF/,
    hint: "leave out --backend: .onnx is ONNX Runtime's; or give a .hef",
  })
  await assert.rejects(openBackend(path, { backend: 'tensorrt' }), { exit: 'usage', hint: /or give a \.plan$/ })
})

test('checkFeeds() refuses NaN and infinity in half precision, and takes the largest number of it', () => {
  const half = [{ name: 'x', dtype: 'float16', shape: [2] }] as const
  const feed = (bits: number) => ({ x: { dtype: 'float16', shape: [2], data: Uint16Array.of(0x3c00, bits) } }) as const
  checkFeeds(feed(0x7bff), half)
  for (const bits of [0x7c00, 0xfc00, 0x7e00]) {
    assert.throws(() => checkFeeds(feed(bits), half), {
      exit: 'usage',
      message: 'Cannot feed "x": value 1 is NaN or infinite',
    })
  }
})

test('indexOfNonFinite() finds the first one, and -1 where there is none', () => {
  assert.equal(indexOfNonFinite(Float32Array.of(0, -0, 3e38, Number.NaN, Infinity)), 3)
  assert.equal(indexOfNonFinite(Float64Array.of(1e300, -Infinity)), 1)
  assert.equal(indexOfNonFinite(new Float32Array(0)), -1)
  assert.equal(indexOfNonFinite(new Float32Array(100)), -1)
})
