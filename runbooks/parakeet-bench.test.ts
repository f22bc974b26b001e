import assert from 'node:assert/strict'
import test from 'node:test'
import { needsPlainMemory } from '../lib/testing/needs.ts'
import { runInProcess } from '../lib/testing/run-in-process.ts'
import bench from './parakeet-bench.ts'

test(
  'parakeet-bench counts steps, garbage and bytes, and writes the runtime down',
  { skip: needsPlainMemory() },
  async () => {
    const ran = await runInProcess(bench, ['--run-ts', 't', '--evaluations', '3000'])
    const facts = JSON.parse(ran.read('bench.json'))
    assert.ok(facts.steps >= 3000 && facts.ns_per_step > 0 && facts.chunk_ms_p95 >= facts.chunk_ms_p50)
    assert.match(ran.read('ARCHITECTURE_RUNTIME.md'), /at most 10 tokens on a frame/)
    const batched = ran.report.gates.find(({ name }) => name.startsWith('tokens with 8 frames'))
    assert.equal(batched?.status, 'pass')
  },
)
