import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { blockedError, RunbookError, usageError } from '../../../base/errors.ts'
import { scratch } from '../../../testing/infer/fixtures.ts'
import { failedMetrics, metricsName, orFailedMetrics, writeMetrics } from './runtime-metrics.ts'

const read = (folder: string) => JSON.parse(readFileSync(join(folder, metricsName), 'utf8')) as Record<string, unknown>
const planKeys = [
  'ok',
  'hef',
  'mix_wav',
  'input_samples',
  'output_samples',
  'output_samples_src1',
  'output_samples_src2',
  'sample_rate',
  'latency_ms',
  'rtf',
  'input_stream',
  'output_stream',
  'device_info',
]

test('failedMetrics() holds every key of the plan, what is known, and why it ended', () => {
  const metrics = failedMetrics({ hef: 'a.hef', input_samples: 5 }, blockedError('Cannot do it', 'do this'))
  for (const key of planKeys) assert.ok(key in metrics, key)
  assert.deepEqual(
    [metrics.ok, metrics.reason, metrics.hint, metrics.hef, metrics.input_samples, metrics.latency_ms],
    [false, 'Cannot do it', 'do this', 'a.hef', 5, null],
  )
})

test('failedMetrics() never says ok and names no files, whatever was known', () => {
  const metrics = failedMetrics({ ok: true, files: ['mix.wav'], reason: null }, new Error('late'))
  assert.deepEqual([metrics.ok, metrics.files, metrics.reason, metrics.hint], [false, [], 'late', null])
})

test('failedMetrics() gives an interruption as the reason, by the signal or by the error', () => {
  assert.equal(failedMetrics({}, 'SIGINT', AbortSignal.abort('SIGINT')).reason, 'interrupted (SIGINT)')
  assert.equal(failedMetrics({}, new Error('AbortError'), AbortSignal.abort()).reason, 'interrupted')
  assert.equal(failedMetrics({}, new RunbookError('interrupted', 'Cannot finish', 'again')).reason, 'interrupted')
  assert.equal(failedMetrics({}, new Error('x'), new AbortController().signal).reason, 'x')
})

test('failedMetrics() takes whatever was thrown', () => {
  for (const thrown of ['words', undefined, 7, null]) assert.equal(failedMetrics({}, thrown).reason, String(thrown))
})

test('writeMetrics() writes JSON into each folder, each once, and creates folders', () => {
  const folder = join(scratch(), 'new')
  writeMetrics([folder, folder], failedMetrics({ rtf: Number.NaN, mixture_consistency_db: Infinity }, 'x'))
  assert.deepEqual([read(folder).rtf, read(folder).mixture_consistency_db], [null, null])
  assert.deepEqual(readdirSync(folder), [metricsName])
})

test('writeMetrics() writes where it can and then throws what it met', () => {
  const [good, file] = [scratch(), join(scratch(), 'file')]
  writeFileSync(file, '')
  assert.throws(() => writeMetrics([file, good], failedMetrics({}, 'x')), {
    exit: 'blocked',
    message: /Cannot create the folder/,
  })
  assert.equal(read(good).reason, 'x')
})

test('orFailedMetrics() gives the result and writes nothing when all is well', async () => {
  const folder = scratch()
  assert.equal(await orFailedMetrics({ folders: [folder], known: {} }, () => 7), 7)
  assert.ok(!existsSync(join(folder, metricsName)))
})

test("orFailedMetrics() writes what was known when the step failed, and throws the step's error", async () => {
  const folder = scratch()
  const known: { windows?: number } = {}
  const work = orFailedMetrics({ folders: [folder], known }, () => {
    known.windows = 3
    throw usageError('Cannot go on', 'stop')
  })
  await assert.rejects(work, { exit: 'usage', message: 'Cannot go on' })
  assert.deepEqual([read(folder).ok, read(folder).reason, read(folder).windows], [false, 'Cannot go on', 3])
})

test("orFailedMetrics() throws the step's error also when the metrics cannot be written", async () => {
  const file = join(scratch(), 'file')
  writeFileSync(file, '')
  await assert.rejects(
    orFailedMetrics({ folders: [file], known: {} }, () => Promise.reject(usageError('Cannot go on', 'stop'))),
    { message: 'Cannot go on' },
  )
})

test('orFailedMetrics() replaces the metrics of an earlier run', async () => {
  const folder = scratch()
  writeFileSync(join(folder, metricsName), '{"ok": true}')
  await assert.rejects(orFailedMetrics({ folders: [folder], known: {} }, () => Promise.reject(new Error('no'))))
  assert.equal(read(folder).ok, false)
})
