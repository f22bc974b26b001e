import assert from 'node:assert/strict'
import test from 'node:test'
import { writeHef } from '../../lib/testing/hef/write.ts'
import { dequantize, quantize, tinyModel } from '../../lib/testing/hef/models.ts'
import { needsTool } from '../../lib/testing/needs.ts'
import { FfiError } from '../errors.ts'
import { hailortStandin, standinOf } from '../testing/hailort.ts'
import { VDevice } from './device.ts'
import { Hef } from './hef.ts'
import { openHailort } from './library.ts'
import { configure, type NetworkGroup } from './network-group.ts'
import { HailoError } from './status.ts'

const skip = needsTool('gcc')

async function withGroup(bytes: Uint8Array, body: (group: NetworkGroup) => Promise<void>): Promise<void> {
  const hailort = openHailort({ env: { HAILORT_LIB: hailortStandin({ profile: 'C' }) } })
  const standin = standinOf(hailort)
  const misuses = standin.misuses()
  try {
    const vdevice = await VDevice.open(hailort)
    try {
      const hef = await Hef.fromBuffer(hailort, bytes)
      await body(await configure(vdevice, hef).finally(() => hef[Symbol.asyncDispose]()))
    } finally {
      await vdevice[Symbol.asyncDispose]()
    }
    assert.deepEqual([standin.live(), standin.misuses()], [0, misuses])
  } finally {
    standin.reset()
  }
}

/** One input and several outputs of one picture, which a HEF without arithmetic repeats. */
const repeater = (o: { outputs: number; extensions?: number[]; quantization?: object; features?: number }) =>
  writeHef({
    ...(o.extensions && { extensions: o.extensions }),
    groups: [
      {
        name: 'net',
        inputs: [{ name: 'net/in', shape: { height: 1, width: 4, features: o.features ?? 1 } }],
        outputs: Array.from({ length: o.outputs }, (_, i) => ({
          name: `net/out${i}`,
          shape: { height: 1, width: 4, features: o.features ?? 1 },
          quantization: o.quantization ?? {},
        })),
      },
    ],
  })

test(
  "a VStream knows its frame's size from the library, which depends on the type that is asked for",
  { skip },
  async () => {
    await withGroup(tinyModel().hef, async group => {
      const float = await group.openOutputs()
      assert.deepEqual(
        float.map(({ frameBytes }) => frameBytes),
        [512, 256],
      )
      await Promise.all(float.map(stream => stream.close()))
      const bytes = await group.openOutputs({ type: 'uint8' })
      assert.deepEqual(
        bytes.map(({ frameBytes }) => frameBytes),
        [128, 64],
      )
      await Promise.all(bytes.map(stream => stream.close()))
      const automatic = await group.openOutputs({ type: 'auto' })
      assert.deepEqual(
        automatic.map(({ frameBytes }) => frameBytes),
        [128, 64],
      )
    })
  },
)

test('a stream of bytes carries what a stream of numbers means when both run one frame', { skip }, async () => {
  const tiny = tinyModel()
  const input = Float32Array.from({ length: 64 }, (_, i) => Math.cos(i / 5))
  const run = async <Frame extends Float32Array | Uint8Array>(
    type: 'float32' | 'uint8',
    frame: Frame,
  ): Promise<Frame> => {
    await withGroup(tiny.hef, async group => {
      const [inputs, outputs] = [await group.openInputs({ type }), await group.openOutputs({ type })]
      await inputs[0]!.write(type === 'uint8' ? quantize(input, tiny.inputLevels) : input)
      await outputs[0]!.read(frame)
    })
    return frame
  }
  assert.deepEqual(
    await run('float32', new Float32Array(128)),
    dequantize(await run('uint8', new Uint8Array(128)), tiny.outputLevels[0]!),
  )
})

test(
  'a VStream refuses a frame of another size, the wrong direction, and a frame after it was closed',
  { skip },
  async () => {
    await withGroup(tinyModel().hef, async group => {
      const [inputs, outputs] = [await group.openInputs(), await group.openOutputs()]
      const usage = (words: RegExp) => (thrown: unknown) =>
        thrown instanceof FfiError && thrown.kind === 'usage' && words.test(thrown.message)
      await assert.rejects(inputs[0]!.write(new Float32Array(63)), usage(/a frame has 256 bytes, and 252 were given/))
      await assert.rejects(inputs[0]!.read(new Float32Array(64)), usage(/it is an input, and cannot be read/))
      await assert.rejects(outputs[0]!.write(new Float32Array(128)), usage(/it is an output, and cannot be written/))
      await Promise.all([inputs[0]!.close(), inputs[0]!.close()])
      await assert.rejects(inputs[0]!.write(new Float32Array(64)), usage(/the stream is closed/))
    })
  },
)

test(
  'writeNow() hands a frame over at once, and refuses what write() refuses and while a write is under way',
  { skip },
  async () => {
    await withGroup(repeater({ outputs: 1 }), async group => {
      const [inputs, outputs] = [
        await group.openInputs({ queueSize: 1, timeoutMs: 500 }),
        await group.openOutputs({ queueSize: 1 }),
      ]
      const frame = new Float32Array(4)
      for (let i = 0; i < 10; i++) {
        inputs[0]!.writeNow(new Float32Array(4).fill(i))
        await outputs[0]!.read(frame)
        assert.equal(frame[3], i)
      }
      const usage = (words: RegExp) => (thrown: unknown) =>
        thrown instanceof FfiError && thrown.kind === 'usage' && words.test(thrown.message)
      assert.throws(() => inputs[0]!.writeNow(new Float32Array(3)), usage(/a frame has 16 bytes, and 12 were given/))
      assert.throws(() => outputs[0]!.writeNow(new Float32Array(4)), usage(/it is an output, and cannot be written/))
      const writing = inputs[0]!.write(new Float32Array(4))
      assert.throws(() => inputs[0]!.writeNow(new Float32Array(4)), usage(/an earlier frame is still being written/))
      await writing
      // Nobody reads: the output's queue, the device's hands and the input's queue fill up, and then it waits for the
      // timeout.
      assert.throws(
        () => {
          for (let i = 0; i < 4; i++) inputs[0]!.writeNow(new Float32Array(4))
        },
        (thrown: unknown) => thrown instanceof HailoError && thrown.statusName === 'HAILO_TIMEOUT',
      )
      await inputs[0]!.close()
      assert.throws(() => inputs[0]!.writeNow(new Float32Array(4)), usage(/the stream is closed/))
    })
  },
)

test('frames come out in order when many are asked for at once', { skip }, async () => {
  await withGroup(repeater({ outputs: 1 }), async group => {
    const [inputs, outputs] = [await group.openInputs({ type: 'uint8' }), await group.openOutputs({ type: 'uint8' })]
    const frames = Array.from({ length: 50 }, (_, i) => Uint8Array.from([i, i + 1, i + 2, i + 3]))
    const answers = frames.map(() => new Uint8Array(4))
    await Promise.all(frames.flatMap((frame, i) => [inputs[0]!.write(frame), outputs[0]!.read(answers[i]!)]))
    assert.deepEqual(answers, frames)
  })
})

test(
  'more outputs than node has worker threads are read at once when the inputs are written first',
  { skip },
  async () => {
    await withGroup(repeater({ outputs: 9 }), async group => {
      const [inputs, outputs] = [
        await group.openInputs({ timeoutMs: 20_000 }),
        await group.openOutputs({ timeoutMs: 20_000 }),
      ]
      const frames = outputs.map(() => new Float32Array(4))
      for (let round = 0; round < 20; round++) {
        await Promise.all([
          inputs[0]!.write(new Float32Array(4).fill(round)),
          ...outputs.map((output, i) => output.read(frames[i]!)),
        ])
        assert.ok(frames.every(frame => frame.every(value => value === round)))
      }
    })
  },
)

test('close() waits for a read that is under way', { skip }, async () => {
  await withGroup(tinyModel().hef, async group => {
    const [, outputs] = [await group.openInputs(), await group.openOutputs({ timeoutMs: 120 })]
    const read = outputs[0]!.read(new Float32Array(128)).then(
      () => 'frame',
      (thrown: HailoError) => thrown.statusName,
    )
    await outputs[0]!.close()
    assert.equal(await read, 'HAILO_TIMEOUT')
  })
})

test('a stream that is opened twice is refused, and the first one stays', { skip }, async () => {
  await withGroup(tinyModel().hef, async group => {
    const inputs = await group.openInputs()
    await assert.rejects(group.openInputs(), HailoError)
    await inputs[0]!.write(new Float32Array(64))
  })
})

test('a stream is dequantised by a pair for each feature when the file has them', { skip }, async () => {
  const perFeature = { zeroPoints: [0, 10], scales: [0.5, 2] }
  const bytes = repeater({
    outputs: 1,
    features: 2,
    extensions: [25],
    quantization: { zeroPoint: 0, scale: 0, perFeature },
  })
  await withGroup(bytes, async group => {
    const [inputs, outputs] = [await group.openInputs({ type: 'uint8' }), await group.openOutputs()]
    const frame = new Float32Array(8)
    await Promise.all([inputs[0]!.write(Uint8Array.from([20, 20, 0, 10, 2, 11, 4, 12])), outputs[0]!.read(frame)])
    assert.deepEqual([...frame], [10, 20, 0, 0, 1, 2, 2, 4])
  })
})

test('a queue of one frame works, and one of none is refused', { skip }, async () => {
  await withGroup(repeater({ outputs: 1 }), async group => {
    await assert.rejects(group.openInputs({ queueSize: 0 }), HailoError)
    const [inputs, outputs] = [await group.openInputs({ queueSize: 1 }), await group.openOutputs({ queueSize: 1 })]
    const frame = new Float32Array(4)
    for (let i = 0; i < 10; i++)
      await Promise.all([inputs[0]!.write(new Float32Array(4).fill(i)), outputs[0]!.read(frame)])
    assert.equal(frame[3], 9)
  })
})
