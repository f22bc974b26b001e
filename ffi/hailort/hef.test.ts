import assert from 'node:assert/strict'
import test from 'node:test'
import { decodeHef } from '../../lib/testing/hef/decode.ts'
import { writeHef } from '../../lib/testing/hef/write.ts'
import { tinyModel, withHefFile } from '../../lib/testing/hef/models.ts'
import { dataPath, needsData, needsTool } from '../../lib/testing/needs.ts'
import { FfiError } from '../errors.ts'
import { hailortStandin, standinOf } from '../testing/hailort.ts'
import { Hef } from './hef.ts'
import { openHailort } from './library.ts'
import { profileNames, type ProfileName } from './abi/profiles.ts'
import { HailoError } from './status.ts'

const skip = needsTool('gcc')
const hailortOf = (profile: ProfileName) => openHailort({ env: { HAILORT_LIB: hailortStandin({ profile }) } })

test('Hef tells the groups and streams of a file without a device, in every profile', { skip }, async () => {
  for (const profile of profileNames) {
    const hailort = hailortOf(profile)
    await withHefFile(tinyModel({ hefVersion: 1 }).hef, async path => {
      await using hef = await Hef.fromFile(hailort, path)
      assert.deepEqual(hef.networkGroups(), [{ name: 'net', isMultiContext: false }])
      assert.deepEqual(hef.networks(), ['net/net'])
      assert.deepEqual(hef.outputNames(), ['net/voices', 'net/noise'])
      assert.equal(hef.bottleneckFps('net'), 1234.5)
      assert.deepEqual(
        hef.vstreams().map(({ name, isInput, order, type, image }) => [name, isInput, order, type, image]),
        [
          ['net/mix', true, 'NHWC', 'UINT8', { height: 1, width: 64, features: 1 }],
          ['net/voices', false, 'NHWC', 'UINT8', { height: 1, width: 64, features: 2 }],
          ['net/noise', false, 'NHWC', 'UINT8', { height: 1, width: 64, features: 1 }],
        ],
      )
      const { scale } = hef.vstreams()[1]!.quantisation!
      assert.ok(Math.abs(scale - 3 / 255) < 1e-8)
      assert.deepEqual(
        hef.streams().map(({ deviceFrameBytes }) => deviceFrameBytes),
        [64, 128, 64],
      )
    })
    assert.equal(standinOf(hailort).live(), 0)
  }
})

test(
  "Hef reads what our own reader reads when it is a real file of a vendor's compiler",
  { skip: skip || needsData('hef/mnist_cnn_0cd51b2.hef') },
  async () => {
    const path = dataPath('hef/mnist_cnn_0cd51b2.hef')
    const { readHef } = await import('../../lib/formats/hef/read.ts')
    const own = readHef(path).groups[0]!
    await using hef = await Hef.fromFile(hailortOf('C'), path)
    const [input, output] = hef.vstreams()
    assert.deepEqual(
      [input!.name, input!.order, input!.image],
      [own.inputs[0]!.name, own.inputs[0]!.order, own.inputs[0]!.shape],
    )
    assert.deepEqual(
      [output!.name, output!.order, output!.image],
      [own.outputs[0]!.name, own.outputs[0]!.order, own.outputs[0]!.shape],
    )
    assert.ok(Math.abs(output!.quantisation!.scale - own.outputs[0]!.quantization.scale) < 1e-9)
  },
)

test('Hef reports no quantisation for the stream when each feature has its own', { skip }, async () => {
  const perFeature = { zeroPoints: [0, 10], scales: [0.1, 0.2] }
  const bytes = writeHef({
    extensions: [25],
    groups: [
      {
        name: 'net',
        inputs: [{ name: 'net/in', shape: { height: 1, width: 4, features: 1 } }],
        outputs: [
          {
            name: 'net/out',
            shape: { height: 1, width: 4, features: 2 },
            quantization: { zeroPoint: 0, scale: 0, perFeature },
          },
        ],
      },
    ],
  })
  await using hef = await Hef.fromBuffer(hailortOf('C'), bytes)
  assert.equal(hef.vstreams()[1]!.quantisation, null)
})

test(
  'Hef reads classes and boxes instead of a picture when an output holds detections, in every profile',
  { skip },
  async () => {
    const bytes = writeHef({
      groups: [
        {
          name: 'net',
          inputs: [{ name: 'net/in', shape: { height: 8, width: 8, features: 3 } }],
          outputs: [
            { name: 'net/nms', shape: { height: 3, width: 1, features: 5 }, nms: { classes: 3, maxBoxesPerClass: 20 } },
          ],
        },
      ],
    })
    for (const profile of profileNames) {
      await using hef = await Hef.fromBuffer(hailortOf(profile), bytes)
      const output = hef.vstreams()[1]!
      assert.equal(output.image, undefined)
      assert.deepEqual([output.nms?.classes, output.nms?.boxesPerClass], [3, 20], profile)
      assert.equal(output.order, profile === 'A' ? 'HAILO_NMS' : 'HAILO_NMS_BY_CLASS')
    }
  },
)

test('Hef refuses what is damaged, foreign or absent, in the words of each version', { skip }, async () => {
  const { hef } = tinyModel()
  const altered = hef.map((byte, i) => (i === 200 ? byte ^ 1 : byte))
  const cases: [ProfileName, Uint8Array, string][] = [
    ['C', altered, 'HAILO_HEF_FILE_CORRUPTED'],
    ['C', hef.subarray(0, 300), 'HAILO_HEF_FILE_CORRUPTED'],
    ['C', Buffer.from('DUMMY_HEF_CONTENT'.padEnd(60)), 'HAILO_HEF_NOT_SUPPORTED'],
    ['A', altered, 'HAILO_INVALID_HEF'],
    ['B', Buffer.from('{"mock_hef": true}'.padEnd(60)), 'HAILO_INVALID_HEF'],
  ]
  for (const [profile, bytes, name] of cases) {
    await assert.rejects(
      Hef.fromBuffer(hailortOf(profile), bytes),
      (thrown: unknown) =>
        thrown instanceof HailoError &&
        thrown.statusName === name &&
        thrown.kind === 'usage' &&
        thrown.message.includes('cannot read the HEF'),
    )
  }
  // The real 4.x would read a header out of what lies behind the buffer.
  for (const length of [0, 55]) {
    await assert.rejects(Hef.fromBuffer(hailortOf('C'), hef.subarray(0, length)), {
      kind: 'usage',
      message: new RegExp(`: ${length} bytes are less than the header`),
    })
  }
  await assert.rejects(
    Hef.fromFile(hailortOf('C'), '/nowhere/model.hef'),
    (thrown: unknown) =>
      thrown instanceof HailoError &&
      thrown.status === 13 &&
      thrown.kind === 'usage' &&
      thrown.message.includes('/nowhere/model.hef'),
  )
})

test('Hef.fromBuffer() fails or reads the same as our reader when bytes are cut anywhere', { skip }, async () => {
  const { hef } = tinyModel({ hefVersion: 1 })
  const hailort = hailortOf('C')
  for (let length = 1; length < hef.length; length += 37)
    await assert.rejects(Hef.fromBuffer(hailort, hef.subarray(0, length)), FfiError, `${length} bytes`)
  assert.equal(standinOf(hailort).live(), 0)
  assert.equal(decodeHef(hef).integrity.state, 'intact')
})

test('Hef is of no use when it is closed, and closes once', { skip }, async () => {
  const hef = await Hef.fromBuffer(hailortOf('C'), tinyModel().hef, 'tiny')
  await Promise.all([hef[Symbol.asyncDispose](), hef[Symbol.asyncDispose]()])
  assert.throws(() => hef.vstreams(), /Cannot use "tiny": it is closed/)
  assert.throws(() => hef.networkGroups(), FfiError)
})

test('Hef says which group it does not have', { skip }, async () => {
  await using hef = await Hef.fromBuffer(hailortOf('C'), tinyModel().hef, 'tiny')
  assert.throws(
    () => hef.vstreams('other'),
    (thrown: unknown) =>
      thrown instanceof HailoError && thrown.statusName === 'HAILO_NOT_FOUND' && thrown.kind === 'usage',
  )
})
