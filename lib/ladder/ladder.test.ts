import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { readTsv } from '../host/tsv.ts'
import { usageError } from '../base/errors.ts'
import { readNpz } from '../formats/tensors/npz.ts'
import { float32 } from '../formats/tensors/tensor.ts'
import { fakeToolchain, type Fate } from '../testing/fake-toolchain.ts'
import { openCache } from './cache.ts'
import { runLadder, type Ladder, type LadderSummary } from './ladder.ts'
import { hasPassed, isCompiled, type LadderCase } from './types.ts'

interface Size {
  readonly width: number
}
const columns = ['tag', 'width', 'parsed', 'compiled', 'exception', 'why', 'graph', 'product', 'log']
const row: LadderSummary<Size>['row'] = (result, at) => ({
  tag: result.tag,
  width: result.config.width,
  parsed: hasPassed(result, 'parsed'),
  compiled: isCompiled(result),
  exception: result.exceptionType,
  why: result.failureHead,
  graph: at(result.files.parsed),
  product: at(result.files.compiled),
  log: at(result.files.failureLog),
})
const infeasible = [
  '[error] Mapping Failed (allocation time: 13s)',
  'No successful assignments: concat24 errors:',
  '    Agent infeasible',
  'BackendAllocatorException: Compilation failed\n',
].join('\n')
const allocator: Fate = { stage: 'compile', log: infeasible }

const scratch = () => mkdtempSync(join(tmpdir(), 'ladder-'))

function rung(tag: string, width: number): LadderCase<Size> {
  return {
    tag,
    config: { width },
    prepare: () => ({
      onnx: Buffer.from(`onnx of ${tag}`),
      inputs: [
        { name: 'sound', shape: [1, width] },
        { name: 'state', shape: [1, 2] },
      ],
      outputs: ['output'],
      modelScript: 'quick\n',
      facts: { parameters: width },
      samples: () => [
        {
          sound: float32([1, width], new Float32Array(width)),
          state: { dtype: 'int64', shape: [1, 2], data: BigInt64Array.of(1n, 2n) },
        },
      ],
    }),
  }
}
const cases = [rung('a', 48), rung('b', 40), rung('c', 32)]

async function climb(
  fates: Record<string, Fate>,
  o: Partial<Ladder<Size>> & { cacheRoot?: string; signal?: AbortSignal; onHang?: () => void } = {},
) {
  const folder = o.folder ?? join(scratch(), 'run')
  const { cacheRoot, signal, onHang, ...rest } = o
  const toolchain = fakeToolchain(fates, onHang)
  const found = await runLadder({
    cases,
    profile: 'focused',
    timeLimitMs: 60_000,
    caseTimeoutMs: 60_000,
    folder,
    resume: null,
    summary: { path: join(folder, 'summary.tsv'), columns, row },
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
    rows.map(row => [row.tag, row.parsed, row.compiled, row.exception]),
    [
      ['a', 'true', 'false', 'BackendAllocatorException'],
      ['b', 'true', 'true', ''],
      ['c', 'false', 'false', 'NotReached'],
    ],
  )
  assert.match(rows[2]!.why!, /stopped at the first success, b/)
  assert.ok(!ran.some(stage => stage.startsWith('c')))
})

test('runLadder() goes on to the last case when the profile is extended', async () => {
  const { rows, winner } = await climb({}, { profile: 'extended' })
  assert.deepEqual(
    rows.map(row => row.compiled),
    ['true', 'true', 'true'],
  )
  assert.equal(winner?.tag, 'a')
})

test('runLadder() writes logs, failure text and JSON for a case that was parsed and not compiled', async () => {
  const { rows } = await climb({ a: allocator, b: allocator, c: allocator })
  for (const row of rows) for (const path of [row.graph, row.log]) assert.ok(existsSync(path!), path)
  assert.equal(rows[0]!.product, '')
  const json = JSON.parse(readFileSync(`${rows[0]!.log}.json`, 'utf8')) as Record<string, unknown>
  assert.equal(json.exception_type, 'BackendAllocatorException')
  assert.equal(json.signature, 'allocator_infeasible')
})

test('runLadder() marks a case that ran out of its time as Timeout and goes on', async () => {
  const { rows, results } = await climb({ a: 'timeout', b: 'ok' })
  assert.deepEqual(
    rows.map(row => row.exception),
    ['Timeout', '', 'NotReached'],
  )
  assert.equal(results[0]!.status, 'timed-out')
  assert.equal(results[0]!.failure!.isInfeasible, false)
})

test('runLadder() keeps to the time limit of the whole ladder, and still has every row', async () => {
  const { rows } = await climb({ a: 'hang' }, { timeLimitMs: 2000 })
  assert.deepEqual(
    rows.map(row => row.exception),
    ['Timeout', 'NotReached', 'NotReached'],
  )
  assert.match(rows[1]!.why!, /time limit/)
})

test('runLadder() interrupted in a case says so in its row, and does not count it as attempted', async () => {
  const controller = new AbortController()
  const { signal } = controller
  const { rows, results, folder } = await climb({ a: 'hang' }, { signal, onHang: () => controller.abort() })
  assert.deepEqual(
    results.map(result => result.status),
    ['interrupted', 'not-reached', 'not-reached'],
  )
  assert.match(rows[1]!.why!, /interrupted/)
  assert.ok(!existsSync(join(folder, 'a/case.json')))
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
  for (const path of [second.rows[1]!.product, second.rows[0]!.log]) assert.ok(existsSync(path!), path)
})

test('runLadder() runs a case again when its cached files were changed', async () => {
  const cacheRoot = join(scratch(), 'cache')
  const { results } = await climb({}, { cacheRoot })
  writeFileSync(join(cacheRoot, results[0]!.key!, results[0]!.files.compiled), 'somebody wrote here')
  assert.deepEqual((await climb({}, { cacheRoot })).ran, ['a:parse', 'a:optimize', 'a:compile'])
})

test('runLadder() does not cache what says nothing about the case', async () => {
  const cacheRoot = join(scratch(), 'cache')
  const disk: Fate = { stage: 'compile', log: '[error] OSError: [Errno 28] No space left on device\n' }
  await climb({ a: 'timeout', b: disk }, { cacheRoot })
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
  assert.ok(existsSync(rows[0]!.log!))
  assert.equal(readFileSync(join(earlier.folder, 'summary.tsv'), 'utf8'), before)
})

test('runLadder() takes over only the very same case: graph, script, device and compiler', async () => {
  const earlier = await climb({ a: allocator }, { cases: [cases[0]!] })
  const again = async (rung: LadderCase<Size>, run: Partial<Ladder['run']> = {}) => {
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
  const misfit: LadderCase<Size> = {
    ...cases[0]!,
    prepare: () => ({
      ...(cases[0]!.prepare() as Awaited<ReturnType<LadderCase['prepare']>>),
      samples: () => {
        throw usageError('Unsupported calibration shape: expected (N, 16000), got (8, 3200) from "x.npz"', 'crop')
      },
    }),
  }
  const { rows, results } = await climb({}, { cases: [misfit, cases[1]!] })
  assert.equal(results[0]!.failure!.bucket, 'calibration_shape')
  assert.match(rows[0]!.why!, /3200/)
  assert.equal(results[1]!.status, 'succeeded')
})

test('runLadder() with resume runs a case again when a file of the earlier run is gone or was changed', async () => {
  for (const spoil of [(path: string) => rmSync(path), (path: string) => writeFileSync(path, 'cut')]) {
    const earlier = await climb({}, { cases: [cases[0]!] })
    spoil(earlier.rows[0]!.product!)
    const { results, ran } = await climb({}, { cases: [cases[0]!], resume: earlier.folder })
    assert.deepEqual([results[0]!.origin, ran.length], ['ran', 3])
  }
})

test('runLadder() with resume copies files: an edit there leaves the earlier run as it is', async () => {
  const earlier = await climb({}, { cases: [cases[0]!] })
  const later = await climb({}, { cases: [cases[0]!], resume: earlier.folder })
  assert.equal(later.results[0]!.origin, 'resume')
  const before = readFileSync(earlier.rows[0]!.product!, 'utf8')
  writeFileSync(later.rows[0]!.product!, 'edited')
  assert.equal(readFileSync(earlier.rows[0]!.product!, 'utf8'), before)
})

test('runLadder() keeps a config and the facts of a graph as they are, and feeds every input by its name', async () => {
  const { results, folder } = await climb({}, { cases: [cases[0]!] })
  assert.deepEqual(results[0]!.config, { width: 48 })
  assert.equal(results[0]!.metrics.parameters, 48)
  const arrays = await readNpz(join(folder, 'a/calibration.npz'))
  assert.deepEqual([...arrays.keys()], ['sound', 'state'])
  assert.deepEqual(arrays.get('state')!.tensor().data, BigInt64Array.of(1n, 2n))
})

test('runLadder() takes a given file where it lies, and sees when it or its weights have changed', async () => {
  const at = scratch()
  const [graph, weights] = [join(at, 'my.onnx'), join(at, 'my.onnx.data')]
  writeFileSync(graph, 'graph')
  writeFileSync(weights, 'weights')
  const given = {
    ...cases[0]!,
    prepare: async () => ({ ...(await cases[0]!.prepare()), onnx: graph, externalFiles: [weights] }),
  }
  const cacheRoot = join(scratch(), 'cache')
  const origin = async () => (await climb({}, { cases: [given], cacheRoot })).results[0]!
  const first = await origin()
  assert.deepEqual([first.files.onnx, first.origin], [graph, 'ran'])
  assert.equal((await origin()).origin, 'cache')
  writeFileSync(weights, 'other weights')
  assert.equal((await origin()).origin, 'ran')
})
