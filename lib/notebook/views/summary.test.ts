import assert from 'node:assert/strict'
import test from 'node:test'
import {
  cellStatus,
  digestText,
  gateValue,
  inputValue,
  isPending,
  provenance,
  runFacts,
  shownVerdict,
  timeText,
  verdictMark,
  verdictMeaning,
} from './summary.ts'
import { failedReport, killedReport, passedReport } from '../../testing/notebook/sample-reports.ts'
import type { GateRecord, InputRecord, OutputRecord, VerdictName } from './report.ts'

const gate: GateRecord = { name: 'g', value: 1, bound: '', unit: null, status: 'pass', note: null }
const input: InputRecord = {
  name: 'hefPath',
  flag: 'hef-path',
  env: 'HEF_PATH',
  value: 'a.hef',
  from: 'flag',
  help: '',
}

test('verdictMark() and verdictMeaning() tell every verdict from the others, without colour', () => {
  const names: (VerdictName | null)[] = ['PASS', 'FAIL', 'BLOCKED', 'USAGE', 'INTERRUPTED', 'BUG', 'DRY-RUN', null]
  const reports = names.map(verdict => ({ ...killedReport(), verdict }))
  assert.equal(new Set(reports.map(verdictMark)).size, names.length)
  assert.equal(new Set(reports.map(verdictMeaning)).size, names.length)
  assert.equal(shownVerdict(reports.at(-1)!), 'UNFINISHED')
})

test('runFacts() says only what is known', async () => {
  assert.deepEqual(runFacts(await passedReport()), ['gates 3/3', '41.9 s', 'exit 0', 'started 2026-02-23 05:29:29 UTC'])
  assert.deepEqual(runFacts(killedReport()), ['gates 0/0', 'started 2026-02-23 05:29:29 UTC'])
})

test('timeText() leaves what is no ISO time as it is', () => {
  assert.equal(timeText('2026-02-23T05:29:29Z'), '2026-02-23 05:29:29 UTC')
  assert.equal(timeText('yesterday'), 'yesterday')
})

test('gateValue() carries the unit, says none for nothing, and is empty where nothing could be measured', () => {
  assert.equal(gateValue({ ...gate, value: 31.41592, unit: 'dB' }), '31.42 dB')
  assert.equal(gateValue({ ...gate, value: NaN, status: 'fail' }), 'NaN')
  assert.equal(gateValue({ ...gate, value: null, status: 'fail' }), 'none')
  assert.equal(gateValue({ ...gate, value: null, status: 'blocked' }), '')
  assert.equal(gateValue({ ...gate, value: false }), 'false')
})

test('provenance() names the flag or the variable by which somebody set it', () => {
  assert.equal(provenance(input), '--hef-path')
  assert.equal(provenance({ ...input, flag: '--hef-path' }), '--hef-path')
  assert.equal(provenance({ ...input, from: 'env' }), 'HEF_PATH')
  assert.equal(provenance({ ...input, from: 'default' }), 'default')
})

test('inputValue() shows any value on one line', () => {
  const values = [null, undefined, 'x', 3, true, [1, 'a'], Symbol('s')]
  assert.deepEqual(
    values.map(value => inputValue({ ...input, value })),
    ['(none)', '(none)', 'x', '3', 'true', '[1,"a"]', 'Symbol(s)'],
  )
})

test('cellStatus() says that a cell never ended only when the run did', () => {
  const killed = killedReport()
  assert.equal(cellStatus(killed.cells[1]!, killed), 'running')
  assert.equal(cellStatus(killed.cells[1]!, { ...killed, verdict: 'INTERRUPTED' }), 'never ended')
  assert.equal(cellStatus(failedReport().cells[1]!, failedReport()), 'failed, 1.7 s')
})

test('isPending() knows what was announced but not drawn from an empty text', () => {
  const empty: OutputRecord = { kind: 'plot', title: 't', text: '', mime: {}, html: null, markdown: null }
  assert.equal(isPending(empty), true)
  assert.equal(isPending({ ...empty, kind: 'text' }), false)
  assert.equal(isPending({ ...empty, html: '<svg></svg>' }), false)
})

test('digestText() says when a digest will be there', () => {
  assert.equal(digestText(''), '(when the run ends)')
  assert.equal(digestText('ab'), 'ab')
})
