import assert from 'node:assert/strict'
import test from 'node:test'
import { fixFor, noDriver } from './causes.ts'

test('fixFor() says whether the device is absent or a call failed, and what mends it', () => {
  assert.deepEqual(
    [35, 100, 101, 803].map(status => fixFor(status).kind),
    ['absent', 'absent', 'absent', 'absent'],
  )
  assert.deepEqual(
    [1, 2, 700, 719].map(status => fixFor(status).kind),
    ['status', 'status', 'status', 'status'],
  )
  assert.match(fixFor(700).fix, /new process/)
  assert.match(fixFor(2).fix, /nvidia-smi/)
  assert.match(fixFor(35).fix, /newer NVIDIA driver/)
  assert.match(noDriver.fix, /install the NVIDIA driver and load it/)
})

test('fixFor() has an answer for a status that it does not know', () => {
  for (const status of [9999, -1, 0]) assert.match(fixFor(status).fix, /dmesg/)
})
