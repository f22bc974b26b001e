import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { RunbookError } from '../../base/errors.ts'
import { deviceArchs, type FormatOrder } from '../../formats/hef/arch.ts'
import { decodeHefModel, hefModelField } from './model.ts'
import { Message } from '../../formats/hef/message.ts'
import { halfModel, smallHef, stream } from './samples.ts'
import { protoStart, writeHef, type HefDescription } from './write.ts'
import { decodeHef } from './decode.ts'

const versions = [0, 1, 2, 3] as const
const refuses = (description: Partial<HefDescription>, why: RegExp) =>
  assert.throws(
    () => smallHef(description),
    (error: unknown) => error instanceof RunbookError && error.exit === 'usage' && why.test(error.message),
  )

test('writeHef() writes what readHef() reads, in every version and for every architecture', () => {
  for (const version of versions) {
    for (const arch of deviceArchs) {
      const sdkVersion = arch === 'hailo10h' ? '5.2.0' : '3.31.0'
      const hef = decodeHef(smallHef({ version, arch, sdkVersion, compiledAt: new Date(1e12) }))
      assert.deepEqual(
        [hef.header.version, hef.arch, hef.integrity, hef.hazards, hef.sdkVersion],
        [version, arch, { state: 'intact' }, [], sdkVersion],
      )
      assert.deepEqual([hef.compiledAt?.getTime()], [1e12])
      const [group] = hef.groups
      assert.deepEqual(
        [group!.name, group!.networks, group!.contexts, group!.bottleneckFps, group!.latencyMs, group!.operations],
        ['net', ['net'], 1, 1250, 2, null],
      )
      assert.deepEqual(
        [...group!.inputs, ...group!.outputs].map(({ name, direction, shape }) => [
          name,
          direction,
          Object.values(shape),
        ]),
        [
          ['net/in', 'input', [1, 8, 1]],
          ['net/out', 'output', [1, 8, 2]],
        ],
      )
    }
  }
})

test('writeHef() keeps every property of a stream', () => {
  const plain = { noNullPrototype: true }
  const float = (min: number, max: number) => fc.float({ min: Math.fround(min), max, noNaN: true })
  const levels = fc.record(
    { zeroPoint: fc.nat(255), scale: float(1e-6, 10), min: float(-9, 0), max: float(0, 9) },
    plain,
  )
  const size = (max: number) => fc.integer({ min: 1, max })
  const shape = fc.record({ height: size(500), width: size(70_000), features: size(512) }, plain)
  const anyStream = fc.record(
    {
      shape,
      paddedShape: shape,
      order: fc.constantFrom<FormatOrder>('NHWC', 'NHCW', 'NC', 'NHW', 'FCR', 'F8CR', 'RGB888'),
      dtype: fc.constantFrom('uint8' as const, 'uint16' as const),
      quantization: levels,
      originalNames: fc.array(fc.string({ minLength: 1 })),
    },
    plain,
  )
  fc.assert(
    fc.property(anyStream, description => {
      const { features } = description.shape
      const perFeature = {
        zeroPoints: Array.from({ length: features }, (_, i) => i),
        scales: Array.from({ length: features }, () => 0.5),
      }
      const output = { name: 'out', ...description, quantization: { ...description.quantization, perFeature } }
      const hef = decodeHef(smallHef({ groups: [{ name: 'g', inputs: [stream('in', [1, 1, 1])], outputs: [output] }] }))
      const { order, ...rest } = output
      const { network, deviceOrder, ...out } = hef.groups[0]!.outputs[0]!
      assert.deepEqual([network, deviceOrder], ['g/g', order])
      assert.deepEqual({ ...out, ...rest }, out)
      assert.deepEqual(hef.hazards, [])
    }),
    { numRuns: 60 },
  )
})

test('writeHef() keeps groups, contexts, networks and the order of outputs', () => {
  const outputs = ['z', 'a', 'm'].map((name, i) => stream(name, [1, 1, i + 1], { contextIndex: i % 2 }))
  const hef = decodeHef(
    writeHef({
      groups: [
        {
          name: 'one',
          networks: ['left', 'right'],
          contexts: 2,
          operations: 2 ** 40,
          inputs: [stream('in', [1, 1, 3], { contextIndex: 1 })],
          outputs,
        },
        { name: 'two', inputs: [stream('in2', [2, 2, 2])], outputs: [stream('out2', [1, 1, 1])] },
      ],
    }),
  )
  assert.deepEqual(
    hef.groups.map(group => [group.name, group.contexts, group.networks, group.operations]),
    [
      ['one', 2, ['left', 'right'], 2 ** 40],
      ['two', 1, ['two'], null],
    ],
  )
  assert.deepEqual(
    hef.groups[0]!.outputs.map(({ name, contextIndex }) => [name, contextIndex]),
    [
      ['z', 0],
      ['a', 1],
      ['m', 0],
    ],
  )
  assert.equal(hef.groups[0]!.inputs[0]!.contextIndex, 1)
  assert.ok(
    hef.extensions.some(({ index }) => index === 4),
    'a group of several contexts says so',
  )
})

test('writeHef() writes NMS of the device', () => {
  const hef = decodeHef(
    smallHef({
      groups: [
        {
          name: 'net',
          inputs: [stream('in', [8, 8, 3])],
          outputs: [stream('boxes', [1, 1, 1], { nms: { classes: 80, maxBoxesPerClass: 100 } })],
        },
      ],
    }),
  )
  const [boxes] = hef.groups[0]!.outputs
  assert.deepEqual(boxes!.nms, {
    classes: 80,
    maxBoxesPerClass: 100,
    where: 'device',
    boxSize: 5,
    kind: null,
    scoreThreshold: null,
    iouThreshold: null,
  })
  assert.deepEqual(
    [boxes!.order, boxes!.deviceOrder, boxes!.dtype, Object.values(boxes!.shape)],
    ['HAILO_NMS_BY_CLASS', 'HAILO_NMS_ON_CHIP', 'float32', [80, 5, 100]],
  )
})

test('writeHef() carries a model that HailoRT skips', () => {
  for (const version of versions) {
    const bytes = smallHef({ version, model: halfModel() })
    const hef = decodeHef(bytes)
    const { headerBytes, protoBytes } = hef.header
    const described = new Message(bytes.subarray(headerBytes, headerBytes + protoBytes))
    assert.deepEqual(decodeHefModel(described.bytes(hefModelField)!), halfModel())
    assert.deepEqual(hef.hazards, [])
  }
})

test('writeHef() puts every part where the header says', () => {
  const ccws = Uint8Array.from({ length: 100 }, (_, i) => i)
  const bytes = smallHef({ version: 3, ccws, paddingBytes: 12, additional: Uint8Array.of(7, 8, 9) })
  const { header, integrity } = decodeHef(bytes)
  assert.deepEqual(
    [integrity.state, header.ccwsBytes, header.paddingBytes, header.additionalBytes, header.expectedBytes],
    ['intact', 112, 12, 3, bytes.length],
  )
  const after = protoStart(3) + header.protoBytes
  assert.deepEqual(
    [...bytes.subarray(after, after + 12)],
    Array.from({ length: 12 }, () => 0),
  )
  assert.deepEqual(bytes.subarray(after + 12, after + 112), ccws)
  assert.deepEqual([...bytes.subarray(after + 112)], [7, 8, 9])
})

test('writeHef() can leave the description without its own seal', () => {
  assert.equal(decodeHef(smallHef({ version: 3, hasProtoDigest: false })).header.protoDigest, null)
  assert.match(decodeHef(smallHef({ version: 3 })).header.protoDigest!, /^[0-9a-f]{16}$/)
})

test('writeHef() gives the same bytes for the same description', () => {
  for (const version of versions)
    assert.deepEqual(smallHef({ version, model: halfModel() }), smallHef({ version, model: halfModel() }))
})

test('writeHef() refuses parts for which a header has no room', () => {
  refuses({ version: 0, ccws: new Uint8Array(1) }, /version 0: its header has no room for configuration words/)
  refuses({ version: 2, paddingBytes: 4 }, /version 2: its header has no room for padding or additional information/)
  refuses({ version: 1, additional: new Uint8Array(4) }, /version 1/)
})

test('writeHef() refuses an order that no device has, and a model that is not sound', () => {
  refuses(
    { groups: [{ name: 'n', inputs: [stream('i', [1, 1, 1], { order: 'NCHW' })], outputs: [] }] },
    /"i": a device has no order NCHW/,
  )
  refuses({ model: { inputs: 1, outputs: 1, layers: [] } }, /nothing writes output 0/)
})

test('writeHef() cuts long rows so that HailoRT can count them in 16 bits', () => {
  const bytes = smallHef({
    groups: [{ name: 'n', inputs: [stream('i', [1, 160_000, 1])], outputs: [stream('o', [1, 1, 1])] }],
  })
  const proto = new Message(bytes.subarray(protoStart(0)))
  const base = proto.message(2).message(3).message(3).messages(2)[0]!.message(3).message(2)
  const [buffer, buffers] = [base.uint32(9), base.uint32(10)]
  assert.ok(buffer <= 0xffff && buffers <= 0xffff && buffer * buffers === 160_000, `${buffer} × ${buffers}`)
})

test('writeHef() gives architectures with layouts a group inside the group', () => {
  const groups = new Message(smallHef({ arch: 'hailo8l' }).subarray(protoStart(0))).messages(2)
  assert.equal(groups[0]!.message(7).message(1).message(1).text(1), 'net')
  assert.equal(new Message(smallHef().subarray(protoStart(0))).message(2).has(7), false)
})
