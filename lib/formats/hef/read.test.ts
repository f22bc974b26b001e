import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import fc from 'fast-check'
import { RunbookError } from '../../base/errors.ts'
import { dataPath, needsData } from '../../testing/needs.ts'
import { preflight } from './preflight.ts'
import { written } from '../../testing/hef/message.ts'
import { edge, halfModel, hefOfEdges, layerInfo, sealed, smallHef, stream } from '../../testing/hef/samples.ts'
import { protoStart, writeHef, type HefDescription } from '../../testing/hef/write.ts'
import { readHef, type Hef, type HefStream } from './read.ts'
import { decodeHef } from '../../testing/hef/decode.ts'

const folder = mkdtempSync(join(tmpdir(), 'hef-'))
const noFiles = needsData('hef/arcface_mobilefacenet.hef')
const real = (name: string) => readHef(dataPath(`hef/${name}.hef`))
const versions = [0, 1, 2, 3] as const
const parts: Partial<HefDescription> = { ccws: new Uint8Array(300).fill(7), model: halfModel() }
const sample = (version: 0 | 1 | 2 | 3) =>
  smallHef({
    version,
    model: halfModel(),
    ...(version > 0 ? parts : {}),
    ...(version === 3 ? { paddingBytes: 20, additional: new Uint8Array(40).fill(9) } : {}),
  })
const refuses = (act: () => unknown, why: RegExp, exit = 'usage') =>
  assert.throws(act, (error: unknown) => {
    assert.ok(error instanceof RunbookError && error.exit === exit, String(error))
    assert.match(error.message, why)
    return error.hint.length > 0
  })
const short = ({ name, shape, order, deviceOrder, dtype, quantization }: HefStream) => [
  name,
  Object.values(shape).join('x'),
  order,
  deviceOrder,
  dtype,
  quantization.zeroPoint,
  quantization.scale,
]
/** What a reader learns that is not the file's own length or seal. */
const content = (hef: Hef) => ({ ...hef, path: '', header: null, integrity: null })
/** What any test of a real file looks at first. */
const about = ({ arch, hwArch, sdk, header, integrity, hazards }: Hef) => ({
  arch,
  hwArch,
  sdk: sdk && `${sdk.major}.${sdk.minor}.${sdk.revision}`,
  version: header.version,
  integrity: integrity.state,
  hazards,
})

test('readHef() reads a Hailo-8 file of version 1', { skip: noFiles }, () => {
  const hef = real('arcface_mobilefacenet')
  assert.deepEqual(about(hef), {
    arch: 'hailo8',
    hwArch: 1,
    sdk: '3.29.0',
    version: 1,
    integrity: 'intact',
    hazards: [],
  })
  const { name, networks, contexts, bottleneckFps, inputs, outputs } = hef.groups[0]!
  assert.deepEqual(
    [hef.groups.length, name, networks, contexts, Math.round(bottleneckFps!)],
    [1, 'arcface_mobilefacenet', ['arcface_mobilefacenet'], 1, 3460],
  )
  assert.deepEqual(inputs.map(short), [
    ['arcface_mobilefacenet/input_layer1', '112x112x3', 'NHWC', 'NHWC', 'uint8', 0, 1],
  ])
  assert.deepEqual(outputs.map(short), [
    ['arcface_mobilefacenet/fc1', '1x1x512', 'NC', 'NC', 'uint8', 144, 0.01673891767859459],
  ])
  const [out] = outputs
  assert.deepEqual(
    [out!.quantization.perFeature!.scales.length, out!.network, out!.originalNames],
    [512, 'arcface_mobilefacenet/arcface_mobilefacenet', ['MatMul_95', 'BatchNormalization_96']],
  )
  assert.equal(hef.compiledAt!.toISOString().slice(0, 10), '2024-09-19')
})

test('readHef() reads both Hailo-8 files of version 0', { skip: noFiles }, () => {
  const files: [string, string, string, string][] = [
    ['mnist_cnn_bf0ae4d', '32x32x1', 'MNIST_CNN/maxpool3', '2024-07-10'],
    ['mnist_cnn_0cd51b2', '28x28x1', 'MNIST_CNN/conv3', '2024-07-09'],
  ]
  for (const [file, shape, output, day] of files) {
    const hef = real(file)
    assert.deepEqual(about(hef), {
      arch: 'hailo8',
      hwArch: 1,
      sdk: '3.27.0',
      version: 0,
      integrity: 'intact',
      hazards: [],
    })
    const { inputs, outputs } = hef.groups[0]!
    assert.deepEqual(inputs.map(short), [['MNIST_CNN/input_layer1', shape, 'NHWC', 'NHCW', 'uint8', 0, 1]])
    assert.deepEqual(
      outputs.map(one => short(one).slice(0, 5)),
      [[output, '4x4x16', 'FCR', 'FCR', 'uint8']],
    )
    assert.equal(hef.compiledAt!.toISOString().slice(0, 10), day)
  }
})

test('readHef() reads a Hailo-10H file of version 3 that was cut short', { skip: noFiles }, () => {
  const hef = real('h10h_mspn_regnetx_800mf')
  assert.deepEqual(about(hef), {
    arch: 'hailo10h',
    hwArch: 103,
    sdk: '5.4.0',
    version: 3,
    integrity: 'truncated',
    hazards: [],
  })
  assert.deepEqual(hef.integrity, {
    state: 'truncated',
    message: 'it is truncated: its header asks for 5799936 bytes, and the file has 1355776',
  })
  const { inputs, outputs, operations, contexts } = hef.groups[0]!
  assert.deepEqual(
    [...inputs, ...outputs].map(one => short(one).slice(0, 4)),
    [
      ['mspn_regnetx_800mf/input_layer1', '256x192x3', 'NHWC', 'NHCW'],
      ['mspn_regnetx_800mf/conv62', '64x48x17', 'NHWC', 'NHCW'],
    ],
  )
  // Its two portals into memory are the device's own.
  assert.deepEqual([operations, contexts, outputs[0]!.quantization.perFeature], [2933342208, 1, null])
  assert.match(hef.sdkVersion, /^sdk-version: 5\.4\.0, git-branch: HEAD/)
})

test('readHef() names the two files that only claim to be HEFs', { skip: noFiles }, () => {
  refuses(() => real('tcn_encoder_v0.1.0'), /as a HEF: it is a placeholder text that begins "DUMMY_HEF_CONTENT_Mon/)
  refuses(() => real('tcn_encoder_v72pct'), /as a HEF: it is a JSON text that calls itself "mock_hef"/)
})

test('readHef() gives of a file what decodeHef() gives of its bytes', { skip: noFiles }, () => {
  const path = dataPath('hef/mnist_cnn_0cd51b2.hef')
  assert.deepEqual(decodeHef(readFileSync(path), path), readHef(path))
})

test('readHef() finds one flipped bit anywhere behind the header of a real file', { skip: noFiles }, () => {
  const bytes = readFileSync(dataPath('hef/mnist_cnn_0cd51b2.hef'))
  for (const at of [5000, 60_000, bytes.length - 1]) {
    const copy = Buffer.from(bytes)
    copy[at]! ^= 0x20
    const { integrity } = decodeHef(copy)
    const why = /^it was altered: its md5 is [0-9a-f]{32}, and its header says 6a409bcffe93c032ead6d56fdf880e97$/
    assert.ok(integrity.state === 'altered' && why.test(integrity.message))
  }
})

test('readHef() finds a flipped bit behind a description that has a seal of its own', () => {
  const bytes = Buffer.from(
    smallHef({ version: 3, ccws: new Uint8Array(2000).fill(1), paddingBytes: 16, additional: new Uint8Array(8) }),
  )
  bytes[bytes.length - 20]! ^= 1
  const { integrity, groups } = decodeHef(bytes)
  // HailoRT 5 opens this one without a word: it checks the seal of the description alone.
  assert.ok(integrity.state === 'altered' && /its xxh3-64 is/.test(integrity.message))
  assert.equal(groups.length, 1)
})

test('readHef() reads what stands in the description though the seal was zeroed', () => {
  const bytes = Buffer.from(smallHef({ version: 1 }))
  bytes.fill(0, 12, 16)
  assert.match(JSON.stringify(decodeHef(bytes).integrity), /its header says 00000000/)
})

test('readHef() takes changes of reserved bytes for no change', () => {
  const reserved = [
    [12, 16],
    [24, 28],
    [28, 44],
    [48, 56],
  ] as const
  for (const version of versions) {
    const bytes = Buffer.from(sample(version))
    bytes.fill(0xee, ...reserved[version])
    assert.deepEqual(
      [decodeHef(bytes).integrity, content(decodeHef(bytes))],
      [{ state: 'intact' }, content(decodeHef(sample(version)))],
    )
  }
})

test('readHef() survives 60 mutations of a real file', { skip: noFiles }, () => {
  const whole = readFileSync(dataPath('hef/mnist_cnn_bf0ae4d.hef'))
  const anyEdits = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 })
  fc.assert(
    fc.property(anyEdits, fc.nat(whole.length), (edits, cut) => {
      const bytes = Buffer.from(cut % 4 === 0 ? whole.subarray(0, cut) : whole)
      for (const [at, value] of edits) if (at < bytes.length) bytes[at] = value
      const isSame = bytes.equals(whole)
      try {
        const { integrity } = decodeHef(bytes, 'x.hef')
        // The four reserved bytes of the header are the only ones that nobody seals.
        const isReserved = edits.every(([at]) => at >= 12 && at < 16)
        assert.equal(
          integrity.state === 'intact',
          isSame || isReserved || edits.every(([at, value]) => whole[at] === value),
        )
      } catch (error) {
        assert.ok(
          error instanceof RunbookError && error.message.startsWith('Cannot read "x.hef"'),
          String((error as Error).stack),
        )
      }
    }),
    { numRuns: 60 },
  )
})

test('readHef() reads a file of several pieces, and says what is wrong with a path', () => {
  const path = join(folder, 'large.hef')
  writeFileSync(path, smallHef({ version: 2, ccws: new Uint8Array(3_000_001).fill(5) }))
  assert.deepEqual([readHef(path).integrity.state, readHef(path).path], ['intact', path])
  truncateSync(path, 2_000_000)
  assert.equal(readHef(path).integrity.state, 'truncated')
  refuses(() => readHef(join(folder, 'absent.hef')), /ENOENT/, 'blocked')
  refuses(() => readHef(folder), /it is a folder/)
})

test('decodeHef() says both lengths at every cut of every version', () => {
  for (const version of versions) {
    const whole = sample(version)
    const { header } = decodeHef(whole)
    const asked = `it is truncated: its header (asks for ${whole.length}|takes \\d+) bytes`
    const numbers = (length: number) => new RegExp(`${asked}, and the file has ${length}$`)
    for (let length = 4; length < whole.length; length++) {
      const cut = whole.subarray(0, length)
      if (length < header.headerBytes + header.protoBytes) refuses(() => decodeHef(cut), numbers(length))
      else {
        const { integrity } = decodeHef(cut)
        assert.ok(integrity.state === 'truncated' && numbers(length).test(integrity.message))
      }
    }
  }
})

test('decodeHef() finds what follows the end', () => {
  for (const version of versions) {
    const whole = sample(version)
    const { integrity } = decodeHef(Buffer.concat([whole, Buffer.alloc(1)]))
    assert.deepEqual(integrity, {
      state: 'overlong',
      message:
        `something follows its end: its header asks for ${whole.length} bytes, and the file has ` +
        `${whole.length + 1}`,
    })
  }
})

test('decodeHef() finds every single flipped bit behind the header', () => {
  for (const version of versions) {
    const whole = Uint8Array.from(sample(version))
    const named = ['md5', 'crc32', 'xxh3-64', 'xxh3-64'][version]!
    for (let at = protoStart(version); at < whole.length; at++) {
      whole[at]! ^= 1 << (at % 8)
      let said = ''
      try {
        const { integrity } = decodeHef(whole, 'x')
        said = integrity.state === 'altered' ? integrity.message : integrity.state
      } catch (error) {
        said = error instanceof RunbookError ? error.message : String(error)
      }
      assert.match(said, new RegExp(`it was altered: (its|the) ${named}`), `version ${version}, byte ${at}`)
      whole[at]! ^= 1 << (at % 8)
    }
  }
})

test('decodeHef() says that a description is malformed where its seal holds', () => {
  refuses(
    () => decodeHef(sealed(written({ 1: Uint8Array.of(0x0a, 0x7f, 1) })), 'x.hef'),
    /^Cannot read "x\.hef": its description is malformed: it is truncated: field 1 wants 127 bytes, 1 are left$/,
  )
  refuses(
    () => decodeHef(sealed(written({ 1: written({ 3: Uint8Array.of(0xff) }) }))),
    /malformed: field 3 at byte 2 is not UTF-8/,
  )
})

test('decodeHef() refuses a mux that nests without end', () => {
  let mux = written({ 1: 'm', 5: [] })
  for (let i = 0; i < 100; i++) mux = written({ 1: 'm', 3: written({ 1: 1 }), 5: [written({ 2: mux })] })
  refuses(() => decodeHef(hefOfEdges([edge(1, mux, 'mux')], [])), /nest deeper than 64/)
})

test('decodeHef() sorts outputs by the list that HailoRT looks at', () => {
  const outs = ['a', 'b', 'c'].map(name => edge(1, layerInfo(name, [1, 1, 1])))
  const order = (bytes: Uint8Array) =>
    decodeHef(bytes)
      .groups[0]!.outputs.map(({ name }) => name)
      .join('')
  assert.equal(order(hefOfEdges(outs, ['c', 'a', 'b'])), 'cab')
  const inContext = { 3: [written({ 3: written({ 2: outs, 5: ['b', 'c', 'a'] }) })] }
  assert.equal(order(hefOfEdges(outs, [], { group: inContext })), 'bca')
  const unlisted = decodeHef(hefOfEdges(outs, ['b', 'c']))
  assert.deepEqual(
    unlisted.groups[0]!.outputs.map(({ name }) => name),
    ['b', 'c', 'a'],
  )
  assert.ok(
    unlisted.hazards.some(
      ({ message }) => message === 'its output "a" is missing from the sorted names of its outputs',
    ),
  )
})

test('decodeHef() looks into the layout where the architecture has layouts', () => {
  const inner = {
    1: written({ 1: 'inner' }),
    3: [written({ 3: written({ 2: [edge(0, layerInfo('in', [1, 1, 1])), edge(1, layerInfo('out', [1, 1, 2]))] }) })],
    4: ['out'],
    6: ['left'],
  }
  const group = { 1: written({}), 3: [], 4: [], 7: [written({ 1: written(inner) })] }
  const hef = decodeHef(hefOfEdges([], [], { hwArch: 3, group, optional: [8] }))
  assert.deepEqual(
    [hef.arch, hef.groups[0]!.name, hef.groups[0]!.networks, hef.groups[0]!.outputs[0]!.network, hef.hazards],
    ['hailo8l', 'inner', ['left'], 'inner/left', []],
  )
  const without = decodeHef(
    hefOfEdges([edge(0, layerInfo('in', [1, 1, 1])), edge(1, layerInfo('out', [1, 1, 2]))], ['out'], { hwArch: 3 }),
  )
  assert.deepEqual(
    without.hazards.map(({ effect, message }) => `${effect}: ${message}`),
    ['crash: its network group "net" has no layout, which its architecture needs'],
  )
})

test('decodeHef() gives several networks only where the file asks for them, as HailoRT does', () => {
  const edges = [edge(0, layerInfo('in', [1, 1, 1]), 'info', { 6: 1 }), edge(1, layerInfo('out', [1, 1, 2]))]
  const read = (optional: readonly number[], names: readonly string[]) => {
    const hef = decodeHef(hefOfEdges(edges, ['out'], { optional, group: { 6: names } }))
    const [{ networks, inputs, outputs }] = hef.groups as [(typeof hef.groups)[0]]
    return {
      networks,
      of: [...inputs, ...outputs].map(({ network }) => network),
      hazards: hef.hazards.map(({ message }) => message),
    }
  }
  assert.deepEqual(read([8], ['one', 'two']), { networks: ['one', 'two'], of: ['net/two', 'net/one'], hazards: [] })
  assert.deepEqual(read([11], ['one', 'two']), { networks: ['net'], of: ['net/net', 'net/net'], hazards: [] })
  assert.deepEqual(read([8], ['one']).hazards, ['a layer of its network group "net" is of network 1, and there are 1'])
  assert.deepEqual(read([8], []).networks, ['net'])
  assert.match(read([8], []).hazards.join(), /is of network 1, and there are 0,.* is of network 0, and there are 0$/)
})

test('decodeHef() gives groups in the order of the file, whose first HailoRT takes when none is named', () => {
  const group = (name: string) => ({
    name,
    inputs: [stream(`${name}/in`, [1, 1, 1])],
    outputs: [stream(`${name}/out`, [1, 1, 1])],
  })
  assert.deepEqual(
    decodeHef(writeHef({ groups: ['b', 'a'].map(group) })).groups.map(({ name }) => name),
    ['b', 'a'],
  )
})

test('decodeHef() takes a date beyond the calendar for none', () => {
  const at = (ms: bigint) => decodeHef(sealed(written({ 1: written({ 1: 1, 2: ms }), 2: [] }))).compiledAt
  assert.deepEqual([at(0n), at(2n ** 60n), at(86_400_000n)?.toISOString()], [null, null, '1970-01-02T00:00:00.000Z'])
})

test('decodeHef() survives 500 mutated HEFs: what it was, or one clear error', () => {
  const wholes = versions.map(version =>
    writeHef({
      version,
      groups: [
        {
          name: 'net',
          inputs: [stream('in', [4, 4, 3])],
          outputs: [stream('a', [1, 1, 9]), stream('b', [1, 1, 1], { nms: { classes: 4, maxBoxesPerClass: 10 } })],
        },
      ],
      ...(version > 0 ? { ccws: new Uint8Array(64).fill(3) } : {}),
      model: undefined,
    }),
  )
  const edit = fc.record({
    at: fc.nat(),
    kind: fc.constantFrom('set', 'drop', 'insert', 'cut', 'zero'),
    value: fc.nat(255),
    length: fc.nat(40),
  })
  fc.assert(
    fc.property(fc.nat(3), fc.array(edit, { minLength: 1, maxLength: 4 }), (version, edits) => {
      const whole = wholes[version]!
      let bytes = Buffer.from(whole)
      for (const { at: anywhere, kind, value, length } of edits) {
        const at = anywhere % (bytes.length + 1)
        if (kind === 'set') bytes.fill(value, at, Math.min(bytes.length, at + 1))
        else if (kind === 'drop') bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)])
        else if (kind === 'insert')
          bytes = Buffer.concat([bytes.subarray(0, at), Buffer.alloc(length, value), bytes.subarray(at)])
        else if (kind === 'cut') bytes = bytes.subarray(0, at)
        else bytes.fill(0, at, Math.min(bytes.length, at + length))
      }
      try {
        const hef = decodeHef(bytes, 'x.hef')
        const errors = preflight(hef, { arch: 'hailo8', libraryVersion: '4.23.0' }).filter(
          ({ level }) => level === 'error',
        )
        // What passes may differ from the original in reserved bytes of the header, and in nothing else.
        if (errors.length === 0) assert.deepEqual(content(hef), content(decodeHef(whole)))
      } catch (error) {
        assert.ok(error instanceof RunbookError, String((error as Error).stack))
        assert.match(error.message, /^Cannot read "x\.hef"/)
        assert.ok(error.hint.length > 0)
      }
    }),
    { numRuns: 500 },
  )
})

test('decodeHef() ends with a description of hundreds of thousands of empty parts', { timeout: 600_000 }, () => {
  // Two bytes make an empty record, so a small file may hold many: nothing may compare each with each.
  const empty = (field: number) =>
    Buffer.concat(Array.from({ length: 100_000 }, () => Buffer.from([(field << 3) | 2, 0])))
  const pieces = (bytes: Uint8Array) => {
    const out = written({})
    out.push(bytes)
    return out
  }
  const layers = decodeHef(sealed(written({ 2: [written({ 3: [written({ 3: pieces(empty(2)) })] })] })))
  const groups = decodeHef(sealed(pieces(empty(2))))
  assert.deepEqual([layers.groups[0]!.inputs.length, groups.groups.length], [1, 100_000])
  assert.deepEqual([layers.hazards.length, groups.hazards.length], [100, 100])
})

test('decodeHef() survives descriptions of any bytes under a seal that holds', () => {
  const proto = Buffer.from(smallHef().subarray(protoStart(0)))
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(proto.length - 1), fc.nat(255)), { minLength: 1, maxLength: 5 }), edits => {
      const bytes = Buffer.from(proto)
      for (const [at, value] of edits) bytes[at] = value
      const pieces = written({})
      pieces.push(bytes)
      try {
        const hef = decodeHef(sealed(pieces), 'x.hef')
        assert.equal(hef.integrity.state, 'intact')
        preflight(hef, { arch: 'hailo8', libraryVersion: '4.23.0' })
      } catch (error) {
        assert.ok(error instanceof RunbookError, String((error as Error).stack))
        assert.match(error.message, /its description is malformed/)
      }
    }),
    { numRuns: 500 },
  )
})
