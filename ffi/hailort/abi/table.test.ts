import assert from 'node:assert/strict'
import test from 'node:test'
import { abiTable, enumName, enumOf, layoutOf, statusName } from './table.ts'
import { parseVersion, profileOf } from './profiles.ts'

const at = parseVersion

test('abiTable() gives each of its versions the profile that profileOf() chooses', () => {
  const entries = Object.entries(abiTable().versions)
  assert.equal(entries.length, 12)
  for (const [version, profile] of entries) assert.equal(profileOf(at(version)), profile, version)
})

test('layoutOf() changes at the version in which a struct grew, and not before', () => {
  assert.equal(layoutOf('hailo_nms_shape_t', at('4.19.0'))?.size, 12)
  assert.equal(layoutOf('hailo_nms_shape_t', at('4.20.0'))?.size, 16)
  assert.equal(layoutOf('hailo_extended_device_information_t', at('4.20.9'))?.size, 92)
  assert.equal(layoutOf('hailo_extended_device_information_t', at('4.21.0'))?.size, 96)
  assert.equal(layoutOf('hailo_configure_params_t', at('5.0.1'))?.size, 84_488)
  assert.equal(layoutOf('hailo_configure_params_t', at('5.1.0'))?.size, 64_008)
  assert.equal(layoutOf('hailo_nothing_t', at('4.23.0')), undefined)
})

test('statusName() calls one number by the name that each version has for it', () => {
  assert.equal(statusName(4, at('4.17.0')), 'HAILO_TIMEOUT')
  assert.equal(statusName(36, at('4.19.0')), 'HAILO_DRIVER_FAIL')
  assert.equal(statusName(36, at('4.20.0')), 'HAILO_DRIVER_OPERATION_FAILED')
  assert.equal(statusName(62, at('4.17.0')), 'HAILO_RESERVED_STATUS')
  assert.equal(statusName(62, at('4.18.0')), 'HAILO_COMMUNICATION_CLOSED')
  assert.equal(statusName(64, at('4.19.0')), 'HAILO_PCIE_DRIVER_NOT_INSTALLED')
})

test('statusName() knows no name when the version does not have the number yet', () => {
  assert.equal(statusName(93, at('4.20.0')), undefined)
  assert.equal(statusName(93, at('4.21.0')), 'HAILO_HEF_NOT_COMPATIBLE_WITH_DEVICE')
  assert.equal(statusName(97, at('5.0.1')), undefined)
  assert.equal(statusName(97, at('5.2.0')), 'HAILO_DEVICE_TEMPORARILY_UNAVAILABLE')
  assert.equal(statusName(98, at('5.2.0')), undefined)
  assert.equal(statusName(-1, at('5.2.0')), undefined)
})

test('enumName() drops the prefix, and gives the number itself when there is no name', () => {
  assert.equal(enumName('hailo_device_architecture_t', 2, at('4.23.0')), 'HAILO8L')
  assert.equal(enumName('hailo_device_architecture_t', 4, at('4.19.0')), 'PLUTO')
  assert.equal(enumName('hailo_device_architecture_t', 4, at('4.20.0')), 'HAILO15L')
  assert.equal(enumName('hailo_format_order_t', 22, at('4.20.0')), 'HAILO_NMS_BY_CLASS')
  assert.equal(enumName('hailo_format_order_t', 22, at('4.19.0')), '22')
  assert.equal(enumOf('hailo_format_type_t', at('4.17.0')).HAILO_FORMAT_TYPE_FLOAT32, 3)
  assert.throws(() => enumOf('hailo_colour_t', at('4.23.0')), /no enum hailo_colour_t/)
})
