/**
 * Collects a service's metrics for Prometheus: a registry, the process's own numbers, and histograms with edges that
 * matter.
 *
 * Text format 0.0.4. Names end in their base unit, `_total` stands on counters alone, and every family has a help line,
 * so that `promtool check metrics` finds nothing. prom-client's own default metrics are left out: some of its gauges
 * end in `_total`.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Registry } from 'prom-client'

export type { Counter, Gauge, Histogram, Registry } from 'prom-client'

/** The content type of `/metrics`. */
export const metricsContentType = 'text/plain; version=0.0.4; charset=utf-8'

/**
 * Edges in seconds around a bound that decides: 1 ms to 10 s, with the bounds themselves among them, so that
 * `histogram_quantile` and a count of "over the bound" are exact there.
 *
 * @example
 * ```ts
 * secondsBuckets([0.045, 0.05]).includes(0.045)
 * ```
 */
export function secondsBuckets(bounds: readonly number[]): number[] {
  const usual = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.04, 0.075, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
  return [...new Set([...usual, ...bounds])].toSorted((a, b) => a - b)
}

/** A registry of one service. Two services in one process never share one. */
export interface Metrics {
  readonly registry: Registry
  /** Constructors of prom-client, each bound to this registry. */
  counter<L extends string>(o: Family<L>): import('prom-client').Counter<L>
  gauge<L extends string>(o: Family<L> & { collect?: () => void }): import('prom-client').Gauge<L>
  histogram<L extends string>(o: Family<L> & { buckets: number[] }): import('prom-client').Histogram<L>
  /** The whole page, as `metricsContentType` has it. */
  text(): Promise<string>
  /** Stop measuring the event loop. */
  close(): void
}

interface Family<L extends string> {
  readonly name: string
  readonly help: string
  readonly labelNames?: readonly L[]
}

/**
 * Open a registry that already holds the process's numbers: CPU seconds, resident bytes, start time, open handles of
 * the heap, and the delay of the event loop since the last scrape.
 *
 * @example
 * ```ts
 * const metrics = await openMetrics()
 * const requests = metrics.counter({ name: 'demo_requests_total', help: 'Requests answered.', labelNames: ['status'] })
 * requests.inc({ status: '200' })
 * const page = await metrics.text()
 * metrics.close()
 * ```
 */
export async function openMetrics(): Promise<Metrics> {
  const { Counter, Gauge, Histogram, Registry } = await import('prom-client')
  const registry = new Registry()
  const registers = [registry]
  const metrics: Metrics = {
    registry,
    counter: o => new Counter({ ...o, registers }),
    gauge: ({ collect, ...o }) => new Gauge({ ...o, registers, ...(collect ? { collect } : {}) }),
    histogram: o => new Histogram({ ...o, registers }),
    text: () => registry.metrics(),
    close: () => delay.disable(),
  }
  const delay = monitorEventLoopDelay({ resolution: 10 })
  delay.enable()
  addProcess(metrics, delay)
  return metrics
}

function addProcess(metrics: Metrics, delay: ReturnType<typeof monitorEventLoopDelay>): void {
  const cpu = metrics.counter({
    name: 'process_cpu_seconds_total',
    help: 'User and system CPU time that the process has used.',
  })
  Object.assign(cpu, {
    collect() {
      const { user, system } = process.cpuUsage()
      cpu.reset()
      cpu.inc((user + system) / 1e6)
    },
  })
  const gauge = (name: string, help: string, read: () => number) => {
    const made: { set(value: number): void } = metrics.gauge({ name, help, collect: () => made.set(read()) })
  }
  gauge('process_resident_memory_bytes', 'Resident memory of the process.', () => process.memoryUsage.rss())
  gauge('nodejs_heap_used_bytes', 'Bytes of the JavaScript heap in use.', () => process.memoryUsage().heapUsed)
  const startS = Date.now() / 1000 - process.uptime()
  gauge('process_start_time_seconds', 'When the process started, in seconds since 1970.', () => startS)
  gauge('nodejs_eventloop_delay_p99_seconds', 'Event loop delay since the last scrape, 99th percentile.', () => {
    const seconds = Math.max(0, delay.percentile(99) / 1e9 - 0.01)
    delay.reset()
    return seconds
  })
}
