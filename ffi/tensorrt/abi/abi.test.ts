import assert from 'node:assert/strict'
import test from 'node:test'
import { FfiError } from '../../errors.ts'
import { abiOf, abiOfNumber, abiTables, knownVersions, versionFromNumber, versionText } from './abi.ts'

const v = (text: string) => {
  const [major, minor, patch = 0] = text.split('.').map(Number)
  return { major: major!, minor: minor!, patch }
}
const refused = (thrown: unknown) => thrown instanceof FfiError && thrown.kind === 'refused'

test('versionFromNumber() reads both ways that TensorRT has written its version, and that of TensorRT-RTX', () => {
  const pairs = [
    [8601, '8.6.1'],
    [9300, '9.3.0'],
    [9999, '9.9.99'],
    [10_000, '1.0.0'],
    [10_701, '1.7.1'],
    [20_304, '2.3.4'],
    [100_000, '10.0.0'],
    [100_800, '10.8.0'],
    [101_303, '10.13.3'],
    [110_100, '11.1.0'],
    [8406, '8.4.6'],
  ] as const
  for (const [number, text] of pairs) assert.equal(versionText(versionFromNumber(number)), text)
})

test('abiOf() knows 8.6, every 10 and every 11, and says which minors were compared with headers', () => {
  assert.deepEqual(
    ['8.6.1', '10.0', '10.8', '10.16', '10.99', '11.0', '11.2'].map(text => abiOf(v(text)).isVerified),
    [true, true, true, true, false, true, false],
  )
  assert.deepEqual(
    ['8.6', '10.3', '11.1'].map(text => abiOf(v(text)).dims.bytes),
    [36, 72, 72],
  )
})

test('abiOf() refuses what no table describes, and names what would do', () => {
  for (const text of ['7.2.3', '8.5.3', '8.7', '9.3', '12.0', '0.0', '84.6']) {
    assert.throws(
      () => abiOf(v(text)),
      (thrown: unknown) =>
        refused(thrown) &&
        (thrown as FfiError).message.includes(versionText(v(text))) &&
        (thrown as FfiError).hint.includes(knownVersions()),
    )
  }
})

test('abiOfNumber() gives the table of a library that can be called', () => {
  for (const [number, text] of [
    [8601, '8.6.1'],
    [8602, '8.6.2'],
    [100_000, '10.0.0'],
    [101_303, '10.13.3'],
    [110_400, '11.4.0'],
  ] as const) {
    assert.equal(versionText(abiOfNumber(number).version), text)
  }
})

test('abiOfNumber() refuses TensorRT-RTX and the early access of 8.6 by name, and what no table describes', () => {
  for (const [number, message] of [
    [10_701, /^Cannot use TensorRT-RTX 1\.7\.1: it is a library of its own/],
    [10_000, /TensorRT-RTX 1\.0\.0/],
    [99_999, /TensorRT-RTX 9\.99\.99/],
    [
      8600,
      /^Cannot use TensorRT 8\.6\.0: it is an early access, whose methods have other places than those of 8\.6\.1$/,
    ],
    [8503, /TensorRT 8\.5\.3: the places/],
    [9300, /TensorRT 9\.3\.0: the places/],
    [120_000, /TensorRT 12\.0\.0: the places/],
  ] as const) {
    assert.throws(
      () => abiOfNumber(number),
      (thrown: unknown) =>
        refused(thrown) &&
        message.test((thrown as FfiError).message) &&
        (thrown as FfiError).hint.includes('8.6.1, 10.0 and later 10.x, 11.0 and later 11.x'),
    )
  }
})

test('slotOf() gives the slots that a hand copied from the headers', () => {
  const expected = {
    'IExecutionContext.enqueueV3': [44, 37, 36],
    'IExecutionContext.setTensorAddress': [32, 24, 23],
    'IExecutionContext.setInputShape': [29, 21, 20],
    'IBuilder.buildSerializedNetwork': [17, 14, 11],
    'IBuilder.getLogger': [19, 16, 13],
    'IRuntime.getLogger': [9, 11, 10],
    'IRuntime.deserializeCudaEngine': [2, 3, 3],
    'ICudaEngine.createExecutionContext': [11, 5, 5],
    'IBuilderConfig.setMemoryPoolLimit': [47, 43, 32],
    'INetworkDefinition.getBuilder': [69, 63, 60],
    'IParser.~D0': [10, 9, 7],
    'ILogger.log': [0, 0, 4],
    'IExecutionContext.getEngine': [8, 7, 7],
    'ICudaEngine.getPImpl': [48, 2, 2],
  }
  for (const [name, slots] of Object.entries(expected)) {
    const [type, method] = name.split('.') as [string, string]
    assert.deepEqual(
      ['8.6.1', '10.13.3', '11.1'].map(text => abiOf(v(text)).slotOf(type, method)),
      slots,
      name,
    )
  }
})

test("slotOf() refuses the network's slots from 63 on in 10.8, and in no other minor", () => {
  for (const method of ['getBuilder', 'getFlags', 'markDebug', 'markUnfusedTensorsAsDebugTensors']) {
    assert.throws(
      () => abiOf(v('10.8.0')).slotOf('INetworkDefinition', method),
      (thrown: unknown) => refused(thrown) && /addCumulative/.test((thrown as FfiError).message),
    )
    assert.ok(abiOf(v('10.7')).slotOf('INetworkDefinition', method)! >= 63)
    assert.ok(abiOf(v('10.9')).slotOf('INetworkDefinition', method)! >= 63)
  }
  assert.equal(abiOf(v('10.8.0')).slotOf('INetworkDefinition', 'getNbInputs'), 14)
  assert.equal(abiOf(v('10.8.0')).slotOf('IBuilderConfig', 'setTilingOptimizationLevel'), 62)
})

test('slotOf() is undefined for what a major has not', () => {
  assert.equal(abiOf(v('11.0')).slotOf('ITensor', 'setDynamicRange'), undefined)
  assert.equal(abiOf(v('8.6')).slotOf('ILogger', 'getInterfaceInfo'), undefined)
  assert.equal(abiOf(v('8.6')).slotOf('INoSuch', 'thing'), undefined)
})

test('the tables give no slot to two methods, and none to a destructor', () => {
  const { majors, objects } = abiTables()
  for (const [major, { slots }] of Object.entries(majors)) {
    for (const [type, methods] of Object.entries(slots)) {
      const all = Object.values(methods)
      assert.equal(new Set(all).size, all.length, `${type} of ${major}`)
      if (!objects.pure.includes(type))
        assert.ok(Math.min(...all) > objects.deletingDestructorSlot, `${type} of ${major}`)
    }
  }
})

test('the tables know that 11 dropped the flags of weak typing, and where TF32 stands', () => {
  const flags = (text: string) => abiOf(v(text)).builderFlags
  assert.deepEqual(
    ['8.6', '10.0', '11.0'].map(text => flags(text).TF32),
    [7, 6, 6],
  )
  assert.deepEqual(
    ['8.6', '10.0', '11.0'].map(text => flags(text).FP16),
    [0, 0, undefined],
  )
  assert.equal(abiOf(v('11.0')).networkFlags.STRONGLY_TYPED, 0)
  assert.equal(abiOf(v('10.0')).networkFlags.STRONGLY_TYPED, 1)
})
