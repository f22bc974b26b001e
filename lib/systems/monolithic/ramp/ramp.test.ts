import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import fc from 'fast-check'
import { float32 } from '../../../formats/tensors/tensor.ts'
import { readTsv } from '../../../host/tsv.ts'
import { monolithicContract } from '../contract.ts'
import { convTasNetOptions } from '../../../models/convtasnet/options.ts'
import { fakeToolchain, type Fate } from '../../../testing/fake-toolchain.ts'
import { classifyFailure } from '../../../failure/classify.ts'
import { openCache } from '../../../ladder/cache.ts'
import { openBoard } from '../../../ladder/ladder.ts'
import { prefixesOf, rampCase, type RampCase } from './cases.ts'
import { boundaryOf, isDecided, rampSummary, runRamp, type Ramp } from './ramp.ts'
import { noFiles } from '../../../ladder/types.ts'
import { summaryRow, type ConvTasNetResult as CaseResult } from '../search/summary.ts'

const columns = monolithicContract().tsv.rampColumns
const root = mkdtempSync(join(tmpdir(), 'ramp-'))
after(() => rmSync(root, { recursive: true, force: true }))
const scratch = () => mkdtempSync(join(root, 'at-'))
const base = convTasNetOptions({ nFilters: 64, bnChan: 24, hidChan: 48, skipChan: 24, nBlocks: 4, nRepeats: 2 })
const infeasible: Fate = {
  stage: 'compile',
  log: [
    '[error] Mapping Failed (allocation time: 13s)',
    'No successful assignments: dw66 errors:',
    '    Agent infeasible',
    'BackendAllocatorException: Compilation failed\n',
  ].join('\n'),
}
const fullDisk: Fate = { stage: 'optimize', log: '[error] OSError: [Errno 28] No space left on device\n' }

/** The prefixes of the base without their graphs: a fake toolchain reads nothing. */
const cases: RampCase[] = prefixesOf(base, ['truncate', 'blocks', 'repeats']).map(prefix => ({
  ...rampCase(prefix, {
    calibration: { from: '', windows: () => [] },
    calibrationSamples: 1,
    batchSize: 1,
    quick: true,
    scriptExtra: '',
    weights: undefined,
  }),
  prepare: () =>
    Promise.resolve({
      onnx: Buffer.from(prefix.tag),
      inputs: [{ name: 'input', shape: [1] }],
      outputs: ['output'],
      modelScript: '',
      samples: () => [{ input: float32([1], [0]) }],
    }),
}))
const truncated = cases.filter(({ stage }) => stage === 'truncate')
const short = (tag: string | undefined) =>
  tag?.replace(/^mono_.*_(b\d)_(r\d)_t16000_(.+)$/, (_, b: string, r: string, word: string) =>
    word === 'blocks' ? b : word === 'repeats' ? r : word,
  ) ?? null
const tagOf = (word: string) => cases.find(({ tag }) => short(tag) === word)!.tag
/** All from the k-th truncated prefix on share a fate. */
const from = (k: number, fate: Fate = infeasible): Record<string, Fate> =>
  Object.fromEntries(truncated.slice(k - 1).map(({ tag }) => [tag, fate]))

interface Change extends Partial<Ramp> {
  cacheRoot?: string
  signal?: AbortSignal
  onHang?: () => void
}

async function climb(fates: Record<string, Fate>, { cacheRoot, signal, onHang, ...change }: Change = {}) {
  const folder = change.folder ?? join(scratch(), 'run')
  const toolchain = fakeToolchain(fates, onHang)
  const found = await runRamp({
    cases,
    search: 'linear',
    profile: 'focused',
    timeLimitMs: 60_000,
    caseTimeoutMs: 60_000,
    folder,
    resume: null,
    summary: rampSummary(join(folder, 'ramp.tsv'), change.cases ?? cases, 'dfc'),
    run: {
      toolchain,
      toolchainVersion: '1',
      hwArch: 'hailo8',
      signal: signal ?? new AbortController().signal,
      cache: cacheRoot ? openCache(cacheRoot) : null,
    },
    ...change,
  })
  const { lastPass, firstFail, stage, open, undecided, passBehind } = found.boundary
  const rows = readTsv(join(folder, 'ramp.tsv'))
  const ran = [...new Set(toolchain.ran.map(word => short(word.split(':')[0])))]
  return {
    ...found,
    folder,
    rows,
    ran,
    stages: toolchain.ran.length,
    sides: [short(lastPass?.tag), short(firstFail?.tag)],
    stage,
    open,
    undecided: short(undecided?.tag),
    behind: passBehind.map(({ tag }) => short(tag)),
  }
}

test('runRamp() finds the same boundary in order and by halves, wherever it stands', async () => {
  for (let k = 1; k <= 8; k++) {
    const [linear, bisect] = [await climb(from(k)), await climb(from(k), { search: 'bisect' })]
    for (const { sides, stage, open } of [linear, bisect]) {
      assert.deepEqual([...sides, stage, open], [k === 1 ? 'bypass' : `k${k - 1}`, `k${k}`, 'truncate', null])
    }
    assert.equal(linear.stages, 3 * (k + 1), 'every case up to the failing one, three stages each')
    assert.ok(bisect.ran.length <= 1 + 4, `by halves ${bisect.ran.join()}`)
    assert.equal(bisect.stages, 3 * bisect.ran.length)
  }
})

test('runRamp() asks all in order, or the last of each stage by halves, when everything passes', async () => {
  const linear = await climb({})
  assert.deepEqual([...linear.sides, linear.open, linear.ran.length], ['r2', null, null, 15])
  const bisect = await climb({}, { search: 'bisect' })
  assert.deepEqual(bisect.ran, ['bypass', 'k8', 'b4', 'r2'])
  assert.deepEqual([...bisect.sides, bisect.open], ['r2', null, null])
})

test('runRamp() writes the 20 columns with a row for every configured case', async () => {
  const { rows, folder } = await climb(from(3), { search: 'bisect' })
  assert.equal(columns.length, 20)
  assert.deepEqual(Object.keys(rows[0]!), [...columns])
  assert.equal(readFileSync(join(folder, 'ramp.tsv'), 'utf8').split('\r\n').length, 15 + 2)
  assert.deepEqual(
    rows.map(({ run_tag }) => run_tag),
    cases.map(({ tag }) => tag),
  )
  const brief = rows.map(row =>
    [
      short(row.run_tag),
      row.stage,
      row.mask_mul_mode,
      row.truncate_k_blocks,
      row.n_blocks,
      row.n_repeats,
      row.hef_success,
      row.exception_type,
    ].join(' '),
  )
  assert.deepEqual(brief.slice(0, 6), [
    'bypass prefix_bypass bypass 0 4 2 true ',
    'k1 truncate normal 1 4 2 false NotReached',
    'k2 truncate normal 2 4 2 true ',
    'k3 truncate normal 3 4 2 false BackendAllocatorException',
    'k4 truncate normal 4 4 2 false BackendAllocatorException',
    'k5 truncate normal 5 4 2 false NotReached',
  ])
  assert.deepEqual(brief.slice(9, 10), ['b1 blocks normal 0 1 1 false NotReached'])
  assert.match(rows[1]!.failure_head!, /bisecting needs no answer/)
  assert.match(rows[9]!.failure_head!, /stopped behind the stage truncate/)
  for (const path of [rows[3]!.failure_log, rows[3]!.har_path, rows[2]!.hef_path]) assert.ok(existsSync(path!), path)
})

test('runRamp() stops at the first failure and at its stage, unless the profile is extended', async () => {
  const focused = await climb(from(2))
  assert.deepEqual(focused.ran, ['bypass', 'k1', 'k2'])
  assert.match(focused.rows[3]!.failure_head!, /stopped at the first failure, .*_k2/)
  const extended = await climb(from(2), { profile: 'extended' })
  assert.equal(extended.ran.length, cases.length)
  assert.deepEqual([...extended.sides, extended.stage], ['k1', 'k2', 'truncate'])
})

test('runRamp() with a failing bypass has no passing side, and blames no block', async () => {
  const { sides, stage, ran } = await climb({ [tagOf('bypass')]: infeasible })
  assert.deepEqual([...sides, stage], [null, 'bypass', 'prefix_bypass'])
  assert.deepEqual(ran, ['bypass'])
})

test('runRamp() goes on to a later stage, and takes its passing side from there or from the bypass', async () => {
  const only = cases.filter(({ stage }) => stage === 'prefix_bypass' || stage === 'blocks')
  const { boundary } = await climb({ [only[1]!.tag]: infeasible }, { cases: only })
  assert.deepEqual(
    [boundary.lastPass?.tag, boundary.firstFail?.tag, boundary.stage],
    [only[0]!.tag, only[1]!.tag, 'blocks'],
  )
  const later = await climb({ [cases.at(-1)!.tag]: infeasible })
  assert.equal(later.stage, 'repeats')
  assert.deepEqual(later.sides, ['r1', 'r2'])
})

test('runRamp() leaves the question open when a case gives no verdict: a time-out or a full disk', async () => {
  for (const search of ['linear', 'bisect'] as const) {
    const hung = await climb(from(4, 'timeout'), { search })
    assert.deepEqual([...hung.sides, hung.undecided], ['k3', null, 'k4'])
    assert.match(hung.open!, /_k4 gave no verdict: our own hard limit/)
  }
  const full = await climb(from(1, fullDisk))
  assert.deepEqual([...full.sides, full.undecided], ['bypass', null, 'k1'])
  assert.match(full.open!, /ran out of disk/)
})

test('runRamp() by halves finds a real failure below a whole that times out', async () => {
  const { sides, open } = await climb({ ...from(3), ...from(6, 'timeout') }, { search: 'bisect' })
  assert.deepEqual([...sides, open], ['k2', 'k3', null])
})

test('runRamp() out of time has every row and leaves the question open, instead of calling it passed', async () => {
  const { open, rows, sides } = await climb(
    { [tagOf('k2')]: 'hang' },
    { timeLimitMs: 60, caseTimeoutMs: 60_000, profile: 'extended' },
  )
  assert.equal(rows.length, 15)
  assert.equal(sides[1], null)
  assert.match(open!, /no verdict|time limit/)
  const nothing = await climb({}, { timeLimitMs: 0 })
  assert.match(nothing.open!, /time limit/)
  assert.deepEqual(nothing.ran, [])
})

test('runRamp() that is interrupted asks nothing more and answers nothing', async () => {
  const controller = new AbortController()
  const { open, ran, rows, undecided } = await climb(
    { [tagOf('k2')]: 'hang' },
    { signal: controller.signal, onHang: () => controller.abort() },
  )
  assert.deepEqual([ran, undecided], [['bypass', 'k1', 'k2'], 'k2'])
  assert.match(open!, /no verdict/)
  assert.equal(rows.at(-1)!.exception_type, 'NotReached')
})

test('runRamp() in order tells of prefixes that pass behind the first failure', async () => {
  const { behind, sides } = await climb(
    { [tagOf('k3')]: infeasible, [tagOf('k7')]: infeasible },
    { profile: 'extended' },
  )
  assert.deepEqual(
    [sides, behind],
    [
      ['k2', 'k3'],
      ['k4', 'k5', 'k6', 'k8'],
    ],
  )
})

test('runRamp() resumes: finished prefixes are taken over, and the boundary is the same', async () => {
  const earlier = await climb(from(5), { search: 'bisect' })
  const { ran, sides, results } = await climb(from(5), { resume: earlier.folder })
  assert.deepEqual(sides, ['k4', 'k5'])
  assert.deepEqual(ran, ['k1', 'k2', 'k3'])
  assert.deepEqual(
    results.slice(0, 6).map(({ origin }) => origin),
    ['resume', 'ran', 'ran', 'ran', 'resume', 'resume'],
  )
})

test('runRamp() never runs an identical prefix twice', async () => {
  const cacheRoot = join(scratch(), 'cache')
  await climb(from(4), { cacheRoot })
  const again = await climb(from(4), { cacheRoot, search: 'bisect' })
  assert.deepEqual([again.sides, again.ran], [['k3', 'k4'], ['k8']])
})

const resultOf = (rung: RampCase, status: CaseResult['status']): CaseResult => ({
  tag: rung.tag,
  config: rung.config,
  status,
  stage: status === 'succeeded' ? 'compiled' : 'quantised',
  exceptionType: '',
  failureHead: '',
  failure:
    status === 'failed' ? classifyFailure('Agent infeasible\nBackendAllocatorException: x\n', { exitCode: 1 }) : null,
  files: noFiles,
  metrics: {},
  durationMs: 1,
  key: null,
  origin: 'ran',
})

test('boundaryOf() stands between two asked neighbours for any monotone set of answers', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 8 }),
      fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
      (passing, asked) => {
        const results = truncated.map((rung, i) =>
          resultOf(rung, !asked[i] ? 'not-reached' : i < passing ? 'succeeded' : 'failed'),
        )
        const { lastPass, firstFail, open } = boundaryOf(truncated, results, null)
        assert.equal(lastPass?.tag, truncated.findLast((_, i) => asked[i] && i < passing)?.tag)
        assert.equal(firstFail?.tag, truncated.find((_, i) => asked[i] && i >= passing)?.tag)
        const gap = firstFail
          ? truncated.findIndex(({ tag }) => tag === firstFail.tag) -
              truncated.findIndex(({ tag }) => tag === lastPass?.tag) >
            1
          : lastPass === null
        assert.equal(open !== null, gap)
      },
    ),
  )
})

const failedWith = (log: string): CaseResult =>
  ({ status: 'failed', failure: classifyFailure(log, { exitCode: 1 }) }) as unknown as CaseResult

test('isDecided() takes a verdict on the graph for one, and nothing else', () => {
  const verdicts = [
    'Agent infeasible\nBackendAllocatorException: no',
    'UnsupportedConv3DError in op c1: UnsupportedConv3DLayerError',
    'Mapping Failed (Timeout, allocation time: 31m 42s)\nBackendAllocatorException',
  ]
  for (const log of verdicts) assert.ok(isDecided(failedWith(log)), log)
  const silent = [
    'No space left on device',
    'ImportError: libfoo.so: undefined symbol: bar',
    'Unsupported calibration shape: expected (N, 16000), got (8, 3200) from "x.npz"',
    'nothing known',
    '',
  ]
  for (const log of silent) assert.ok(!isDecided(failedWith(log)), log)
  for (const status of ['timed-out', 'interrupted', 'not-reached'])
    assert.ok(!isDecided({ status, failure: null } as unknown as CaseResult))
  assert.ok(isDecided({ status: 'succeeded', failure: null } as unknown as CaseResult))
})

test('openBoard() writes every row at once, and one more time for each case, run or skipped', async () => {
  const folder = join(scratch(), 'run')
  const seen: string[] = []
  const path = join(folder, 'board.tsv')
  const board = openBoard({
    cases: truncated.slice(0, 3),
    timeLimitMs: 60_000,
    caseTimeoutMs: 60_000,
    folder,
    resume: null,
    summary: {
      path,
      columns,
      row: (result, at, i) => ({ ...summaryRow(result, at, 'dfc'), stage: `place ${i}` }),
    },
    run: {
      toolchain: fakeToolchain({}),
      toolchainVersion: '1',
      hwArch: 'hailo8',
      signal: new AbortController().signal,
      cache: null,
    },
    onCase: (rung, result) => seen.push(`${short(rung.tag)} ${result?.status ?? 'begins'}`),
  })
  const rows = () => readTsv(path).map(row => [row.stage, row.hef_success, row.failure_head])
  assert.deepEqual(
    rows().map(([, , why]) => why),
    Array.from({ length: 3 }, () => 'not reached: the run ended before this case'),
  )
  board.skip(0, 'it is too small')
  assert.equal((await board.run(2)).status, 'succeeded')
  assert.deepEqual(rows(), [
    ['place 0', 'false', 'not reached: it is too small'],
    ['place 1', 'false', 'not reached: the run ended before this case'],
    ['place 2', 'true', ''],
  ])
  assert.deepEqual(seen, ['k3 begins', 'k3 succeeded'])
})
