import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { standinVersions, tensorRtStandin } from '../../../../../ffi/testing/tensorrt/standin.ts'
import { needsTool } from '../../../../testing/needs.ts'
import { writePlanFolder } from '../../../../testing/tdt/plan-model.ts'
import { parakeetContract } from '../../contract/read.ts'
import { climbEngines, recordTo } from '../ladder.ts'
import { precisions } from '../precisions.ts'
import { openSide } from '../side.ts'

const contract = parakeetContract()

test(
  'climbEngines() runs R8 and R9 on engines, and fails the precisions whose engines are wrong',
  { skip: needsTool('g++') },
  async t => {
    const version = standinVersions[1]!
    const root = mkdtempSync(join(tmpdir(), 'rungbook-'))
    const before = { ...process.env }
    Object.assign(process.env, tensorRtStandin(version, { isLean: true }).env)
    t.after(() => {
      process.env = before
      rmSync(root, { recursive: true, force: true })
    })
    const folder = (name: string, fault: number) => {
      writePlanFolder(join(root, name), version, { fault })
      return join(root, name)
    }
    await using reference = openSide(folder('reference', 0), { name: 'reference', backend: 'tensorrt' })
    const source = await recordTo(join(root, 'reference.ndjson'), reference, contract)
    const sound = Object.fromEntries(precisions.map(precision => [precision, folder(`sound-${precision}`, 0)]))
    const good = await climbEngines(sound, source, contract)
    assert.deepEqual(
      good.map(({ rung, status }) => `${rung} ${status}`),
      ['R8 pass', ...precisions.slice(1).map(() => 'R9 pass')],
    )
    assert.ok(good.every(({ metrics }) => Number(metrics.compared) > 0 && metrics.token_stability === 1))
    // 0.02 lies above the bounds of float32 and of float16, below those of bfloat16 and int8; durations flip in all.
    const broken = Object.fromEntries(precisions.map(precision => [precision, folder(`broken-${precision}`, 0.02)]))
    const bad = await climbEngines(broken, source, contract)
    for (const { rung, status, firstDivergence, metrics } of bad) {
      assert.equal(status, 'fail', rung)
      assert.notEqual(firstDivergence, '')
      assert.ok(Number(metrics.duration_stability) < 1, rung)
    }
  },
)
