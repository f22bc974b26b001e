import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { answerFor } from './advice.ts'
import { bucketAt } from './bucket.ts'
import { bucketOf, buckets } from './buckets.ts'
import { factsIn } from './facts.ts'

/** Every group of every pattern and every fact made of others, found in the text of the module. */
const knownFacts = new Set(
  [...readFileSync(new URL('./facts.ts', import.meta.url), 'utf8').matchAll(/\?<(\w+)>|\bfacts\.(\w+) =/g)].map(
    ([, group, made]) => group ?? made!,
  ),
)
const sample = bucketAt('runtime')('X', 'general cause', 'general fix', [
  { when: /driver/i, cause: 'driver {driverVersion}, library {libraryVersion}', fix: 'one of {libraryVersion}' },
  { when: /driver/i, cause: 'a driver', fix: 'look' },
  { cause: 'at {path}', fix: 'ls -l {path}' },
])

test('answerFor() fills in the facts of the log, and passes over what the log does not hold', () => {
  const line = 'Driver version (4.21.0) is different from library version (4.20.0)'
  assert.deepEqual(answerFor(sample, { line, text: line }), {
    cause: 'driver 4.21.0, library 4.20.0',
    fix: 'one of 4.20.0',
  })
  assert.equal(answerFor(sample, { line: 'driver gone', text: 'driver gone' }).cause, 'a driver')
  assert.equal(answerFor(sample, { line: 'x', text: 'x\n/a/b.hef' }).fix, 'ls -l /a/b.hef')
  assert.deepEqual(answerFor(sample, { line: '', text: '' }), { cause: 'general cause', fix: 'general fix' })
})

test('answerFor() falls back on the table of statuses, by name and by number', () => {
  const bucket = bucketOf('runtime_misuse')
  for (const line of ['status=HAILO_QUEUE_IS_FULL(82)', 'libhailort failed with error: 82'])
    assert.match(answerFor(bucket, { line, text: line }).fix, /wait_for_async_ready/, line)
})

test('buckets have only advice whose places are facts that some pattern can find', () => {
  const names = new Set(
    Object.values(buckets)
      .flatMap(({ advice }) => advice.flatMap(({ cause, fix }) => [...`${cause} ${fix}`.matchAll(/\{(\w+)\}/g)]))
      .map(([, name]) => name!),
  )
  assert.ok(names.size > 30)
  for (const name of names) assert.ok(knownFacts.has(name), name)
})

test('factsIn() prefers the line that named the failure, and finds nothing in nothing', () => {
  const text = 'While parsing node number 1 [Add -> "a"]:\nWhile parsing node number 9 [Slice -> "b"]:'
  assert.equal(factsIn('While parsing node number 9 [Slice -> "b"]:', text).nodeNumber, '9')
  assert.equal(factsIn('', text).nodeNumber, '1')
  assert.deepEqual(factsIn('', ''), {})
})
