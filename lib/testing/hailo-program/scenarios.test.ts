import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { openCache } from '../../ladder/cache.ts'
import { runCase, type CaseRun } from '../../ladder/case.ts'
import { hasPassed, isCompiled, type LadderCase } from '../../ladder/types.ts'
import { dfcToolchain } from '../../compile/dfc/toolchain.ts'
import { runLadder, type Ladder } from '../../ladder/ladder.ts'
import { encodeModel } from '../../formats/onnx/index.ts'
import { float32 } from '../../formats/tensors/tensor.ts'
import { readTsv } from '../../host/tsv.ts'
import { exitNameOf } from '../../base/errors.ts'
import { dfcBench, smallModel } from './dfc-bench.ts'
import { complaints, type StandinStage } from './scenarios.ts'

const { close, failureOf, root, scratch, setUp, standin } = dfcBench()
after(close)

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0)
    return !/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

/** Bucket to bucket for every complaint of a stage that was put in another one. */
async function misplaced(stage: StandinStage): Promise<Record<string, string>> {
  const wrong: Record<string, string> = {}
  for (const [bucket, complaint] of Object.entries(complaints)) {
    if (complaint.stage !== stage) continue
    const { failure, stopped } = await failureOf(stage, { fate: bucket })
    if (failure.bucket !== bucket || stopped !== null) wrong[bucket] = failure.bucket
    assert.ok(failure.evidence !== '' && failure.evidence.length <= 500 && failure.cause !== '', bucket)
  }
  return wrong
}

test('dfcToolchain() puts every complaint of the parser in its bucket', async () => {
  assert.deepEqual(await misplaced('parse'), {})
})

test('dfcToolchain() puts every complaint of the optimiser in its bucket', async () => {
  assert.deepEqual(await misplaced('optimize'), {})
})

test('dfcToolchain() puts every complaint of the compiler in its bucket', async () => {
  assert.deepEqual(await misplaced('compile'), {})
})

test('dfcToolchain() names the end of a compiler that crashes, is killed, or runs out of memory', async () => {
  const ends = {
    crash: 'compiler_crash',
    'crash@parse': 'compiler_crash',
    killed: 'host_oom',
    'oom@optimize': 'host_oom',
  }
  for (const [fate, bucket] of Object.entries(ends)) {
    const { failure, stopped } = await failureOf((fate.split('@')[1] ?? 'compile') as StandinStage, { fate })
    assert.equal(failure.bucket, bucket, fate)
    assert.equal(stopped, null)
    assert.equal(failure.isInfeasible, false)
  }
})

test('dfcToolchain() ends a hang with all of its deaf descendants when the time is up', async () => {
  const { failure, stopped, folder } = await failureOf('compile', { fate: 'hang', timeoutMs: 5000 })
  assert.equal(failure.bucket, 'wrapper_timeout')
  assert.equal(stopped, 'timeout')
  assert.match(failure.milestone ?? '', /Using Multi-context flow/)
  const pids = JSON.parse(readFileSync(join(folder, 'hanging.json'), 'utf8')) as number[]
  assert.equal(pids.length, 3)
  assert.deepEqual(pids.filter(isAlive), [])
})

test('dfcToolchain() stops as interrupted when it is aborted', async () => {
  const abort = new AbortController()
  const onLine = (line: string) => {
    if (line.includes('Starting Hailo allocation')) abort.abort()
  }
  const { failure, stopped } = await failureOf('compile', { fate: 'hang', signal: abort.signal, onLine })
  assert.equal(failure.bucket, 'aborted')
  assert.equal(stopped, 'interrupted')
})

test('dfcToolchain() blames the installation when a version does not know a flag', async () => {
  const { failure } = await failureOf('parse', { fate: 'old_flags' })
  assert.equal(failure.bucket, 'environment_broken_install')
  assert.match(failure.evidence, /unrecognized arguments: --tensor-shapes/)
})

test('dfcToolchain() is blocked when its program has gone', async () => {
  const { onnx, options } = setUp()
  const gone = dfcToolchain({ program: join(root, 'gone/hailo') })
  await assert.rejects(gone.parse(onnx, options), thrown => exitNameOf(thrown) === 'blocked')
})

const columns = ['run_tag', 'har_success', 'hef_success', 'exception_type', 'hef_path', 'failure_log']

function rung(tag: string): LadderCase {
  return {
    tag,
    config: null,
    prepare: () => ({
      // Named by the tag, because the cache takes two equal graphs for one.
      onnx: encodeModel(smallModel(tag)),
      inputs: [{ name: 'input', shape: [1, 1, 1, 32] }],
      outputs: ['output'],
      modelScript: '',
      samples: () => [0, 1].map(() => ({ input: float32([1, 1, 1, 32], new Float32Array(32)) })),
    }),
  }
}

async function climb(fates: Record<string, string>, o: Partial<Ladder> & { cacheRoot?: string } = {}) {
  const folder = join(scratch(), 'run')
  const { cacheRoot, ...rest } = o
  const toolchain = dfcToolchain({ program: standin.program, env: { HAILO_STANDIN: JSON.stringify(fates) } })
  const cache = cacheRoot === undefined ? null : openCache(cacheRoot)
  const found = await runLadder({
    cases: ['rung_a', 'rung_b', 'rung_c'].map(rung),
    profile: 'focused',
    folder,
    resume: null,
    timeLimitMs: 120_000,
    caseTimeoutMs: 60_000,
    summary: {
      path: join(folder, 'summary.tsv'),
      columns,
      row: (result, at) => ({
        run_tag: result.tag,
        har_success: hasPassed(result, 'parsed'),
        hef_success: isCompiled(result),
        exception_type: result.exceptionType,
        hef_path: at(result.files.compiled),
        failure_log: at(result.files.failureLog),
      }),
    },
    run: { toolchain, toolchainVersion: '1', hwArch: 'hailo8', signal: new AbortController().signal, cache },
    ...rest,
  })
  return { ...found, folder, rows: readTsv(join(folder, 'summary.tsv')) }
}

test('runLadder() on the Dataflow Compiler goes past failures of two stages to the rung that compiles', async () => {
  const { winner, rows, results } = await climb({ rung_a: 'allocator', 'rung_[b]': 'quantization_negative_exponent' })
  assert.equal(winner?.tag, 'rung_c')
  assert.deepEqual(
    rows.map(row => [row.har_success, row.hef_success, row.exception_type]),
    [
      ['true', 'false', 'BackendAllocatorException'],
      ['true', 'false', 'NegativeSlopeExponentNonFixable'],
      ['true', 'true', ''],
    ],
  )
  assert.deepEqual(results[0]!.failure?.layers, ['dw7', 'conv9'])
  assert.equal(results[0]!.failure?.isInfeasible, true)
  assert.equal(winner.metrics.optimizationLevelReduced, 1)
  assert.match(rows[2]!.hef_path!, /rung_c\/rung_c\.hef$/)
  assert.ok(rows.slice(0, 2).every(row => existsSync(row.failure_log!)))
})

test('runLadder() goes on after the Dataflow Compiler timed out or cut a graph; neither is infeasible', async () => {
  const { winner, results } = await climb({ rung_a: 'hang', rung_b: 'wrong_end_nodes' }, { caseTimeoutMs: 9000 })
  assert.equal(winner?.tag, 'rung_c')
  assert.deepEqual(
    results.map(({ status, failure }) => [status, failure?.bucket ?? '']),
    [
      ['timed-out', 'wrapper_timeout'],
      ['failed', 'parse_unsupported_op_with_recommendation'],
      ['succeeded', ''],
    ],
  )
  assert.equal(results[1]!.stage, null)
  assert.ok(results.every(({ failure }) => failure?.isInfeasible !== true))
})

test('runLadder() takes outcomes of the compiler from the cache, but runs an out-of-memory case again', async () => {
  const cacheRoot = join(root, 'cache')
  const fates = { rung_a: 'oom', rung_b: 'two_hefs' }
  await climb(fates, { cacheRoot })
  const { results, folder } = await climb(fates, { cacheRoot })
  assert.deepEqual(
    results.map(({ origin }) => origin),
    ['ran', 'ran', 'cache'],
  )
  assert.equal(readFileSync(join(folder, 'rung_c/rung_c.hef')).toString('latin1', 0, 4), '\x01HEF')
})

test('runCase() tells the stages of a slow compile while they run', async () => {
  const lines: string[] = []
  const run: CaseRun = {
    toolchain: dfcToolchain({ program: standin.folder, env: { HAILO_STANDIN: 'slow' } }),
    toolchainVersion: null,
    earlier: null,
    hwArch: 'hailo8',
    timeoutMs: 60_000,
    signal: new AbortController().signal,
    onLine: line => lines.push(line),
    cache: null,
  }
  const folder = join(scratch(), 'rung_slow')
  const result = await runCase(rung('rung_slow'), folder, run)
  assert.equal(result.status, 'succeeded')
  assert.ok(result.metrics.compileMs! > 0)
  assert.equal(result.files.compiled, 'rung_slow.hef')
  assert.ok(
    lines.some(line => line.includes('End nodes mapped')) && lines.some(line => line.includes('Successful Mapping')),
  )
})
