import assert from 'node:assert/strict'
import test from 'node:test'
import { abiTable } from './abi-table.ts'
import { advice, adviceFor } from './advice.ts'

test('advice names only statuses that some version has', () => {
  const known = new Set(abiTable().status.flatMap(({ names }) => Object.values(names)))
  assert.deepEqual(advice.flatMap(({ statuses }) => statuses).filter(name => !known.has(name)), [])
})

test('advice has for each row a cause, a fix, and either a status or a symptom', () => {
  assert.ok(advice.length >= 17)
  for (const { statuses, symptom, cause, fix } of advice) assert.ok(
    cause.length > 10 && fix.length > 5 && (statuses.length > 0 || symptom !== undefined), cause,
  )
})

test('adviceFor() reaches every row that has a status', () => {
  const calls = [
    'hailo_create_vdevice', 'hailo_create_hef_file', 'hailo_configure_vdevice', 'hailo_vstream_read_raw_buffer', 'hailo_vstream_write_raw_buffer',
    'hailo_activate_network_group', 'hailo_infer', 'hailo_identify',
  ]
  const reached = new Set(calls.flatMap(call => advice.flatMap(({ statuses }) => statuses).map(name => adviceFor(call, name))))
  assert.deepEqual(advice.filter(row => row.statuses.length > 0 && !reached.has(row)).map(({ cause }) => cause), [])
})

test('adviceFor() says what a person can do when a call is not implemented, for models and for anything else', () => {
  const fixOf = (call: string) => adviceFor(call, 'HAILO_NOT_IMPLEMENTED')!.fix
  for (const call of ['hailo_configure_vdevice', 'hailo_create_input_vstreams', 'hailo_infer']) {
    assert.match(fixOf(call), /^open the model with --backend hailort, .*\(sudo apt install g\+\+ h10-hailort\)$/, call)
  }
  assert.match(fixOf('hailo_get_throttling_state'), /^ask a Hailo-8 or Hailo-8L under HailoRT 4; a Hailo-10H tells/)
})

test('adviceFor() knows nothing of a success, or of a call that it does not explain', () => {
  assert.equal(adviceFor('hailo_identify', 'HAILO_SUCCESS'), undefined)
  assert.equal(adviceFor('hailo_identify', 'HAILO_TIMEOUT'), undefined)
})
