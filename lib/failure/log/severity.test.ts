import assert from 'node:assert/strict'
import test from 'node:test'
import { complains, severityOf } from './severity.ts'

test('severityOf() knows the marks of each tool when the mark stands at the front', () => {
  const lines: Record<string, readonly string[]> = {
    error: [
      '[error] x',
      '[HailoRT] [error] x',
      '[03/02/2026-08:00:11] [E] [TRT] x',
      '[2023-12-25 12:50:15][Error][TRT] x',
      '2026-03-02 07:00:02 ERROR    detector: x',
      '[ERROR  ] x',
      'ERROR:root:x',
      'E0712 10:11:12.1 99 a.cc:1] x',
      'time=1 level=error msg=x',
      '{"level":"error","msg":"x"}',
      'a.c:3:4: error: x',
      'make[2]: *** [x] Error 1',
      'npm ERR! x',
      'Traceback (most recent call last):',
      'a.b.SomeError: x',
      'Aborted (core dumped)',
      '[!] x',
    ],
    warning: [
      '[W] [TRT] x failed',
      '[TRT] [W] x',
      '[warning] x',
      '2026-03-02 07:00:02 WARNING  detector: x',
      'lib.py:4: DeprecationWarning: x',
      'W0712 10:11:12.1 99 a.cc:1] x',
    ],
    info: ['[I] x failed', '[info] x', '2026-03-02 07:00:00 INFO     camera: x', '[V] x', 'INFO:root:x'],
    none: ['hello', '', '[    4.1] hailo: Failed to enable', 'no error here', 'the information is lost'],
  }
  for (const [severity, all] of Object.entries(lines))
    for (const line of all) assert.equal(severityOf(line), severity, line)
})

test('complains() hears a failure in any style, and none in information, warnings and zero errors', () => {
  for (const line of [
    '[   4.1] hailo 0000:04:00.0: Failed activating board -28',
    'make: *** [a] Error 1',
    'bash: hailo: command not found',
    'child exited with status 3',
    'the accelerator timed out',
    '2 errors',
    'hailo: probe of 0000:04:00.0 failed with error -28',
  ])
    assert.ok(complains(line), line)
  for (const line of ['[W] it failed', 'finished with 0 errors', 'errors: 0', 'all is well', '', 'exit code 0'])
    assert.ok(!complains(line), line)
})
