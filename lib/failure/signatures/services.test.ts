import assert from 'node:assert/strict'
import test from 'node:test'
import { failureTexts } from '../../testing/failure/texts.ts'
import { classifyFailure } from '../classify.ts'

const rows = failureTexts('whole-around')

test('classifyFailure() names the cause when a service, a package or another tool around the device fails', () => {
  assert.ok(rows.length > 50)
  const wrong = rows.flatMap(({ bucket, says, log }) => {
    const failure = classifyFailure(log)
    const answer = `${failure.cause}; ${failure.fix}`
    return failure.bucket === bucket && says.test(answer)
      ? []
      : [{ expected: bucket, got: failure.bucket, says, answer, log: log.slice(0, 80) }]
  })
  assert.deepEqual(wrong, [])
})

test('classifyFailure() blames neither compiler nor graph for what a service, a package or a network says', () => {
  const others = /^(?:unit_|job_|host_|port_|container_|environment_|wrapper_timeout|unknown)/
  for (const { bucket, log } of rows.filter(row => others.test(row.bucket)))
    assert.doesNotMatch(classifyFailure(log).bucket, /^(?:parse|calibration|quantization|allocator|resource)_/, bucket)
})
