import assert from 'node:assert/strict'
import { appendFileSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { compactTelemetry, queryTelemetry } from './compact.ts'
import { TelemetryWriter } from './writer.ts'

const folder = mkdtempSync(join(tmpdir(), "compact-it's-"))
test.after(() => rmSync(folder, { recursive: true, force: true }))

test('a telemetry folder is one table, damaged lines are passed over, and closed segments become Parquet', async () => {
  await assert.rejects(queryTelemetry(folder, 'SELECT 1'), { exit: 'usage' })
  assert.equal(await compactTelemetry(folder, 'none'), null)
  const bounds = { groupMs: 1, groupBytes: 1e6, segmentSeconds: 60, keepDays: 7, keepBytes: 1e9 }
  const writer = await TelemetryWriter.open({ ...bounds, folder, segmentBytes: 500 })
  for (let i = 0; i < 40; i++) {
    writer.write({ latency_s: i / 100, motif: i % 2 ? 'walking-1' : 'sitting-1', latent: [i, 1.5] })
    if (i % 10 === 9) await writer.flush()
  }
  await writer.close()
  appendFileSync(join(folder, readdirSync(folder)[0]!), '{"seq": 99, "late\n')
  const query =
    'SELECT count(*)::INTEGER AS n, max(latency_s) AS slowest, max(latent[1])::DOUBLE AS first FROM telemetry'
  assert.deepEqual(await queryTelemetry(folder, query), [{ n: 40, slowest: 0.39, first: 39 }])
  const packed = await compactTelemetry(folder, 'day')
  assert.equal(packed!.records, 40)
  assert.deepEqual(readdirSync(folder), ['day.parquet'])
  assert.ok(existsSync(packed!.path))
})
