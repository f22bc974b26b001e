import assert from 'node:assert/strict'
import test from 'node:test'
import { readLog } from '../log-reading.ts'
import { isSuccess } from './success.ts'

const says = (log: string) => isSuccess(readLog(log))

test("isSuccess() takes each tool's own verdict, however much noise went before", () => {
  for (const log of [
    '[W] x failed\n&&&& PASSED TensorRT.trtexec [TensorRT v8501] # trtexec --onnx=a.onnx',
    '[E] once\n[I] PASSED | Command: polygraphy run a.onnx',
    '[info] Successful Compilation (compilation time: 4s)\n[info] Saved HAR to: /x',
    'Success! HEF saved to /x',
    '[  2.1] hailo 0000:01:00.0: Probing: Added board 1e60-2864, /dev/hailo0',
    'Identifying board\nDevice Architecture: HAILO8\nSerial Number: <N/A>',
  ])
    assert.ok(says(log), log)
})

test('isSuccess() is false when anything behind the word of success complains, in whichever style', () => {
  const behind = [
    '[error] x',
    'ERROR    name: x',
    '[ERROR  ] x',
    'make: *** [a] Error 1',
    '[  9.9] hailo 0000:01:00.0: Failed activating board -28',
    'Segmentation fault (core dumped)',
    'ValueError: x',
    'the process was killed',
    'exited with code 1',
    'npm ERR! code 1',
    'permission denied',
  ]
  for (const last of behind)
    for (const first of ['Success! HEF saved to /x', '&&&& PASSED TensorRT.trtexec', 'opened successfully'])
      assert.ok(!says(`${first}\n${last}`), `${first} / ${last}`)
})

test('isSuccess() takes a plain word of success for the end of the work only when little follows', () => {
  assert.ok(says('Done, with success'))
  assert.ok(says('finished successfully\n\nbye'))
  assert.ok(!says('opened successfully\n1\n2\n3\n4'))
  assert.ok(!says('not successful'))
  assert.ok(!says(''))
})
