import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { convTasNetOptions } from '../../../models/convtasnet/options.ts'
import type { Run } from '../../../notebook/run/session.ts'
import { classifyFailure } from '../../../failure/classify.ts'
import { prefixesOf, rampCase, type RampCase } from './cases.ts'
import { boundaryOf } from './ramp.ts'
import { boundaryRecord, boundaryRows, boundaryText, rampNext, rampRows, stageRows } from './report.ts'
import { rampInputs } from './inputs.ts'
import { noFiles } from '../../../ladder/types.ts'
import type { ConvTasNetResult as CaseResult } from '../search/summary.ts'

const root = mkdtempSync(join(tmpdir(), 'ramp-report-'))
after(() => rmSync(root, { recursive: true, force: true }))
const base = convTasNetOptions({ nFilters: 64, bnChan: 24, hidChan: 48, skipChan: 24, nBlocks: 2, nRepeats: 2 })
const setting = {
  calibration: { from: '', windows: () => [] },
  calibrationSamples: 1,
  batchSize: 1,
  quick: true,
  scriptExtra: '',
  weights: undefined,
}
const prefixes = prefixesOf(base, ['truncate', 'blocks'])
const cases = prefixes.map(prefix => rampCase(prefix, setting))
const ends = prefixesOf(base, ['end-nodes']).map(prefix => rampCase(prefix, setting))
const infeasible =
  'No successful assignments: dw66 errors:\n    Agent infeasible\nBackendAllocatorException: Compilation failed\n'

function resultOf(rung: RampCase, o: { status: CaseResult['status']; log?: string }): CaseResult {
  const failure =
    o.status === 'succeeded' || o.status === 'not-reached'
      ? null
      : classifyFailure(o.log ?? infeasible, { exitCode: 1, timedOut: o.status === 'timed-out' })
  return {
    tag: rung.tag,
    config: rung.config,
    status: o.status,
    stage: o.status === 'succeeded' ? 'compiled' : 'quantised',
    exceptionType: failure?.exceptionType ?? '',
    failureHead: failure?.evidence ?? '',
    failure,
    files: { ...noFiles, parseLog: 'a.log', compileLog: 'a_hef.log' },
    metrics: {},
    durationMs: 2000,
    key: null,
    origin: 'ran',
  }
}

/** A ramp in which the first `passing` cases passed, the next one ended otherwise, and the rest were not reached. */
function ramp(
  of: readonly RampCase[],
  passing: number,
  end: { status: CaseResult['status']; log?: string } = { status: 'failed' },
  cutShort: string | null = null,
) {
  const results = of.map((rung, i) =>
    resultOf(rung, i < passing ? { status: 'succeeded' } : i === passing ? end : { status: 'not-reached' }),
  )
  return { results, boundary: boundaryOf(of, results, cutShort) }
}

const declared = rampInputs()
const defaults = Object.fromEntries(Object.entries(declared).map(([name, { fallback }]) => [name, fallback]))

function nextOf(
  found: ReturnType<typeof ramp>,
  o: { of?: readonly RampCase[]; toolchain?: string; values?: object } = {},
) {
  const folder = mkdtempSync(join(root, 'run-'))
  const run: Run = {
    folder,
    shown: 'module_runs/r1',
    ts: 'r1',
    path: (...parts) => join(folder, ...parts),
    write: (name, data) => {
      writeFileSync(join(folder, name), data)
      return name
    },
  }
  const search = { quickOpt: true, caseTimeoutMin: 12, calibNpz: undefined }
  const inputs = { ...defaults, rung: 10, nBlocks: 2, ...o.values, ladder: 'plan' as const, nRepeats: 2, ...search }
  return {
    ...rampNext(found, {
      cases: o.of ?? cases,
      toolchain: o.toolchain ?? 'dfc',
      declared,
      inputs,
      run,
      scriptExtra: '',
    }),
    folder,
  }
}

test('stageRows() counts the prefixes of each stage, in order', () => {
  assert.deepEqual(
    stageRows(prefixes).map(row => Object.values(row)),
    [
      ['prefix_bypass', 1, 'masker bypassed', 'masker bypassed'],
      ['truncate', 4, 'first 1 of 4', 'first 4 of 4'],
      ['blocks', 2, 'blocks 1', 'blocks 2'],
    ],
  )
  assert.deepEqual(stageRows([]), [])
})

test('rampRows() has the cases that were run, by stage and label', () => {
  const rows = rampRows(cases, ramp(cases, 2).results)
  assert.deepEqual(
    rows.map(({ stage, prefix, status, bucket }) => [stage, prefix, status, bucket]),
    [
      ['prefix_bypass', 'masker bypassed', 'succeeded', ''],
      ['truncate', 'first 1 of 4', 'succeeded', ''],
      ['truncate', 'first 2 of 4', 'failed', 'allocator_infeasible'],
    ],
  )
})

test('boundaryText() names both sides, says none for what is not there, and unknown for what was not found out', () => {
  assert.equal(boundaryText(ramp(cases, 2).boundary), `last pass=${cases[1]!.tag} ; first fail=${cases[2]!.tag}`)
  assert.equal(boundaryText(ramp(cases, 0).boundary), `last pass=none ; first fail=${cases[0]!.tag}`)
  assert.equal(boundaryText(ramp(cases, cases.length).boundary), `last pass=${cases.at(-1)!.tag} ; first fail=none`)
  assert.equal(
    boundaryText(ramp(cases, 2, { status: 'timed-out', log: '' }).boundary),
    `last pass=${cases[1]!.tag} ; first fail=unknown`,
  )
})

test('boundaryRows() shows both sides, with the layers that failed', () => {
  const rows = boundaryRows(cases, ramp(cases, 3).boundary)
  assert.deepEqual(
    rows.map(({ side, prefix, layers }) => [side, prefix, layers]),
    [
      ['last pass', 'first 2 of 4', ''],
      ['first fail', 'first 3 of 4', 'dw66'],
    ],
  )
  assert.equal(boundaryRows(cases, ramp(cases, cases.length).boundary)[1]!.prefix, 'none')
})

test('boundaryRecord() holds the boundary for a program, answered or not', () => {
  const record = boundaryRecord(ramp(cases, 2), { run_ts: 'r1' })
  assert.deepEqual(
    [record.run_ts, record.answered, record.stage, record.last_pass, record.first_fail],
    ['r1', true, 'truncate', cases[1]!.tag, cases[2]!.tag],
  )
  assert.deepEqual(
    [record.bucket, record.exception_type, record.layers, record.configured, record.run],
    ['allocator_infeasible', 'BackendAllocatorException', ['dw66'], 7, 3],
  )
  const open = boundaryRecord(ramp(cases, 1, { status: 'not-reached' }, 'the time limit of 1 min was used up'), {})
  assert.deepEqual(
    [open.answered, open.why_open, open.first_fail],
    [false, 'the time limit of 1 min was used up', null],
  )
  assert.deepEqual(JSON.parse(JSON.stringify(record)), record)
})

test('rampNext() asks a failing prefix which of its nodes is to blame, with the other flags kept', () => {
  const { next } = nextOf(ramp(cases, 3), { values: { hwArch: 'hailo8l', dfc: 'my dfc', resume: 'r0' } })
  assert.equal(
    next,
    'npx tsx runbooks/monolithic-ramp.ts --by end-nodes --search bisect --ladder plan --rung 10 --n-blocks 2 ' +
      "--dfc 'my dfc' --hw-arch hailo8l",
  )
  assert.match(nextOf(ramp(cases, 1)).next, /--n-blocks 1 --n-repeats 1$/)
  assert.match(nextOf(ramp(cases, 0)).next, /--by end-nodes .*--n-blocks 1 --n-repeats 1$/)
})

test('rampNext() after a failing end node turns one knob of the sweep', () => {
  const found = nextOf(ramp(ends, 5), { of: ends })
  assert.equal(found.next, 'npx tsx runbooks/monolithic-sweep.ts --ladder temporal')
  assert.match(found.because, /no place on the chip/)
  const contexts = nextOf(
    ramp(ends, 5, {
      status: 'failed',
      log: 'BackendAllocatorException: Memory units capacity exceeded (available: 96, required: 149)',
    }),
    { of: ends },
  )
  assert.match(contexts.next, /^npx tsx runbooks\/monolithic-sweep.ts .*--model-script module_runs\/r1\/next_knob.alls/)
  assert.match(readFileSync(join(contexts.folder, 'next_knob.alls'), 'utf8'), /^context_switch_param/)
})

test('rampNext() says what helps when the question stays open', () => {
  assert.match(nextOf(ramp(cases, 2, { status: 'timed-out', log: '' })).next, /--case-timeout-min 60$/)
  assert.equal(
    nextOf(ramp(cases, 2, { status: 'failed', log: 'No space left on device' })).next,
    `npx tsx runbooks/explain-log.ts --log module_runs/r1/${cases[2]!.tag}/a_hef.log`,
  )
  const short = nextOf(ramp(cases, 1, { status: 'not-reached' }, 'the time limit of 1 min was used up'))
  assert.match(short.next, /--time-limit-min 240 --resume r1$/)
  assert.ok(!existsSync(join(short.folder, 'next_knob.alls')))
})

test("rampNext() when everything passes asks a device's compiler, or a larger network", () => {
  const all = ramp(cases, cases.length)
  assert.match(nextOf(all, { toolchain: 'host' }).next, /--toolchain dfc$/)
  assert.match(nextOf(all).next, /--rung 10 --n-blocks 2 --n-repeats 4$/)
})
