import assert from 'node:assert/strict'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import test from 'node:test'
import { profileNames, type ProfileName } from '../../../ffi/hailort/abi/profiles.ts'
import { openHailort } from '../../../ffi/hailort/library.ts'
import { cacheFolder } from '../../../ffi/testing/build.ts'
import { hailortStandin, standinOf, type Fault, type Standin } from '../../../ffi/testing/hailort.ts'
import { runHefModel, writeHef } from '../../testing/hef/write.ts'
import { float32 } from '../../formats/tensors/tensor.ts'
import { RunbookError } from '../../base/errors.ts'
import { archOf, dequantize, quantize, tinyModel, withHefFile } from '../../testing/hef/models.ts'
import { turnsDuring } from '../../testing/event-loop.ts'
import { needsTool } from '../../testing/needs.ts'
import { openIsolated } from '../isolate/parent.ts'
import { openHailortBackend, type HailortBackend } from './backend.ts'
import type { HailortOptions } from './types.ts'

const skip = needsTool('gcc')

interface Bench {
  open(options?: HailortOptions): Promise<HailortBackend>
  standin: Standin
  path: string
}

/** A HEF and a stand-in with these orders; whatever is opened must be closed by the body, and nothing may be left. */
async function withBench(
  o: { profile?: ProfileName; hef: Uint8Array } & Partial<Record<Fault, string | number>>,
  body: (bench: Bench) => Promise<void>,
): Promise<void> {
  const { profile = 'C', hef, ...orders } = o
  const env = { HAILORT_LIB: hailortStandin({ profile }) }
  const standin = standinOf(openHailort({ env }))
  const misuses = standin.misuses()
  for (const [fault, value] of Object.entries(orders)) standin.order(fault as Fault, value)
  try {
    await withHefFile(hef, path =>
      body({ path, standin, open: options => openHailortBackend(path, { env, ...options }) }),
    )
    assert.deepEqual([standin.live(), standin.misuses()], [0, misuses])
  } finally {
    standin.reset()
  }
}

const wave = (width = 64, step = 5) => Float32Array.from({ length: width }, (_, i) => Math.sin(i / step) * 0.8)
const exits = (exit: RunbookError['exit'], words: RegExp) => (thrown: unknown) =>
  thrown instanceof RunbookError && thrown.exit === exit && words.test(`${thrown.message} | ${thrown.hint}`)

test(
  "openHailortBackend() answers as the model's arithmetic does, with channels first, in every profile",
  { skip },
  async () => {
    for (const profile of profileNames) {
      const tiny = tinyModel({ arch: archOf(profile) })
      await withBench({ profile, hef: tiny.hef }, async ({ open }) => {
        await using model = await open()
        assert.equal(model.name, 'hailort')
        assert.match(
          model.device,
          profile === 'D' ? /^Hailo-15H 0000:01:00.0 fw 5\.2\.0$/ : /^Hailo-8 0000:01:00.0 fw 4\./,
        )
        assert.match(model.library, new RegExp(`profile ${profile}`))
        assert.deepEqual(
          model.inputs.map(({ name, shape, layout }) => [name, shape, layout]),
          [['net/mix', [1, 1, 1, 64], 'NHWC 1x64x1']],
        )
        assert.deepEqual(
          model.outputs.map(({ name, shape }) => [name, shape]),
          [
            ['net/voices', [1, 2, 1, 64]],
            ['net/noise', [1, 1, 1, 64]],
          ],
        )
        const results = await model.infer({ 'net/mix': float32([1, 1, 1, 64], wave()) })
        const [voices, noise] = runHefModel(tiny.model, [quantize(wave(), tiny.inputLevels)]).map((bytes, i) =>
          dequantize(bytes, tiny.outputLevels[i]!),
        )
        const turned = Float32Array.from({ length: 128 }, (_, i) => voices![(i % 64) * 2 + Math.floor(i / 64)]!)
        assert.deepEqual(results['net/voices']!.data, turned)
        assert.deepEqual(results['net/noise']!.data, noise)
      })
    }
  },
)

test(
  'openHailortBackend() gives only the outputs that are asked for, by their whole or their last name',
  { skip },
  async () => {
    await withBench({ hef: tinyModel().hef }, async ({ open }) => {
      await using model = await open({ outputs: ['noise'] })
      assert.deepEqual(
        model.outputs.map(({ name }) => name),
        ['net/noise'],
      )
      const results = await model.infer({ 'net/mix': float32([1, 1, 1, 64], wave()) })
      assert.deepEqual(Object.keys(results), ['net/noise'])
    })
  },
)

test('openHailortBackend() lists the outputs with their shapes when one is not there', { skip }, async () => {
  await withBench({ hef: tinyModel().hef }, async ({ open }) => {
    await assert.rejects(
      open({ outputs: ['drums'] }),
      exits('usage', /"drums".*net\/voices float32\[1, 2, 1, 64\] \(NHWC 1x64x2\), net\/noise float32\[1, 1, 1, 64\]/),
    )
  })
})

test('infer() refuses a wrong name, shape, type and NaN, and answers afterwards', { skip }, async () => {
  await withBench({ hef: tinyModel().hef }, async ({ open }) => {
    await using model = await open()
    const good = float32([1, 1, 1, 64], wave())
    await assert.rejects(
      model.infer({ mix: good }),
      exits('usage', /Cannot feed "mix": the model takes net\/mix float32\[1, 1, 1, 64\]/),
    )
    await assert.rejects(model.infer({}), exits('usage', /net\/mix/))
    await assert.rejects(model.infer({ 'net/mix': float32([1, 64], wave()) }), exits('usage', /float32\[1, 64\]/))
    await assert.rejects(
      model.infer({ 'net/mix': { dtype: 'int8', shape: [1, 1, 1, 64], data: new Int8Array(64) } }),
      exits('usage', /int8/),
    )
    await assert.rejects(
      model.infer({ 'net/mix': float32([1, 1, 1, 64], wave().fill(NaN, 3, 4)) }),
      exits('usage', /value 3 is NaN/),
    )
    assert.equal(Object.keys(await model.infer({ 'net/mix': good })).length, 2)
  })
})

test('infer() refuses after the model was closed, and closing twice is closing once', { skip }, async () => {
  await withBench({ hef: tinyModel().hef }, async ({ open }) => {
    const model = await open()
    const last = model.infer({ 'net/mix': float32([1, 1, 1, 64], wave()) })
    await Promise.all([model[Symbol.asyncDispose](), model[Symbol.asyncDispose]()])
    assert.equal(Object.keys(await last).length, 2)
    await assert.rejects(model.infer({ 'net/mix': float32([1, 1, 1, 64], wave()) }), /is closed/)
  })
})

test('infer() answers each question with its own answer when many are asked at once', { skip }, async () => {
  const tiny = tinyModel()
  await withBench({ hef: tiny.hef }, async ({ open }) => {
    await using model = await open({ outputs: ['net/noise'] })
    const inputs = Array.from({ length: 20 }, (_, i) => wave(64, 2 + i))
    const answers = await Promise.all(inputs.map(input => model.infer({ 'net/mix': float32([1, 1, 1, 64], input) })))
    for (const [i, input] of inputs.entries()) {
      const bytes = runHefModel(tiny.model, [quantize(input, tiny.inputLevels)])[1]!
      assert.deepEqual(answers[i]!['net/noise']!.data, dequantize(bytes, tiny.outputLevels[1]!), `question ${i}`)
    }
  })
})

test(
  'infer() fails with the cause when a device hangs, and the model answers rightly when it is back',
  { skip },
  async () => {
    const tiny = tinyModel()
    await withBench({ hef: tiny.hef }, async ({ open, standin }) => {
      await using model = await open({ timeoutMs: 1000 })
      const ask = (step: number) => model.infer({ 'net/mix': float32([1, 1, 1, 64], wave(64, step)) })
      await ask(3)
      standin.order('LATENCY_US', 2_500_000)
      await assert.rejects(
        ask(4),
        exits('fail', /hailo_vstream_read_raw_buffer answered 4 HAILO_TIMEOUT.*read every output/),
      )
      standin.order('LATENCY_US', '')
      // The late answer to the question before must not be taken for this one's.
      const results = await ask(7)
      const bytes = runHefModel(tiny.model, [quantize(wave(64, 7), tiny.inputLevels)])[1]!
      assert.deepEqual(results['net/noise']!.data, dequantize(bytes, tiny.outputLevels[1]!))
    })
  },
)

test(
  'infer() fails when the device is unplugged in the middle, and everything is still released',
  { skip },
  async () => {
    await withBench({ hef: tinyModel().hef, STATUS: 'hailo_vstream_read_raw_buffer:36:3' }, async ({ open }) => {
      await using model = await open()
      const ask = () => model.infer({ 'net/mix': float32([1, 1, 1, 64], wave()) })
      await ask()
      await assert.rejects(ask(), exits('fail', /36 HAILO_DRIVER_OPERATION_FAILED/))
      await ask()
    })
  },
)

test('openHailortBackend() is blocked when there is no device, and says what to look at', { skip }, async () => {
  await withBench({ hef: tinyModel().hef, DEVICES: 0 }, async ({ open }) => {
    await assert.rejects(open(), exits('blocked', /HAILO_OUT_OF_PHYSICAL_DEVICES.*lspci -d 1e60:/))
  })
})

test(
  'openHailortBackend() is blocked when the driver has another version, or the library was never measured',
  { skip },
  async () => {
    await withBench({ hef: tinyModel().hef, DRIVER_MISMATCH: 1 }, async ({ open, path }) => {
      await assert.rejects(open(), exits('blocked', /HAILO_INVALID_DRIVER_VERSION/))
      const unknown = { HAILORT_LIB: hailortStandin({ profile: 'C', version: [4, 42, 0] }) }
      await assert.rejects(
        openHailortBackend(path, { env: unknown }),
        exits('blocked', /HailoRT 4\.42\.0.*HAILO_ABI=force/),
      )
      await assert.rejects(
        openHailortBackend(path, { env: { HAILORT_LIB: '/nowhere.so' } }),
        exits('blocked', /nowhere\.so.*export HAILORT_LIB=/),
      )
    })
  },
)

test('openHailortBackend() refuses a HEF of another architecture before the library sees it', { skip }, async () => {
  // The library would crash on this file: it must not come to that.
  await withBench(
    { hef: tinyModel({ arch: 'hailo8' }).hef, ARCH: 'hailo8l', CRASH: 'hailo_create_hef_file' },
    async ({ open }) => {
      await assert.rejects(
        open(),
        exits('usage', /it was compiled for hailo8, and the device is hailo8l.*--hw-arch hailo8l/),
      )
    },
  )
})

test('openHailortBackend() warns when a HEF runs slower than it could', { skip }, async () => {
  await withBench({ hef: tinyModel({ arch: 'hailo8l' }).hef }, async ({ open }) => {
    await using model = await open()
    assert.match(model.warnings!.join(), /compiled for hailo8l and runs slower/)
  })
})

test('openHailortBackend() refuses a damaged file and a file that is none, without a library', { skip }, async () => {
  const { hef } = tinyModel()
  const env = { HAILORT_LIB: '/nowhere.so' }
  for (const [bytes, words] of [
    [hef.subarray(0, 400), /truncated/],
    [hef.map((byte, i) => (i === hef.length - 3 ? byte ^ 1 : byte)), /altered|malformed/],
    [Buffer.from('{"mock_hef": true}'), /mock_hef/],
  ] as const) {
    await withHefFile(bytes, path => assert.rejects(openHailortBackend(path, { env }), exits('usage', words)))
  }
  await assert.rejects(openHailortBackend('/nowhere/model.hef', { env }), exits('blocked', /nowhere/))
})

/**
 * What a Hailo-10H needs beside the library: headers, of which the stand-in has its own, and the folder in which tests
 * keep what they compile.
 */
async function on10H(
  body: (open: Bench['open'], standin: Standin, env: Record<string, string>) => Promise<void>,
  hef = tinyModel({ arch: 'hailo10h' }).hef,
): Promise<void> {
  const env = {
    PATH: process.env.PATH ?? '',
    HAILORT_LIB: hailortStandin({ profile: 'D' }),
    XDG_CACHE_HOME: cacheFolder(),
    HAILORT_INCLUDE: join(import.meta.dirname, '../../../ffi/testing/hailort-cpp'),
  }
  await withBench({ profile: 'D', hef, ARCH: 'hailo10h' }, ({ path, standin }) =>
    body(options => openHailortBackend(path, { env, ...options }), standin, env),
  )
}

test(
  'openHailortBackend() runs a model on a Hailo-10H through what it compiles there',
  { skip: skip || needsTool('g++') },
  async () => {
    await on10H(async open => {
      const tiny = tinyModel({ arch: 'hailo10h' })
      await using model = await open({ measuresLatency: true })
      assert.match(model.device, /^Hailo-10H /)
      const results = await model.infer({ 'net/mix': float32([1, 1, 1, 64], wave()) })
      const noise = runHefModel(tiny.model, [quantize(wave(), tiny.inputLevels)])[1]!
      assert.deepEqual(results['net/noise']!.data, dequantize(noise, tiny.outputLevels[1]!))
      assert.deepEqual(results['net/voices']!.shape, [1, 2, 1, 64])
      assert.equal(model.deviceLatencyMs(), 0.25)
      assert.ok((await model.temperatureC())[0] >= 40)
    })
  },
)

test(
  'openHailortBackend() on a Hailo-10H runs the group that is named, and lists them when none is',
  { skip: skip || needsTool('g++') },
  async () => {
    const group = (name: string, width: number) => ({
      name,
      inputs: [{ name: `${name}/in`, shape: { height: 1, width, features: 1 } }],
      outputs: [{ name: `${name}/out`, shape: { height: 1, width, features: 1 } }],
    })
    const hef = writeHef({ arch: 'hailo10h', groups: [group('first', 4), group('second', 8)] })
    await on10H(async open => {
      await assert.rejects(open(), exits('usage', /it has the groups first, second.*--group NAME/))
      await assert.rejects(open({ group: 'third' }), exits('usage', /it has the groups first, second/))
      await using model = await open({ group: 'second' })
      const values = Float32Array.from({ length: 8 }, (_, i) => 20 * i)
      assert.deepEqual((await model.infer({ 'second/in': float32([1, 1, 1, 8], values) }))['second/out']!.data, values)
    }, hef)
  },
)

test(
  'infer() on a Hailo-10H fails at a timeout, and answers afterwards',
  { skip: skip || needsTool('g++') },
  async () => {
    await on10H(async (open, standin) => {
      await using model = await open({ timeoutMs: 500 })
      const feeds = { 'net/mix': float32([1, 1, 1, 64], wave()) }
      standin.order('LATENCY_US', 4_000_000)
      await assert.rejects(model.infer(feeds), exits('fail', /4 HAILO_TIMEOUT/))
      standin.order('LATENCY_US', '')
      assert.equal(Object.keys(await model.infer(feeds)).length, 2)
    })
  },
)

test(
  'openHailortBackend() on a Hailo-10H is blocked without headers or a compiler, and says what to install',
  { skip },
  async () => {
    await on10H(async (open, _standin, env) => {
      await assert.rejects(
        open({ env: { ...env, HAILORT_INCLUDE: '/nowhere' } }),
        exits('blocked', /hailo\/hailort\.hpp, which is in none of \/nowhere.*sudo apt install g\+\+ hailo-h10-all/),
      )
      await assert.rejects(
        open({ env: { ...env, CXX: 'no-such-compiler' } }),
        exits('blocked', /no-such-compiler does not run.*sudo apt install g\+\+/),
      )
    })
  },
)

test('two models share one device in one process', { skip }, async () => {
  await withBench({ hef: tinyModel().hef }, async ({ open }) => {
    await using first = await open()
    await using second = await open()
    const feeds = { 'net/mix': float32([1, 1, 1, 64], wave()) }
    const [one, two] = await Promise.all([first.infer(feeds), second.infer(feeds)])
    assert.deepEqual(one['net/voices'], two['net/voices'])
  })
})

test('models of two profiles run at the same time in one process', { skip }, async () => {
  const answers: unknown[] = []
  const run = (profile: ProfileName) =>
    withBench({ profile, hef: tinyModel().hef }, async ({ open }) => {
      await using model = await open()
      for (let i = 0; i < 50; i++)
        answers.push([
          ...((await model.infer({ 'net/mix': float32([1, 1, 1, 64], wave()) }))['net/noise']!.data as Float32Array),
        ])
    })
  await Promise.all([run('A'), run('B'), run('C')])
  assert.equal(answers.length, 150)
  for (const answer of answers) assert.deepEqual(answer, answers[0])
})

test('a model of 16 bits keeps what 8 would round away', { skip }, async () => {
  const [quantization, shape] = [
    { zeroPoint: 32_768, scale: 2 / 65_535, min: -1, max: 1 },
    { height: 1, width: 64, features: 1 },
  ]
  const stream = (name: string) => ({ name, shape, quantization, dtype: 'uint16' as const })
  await withBench(
    { hef: writeHef({ groups: [{ name: 'net', inputs: [stream('net/in')], outputs: [stream('net/out')] }] }) },
    async ({ open }) => {
      await using model = await open()
      const answer = (await model.infer({ 'net/in': float32([1, 1, 1, 64], wave()) }))['net/out']!.data as Float32Array
      const worst = Math.max(...answer.map((value, i) => Math.abs(value - wave()[i]!)))
      assert.ok(worst > 0 && worst <= 1.01 / 65_535, `off by ${worst}`)
    },
  )
})

test('a HEF with several groups runs the one that is named, and lists them when none is', { skip }, async () => {
  const group = (name: string, width: number) => ({
    name,
    inputs: [{ name: `${name}/in`, shape: { height: 1, width, features: 1 } }],
    outputs: [{ name: `${name}/out`, shape: { height: 1, width, features: 1 } }],
  })
  for (const profile of profileNames) {
    const hef = writeHef({
      arch: archOf(profile),
      ...(profile === 'D' && { sdkVersion: '5.2.0' }),
      groups: [group('first', 4), group('second', 8)],
    })
    await withBench({ profile, hef }, async ({ open }) => {
      await assert.rejects(open(), exits('usage', /it has the groups first, second.*--group NAME/))
      await using model = await open({ group: 'second' })
      assert.deepEqual(
        [...model.inputs, ...model.outputs].map(({ name, shape }) => [name, shape]),
        [
          ['second/in', [1, 1, 1, 8]],
          ['second/out', [1, 1, 1, 8]],
        ],
      )
      const bytes = Float32Array.from({ length: 8 }, (_, i) => 30 * i)
      assert.deepEqual((await model.infer({ 'second/in': float32([1, 1, 1, 8], bytes) }))['second/out']!.data, bytes)
    })
  }
})

test('a model with detections gives rows of boxes', { skip }, async () => {
  const hef = writeHef({
    groups: [
      {
        name: 'net',
        inputs: [{ name: 'net/in', shape: { height: 2, width: 2, features: 3 } }],
        outputs: [
          { name: 'net/nms', shape: { height: 3, width: 1, features: 5 }, nms: { classes: 3, maxBoxesPerClass: 2 } },
        ],
      },
    ],
  })
  await withBench({ hef }, async ({ open }) => {
    await using model = await open()
    assert.deepEqual(
      model.outputs.map(({ shape, layout }) => [shape, layout]),
      [[[1, 6, 6], 'HAILO_NMS_BY_CLASS 3 classes of 2 boxes']],
    )
    // In the order of the device the first bytes are 7, 8, 9: classes 0 and 2 have a box, for 7 and 9 are odd.
    const image = Float32Array.from({ length: 12 }, (_, i) => [7, 8, 9][Math.floor(i / 4)]!)
    const rows = (await model.infer({ 'net/in': float32([1, 3, 2, 2], image) }))['net/nms']!.data
    assert.deepEqual([rows[0], rows[6], rows[12]], [0, 2, -1])
    assert.ok(Math.abs(Number(rows[5]) - 7 / 255) < 1e-6)
  })
})

test("a model tells its device's latency, temperature and power", { skip }, async () => {
  await withBench({ hef: tinyModel().hef, LATENCY_US: 2000 }, async ({ open }) => {
    await using model = await open({ measuresLatency: true })
    await model.infer({ 'net/mix': float32([1, 1, 1, 64], wave()) })
    assert.equal(model.deviceLatencyMs(), 2.25)
    assert.ok((await model.temperatureC())[0] >= 40 && (await model.powerW()) > 1)
    assert.ok(model.loadMs > 0)
  })
})

test(
  'infer() does not block the event loop for 20 ms when frames are small, when they are large, and when the ' +
    'device is slow',
  { skip },
  async () => {
    const large = 1 << 20
    const hef = writeHef({
      groups: [
        {
          name: 'net',
          inputs: [{ name: 'net/in', shape: { height: 1, width: large, features: 1 } }],
          outputs: [{ name: 'net/out', shape: { height: 1, width: large, features: 1 } }],
        },
      ],
    })
    for (const [bytes, name, width, latencyUs] of [
      [tinyModel().hef, 'net/mix', 64, 60_000],
      [hef, 'net/in', large, 0],
    ] as const) {
      await withBench({ hef: bytes, LATENCY_US: latencyUs }, async ({ open }) => {
        await using model = await open()
        const feeds = { [name]: float32([1, 1, 1, width], new Float32Array(width).fill(0.25)) }
        const turns = await turnsDuring(() => model.infer(feeds))
        assert.ok(turns > 20, `${turns} turns with ${width} values`)
      })
    }
  },
)

test('infer() fails when writing does, small frame or large, and answers afterwards', { skip }, async () => {
  for (const width of [64, 32_768]) {
    const tiny = tinyModel({ width })
    await withBench({ hef: tiny.hef, STATUS: 'hailo_vstream_write_raw_buffer:36:2' }, async ({ open }) => {
      await using model = await open({ timeoutMs: 1000 })
      const ask = (step: number) => model.infer({ 'net/mix': float32([1, 1, 1, width], wave(width, step)) })
      await ask(3)
      await assert.rejects(
        ask(4),
        exits('fail', /hailo_vstream_write_raw_buffer answered 36 HAILO_DRIVER_OPERATION_FAILED/),
      )
      const bytes = runHefModel(tiny.model, [quantize(wave(width, 7), tiny.inputLevels)])[1]!
      assert.deepEqual((await ask(7))['net/noise']!.data, dequantize(bytes, tiny.outputLevels[1]!))
    })
  }
})

test('infer() tells at once that a small frame was not taken, and waits for no answer to it', { skip }, async () => {
  await withBench({ hef: tinyModel().hef, STATUS: 'hailo_vstream_write_raw_buffer:36:1' }, async ({ open }) => {
    await using model = await open({ timeoutMs: 20_000 })
    await assert.rejects(
      model.infer({ 'net/mix': float32([1, 1, 1, 64], wave()) }),
      exits('fail', /hailo_vstream_write_raw_buffer answered 36/),
    )
  })
})

test('infer() answers again when the streams could not be opened once after a failure', { skip }, async () => {
  const orders = 'hailo_vstream_read_raw_buffer:36:1,hailo_create_output_vstreams:36:2'
  await withBench({ hef: tinyModel().hef, STATUS: orders }, async ({ open }) => {
    await using model = await open()
    const ask = () => model.infer({ 'net/mix': float32([1, 1, 1, 64], wave()) })
    await assert.rejects(ask(), exits('fail', /hailo_vstream_read_raw_buffer answered 36/))
    await assert.rejects(ask(), exits('fail', /hailo_create_output_vstreams answered 36/))
    assert.equal(Object.keys(await ask()).length, 2)
  })
})

test('infer() gives each output its own frame when the library opens them in another order', { skip }, async () => {
  const tiny = tinyModel()
  await withBench({ hef: tiny.hef, REVERSE: 1 }, async ({ open }) => {
    await using model = await open()
    const noise = runHefModel(tiny.model, [quantize(wave(), tiny.inputLevels)])[1]!
    const results = await model.infer({ 'net/mix': float32([1, 1, 1, 64], wave()) })
    assert.deepEqual(results['net/noise']!.data, dequantize(noise, tiny.outputLevels[1]!))
  })
})

test(
  'infer() tells a timeout when it is over, and not only when the device has been given back',
  { skip },
  async () => {
    const tiny = tinyModel()
    await withBench({ hef: tiny.hef }, async ({ open, standin }) => {
      await using model = await open({ timeoutMs: 1000 })
      const ask = (step: number) => model.infer({ 'net/mix': float32([1, 1, 1, 64], wave(64, step)) })
      const right = (step: number) =>
        dequantize(runHefModel(tiny.model, [quantize(wave(64, step), tiny.inputLevels)])[1]!, tiny.outputLevels[1]!)
      for (const lateUs of [1_300_000, 1_800_000, 5_000_000]) {
        await ask(3)
        standin.order('LATENCY_US', lateUs)
        const failed = assert.rejects(ask(4), exits('fail', /HAILO_TIMEOUT/)).then(() => 'told')
        // Giving the device back waits for the late frame.
        const isToldFirst = lateUs > 4_000_000
        const late = setTimeout(lateUs / 1000, 'late')
        assert.equal(await (isToldFirst ? Promise.race([failed, late]) : failed), 'told')
        standin.order('LATENCY_US', '')
        for (const step of [7, 8, 9])
          assert.deepEqual((await ask(step))['net/noise']!.data, right(step), `${lateUs} µs late, question ${step}`)
      }
    })
  },
)

test('openHailortBackend() leaves nothing open when a stream does not tell its size', { skip }, async () => {
  for (const nth of [1, 2]) {
    await withBench(
      { hef: tinyModel().hef, STATUS: `hailo_get_output_vstream_frame_size:36:${nth}` },
      async ({ open }) => {
        await assert.rejects(open(), exits('fail', /hailo_get_output_vstream_frame_size answered 36/))
      },
    )
  }
})

/** Opens the tiny model in a process of its own, where what these orders leave open harms nobody. */
const openFaulty = (path: string, status: string) =>
  openIsolated(path, {
    hailort: { timeoutMs: 5000 },
    env: { HAILORT_LIB: hailortStandin({ profile: 'C' }), HAILO_STANDIN_STATUS: status },
  })

test('an unplugged device is told by the call that met it first, and not by what closing meets', { skip }, async () => {
  await withHefFile(tinyModel().hef, async path => {
    const gone =
      'hailo_vstream_read_raw_buffer:36,hailo_release_output_vstreams:36,' +
      'hailo_release_input_vstreams:36,hailo_release_vdevice:36'
    const model = await openFaulty(path, gone)
    await assert.rejects(
      model.infer({ 'net/mix': float32([1, 1, 1, 64], wave()) }),
      exits('fail', /hailo_vstream_read_raw_buffer answered 36/),
    )
    await model[Symbol.asyncDispose]()
    const refused = 'hailo_configure_vdevice:93,hailo_release_hef:36,hailo_release_vdevice:36'
    await assert.rejects(openFaulty(path, refused), exits('usage', /hailo_configure_vdevice answered 93/))
  })
})

test(
  'vitals() tells temperature and power, and null for the power of a board that does not measure it',
  { skip },
  async () => {
    await withBench({ hef: tinyModel().hef }, async ({ open, standin }) => {
      await using model = await open()
      const { temperatureC, powerW } = await model.vitals!()
      assert.ok(temperatureC! >= 40 && powerW! > 1)
      standin.order('STATUS', 'hailo_power_measurement:7')
      assert.equal((await model.vitals!()).powerW, null)
    })
  },
)

test(
  'a closed model answers no question of its device, and a question after a failure takes the device once',
  { skip },
  async () => {
    await withBench({ hef: tinyModel().hef, STATUS: 'hailo_vstream_read_raw_buffer:36:1' }, async ({ open }) => {
      const model = await open({ measuresLatency: true })
      const ask = () => model.infer({ 'net/mix': float32([1, 1, 1, 64], wave()) })
      await assert.rejects(ask(), exits('fail', /answered 36/))
      assert.throws(() => model.deviceLatencyMs(), exits('fail', /given back after a failure/))
      const [vitals, results] = await Promise.all([model.vitals!(), ask(), model.temperatureC(), model.powerW()])
      assert.ok(vitals.temperatureC! >= 40 && Object.keys(results).length === 2)
      await model[Symbol.asyncDispose]()
      for (const question of [() => model.vitals!(), () => model.temperatureC(), () => model.powerW(), ask])
        await assert.rejects(question(), /is closed/)
      assert.throws(() => model.deviceLatencyMs(), /is closed/)
    })
  },
)
