import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { readTsv } from '../host/tsv.ts'
import { usageError } from '../base/errors.ts'
import { fakeToolchain, type Fate } from '../testing/fake-toolchain.ts'
import { openCache } from './cache.ts'
import { outcomesOf, resumeFolder, runLadder, sliceCases, type Ladder } from './ladder.ts'
import type { LadderCase } from './case.ts'

const columns = [
  'run_tag',
  'n_filters',
  'bn_chan',
  'hid_chan',
  'skip_chan',
  'n_blocks',
  'n_repeats',
  'input_len',
  'har_success',
  'hef_success',
  'exception_type',
  'failure_head',
  'har_path',
  'hef_path',
  'har_log',
  'hef_log',
  'failure_log',
]
const infeasible =
  '[error] Mapping Failed (allocation time: 13s)\nNo successful assignments: concat24 errors:\n    Agent infeasible\nBackendAllocatorException: Compilation failed\n'
const allocator: Fate = { stage: 'compile', log: infeasible }

const scratch = () => mkdtempSync(join(tmpdir(), 'ladder-'))

function rung(tag: string, hidChan: number): LadderCase {
  return {
    tag,
    config: { nFilters: 64, bnChan: 24, hidChan, skipChan: 24, nBlocks: 1, nRepeats: 1, inputLen: 16000 },
    prepare: () => ({
      onnx: Buffer.from(`onnx of ${tag}`),
      inputName: 'input',
      inputShape: [1, 1, 1, 16000],
      endNodes: ['output'],
      modelScript: 'quick\n',
      writeCalibration(folder) {
        writeFileSync(join(folder, 'calibration.npy'), 'calibration')
        return { path: join(folder, 'calibration.npy'), sha256: 'c', count: 1 }
      },
    }),
  }
}
const cases = [rung('a', 48), rung('b', 40), rung('c', 32)]

async function climb(
  fates: Record<string, Fate>,
  o: Partial<Ladder> & { cacheRoot?: string; signal?: AbortSignal } = {},
) {
  const folder = o.folder ?? join(scratch(), 'run')
  const toolchain = fakeToolchain(fates)
  const { cacheRoot, signal, ...rest } = o
  const found = await runLadder({
    cases,
    profile: 'focused',
    timeLimitMs: 60_000,
    caseTimeoutMs: 60_000,
    folder,
    resume: null,
    summary: { path: join(folder, 'summary.tsv'), columns, shown: path => path },
    run: {
      toolchain,
      toolchainVersion: '1',
      hwArch: 'hailo8',
      signal: signal ?? new AbortController().signal,
      cache: cacheRoot ? openCache(cacheRoot) : null,
    },
    ...rest,
  })
  return { ...found, folder, ran: toolchain.ran, rows: readTsv(join(folder, 'summary.tsv')) }
}

test('runLadder() stops at the first success and has a row for every configured case', async () => {
  const { winner, rows, ran } = await climb({ a: allocator })
  assert.equal(winner?.tag, 'b')
  assert.deepEqual(Object.keys(rows[0]!), columns)
  assert.deepEqual(
    rows.map(row => [row.run_tag, row.har_success, row.hef_success, row.exception_type]),
    [
      ['a', 'true', 'false', 'BackendAllocatorException'],
      ['b', 'true', 'true', ''],
      ['c', 'false', 'false', 'NotReached'],
    ],
  )
  assert.match(rows[2]!.failure_head!, /stopped at the first success, b/)
  assert.ok(!ran.some(stage => stage.startsWith('c')))
})

test('runLadder() goes on to the last case when the profile is extended', async () => {
  const { rows, winner } = await climb({}, { profile: 'extended' })
  assert.deepEqual(
    rows.map(row => row.hef_success),
    ['true', 'true', 'true'],
  )
  assert.equal(winner?.tag, 'a')
})

test('runLadder() writes logs, failure text and JSON for a case whose HAR passed and whose HEF failed', async () => {
  const { rows } = await climb({ a: allocator, b: allocator, c: allocator })
  for (const row of rows)
    for (const path of [row.har_path, row.har_log, row.hef_log, row.failure_log]) assert.ok(existsSync(path!), path)
  assert.equal(rows[0]!.hef_path, '')
  const json = JSON.parse(readFileSync(`${rows[0]!.failure_log}.json`, 'utf8')) as Record<string, unknown>
  assert.equal(json.exception_type, 'BackendAllocatorException')
  assert.equal(json.signature, 'allocator_infeasible')
})

test('runLadder() marks a case that ran out of its time as Timeout and goes on', async () => {
  const { rows, results } = await climb({ a: 'hang', b: 'ok' }, { caseTimeoutMs: 30 })
  assert.deepEqual(
    rows.map(row => row.exception_type),
    ['Timeout', '', 'NotReached'],
  )
  assert.equal(results[0]!.status, 'timed-out')
  assert.equal(results[0]!.failure!.isInfeasible, false)
})

test('runLadder() keeps to the time limit of the whole ladder, and still has every row', async () => {
  const { rows } = await climb({ a: 'hang' }, { timeLimitMs: 500 })
  assert.deepEqual(
    rows.map(row => row.exception_type),
    ['Timeout', 'NotReached', 'NotReached'],
  )
  assert.match(rows[1]!.failure_head!, /time limit/)
})

test('runLadder() interrupted in a case says so in its row, and does not count it as attempted', async () => {
  const controller = new AbortController()
  setTimeout(() => controller.abort(), 30)
  const { rows, results, folder } = await climb({ a: 'hang' }, { signal: controller.signal })
  assert.deepEqual(
    results.map(result => result.status),
    ['interrupted', 'not-reached', 'not-reached'],
  )
  assert.match(rows[1]!.failure_head!, /interrupted/)
  assert.ok(!existsSync(join(folder, 'a/case.json')))
  assert.deepEqual(
    outcomesOf(results).map(outcome => outcome.attempted),
    [false, false, false],
  )
})

test('runLadder() never runs an identical case twice, and takes its files from the cache', async () => {
  const cacheRoot = join(scratch(), 'cache')
  const first = await climb({ a: allocator }, { cacheRoot })
  rmSync(first.folder, { recursive: true })
  const second = await climb({ a: allocator }, { cacheRoot })
  assert.deepEqual(second.ran, [])
  assert.deepEqual(
    second.results.slice(0, 2).map(result => result.origin),
    ['cache', 'cache'],
  )
  assert.equal(second.winner?.tag, 'b')
  for (const path of [second.rows[1]!.hef_path, second.rows[0]!.failure_log]) assert.ok(existsSync(path!), path)
})

test('runLadder() runs a case again when its cached files were changed', async () => {
  const cacheRoot = join(scratch(), 'cache')
  const { results } = await climb({}, { cacheRoot })
  writeFileSync(join(cacheRoot, results[0]!.key!, results[0]!.files.hef), 'somebody wrote here')
  assert.deepEqual((await climb({}, { cacheRoot })).ran, ['a:parse', 'a:optimize', 'a:compile'])
})

test('runLadder() does not cache what says nothing about the case', async () => {
  const cacheRoot = join(scratch(), 'cache')
  const disk: Fate = { stage: 'compile', log: '[error] OSError: [Errno 28] No space left on device\n' }
  await climb({ a: 'hang', b: disk }, { cacheRoot, caseTimeoutMs: 30 })
  const again = await climb({ a: allocator, b: 'ok' }, { cacheRoot })
  assert.deepEqual(
    again.results.map(result => result.origin),
    ['ran', 'ran', 'ran'],
  )
})

test('runLadder() with resume takes over every finished case and leaves the earlier run as it is', async () => {
  const earlier = await climb(
    { a: allocator, b: { stage: 'parse', log: 'UnsupportedConv3DError\n' } },
    { cases: cases.slice(0, 2) },
  )
  mkdirSync(join(earlier.folder, 'c'))
  writeFileSync(join(earlier.folder, 'c/case.json'), '{"tag": "c", "sta')
  const before = readFileSync(join(earlier.folder, 'summary.tsv'), 'utf8')
  const { ran, results, rows } = await climb({ c: 'ok' }, { resume: earlier.folder })
  assert.deepEqual(ran, ['c:parse', 'c:optimize', 'c:compile'])
  assert.deepEqual(
    results.map(result => result.origin),
    ['resume', 'resume', 'ran'],
  )
  assert.ok(existsSync(rows[0]!.failure_log!))
  assert.equal(readFileSync(join(earlier.folder, 'summary.tsv'), 'utf8'), before)
})

test('runLadder() takes over only the very same case: graph, script, device and compiler', async () => {
  const earlier = await climb({ a: allocator }, { cases: [cases[0]!] })
  const again = async (rung: LadderCase, run: Partial<Ladder['run']> = {}) => {
    const toolchain = fakeToolchain({})
    const base = {
      toolchain,
      toolchainVersion: '1',
      hwArch: 'hailo8',
      signal: new AbortController().signal,
      cache: null,
    }
    await climb({}, { resume: earlier.folder, cases: [rung], run: { ...base, ...run, toolchain } })
    return toolchain.ran.length
  }
  const prepared = await cases[0]!.prepare()
  assert.equal(await again(cases[0]!), 0)
  assert.equal(await again({ ...cases[0]!, prepare: () => ({ ...prepared, onnx: Buffer.from('another graph') }) }), 3)
  assert.equal(await again({ ...cases[0]!, prepare: () => ({ ...prepared, modelScript: 'another' }) }), 3)
  assert.equal(await again(cases[0]!, { hwArch: 'hailo8l' }), 3)
  assert.equal(await again(cases[0]!, { toolchainVersion: '2' }), 3)
})

test('runLadder() makes a calibration that does not fit a failing row, not an error', async () => {
  const misfit: LadderCase = {
    ...cases[0]!,
    prepare: () => ({
      ...(cases[0]!.prepare() as Awaited<ReturnType<LadderCase['prepare']>>),
      writeCalibration: () => {
        throw usageError('Unsupported calibration shape: expected (N, 16000), got (8, 3200) from "x.npz"', 'crop')
      },
    }),
  }
  const { rows, results } = await climb({}, { cases: [misfit, cases[1]!] })
  assert.equal(results[0]!.failure!.bucket, 'calibration_shape')
  assert.match(rows[0]!.failure_head!, /3200/)
  assert.equal(results[1]!.status, 'succeeded')
})

test('sliceCases() takes numbers and tags, and refuses what is not there', () => {
  assert.deepEqual(
    sliceCases(cases, { from: '2' }).map(rung => rung.tag),
    ['b', 'c'],
  )
  assert.deepEqual(
    sliceCases(cases, { from: 'a', until: 'b' }).map(rung => rung.tag),
    ['a', 'b'],
  )
  assert.throws(() => sliceCases(cases, { from: '4' }), /cases 1 to 3/)
  assert.throws(() => sliceCases(cases, { from: '0' }), /cases 1 to 3/)
  assert.throws(() => sliceCases(cases, { from: '3', until: '1' }), /wrong way round/)
})

test('resumeFolder() finds a run by path or by name, and refuses one that is not there', () => {
  const outDir = scratch()
  mkdirSync(join(outDir, 'r1'))
  writeFileSync(join(outDir, 'r1/report.json'), '{}')
  assert.equal(resumeFolder('r1', outDir), join(outDir, 'r1'))
  assert.equal(resumeFolder(undefined, outDir), null)
  assert.throws(() => resumeFolder('r2', outDir), /there is no such run/)
})
