import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import {
  atLeast,
  defaultHostOrder,
  deviceArchs,
  deviceOrderOf,
  devicesFor,
  formatOrders,
  hefArchName,
  isHailo8,
  versionIn,
} from './arch.ts'
import { formatOf, hwArchOf } from '../../testing/hef/header.ts'

const v = (text: string) => versionIn(text)!

test('versionIn() finds three numbers wherever they stand', () => {
  assert.deepEqual(versionIn('4.23.0'), { major: 4, minor: 23, revision: 0 })
  assert.deepEqual(versionIn('sdk-version: 5.4.0, git-branch: HEAD'), { major: 5, minor: 4, revision: 0 })
  assert.deepEqual([versionIn(''), versionIn('4.23'), versionIn('HEAD')], [null, null, null])
})

test('atLeast() compares number by number', () => {
  assert.ok(atLeast(v('4.20.0'), 4, 9) && atLeast(v('5.0.0'), 4, 23) && atLeast(v('5.0.1'), 5, 0, 1))
  assert.ok(!atLeast(v('4.9.9'), 4, 20) && !atLeast(v('4.23.0'), 5, 0) && !atLeast(v('5.0.0'), 5, 0, 1))
})

test('hefArchName() knows the number of an ordinary Hailo-8, and one core in two products', () => {
  assert.deepEqual(
    [0, 1, 2, 3].map(n => hefArchName(n, 3)),
    ['hailo8', 'hailo8', 'hailo8r', 'hailo8l'],
  )
  assert.deepEqual(
    [hefArchName(103, 3), hefArchName(103, null), hefArchName(103, 5)],
    ['hailo15h', 'hailo15h', 'hailo10h'],
  )
  assert.deepEqual([hefArchName(108, 5), hefArchName(77, 5)], ['hailo12l', 'unknown (77)'])
})

test('hwArchOf has a number that reads back for every architecture', () => {
  for (const arch of deviceArchs) assert.equal(hefArchName(hwArchOf[arch], arch === 'hailo10h' ? 5 : 3), arch)
  assert.equal(hefArchName(hwArchOf.hailo8r, 3), 'hailo8r')
})

test('devicesFor() says who takes a HEF under each library', () => {
  const on = (hwArch: number, library: string) => [...devicesFor(hwArch, v(library))]
  assert.deepEqual(on(1, '4.17.0'), ['hailo8'])
  // HailoRT 4 takes the numbers that compilers write, and not the bare 0.
  assert.deepEqual([on(0, '4.23.0'), on(0, '5.2.0')], [[], ['hailo8']])
  assert.deepEqual(
    [on(3, '4.23.0'), on(3, '5.2.0')],
    [
      ['hailo8l', 'hailo8'],
      ['hailo8l', 'hailo8'],
    ],
  )
  assert.deepEqual(
    [on(103, '4.21.0'), on(103, '4.22.0'), on(103, '5.2.0')],
    [['hailo15h', 'hailo10h'], [], ['hailo15h', 'hailo10h']],
  )
  assert.deepEqual([on(5, '4.21.0'), on(5, '5.0.0')], [['hailo15h', 'hailo10h'], []])
  assert.deepEqual(
    [on(5, '4.17.1'), on(6, '4.19.0'), on(6, '4.20.0'), on(106, '4.17.0')],
    [[], [], ['hailo15l'], ['hailo15l']],
  )
  assert.deepEqual(on(999, '5.2.0'), [])
})

test('devicesFor() without a library gives all that any takes', () => {
  assert.deepEqual([...devicesFor(0, null)], ['hailo8'])
  assert.deepEqual([...devicesFor(4, null)].toSorted(), ['hailo10h', 'hailo15h', 'hailo15m'])
})

test('isHailo8() parts the two generations', () => {
  assert.deepEqual(
    [0, 1, 2, 3, 100, 101, 102].map(isHailo8),
    Array.from({ length: 7 }, () => true),
  )
  assert.deepEqual([4, 5, 6, 103, 104, 105, 106, 108].some(isHailo8), false)
})

interface Enumeration {
  since: string
  values: Record<string, number>
}
const abiPath = join(import.meta.dirname, '../../../contracts/abi/hailort.json')
const abi = JSON.parse(readFileSync(abiPath, 'utf8')) as { enums: Record<string, Enumeration[]> }
/** The newest form of an enumeration, without the largest value that only keeps its width. */
const newest = (name: string) =>
  Object.entries(abi.enums[name]!.at(-1)!.values).filter(([, value]) => value < 0x7fff_ffff)

test("formatOrders are those of the interface's own enumeration", () => {
  const orders = newest('hailo_format_order_t').map(([name, value]) => [name.replace('HAILO_FORMAT_ORDER_', ''), value])
  assert.deepEqual(
    orders,
    formatOrders.map((name, i) => [name, i]),
  )
})

test("deviceArchs are those of the interface's own enumeration", () => {
  const archs = newest('hailo_device_architecture_t').map(([name, value]) => [
    name.replace('HAILO_ARCH_', '').toLowerCase(),
    value,
  ])
  assert.deepEqual(
    archs,
    deviceArchs.map((name, i) => [name, i]),
  )
})

test('formatOrders stand where HailoRT numbers them', () => {
  assert.deepEqual(
    [1, 3, 6, 11, 20, 21, 22, 23].map(i => formatOrders[i]),
    [
      'NHWC',
      'FCR',
      'NC',
      'NCHW',
      'HAILO_NMS_WITH_BYTE_MASK',
      'HAILO_NMS_ON_CHIP',
      'HAILO_NMS_BY_CLASS',
      'HAILO_NMS_BY_SCORE',
    ],
  )
})

test('deviceOrderOf() and defaultHostOrder() follow HailoRT', () => {
  const seen = (format: number) => defaultHostOrder(deviceOrderOf(format)!)
  assert.deepEqual([0, 1, 2, 3, 5, 6, 7, 8, 13].map(seen), [
    'NHWC',
    'NHWC',
    'NC',
    'FCR',
    'NHW',
    'HAILO_NMS_BY_CLASS',
    'F8CR',
    'NHWC',
    'NHWC',
  ])
  assert.deepEqual([14, 15, 16].map(seen), ['NV12', 'NV21', 'I420'])
  assert.deepEqual([9, 10, 12, 17].map(deviceOrderOf), [null, null, null, null])
})

test('formatOf() gives back the number of every order that a device has', () => {
  for (const format of [0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 14, 15, 16])
    assert.equal(formatOf(deviceOrderOf(format)!), format)
  assert.deepEqual([formatOf('NCHW'), formatOf('AUTO')], [null, null])
})
