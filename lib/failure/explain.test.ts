import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { dataPath, needsData } from '../testing/needs.ts'
import { explainLog, logText, scoreRows, type LabelledText } from './explain.ts'

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

test('explainLog() gives bucket, cause and one step, also when it does not know the text', () => {
  const known = explainLog(
    '[error] BackendAllocatorException: Memory units capacity exceeded (available: 32, required: 40)',
  )
  assert.equal(known.failure.bucket, 'resource_memory_units')
  assert.match(known.cause, /memory units/)
  assert.match(known.nextKnob, /channels/)
  const unknown = explainLog('moo')
  assert.equal(unknown.failure.bucket, 'unknown')
  assert.ok(unknown.cause !== '' && unknown.nextKnob !== '')
})

test('logText() reads UTF-8 and the UTF-16 of PowerShell, and refuses what is empty or no text', () => {
  assert.equal(logText('a', Buffer.from('\uFEFFAgent')), 'Agent')
  assert.equal(logText('a', Buffer.from('\uFEFFAgent', 'utf16le')), 'Agent')
  for (const bytes of ['', ' \n\t\n', '\uFEFF'])
    assert.throws(() => logText('a.log', Buffer.from(bytes)), /Cannot explain "a.log": it is empty/)
  assert.throws(() => logText('a.hef', Buffer.from([1, 72, 69, 70, 0, 0, 0, 1])), {
    exit: 'usage',
    message: /it is no text/,
  })
})

test('explainLog() takes the end of the process into account', () => {
  assert.equal(explainLog('', { exitCode: 137 }).failure.bucket, 'host_oom')
})
