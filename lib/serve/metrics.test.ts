import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import test from 'node:test'
import { openMetrics, secondsBuckets } from './metrics.ts'

const hasPromtool = spawnSync('promtool', ['--version']).error === undefined

test('secondsBuckets rise, hold the bounds, and hold none twice', () => {
  const edges = secondsBuckets([0.045, 0.05, 0.1])
  assert.deepEqual(
    edges,
    [...new Set(edges)].toSorted((a, b) => a - b),
  )
  for (const bound of [0.045, 0.05, 0.1]) assert.ok(edges.includes(bound))
})

test('openMetrics gives the process and the families that were added, apart from another registry', async () => {
  const [one, two] = await Promise.all([openMetrics(), openMetrics()])
  one.counter({ name: 'demo_requests_total', help: 'Requests.', labelNames: ['status'] }).inc({ status: '200' })
  one.histogram({ name: 'demo_seconds', help: 'Time.', buckets: secondsBuckets([0.05]) }).observe(0.05)
  const page = await one.text()
  assert.match(page, /^demo_requests_total\{status="200"\} 1$/m)
  assert.match(page, /^demo_seconds_bucket\{le="0.05"\} 1$/m)
  assert.match(page, /^process_resident_memory_bytes [1-9]/m)
  assert.match(page, /^process_cpu_seconds_total \d/m)
  assert.doesNotMatch(await two.text(), /demo_/)
  one.close()
  two.close()
})

test('process_cpu_seconds_total never falls between two scrapes', async () => {
  const metrics = await openMetrics()
  const read = async () => Number(/^process_cpu_seconds_total (\S+)$/m.exec(await metrics.text())![1])
  const first = await read()
  assert.ok((await read()) >= first)
  metrics.close()
})

test(
  'promtool finds nothing to say about the page',
  { skip: !hasPromtool && 'needs promtool (Debian: prometheus)' },
  async () => {
    const metrics = await openMetrics()
    metrics.counter({ name: 'demo_requests_total', help: 'Requests.' }).inc()
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: await metrics.text() })
    assert.equal(status, 0, `${stdout}${stderr}`)
    metrics.close()
  },
)
