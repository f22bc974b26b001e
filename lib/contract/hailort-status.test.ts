import assert from 'node:assert/strict'
import test from 'node:test'
import { advice } from './hailort-advice.ts'
import { adviceFor, hailortStatusName } from './hailort-status.ts'

test('advice names only statuses that some version has', () => {
  const versions = ['4.17.0', '4.18.0', '4.20.0', '4.21.0', '5.2.0']
  const known = new Set(
    versions.flatMap(version => Array.from({ length: 100 }, (_, i) => hailortStatusName(i, version))),
  )
  assert.deepEqual(
    advice.flatMap(({ statuses }) => statuses).filter(name => !known.has(name)),
    [],
  )
})

test('advice has for each row a cause, a fix, and either a status or a symptom', () => {
  assert.ok(advice.length >= 17)
  for (const { statuses, symptom, cause, fix } of advice)
    assert.ok(cause.length > 10 && fix.length > 5 && (statuses.length > 0 || symptom !== undefined), cause)
})

test('adviceFor() reaches every row that has a status', () => {
  const calls = [
    'hailo_create_vdevice',
    'hailo_create_hef_file',
    'hailo_configure_vdevice',
    'hailo_vstream_read_raw_buffer',
    'hailo_vstream_write_raw_buffer',
    'hailo_activate_network_group',
    'hailo_infer',
    'hailo_identify',
    'hailo_get_latency_measurement',
    'hailo_configure (InferModel)',
  ]
  const reached = new Set(
    calls.flatMap(call => advice.flatMap(({ statuses }) => statuses).map(name => adviceFor(call, name))),
  )
  assert.deepEqual(
    advice.filter(row => row.statuses.length > 0 && !reached.has(row)).map(({ cause }) => cause),
    [],
  )
})

test('adviceFor() says what a person can do when a call is not implemented, for models and for anything else', () => {
  const fixOf = (call: string) => adviceFor(call, 'HAILO_NOT_IMPLEMENTED')!.fix
  for (const call of ['hailo_configure_vdevice', 'hailo_create_input_vstreams', 'hailo_infer']) {
    assert.match(
      fixOf(call),
      /^open the model with --backend hailort, .*\(sudo apt install g\+\+ hailo-h10-all\)$/,
      call,
    )
  }
  assert.match(fixOf('hailo_get_throttling_state'), /^ask a Hailo-8 or Hailo-8L under HailoRT 4; a Hailo-10H tells/)
})

test('adviceFor() knows nothing of a success, or of a call that it does not explain', () => {
  assert.equal(adviceFor('hailo_identify', 'HAILO_SUCCESS'), undefined)
  assert.equal(adviceFor('hailo_identify', 'HAILO_UTF16_TO_ANSI_CONVERSION_FAILED'), undefined)
})

test('adviceFor() takes a device that does not open for absent or refused, never for a failure', () => {
  const kinds = (call: string, statuses: readonly string[]) =>
    statuses.map(status => adviceFor(call, `HAILO_${status}`)?.kind)
  for (const call of ['hailo_create_vdevice', 'hailo_create_device_by_id']) {
    const absent = [
      'DEVICE_IN_USE',
      'INVALID_ARGUMENT',
      'DRIVER_INVALID_RESPONSE',
      'DRIVER_TIMEOUT',
      'FW_CONTROL_FAILURE',
      'DRIVER_OPERATION_FAILED',
      'DRIVER_FAIL',
    ]
    assert.deepEqual(new Set(kinds(call, absent)), new Set(['absent']), call)
    assert.deepEqual(
      kinds(call, ['NOT_SUPPORTED', 'DRIVER_INVALID_IOCTL', 'INVALID_DRIVER_VERSION']),
      ['refused', 'refused', 'refused'],
      call,
    )
  }
  assert.deepEqual(kinds('hailo_vstream_read_raw_buffer', ['DRIVER_TIMEOUT', 'FW_CONTROL_FAILURE']), [
    undefined,
    undefined,
  ])
})

test('adviceFor() tells the ways apart in which a device does not open', () => {
  const says = (status: string, words: RegExp, call = 'hailo_create_vdevice') => {
    const { cause, fix } = adviceFor(call, `HAILO_${status}`)!
    assert.match(`${cause}: ${fix}`, words, status)
  }
  says('NOT_SUPPORTED', /no Hailo-10H.*: install the series .*hailo-h10-all/)
  says('DEVICE_IN_USE', /another process holds.*: sudo lsof \/dev\/hailo\*/)
  says('DRIVER_INVALID_IOCTL', /different versions: install one version of both/)
  says('DRIVER_INVALID_RESPONSE', /\/sys\/class\/hailo_chardev lacks.*dmesg.*reboot/, 'hailo_scan_devices')
  says('DRIVER_TIMEOUT', /firmware does not answer: sudo dmesg.*reboot/)
  says('FW_CONTROL_FAILURE', /firmware refuses.*dmesg.*reboot/, 'hailo_identify')
  says('INVALID_OPERATION', /firmware is not loaded; or .*multi-process.*: sudo dmesg.*reboot/)
  says('INVALID_ARGUMENT', /no device here has the id.*: hailortcli scan/, 'hailo_create_device_by_id')
})

test('adviceFor() has for a node that does not open what helps when it is absent, closed, or in no container', () => {
  for (const status of ['HAILO_DRIVER_FAIL', 'HAILO_DRIVER_OPERATION_FAILED']) {
    const { fix } = adviceFor('hailo_create_vdevice', status)!
    for (const part of [
      'ls -l /dev/hailo0 /dev/h1x-0',
      'modprobe',
      'docker run --device /dev/hailo0',
      'usermod -aG',
      'dmesg',
    ])
      assert.ok(fix.includes(part), part)
    assert.doesNotMatch(fix, /stat -c/)
  }
})

test('adviceFor() explains an internal failure by the call that gave it, and by no other', () => {
  const causeOf = (call: string) => adviceFor(call, 'HAILO_INTERNAL_FAILURE')?.cause
  for (const call of ['hailo_create_hef_file', 'hailo_create_hef_buffer', 'hailo_hef_get_network_groups_infos']) {
    assert.match(causeOf(call)!, /cannot read the HEF/, call)
  }
  for (const call of ['hailo_configure_vdevice', 'hailo_create_vdevice'])
    assert.match(causeOf(call)!, /PCIe page/, call)
  assert.match(causeOf('hailo_vstream_read_raw_buffer')!, /size of a frame/)
  assert.match(adviceFor('hailo_vstream_write_raw_buffer', 'HAILO_INVALID_ARGUMENT')!.cause, /size of a frame/)
  assert.match(
    adviceFor('hailo_create_hef_buffer', 'HAILO_INVALID_ARGUMENT')!.cause,
    /an architecture that it does not know/,
  )
  assert.deepEqual([causeOf('hailo_identify'), causeOf('hailo_vstream_write_raw_buffer')], [undefined, undefined])
})

test('adviceFor() says what a latency takes when none is available', () => {
  for (const call of ['hailo_get_latency_measurement', 'get_hw_latency_measurement']) {
    assert.match(adviceFor(call, 'HAILO_NOT_AVAILABLE')!.fix, /^configure with measuresLatency, run a frame/)
  }
})

test('adviceFor() tells a device that was lost in the middle from one that does not open', () => {
  const lost = adviceFor('hailo_vstream_read_raw_buffer', 'HAILO_DRIVER_OPERATION_FAILED')!
  assert.deepEqual([lost.kind, /unplugged/.test(lost.cause), /dmesg/.test(lost.fix)], [undefined, true, true])
  assert.equal(adviceFor('hailo_create_vdevice', 'HAILO_DRIVER_OPERATION_FAILED')!.kind, 'absent')
})

test('adviceFor() explains statuses of a device named by an address or by an unknown id', () => {
  for (const call of ['hailo_create_vdevice', 'hailo_configure (InferModel)']) {
    assert.match(adviceFor(call, 'HAILO_COMMUNICATION_CLOSED')!.cause, /network address/, call)
    assert.match(adviceFor(call, 'HAILO_INVALID_ARGUMENT')!.cause, /the id that was given/, call)
  }
  assert.equal(adviceFor('hailo_vstream_read_raw_buffer', 'HAILO_COMMUNICATION_CLOSED'), undefined)
})

test('adviceFor() takes only what holds for any call where the call is not known', () => {
  assert.match(adviceFor(undefined, 'HAILO_OUT_OF_PHYSICAL_DEVICES')!.cause, /no Hailo device is free/)
  assert.match(adviceFor(undefined, 'HAILO_TIMEOUT')!.cause, /did not answer in time/)
  assert.equal(adviceFor(undefined, 'HAILO_INVALID_OPERATION'), undefined)
  assert.equal(adviceFor(undefined, 'HAILO_INVALID_ARGUMENT'), undefined)
})

test('hailortStatusName() has the words of each version, and nothing for a number that it does not have', () => {
  assert.deepEqual(
    ['4.16.0', '4.19.0', '4.20.0', '5.4.1', undefined].map(version => hailortStatusName(36, version)),
    ['HAILO_DRIVER_FAIL', 'HAILO_DRIVER_FAIL', ...Array<string>(3).fill('HAILO_DRIVER_OPERATION_FAILED')],
  )
  assert.deepEqual(
    [hailortStatusName(97, '5.0.1'), hailortStatusName(97, '5.10.0')],
    [undefined, 'HAILO_DEVICE_TEMPORARILY_UNAVAILABLE'],
  )
  assert.equal(hailortStatusName(999), undefined)
})
