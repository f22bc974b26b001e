import assert from 'node:assert/strict'
import test from 'node:test'
import { FfiError } from '../errors.ts'
import { parseVersion } from './abi/profiles.ts'
import { check, errorOf, HailoError } from './status.ts'

const deed = { act: 'open', thing: 'it' }
const at = (version: string) => parseVersion(version)

test('check() says nothing when a call succeeds', () => {
  assert.equal(check({ call: 'hailo_identify', status: 0, version: at('4.23.0'), deed }), undefined)
})

test('check() names the call, the deed, the status, the cause and the fix when a call fails', () => {
  assert.throws(
    () => check({ call: 'hailo_create_vdevice', status: 74, version: at('4.23.0'), deed }),
    (thrown: unknown) => {
      assert.ok(thrown instanceof HailoError && thrown instanceof FfiError)
      assert.match(
        thrown.message,
        /^Cannot open "it": hailo_create_vdevice answered 74 HAILO_OUT_OF_PHYSICAL_DEVICES: no Hailo device is free/,
      )
      assert.equal(thrown.call, 'hailo_create_vdevice')
      assert.equal(thrown.status, 74)
      return thrown.hint.includes('lspci -d 1e60:')
    },
  )
})

test('errorOf() explains one trouble alike when versions know it under two names', () => {
  const old = errorOf({ call: 'hailo_create_vdevice', status: 64, version: at('4.19.0'), deed })
  const later = errorOf({ call: 'hailo_create_vdevice', status: 64, version: at('4.23.0'), deed })
  assert.deepEqual(
    [old.statusName, later.statusName],
    ['HAILO_PCIE_DRIVER_NOT_INSTALLED', 'HAILO_DRIVER_NOT_INSTALLED'],
  )
  assert.equal(old.hint, later.hint)
  assert.equal(old.kind, 'absent')
})

test('errorOf() explains one status by the call that gave it', () => {
  const explain = (call: string, status: number) => errorOf({ call, status, version: at('4.23.0'), deed }).message
  assert.match(explain('hailo_activate_network_group', 6), /the scheduler activates/)
  assert.match(explain('hailo_create_vdevice', 6), /6 HAILO_INVALID_OPERATION: the board's firmware is not loaded/)
  assert.match(explain('hailo_vstream_write_raw_buffer', 6), /size of a frame/)
  assert.match(explain('hailo_configure_vdevice', 26), /another architecture/)
  assert.match(explain('hailo_create_hef_file', 26), /cannot read the HEF/)
  assert.doesNotMatch(explain('hailo_identify', 6), /: the /)
})

test('errorOf() names a status that the version does not have as such', () => {
  const error = errorOf({ call: 'hailo_identify', status: 93, version: at('4.20.0'), deed })
  assert.match(error.message, /answered 93 a status that this version does not have/)
  assert.equal(error.kind, 'status')
  assert.match(error.hint, /HAILORT_CONSOLE_LOGGER_LEVEL=info/)
})
