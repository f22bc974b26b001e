import assert from 'node:assert/strict'
import test from 'node:test'
import { runHefModel } from '../../lib/testing/hef/write.ts'
import { turnsDuring } from '../../lib/testing/event-loop.ts'
import { archOf, dequantize, quantize, tinyModel, type TinyModel } from '../../lib/testing/hef/models.ts'
import { needsTool } from '../../lib/testing/needs.ts'
import { hailortStandin, standinOf, type Standin } from '../testing/hailort.ts'
import { VDevice, type VDeviceOptions } from './device.ts'
import { Hef } from './hef.ts'
import { openHailort, type Hailort } from './library.ts'
import { configure, type ConfigureOptions, type NetworkGroup } from './network-group.ts'
import { profileNames, type ProfileName } from './abi/profiles.ts'
import { HailoError } from './status.ts'

const skip = needsTool('gcc')

interface Bench {
  hailort: Hailort
  standin: Standin
  tiny: TinyModel
  vdevice: VDevice
  group: NetworkGroup
}

/** A configured tiny model on the stand-in of a profile; everything is closed, and counted, afterwards. */
async function withGroup(
  o: { profile?: ProfileName; device?: VDeviceOptions; configure?: ConfigureOptions; tiny?: TinyModel },
  body: (bench: Bench) => Promise<void>,
): Promise<void> {
  const profile = o.profile ?? 'C'
  const hailort = openHailort({ env: { HAILORT_LIB: hailortStandin({ profile }) } })
  const standin = standinOf(hailort)
  const tiny = o.tiny ?? tinyModel({ arch: archOf(profile) })
  const misusesBefore = standin.misuses()
  try {
    const vdevice = await VDevice.open(hailort, o.device)
    try {
      const hef = await Hef.fromBuffer(hailort, tiny.hef)
      const group = await configure(vdevice, hef, o.configure).finally(() => hef[Symbol.asyncDispose]())
      await body({ hailort, standin, tiny, vdevice, group })
    } finally {
      await vdevice[Symbol.asyncDispose]()
    }
    assert.equal(standin.live(), 0, 'objects were not released')
    assert.equal(standin.misuses(), misusesBefore, 'released objects were used')
  } finally {
    standin.reset()
  }
}

const wave = (width: number, seed: number) =>
  Float32Array.from({ length: width }, (_, i) => Math.sin((i + seed) / (3 + (seed % 7))) * 0.9)

/** What the device answers, by its own arithmetic, in numbers. */
function expected({ tiny }: Bench, input: Float32Array): Float32Array[] {
  return runHefModel(tiny.model, [quantize(input, tiny.inputLevels)]).map((bytes, i) =>
    dequantize(bytes, tiny.outputLevels[i]!),
  )
}

async function refused(job: Promise<unknown>, status: number): Promise<HailoError> {
  const thrown = await job.then(
    () => null,
    (error: unknown) => error,
  )
  assert.ok(thrown instanceof HailoError, String(thrown))
  assert.equal(thrown.status, status, thrown.message)
  return thrown
}

/** Frames written by one loop while one loop for each output reads, each compared; 1,000 unless told. */
async function manyFrames(bench: Bench, frames = 1000): Promise<void> {
  const [inputs, outputs] = [await bench.group.openInputs(), await bench.group.openOutputs()]
  const waves = Array.from({ length: 16 }, (_, i) => wave(64, i))
  const answers = waves.map(input => expected(bench, input))
  const write = async () => {
    for (let i = 0; i < frames; i++) await inputs[0]!.write(waves[i % 16]!)
  }
  const read = async (k: number) => {
    const frame = new Float32Array(outputs[k]!.frameBytes / 4)
    for (let i = 0; i < frames; i++) {
      await outputs[k]!.read(frame)
      const answer = answers[i % 16]![k]!
      for (let j = 0; j < frame.length; j++)
        if (frame[j] !== answer[j]) assert.fail(`frame ${i} of output ${k} has ${frame[j]} at ${j} for ${answer[j]}`)
    }
  }
  await Promise.all([write(), read(0), read(1)])
  await Promise.all([...inputs, ...outputs].map(stream => stream.close()))
}

const thousandAnswers = 'a group runs 1,000 frames through concurrent streams, exactly as its arithmetic says'

test(`${thousandAnswers}, when it is of profile A`, { skip }, () =>
  withGroup({ profile: 'A' }, bench => manyFrames(bench)),
)
test(`${thousandAnswers}, when it is of profile B`, { skip }, () =>
  withGroup({ profile: 'B' }, bench => manyFrames(bench)),
)
test(`${thousandAnswers}, when it is of profile C`, { skip }, () =>
  withGroup({ profile: 'C' }, bench => manyFrames(bench)),
)
test(`${thousandAnswers}, when it is of profile D`, { skip }, () =>
  withGroup({ profile: 'D' }, bench => manyFrames(bench)),
)

test(
  'frames do not hold the event loop in any profile, when there are many and when each takes 60 ms',
  { skip },
  async () => {
    for (const profile of profileNames) {
      await withGroup({ profile }, async bench => {
        const many = await turnsDuring(() => manyFrames(bench, 200))
        assert.ok(many > 20, `${profile}: ${many} turns in 200 frames`)
        bench.standin.order('LATENCY_US', 60_000)
        const slow = await turnsDuring(() => manyFrames(bench, 2))
        assert.ok(slow > 20, `${profile}: ${slow} turns in two slow frames`)
      })
    }
  },
)

test(
  "what a device answers is the float model's answer within a few steps of quantisation, and not exactly",
  { skip },
  async () => {
    await withGroup({}, async bench => {
      const [inputs, outputs] = [await bench.group.openInputs(), await bench.group.openOutputs()]
      const input = wave(64, 5)
      const frames = outputs.map(({ frameBytes }) => new Float32Array(frameBytes / 4))
      await Promise.all([inputs[0]!.write(input), ...outputs.map((output, i) => output.read(frames[i]!))])
      for (const [i, reference] of bench.tiny.reference(input).entries()) {
        const worst = Math.max(...reference.map((value, j) => Math.abs(value - frames[i]![j]!)))
        assert.ok(worst > 0 && worst < 4 * bench.tiny.outputLevels[i]!.scale, `output ${i} is off by ${worst}`)
      }
    })
  },
)

test('libraries of all profiles run in one process at the same time', { skip }, async () => {
  const run = (profile: ProfileName) =>
    withGroup({ profile }, async bench => {
      const [inputs, outputs] = [await bench.group.openInputs(), await bench.group.openOutputs()]
      const frames = outputs.map(({ frameBytes }) => new Float32Array(frameBytes / 4))
      for (let i = 0; i < 200; i++) {
        const input = wave(64, i)
        // Each write before its reads: else four libraries' reads could hold every worker thread, and no write would
        // come through.
        await Promise.all([inputs[0]!.write(input), ...outputs.map((output, k) => output.read(frames[k]!))])
        assert.deepEqual(frames, expected(bench, input))
      }
    })
  await Promise.all(profileNames.map(run))
})

test('a read ends with a timeout when no frame comes, and the stream works when one does', { skip }, async () => {
  await withGroup({}, async bench => {
    const [inputs, outputs] = [await bench.group.openInputs(), await bench.group.openOutputs({ timeoutMs: 1000 })]
    const frame = new Float32Array(64)
    const thrown = await refused(outputs[1]!.read(frame), 4)
    assert.equal(thrown.statusName, 'HAILO_TIMEOUT')
    assert.match(
      thrown.message,
      /^Cannot read a frame from "net\/noise": hailo_vstream_read_raw_buffer answered 4 HAILO_TIMEOUT: /,
    )
    assert.match(thrown.hint, /read every output/)
    await inputs[0]!.write(wave(64, 9))
    await outputs[1]!.read(frame)
    assert.deepEqual(frame, expected(bench, wave(64, 9))[1])
  })
})

test('a write ends with a timeout when an output is not read and every queue is full', { skip }, async () => {
  await withGroup({}, async ({ group }) => {
    const [inputs] = [await group.openInputs({ timeoutMs: 1000 }), await group.openOutputs()]
    let written = 0
    const flood = async () => {
      for (; written < 100; written++) await inputs[0]!.write(wave(64, 1))
    }
    await refused(flood(), 4)
    // Two frames wait in each of two queues, and one is on the device.
    assert.equal(written, 5)
  })
})

test('streams close while a device hangs, and no call is left waiting', { skip }, async () => {
  await withGroup({}, async ({ group, standin }) => {
    standin.order('HANG_AT', 2)
    const [inputs, outputs] = [
      await group.openInputs({ timeoutMs: 1000 }),
      await group.openOutputs({ timeoutMs: 1000 }),
    ]
    const frame = new Float32Array(64)
    await inputs[0]!.write(wave(64, 1))
    await outputs[1]!.read(frame)
    await inputs[0]!.write(wave(64, 1))
    await refused(outputs[1]!.read(frame), 4)
  })
})

test('latencyMs() tells what a frame takes when it is asked for, and refuses when it is not', { skip }, async () => {
  await withGroup({ configure: { measuresLatency: true, batchSize: 1 } }, async ({ group, standin }) => {
    standin.order('LATENCY_US', 3000)
    const [inputs, outputs] = [await group.openInputs(), await group.openOutputs()]
    await Promise.all([
      inputs[0]!.write(wave(64, 1)),
      outputs[0]!.read(new Float32Array(128)),
      outputs[1]!.read(new Float32Array(64)),
    ])
    assert.equal(group.latencyMs(), 3.25)
  })
  await withGroup({}, async ({ group }) => {
    assert.throws(
      () => group.latencyMs(),
      (thrown: unknown) => thrown instanceof HailoError && thrown.statusName === 'HAILO_NOT_AVAILABLE',
    )
  })
})

test('configure() refuses a HEF for another device, in the words of each version', { skip }, async () => {
  const tiny = tinyModel({ arch: 'hailo15h' })
  for (const [profile, status, name] of [
    ['A', 26, 'HAILO_INVALID_HEF'],
    ['C', 93, 'HAILO_HEF_NOT_COMPATIBLE_WITH_DEVICE'],
  ] as const) {
    const thrown = await refused(
      withGroup({ profile, tiny }, async () => {}),
      status,
    )
    assert.equal(thrown.statusName, name)
    assert.equal(thrown.kind, 'usage')
    assert.match(thrown.hint, /--hw-arch/)
  }
})

test('configure() says that a Hailo-10H needs another interface when the device is one', { skip }, async () => {
  const hailort = openHailort({ env: { HAILORT_LIB: hailortStandin({ profile: 'D' }) } })
  standinOf(hailort).order('ARCH', 'hailo10h')
  const thrown = await refused(
    withGroup({ profile: 'D' }, async () => {}),
    7,
  )
  assert.equal(thrown.kind, 'refused')
  assert.match(thrown.message, /Hailo-10H does not run models through HailoRT's C interface/)
})

test('configure() lists the groups when another is named', { skip }, async () => {
  await assert.rejects(
    withGroup({ configure: { group: 'other' } }, async () => {}),
    /it has the groups net/,
  )
})

test('a group is of no use after its device was closed', { skip }, async () => {
  let kept: NetworkGroup | undefined
  await withGroup({}, async ({ group }) => void (kept = group))
  assert.throws(() => kept!.handle, /it is closed/)
  await assert.rejects(kept!.openInputs(), /it is closed/)
})
