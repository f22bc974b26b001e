import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { RunbookError } from '../../base/errors.ts'
import { dataPath, needsData } from '../../testing/needs.ts'
import { deviceArchs } from './arch.ts'
import { smallHef, stream } from '../../testing/hef/samples.ts'
import { deviceArchOf, preflight, requireRunnable, type HefTarget } from './preflight.ts'
import { writeHef, type HefDescription } from '../../testing/hef/write.ts'
import { readHef } from './read.ts'
import { decodeHef } from '../../testing/hef/decode.ts'

const make = (more: Partial<HefDescription> = {}) => decodeHef(smallHef(more), 'net.hef')
const judge = (more: Partial<HefDescription>, target: HefTarget) => preflight(make(more), target)
const levels = (more: Partial<HefDescription>, target: HefTarget) => judge(more, target).map(({ level }) => level)
const lib = (libraryVersion: string) => ({ libraryVersion })

test('preflight() finds nothing in a whole HEF on its own device', () => {
  for (const libraryVersion of ['4.17.0', '4.20.1', '4.23.0'])
    assert.deepEqual(judge({}, { arch: 'hailo8', libraryVersion }), [])
  assert.deepEqual(
    judge({ arch: 'hailo10h', sdkVersion: '5.2.0' }, { arch: 'HAILO_ARCH_HAILO10H', libraryVersion: '5.2.0' }),
    [],
  )
})

test('preflight() judges only what it is told', () => {
  assert.deepEqual(judge({ arch: 'hailo10h', extensions: [99] }, {}), [])
  assert.deepEqual(judge({ arch: 'hailo10h' }, { arch: null, libraryVersion: null }), [])
})

test('preflight() names both architectures and the flag that mends it', () => {
  const [wrong, ...more] = judge({}, { arch: 'HAILO8L', libraryVersion: '4.23.0' })
  assert.deepEqual(more, [])
  assert.equal(wrong!.level, 'error')
  assert.match(
    wrong!.message,
    /^it was compiled for hailo8, and the device is hailo8l \(its board name may say Hailo-8/,
  )
  assert.equal(wrong!.hint, 'compile it again with --hw-arch hailo8l')
  assert.deepEqual(levels({ arch: 'hailo10h', sdkVersion: '5.2.0' }, { arch: 'hailo8' }), ['error'])
})

test("preflight() warns where a smaller chip's HEF runs on a larger one", () => {
  const [slower] = judge({ arch: 'hailo8l' }, { arch: 'hailo8', libraryVersion: '4.21.0' })
  assert.deepEqual([slower!.level, slower!.hint], ['warning', 'compile it again with --hw-arch hailo8'])
  assert.match(
    judge({ arch: 'hailo15m' }, { arch: 'hailo15h', libraryVersion: '4.20.0' })[0]!.message,
    /compiled for hailo15m and runs slower/,
  )
  assert.deepEqual(judge({ arch: 'hailo8r' }, { arch: 'hailo8', libraryVersion: '4.23.0' }), [])
})

test('preflight() says which HailoRT serves a device that this one does not', () => {
  const [late] = judge({ arch: 'hailo10h', sdkVersion: '5.2.0' }, { arch: 'hailo10h', libraryVersion: '4.23.0' })
  assert.match(late!.message, /^HailoRT 4\.23\.0 does not run hailo10h on hailo10h, and HailoRT 5 does$/)
  const [bare] = judge({ hwArch: 0 }, { arch: 'hailo8', libraryVersion: '4.23.0' })
  assert.equal(bare!.level, 'error')
  assert.match(
    judge({}, { arch: 'hailo8', libraryVersion: '5.2.0' })[0]!.message,
    /for the Hailo-8 family, and HailoRT 5\.2\.0 is made for Hailo-10H/,
  )
})

test('preflight() leaves a device open that nobody knows', () => {
  const [open] = judge({}, { arch: 'hailo99' })
  assert.deepEqual([open!.level, /"hailo99"/.test(open!.message)], ['warning', true])
  assert.match(
    judge({ hwArch: 77 }, { arch: 'hailo8' })[0]!.message,
    /compiled for unknown \(77\), and the device is hailo8/,
  )
})

test('deviceArchOf() takes every spelling', () => {
  assert.deepEqual(
    ['hailo8l', 'HAILO8L', 'HAILO_ARCH_HAILO8L', 'Hailo-8L', 'mars', 'HAILO_ARCH_PLUTO', 'tpu'].map(deviceArchOf),
    ['hailo8l', 'hailo8l', 'hailo8l', 'hailo8l', 'hailo12l', 'hailo15l', null],
  )
})

test('deviceArchOf() takes every name that any version of the interface gives a device', () => {
  const abi = JSON.parse(readFileSync(join(import.meta.dirname, '../../../contracts/abi/hailort.json'), 'utf8')) as {
    enums: { hailo_device_architecture_t: { values: Record<string, number> }[] }
  }
  for (const { values } of abi.enums.hailo_device_architecture_t) {
    for (const [name, value] of Object.entries(values)) {
      if (value < 0x7fff_ffff) assert.equal(deviceArchOf(name), deviceArchs[value], name)
    }
  }
})

test('preflight() refuses a header that the library does not read', () => {
  const first = ['4.17.0', '4.17.0', '4.20.0', '4.21.0'] as const
  const before = [null, null, '4.19.0', '4.20.1'] as const
  for (const version of [0, 1, 2, 3] as const) {
    assert.deepEqual(judge({ version }, lib(first[version])), [], `version ${version}`)
    if (before[version] !== null)
      assert.match(
        judge({ version }, lib(before[version]))[0]!.message,
        new RegExp(`its header has version ${version}, which HailoRT ${before[version]} does not read`),
      )
  }
})

test('preflight() names the extensions that the library lacks', () => {
  const lacks = (index: number, libraryVersion: string) =>
    judge({ extensions: [index] }, lib(libraryVersion)).some(
      ({ level, message }) => level === 'error' && message.includes('it needs what'),
    )
  assert.deepEqual(
    [29, 31, 33, 35].map(index => lacks(index, '4.17.0')),
    [false, true, true, true],
  )
  assert.deepEqual(
    [29, 31, 33, 35].map(index => lacks(index, '4.23.0')),
    [false, false, true, true],
  )
  assert.deepEqual(
    [33, 34].map(index => lacks(index, '5.0.0')),
    [true, true],
  )
  assert.deepEqual(
    [31, 33, 34, 7, 8, 99].map(index => lacks(index, '5.2.0')),
    [false, false, false, true, true, true],
  )
  assert.match(judge({ extensions: [99] }, lib('4.23.0'))[0]!.message, /HailoRT 4\.23\.0 does not have: EXTENSION_99/)
})

test('preflight() refuses a HEF that is too old for a library, and only for it', () => {
  assert.deepEqual(levels({ hasPeriphExtension: false }, lib('4.20.1')), [])
  assert.match(
    judge({ hasPeriphExtension: false }, lib('4.21.0'))[0]!.message,
    /too old for HailoRT 4\.21\.0: it lacks PERIPH/,
  )
})

test('preflight() warns when the compiler was ahead of the library', () => {
  assert.deepEqual(levels({ sdkVersion: '3.31.0' }, lib('4.21.0')), [])
  assert.deepEqual(levels({ sdkVersion: '3.29.0' }, lib('4.23.0')), [])
  const [ahead] = judge({ sdkVersion: '3.33.0' }, lib('4.21.0'))
  assert.deepEqual(
    [ahead!.level, ahead!.message],
    [
      'warning',
      'it was compiled with Dataflow Compiler 3.33.0, which goes with HailoRT 4.23, and the library is 4.21.0',
    ],
  )
  assert.deepEqual(levels({ sdkVersion: 'a build of somebody' }, lib('4.17.0')), [])
})

test('preflight() holds a HEF to its version where it asks for that', () => {
  const strict = { arch: 'hailo10h', sdkVersion: '5.1.0', extensions: [35] } as const
  assert.deepEqual(levels(strict, lib('5.1.1')), [])
  assert.match(judge(strict, lib('5.2.0'))[0]!.message, /wants HailoRT 5\.1 exactly, and the library is 5\.2\.0/)
})

test('preflight() says of which library a file is the death', () => {
  const per = { zeroPoints: [0, 0], scales: [1, 1] }
  const half: Partial<HefDescription> = {
    groups: [
      {
        name: 'net',
        inputs: [stream('in', [1, 1, 2])],
        outputs: [stream('out', [1, 1, 2], { quantization: { perFeature: per } })],
      },
    ],
    extensions: [25],
  }
  const [death] = judge(half, { arch: 'hailo8', libraryVersion: '4.23.0' })
  assert.equal(death!.level, 'error')
  assert.match(
    death!.message,
    /^its input "in" has 0 zero points and 0 scales for 2 features, of which HailoRT 4 crashes$/,
  )
  assert.ok(!judge(half, lib('5.2.0')).some(({ message }) => message.includes('crashes')))
  // Without a library nobody knows which it will be, and the other one takes it.
  assert.equal(judge(half, {})[0]!.level, 'warning')
  // No HailoRT 4 runs a Hailo-10H: what it minds is no matter, and the library is what is named where it is 4.
  const tenth = { ...half, arch: 'hailo10h', sdkVersion: '5.2.0' } as const
  assert.deepEqual(judge(tenth, {}), [])
  assert.deepEqual(judge(tenth, { arch: 'hailo10h', libraryVersion: '5.2.0' }), [])
  const [wrongLibrary] = judge(tenth, lib('4.23.0'))
  assert.match(wrongLibrary!.hint, /^install HailoRT 5/)
  const headless = {
    groups: [
      {
        name: 'net',
        inputs: [stream('in', [1, 1, 1], { hasBufferIndices: false })],
        outputs: [stream('out', [1, 1, 1])],
      },
    ],
  }
  for (const version of ['4.17.0', '5.2.0'])
    assert.ok(
      judge(headless, lib(version)).some(({ message }) => /no buffer indices, of which HailoRT cra/.test(message)),
    )
})

test('preflight() refuses groups that HailoRT cannot use', () => {
  const says = (description: HefDescription, why: RegExp) =>
    assert.match(preflight(decodeHef(writeHef(description)), {})[0]!.message, why)
  says({ groups: [] }, /it has no network group, of which HailoRT crashes/)
  says({ groups: [{ name: 'g', inputs: [], outputs: [stream('o', [1, 1, 1])] }] }, /"g" has no input/)
  says({ groups: [{ name: 'g', inputs: [stream('i', [1, 1, 1])], outputs: [] }] }, /"g" has no output/)
  says(
    { groups: [{ name: '', inputs: [stream('i', [1, 1, 1])], outputs: [stream('o', [1, 1, 1])] }] },
    /one of its network groups has no name/,
  )
  const twin = { name: 'g', inputs: [stream('i', [1, 1, 1])], outputs: [stream('o', [1, 1, 1])] }
  says({ groups: [twin, twin] }, /two of its network groups are called "g"/)
})

test('preflight() refuses a stream that has a dimension of zero, and names it', () => {
  const withSizes = (input: [number, number, number], output: [number, number, number]) =>
    judge(
      { groups: [{ name: 'net', inputs: [stream('in', input)], outputs: [stream('out', output)] }] },
      { arch: 'hailo8', ...lib('4.23.0') },
    )
  for (const size of [
    [0, 8, 1],
    [1, 0, 1],
    [1, 8, 0],
  ] as [number, number, number][]) {
    const [first, ...more] = withSizes(size, [1, 8, 2])
    assert.deepEqual([first!.level, more], ['error', []])
    assert.equal(
      first!.message,
      `its input "in" has the size ${size.join('x')} (height, width, features), and none of these may be zero`,
    )
  }
  assert.match(withSizes([1, 8, 1], [0, 0, 0])[0]!.message, /^its output "out" has the size 0x0x0 /)
  assert.deepEqual(withSizes([1, 8, 1], [1, 1, 1]), [])
})

test('preflight() refuses detections of no class or of no box', () => {
  const nms = { classes: 0, maxBoxesPerClass: 10 }
  const hef = make()
  const [output] = hef.groups[0]!.outputs
  const emptied = {
    ...output!,
    shape: { height: 0, width: 5, features: 10 },
    nms: { ...nms, where: 'device', boxSize: 5, kind: null, scoreThreshold: null, iouThreshold: null },
  } as const
  assert.match(
    preflight({ ...hef, groups: [{ ...hef.groups[0]!, outputs: [emptied] }] }, {})[0]!.message,
    /^its output "net\/out" has 0 classes of 10 boxes, and none of these may be zero$/,
  )
})

test('preflight() refuses for every device what a library runs on none, when no device is known', () => {
  const errors = (more: Partial<HefDescription>, libraryVersion: string) =>
    judge(more, lib(libraryVersion))
      .filter(({ level }) => level === 'error')
      .map(({ message, hint }) => `${message}: ${hint}`)
  const on4 = (arch: string) => [
    `it was compiled for ${arch}, which HailoRT 4.23.0 runs on no device: install HailoRT 5 with its driver`,
  ]
  assert.deepEqual(errors({ arch: 'hailo10h', sdkVersion: '5.2.0' }, '4.23.0'), on4('hailo10h'))
  for (const arch of ['hailo15h', 'hailo15m', 'hailo12l'] as const)
    assert.deepEqual(errors({ arch }, '4.23.0'), on4(arch))
  assert.match(
    errors({ hwArch: 5 }, '5.2.0')[0]!,
    /compiled for hailo10h, which HailoRT 5\.2\.0 runs on no device: install HailoRT 4/,
  )
  // The number that HailoRT 4.18 to 4.21 had for a Hailo-10H.
  for (const version of ['4.17.0', '4.23.0']) {
    assert.match(errors({ hwArch: 5 }, version)[0]!, /install HailoRT 4\.21 with its driver$/)
    assert.match(judge({ hwArch: 5 }, { arch: 'hailo10h', ...lib(version) })[0]!.message, /and HailoRT 4\.21 does$/)
  }
  assert.match(
    errors({ hwArch: 6 }, '4.19.0')[0]!,
    /compiled for hailo15l, which HailoRT 4\.19\.0 runs on no device: install HailoRT 5/,
  )
  // Version 4 served Hailo-15 once.
  assert.deepEqual(errors({ arch: 'hailo15h' }, '4.20.0'), [])
})

test('preflight() refuses a number of an architecture that no library knows, and leaves it open to a later one', () => {
  for (const hwArch of [7, 99, 107, 109, 1000]) {
    for (const version of ['4.17.0', '4.23.0', '5.0.0', '5.2.0']) {
      const [first, ...more] = judge({ hwArch, sdkVersion: '' }, lib(version))
      assert.deepEqual([first?.level, more], ['error', []], `${hwArch} ${version}`)
      assert.equal(
        first!.message,
        `it was compiled for unknown (${hwArch}), which HailoRT ${version} runs on no device`,
      )
      assert.match(first!.hint, /^compile it again with --hw-arch/)
    }
    // A device that is known has been judged; one that is not does not help.
    assert.equal(levels({ hwArch }, { arch: 'hailo8', ...lib('4.23.0') }).filter(level => level === 'error').length, 1)
    assert.deepEqual(levels({ hwArch }, { arch: 'hailo99', ...lib('4.23.0') }), ['error', 'warning'])
    assert.deepEqual(levels({ hwArch, sdkVersion: '' }, lib('5.3.0')), [])
  }
  assert.equal(judge({ hwArch: 108 }, lib('4.20.0'))[0]!.level, 'error')
})

test('preflight() refuses the name of a group that HailoRT has no room for', () => {
  const named = (name: string, networks?: readonly string[]) =>
    judge(
      {
        groups: [
          {
            name,
            ...(networks && { networks }),
            inputs: [stream('in', [1, 8, 1])],
            outputs: [stream('out', [1, 8, 2])],
          },
        ],
      },
      lib('4.23.0'),
    ).map(({ message }) => message)
  assert.deepEqual(named('g'.repeat(127)), [])
  assert.deepEqual(named('g'.repeat(128)), [
    `the name of its network group "${'g'.repeat(40)}…" has 128 bytes, over 127, which HailoRT refuses`,
  ])
  assert.deepEqual(
    [named('g'.repeat(100), ['n'.repeat(155)]), named('g'.repeat(100), ['n'.repeat(156)]).length],
    [[], 1],
  )
})

test('preflight() refuses a HEF for Hailo-8 where the driver serves none, unless a device answered', () => {
  const [none] = judge({}, lib('5.0.1'))
  assert.deepEqual([none!.level, none!.hint], ['error', 'on a Hailo-8 board install HailoRT 4 with its driver'])
  assert.equal(none!.message, 'it is for the Hailo-8 family, which the driver of HailoRT 5.0.1 does not serve')
  assert.deepEqual(
    [levels({}, lib('5.0.0')), levels({}, { arch: 'hailo8', ...lib('5.2.0') }), levels({}, lib('4.23.0'))],
    [['warning'], ['warning'], []],
  )
})

test('preflight() refuses a HEF that wants one version of the library and does not name it', () => {
  const says = (sdkVersion: string) => judge({ arch: 'hailo10h', sdkVersion, extensions: [35] }, lib('5.2.0'))[0]
  assert.match(
    says('HEAD')!.message,
    /^it wants the HailoRT of its compiler exactly, and was compiled with "HEAD", and the library is 5\.2\.0$/,
  )
  assert.match(says('')!.message, /names no version of its compiler/)
  assert.equal(says('5.2.0'), undefined)
})

test('preflight() puts errors before warnings', () => {
  const found = judge({ sdkVersion: '3.33.0', extensions: [99] }, { arch: 'hailo8l', libraryVersion: '4.21.0' })
  assert.deepEqual(
    found.map(({ level }) => level),
    ['error', 'error', 'warning'],
  )
  assert.ok(found.every(({ hint }) => hint.length > 10))
})

test('preflight() refuses a version that is none', () => {
  assert.throws(
    () => judge({}, lib('newest')),
    (error: unknown) => error instanceof RunbookError && /HailoRT "newest": that is no version/.test(error.message),
  )
})

test('requireRunnable() throws one error with all reasons, and gives back warnings', () => {
  assert.throws(
    () => requireRunnable(make({ extensions: [99] }), { arch: 'hailo8l', libraryVersion: '4.21.0' }),
    (error: unknown) => {
      assert.ok(error instanceof RunbookError && error.exit === 'usage')
      assert.match(
        error.message,
        /^Cannot run "net\.hef": it was compiled for hailo8, and .*; and it needs .* 4\.21\.0 .*: EXTENSION_99$/,
      )
      return error.hint === 'compile it again with --hw-arch hailo8l'
    },
  )
  assert.deepEqual(
    requireRunnable(make({ arch: 'hailo8l' }), { arch: 'hailo8' }).map(({ level }) => level),
    ['warning'],
  )
})

test('requireRunnable() stops after four reasons and counts the rest', () => {
  const inputs = Array.from({ length: 7 }, (_, i) => stream(`in${i}`, [1, 1, 1], { hasBufferIndices: false }))
  const hef = make({ groups: [{ name: 'net', inputs, outputs: [stream('out', [1, 1, 1])] }] })
  assert.throws(
    () => requireRunnable(hef, {}),
    (error: unknown) => {
      assert.ok(error instanceof RunbookError)
      return (
        error.message.endsWith('"in3" has no buffer indices, of which HailoRT crashes; and 3 more') &&
        !error.message.includes('"in4"')
      )
    },
  )
})

test('preflight() says that a file was altered, cut or added to, whatever else is true of it', () => {
  const whole = smallHef({ version: 2, ccws: new Uint8Array(50) })
  const last = (bytes: Uint8Array) => preflight(decodeHef(bytes), { arch: 'hailo8', libraryVersion: '4.23.0' })[0]
  const flipped = Uint8Array.from(whole)
  flipped[whole.length - 1]! ^= 1
  assert.match(last(flipped)!.message, /^it was altered: its xxh3-64 is /)
  assert.match(last(whole.subarray(0, whole.length - 1))!.message, /^it is truncated/)
  assert.match(last(Buffer.concat([whole, Buffer.alloc(3)]))!.message, /^something follows its end/)
  for (const bytes of [flipped, whole.subarray(0, whole.length - 1)]) assert.match(last(bytes)!.hint, /sha256sum/)
  assert.equal(last(whole), undefined)
})

test('preflight() judges real HEFs as HailoRT does', { skip: needsData('hef') }, () => {
  const on = (name: string, target: HefTarget) =>
    preflight(readHef(dataPath(`hef/${name}.hef`)), target).map(({ message }) => message)
  assert.deepEqual(on('arcface_mobilefacenet', { arch: 'hailo8', libraryVersion: '4.23.0' }), [])
  assert.deepEqual(on('mnist_cnn_bf0ae4d', { arch: 'hailo8', libraryVersion: '4.17.0' }), [])
  assert.match(
    on('arcface_mobilefacenet', { arch: 'hailo8l', libraryVersion: '4.23.0' }).join('; '),
    /compiled for hailo8, and the device is hailo8l/,
  )
  // HailoRT 5 opens the file that is cut short, since it checks its description alone.
  assert.match(
    on('h10h_mspn_regnetx_800mf', { arch: 'hailo10h', libraryVersion: '5.2.0' })[0]!,
    /it is truncated: its header asks for 5799936 bytes, and the file has 1355776/,
  )
})
