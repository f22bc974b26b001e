import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { dataPath, needsData } from '../testing/needs.ts'
import { explainLog, scoreRows, type LabelledText } from './explain.ts'

const rowsOf = (name: string): LabelledText[] =>
  readFileSync(dataPath(name), 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as LabelledText)

test(
  'scoreRows() puts all 35 texts of the Dataflow Compiler where they belong',
  { skip: needsData('failures/dfc.jsonl') },
  () => {
    const { k, n, misses } = scoreRows(rowsOf('failures/dfc.jsonl'))
    assert.equal(n, 35)
    assert.ok(k >= 35, JSON.stringify(misses, null, 1))
  },
)

test(
  'scoreRows() puts all 28 texts of TensorRT where they belong',
  { skip: needsData('failures/tensorrt.jsonl') },
  () => {
    const { k, n, misses } = scoreRows(rowsOf('failures/tensorrt.jsonl'))
    assert.equal(n, 28)
    assert.ok(k >= 28, JSON.stringify(misses, null, 1))
  },
)

test('scoreRows() counts and shows what it missed', () => {
  const rows = [
    { text: 'OSError: [Errno 28] No space left on device', expected_bucket: 'host_disk_full' },
    { text: `Agent infeasible\n${'x'.repeat(500)}`, expected_bucket: 'parse_unsupported_op' },
  ]
  const { k, n, misses } = scoreRows(rows)
  assert.deepEqual([k, n, misses.length], [1, 2, 1])
  assert.deepEqual(
    [misses[0]!.expected, misses[0]!.got, misses[0]!.text.length],
    ['parse_unsupported_op', 'allocator_infeasible', 200],
  )
  assert.deepEqual(scoreRows([]), { k: 0, n: 0, misses: [] })
})

test('explainLog() answers first, and then says what the answer rests on, in at most five lines', () => {
  const { failure, lines } = explainLog(
    '[info] Using Multi-context flow\n' +
      '[error] BackendAllocatorException: Memory units capacity exceeded (available: 32, required: 40)',
  )
  assert.equal(failure.bucket, 'resource_memory_units')
  assert.deepEqual(
    lines.map(line => line.split(':')[0]),
    ['bucket', 'cause', 'next knob', 'evidence', 'reached'],
  )
  assert.match(lines[2]!, /channels/)
  const unknown = explainLog('moo')
  assert.deepEqual(unknown.lines.slice(0, 1), ['bucket: unknown'])
  assert.equal(unknown.lines.length, 4)
  assert.ok(explainLog(`[error] ${'x '.repeat(5000)}\nAgent infeasible`).lines.every(line => line.length <= 500))
})

test('explainLog() takes the end of the process into account', () => {
  assert.equal(explainLog('', { exitCode: 137 }).failure.bucket, 'host_oom')
})
