import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { usageError } from '../../base/errors.ts'
import { errorRecord, Recorder } from './recorder.ts'
import { killedReport } from '../../testing/notebook/sample-reports.ts'
import type { OutputRecord, Report } from '../views/report.ts'

const report = (): Report => ({ ...killedReport(), cells: [], gates: [], artifacts: [], verdict: null, exit: null })
const output = (text: string): OutputRecord => ({
  kind: 'table',
  title: 't',
  text,
  mime: { 'text/plain': text },
  html: null,
  markdown: null,
})
const scratch = () => mkdtempSync(join(tmpdir(), 'recorder-'))

test('Recorder joins lines of text that follow each other, and not across a display', async () => {
  const recorder = new Recorder(report(), null)
  const cell = recorder.open('a', '')
  recorder.text(cell, 'one')
  recorder.text(cell, 'two')
  recorder.show(cell, { kind: 'table', title: 't', render: () => output('table') }, () => {})
  recorder.text(cell, 'three')
  assert.deepEqual(
    cell.outputs.map(({ text }) => text),
    ['one\ntwo', 'table', 'three'],
  )
})

test('Recorder keeps the place of a display that takes its time, and waits for it before it saves', async () => {
  const folder = scratch()
  const recorder = new Recorder(report(), folder)
  const cell = recorder.open('a', '')
  recorder.show(cell, { kind: 'plot', title: null, render: async () => sleep(30).then(() => output('slow')) }, () => {})
  recorder.show(cell, { kind: 'table', title: null, render: () => output('quick') }, () => {})
  await recorder.close(cell, 'ok', { durationMs: 1 })
  const written = JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8')) as Report
  assert.deepEqual(
    written.cells[0]!.outputs.map(({ text }) => text),
    ['slow', 'quick'],
  )
})

test('Recorder throws what a display throws when it settles', async () => {
  const recorder = new Recorder(report(), null)
  recorder.show(
    recorder.open('a', ''),
    { kind: 'plot', title: null, render: () => Promise.reject(new Error('cannot draw')) },
    () => {},
  )
  await assert.rejects(recorder.settled(), /cannot draw/)
})

test('Recorder lists artifacts with digests only when the run has its verdict', async () => {
  const folder = scratch()
  writeFileSync(join(folder, 'a.txt'), 'abc')
  writeFileSync(join(folder, 'half.tmp'), '')
  const recorder = new Recorder(report(), folder)
  await recorder.save()
  assert.deepEqual(recorder.report.artifacts, [{ path: 'a.txt', bytes: 3, sha256: '' }])
  recorder.report.verdict = 'PASS'
  await recorder.end()
  assert.equal(recorder.report.artifacts[0]!.sha256.slice(0, 8), 'ba7816bf')
})

test('Recorder without a folder writes nothing', async () => {
  const recorder = new Recorder(report(), null)
  recorder.event('x')
  await recorder.close(recorder.open('a', ''), 'ok', { durationMs: 1 })
  await recorder.end()
  assert.ok(!existsSync(join(process.cwd(), 'report.json')))
})

test('errorRecord() keeps the hint of an operating error and the stack of a bug', () => {
  assert.deepEqual(errorRecord(usageError('m', 'h')), {
    name: 'RunbookError',
    message: 'm',
    hint: 'h',
    code: null,
    stack: null,
  })
  assert.match(errorRecord(new TypeError('x')).stack!, /TypeError: x/)
  assert.equal(errorRecord('text').message, 'text')
})
