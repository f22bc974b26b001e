/**
 * Measures the EdgeInfer sidecar against its limit and against a plain server, side by side in one run.
 *
 * The limit is the same model called in a bare loop with two windows under way. All servers answer the same bodies of
 * the same closed-loop generator, which runs on the same cores and checks every answer.
 */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { median } from '../../base/statistics.ts'
import { startTypescript } from '../../host/typescript.ts'
import { table } from '../../notebook/display/show.ts'
import type { Inputs } from '../../notebook/inputs/inputs.ts'
import type { Tools } from '../../notebook/run/session.ts'
import { edgeinferContract } from '../../systems/edgeinfer/contract.ts'
import {
  openDonor,
  fileOfForm,
  trainAndScore,
  windowsForTraining,
  latentsOf,
  writeExport,
} from '../../systems/edgeinfer/export/author.ts'
import { readDataSet } from '../../systems/edgeinfer/data/read.ts'
import {
  LoadGenerator,
  readServer,
  writeLoadWindows,
  type LoadWindows,
  type RateReport,
} from '../../systems/edgeinfer/load/load.ts'
import { openEngine } from '../../systems/edgeinfer/model/engine.ts'
import { spawnSidecar, type SpawnedSidecar } from '../../systems/edgeinfer/sidecar/spawn.ts'
import { windowSize } from '../../systems/edgeinfer/window/layout.ts'

const { gates, model } = edgeinferContract()

/** Windows under way at once: one for each of two cores. */
const slots = 2
/** Requests under way at once: enough that no slot waits for the network. */
const concurrency = 8
/** Requests of one measurement of a rate. */
const requestsEach = 1500

/** Measure, show and judge. `repeats` times 40,000 requests are sent to see whether memory is steady. */
export async function benchSidecar(
  { run, cell, gate, stamp }: Pick<Tools<Inputs>, 'run' | 'cell' | 'gate' | 'stamp'>,
  repeats: number,
): Promise<void> {
  stamp({ contract: edgeinferContract().sha256 })
  const folder = run.path('exports')
  const windows = await cell('Export the shipped encoder', () => prepare(folder, run.folder))
  const path = join(folder, fileOfForm('nchw'))
  const limit = await cell('Call the model in a bare loop, two at a time', () => bareRate(path))
  const found = await cell('Ask the sidecar and a plain server in turn', async ({ show, print }) => {
    await using sidecar = await start(path, run.path('telemetry'))
    await using plain = await startPlain(join(folder, fileOfForm('causal')))
    const rates = { sidecar: [] as RateReport[], plain: [] as RateReport[] }
    const cpu = { sidecar: 0, plain: 0 }
    using generator = new LoadGenerator()
    const ask = (url: string, count: number) =>
      generator.run({ ...windows, url, count, ratePerSecond: 0, concurrency, deadlineMs: 60_000 })
    for (const url of [sidecar.url, plain.url]) await ask(url, 300)
    // In turn, so that a busy minute of the machine falls on both.
    for (let i = 0; i < Math.max(3, repeats); i++) {
      for (const [name, { url, pid }] of Object.entries({ sidecar, plain })) {
        const before = cpuSecondsOf(pid)
        rates[name as keyof typeof rates].push((await ask(url, requestsEach)).report)
        cpu[name as keyof typeof cpu] += cpuSecondsOf(pid) - before
      }
    }
    print(`limit ${limit.perSecond.toFixed(0)}/s, ${limit.cpuUs.toFixed(0)} µs of CPU a window`)
    show(table([summary('sidecar', rates.sidecar, { limit, cpu }), summary('plain', rates.plain, { limit, cpu })]))
    const health = await healthUnderLoad(sidecar.url, () => ask(sidecar.url, requestsEach))
    const growth = await memoryGrowth(sidecar.url, () => ask(sidecar.url, 40_000 * repeats))
    return { ...rates, health, growth }
  })
  const coldMs = await cell('Start it three times', async () => {
    const times: number[] = []
    for (let i = 0; i < 3; i++) {
      await using sidecar = await start(path, undefined)
      times.push(sidecar.readyMs)
    }
    return median(times)
  })
  const rate = (reports: readonly RateReport[]) => median(reports.map(({ rightPerSecond }) => rightPerSecond))
  const p99 = (reports: readonly RateReport[]) => median(reports.map(({ p99Ms }) => p99Ms))
  const right = [...found.sidecar, ...found.plain].every(({ right, requests }) => right === requests)
  gate('every answer was right', right, { equals: true })
  gate('requests a second, share of the bare loop', rate(found.sidecar) / limit.perSecond, {
    atLeast: gates.limitShareMin,
  })
  gate('requests a second, over the plain server', rate(found.sidecar) / rate(found.plain), {
    atLeast: gates.plainRatioMin,
  })
  gate('p99 latency, over the plain server', p99(found.sidecar) / p99(found.plain), { atMost: 1 })
  gate('health check while saturated, ms', found.health, { below: 5 })
  gate(
    `growth of memory over ${40_000 * repeats} requests`,
    found.growth,
    { below: gates.rssGrowthMbMax },
    { unit: 'MB' },
  )
  gate('from start to ready', coldMs, { below: gates.coldStartMsMax }, { unit: 'ms' })
}

async function prepare(folder: string, scratch: string): Promise<LoadWindows> {
  const data = await readDataSet()
  const donor = await openDonor('shipped')
  const windows = windowsForTraining(data)
  const latents = await latentsOf(
    donor.weights,
    windows.map(({ window }) => window),
    { folder: scratch },
  )
  const { trained } = trainAndScore(windows, latents, data.labels)
  await writeExport(folder, { donor, trained, labels: data.labels })
  await using engine = await openEngine(join(folder, fileOfForm('nchw')), { backend: 'auto', slots: 1 })
  return await writeLoadWindows(engine, 500, scratch)
}

/** What the model alone reaches. */
interface Limit {
  readonly perSecond: number
  /** CPU time of one window, in µs. */
  readonly cpuUs: number
}

/** Windows a second with `slots` under way and nothing else to do, the median of five stretches. */
async function bareRate(path: string): Promise<Limit> {
  await using engine = await openEngine(path, { backend: 'auto', slots })
  const window = new Float32Array(windowSize)
  const stretch = async () => {
    let left = 600
    const startedMs = performance.now()
    const worker = async () => {
      while (left-- > 0) await engine.infer(window)
    }
    await Promise.all(Array.from({ length: slots }, worker))
    return 600_000 / (performance.now() - startedMs)
  }
  await stretch()
  const rates: number[] = []
  const before = process.cpuUsage()
  for (let i = 0; i < 5; i++) rates.push(await stretch())
  const { user, system } = process.cpuUsage(before)
  return { perSecond: median(rates), cpuUs: (user + system) / 3000 }
}

const start = (path: string, telemetryFolder: string | undefined): Promise<SpawnedSidecar> =>
  spawnSidecar({
    host: '127.0.0.1',
    port: 0,
    model: path,
    backend: 'auto',
    useRealModel: true,
    motifs: model.motifs,
    slots,
    telemetryFolder,
  })

async function startPlain(path: string): Promise<{ url: string; pid: number } & AsyncDisposable> {
  const child = startTypescript(join(import.meta.dirname, 'plain-server.ts'), [], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  child.send(path)
  const [{ url }] = (await once(child, 'message')) as [{ url: string }]
  const gone = once(child, 'exit')
  return {
    url,
    pid: child.pid!,
    [Symbol.asyncDispose]: async () => {
      child.disconnect()
      await gone
    },
  }
}

function summary(
  server: 'sidecar' | 'plain',
  reports: readonly RateReport[],
  { limit, cpu }: { limit: Limit; cpu: Record<'sidecar' | 'plain', number> },
) {
  const of = (key: 'rightPerSecond' | 'p50Ms' | 'p99Ms') => median(reports.map(report => report[key]))
  const perSecond = of('rightPerSecond')
  const requests = reports.reduce((sum, report) => sum + report.requests, 0)
  const cpuUs = (cpu[server] * 1e6) / requests
  const ofLimit = perSecond / limit.perSecond
  return { server, perSecond, ofLimit, cpuUs, cpuOfLimit: limit.cpuUs / cpuUs, p50Ms: of('p50Ms'), p99Ms: of('p99Ms') }
}

/** CPU time that a process has used, in seconds: fields 14 and 15 of its stat, in hundredths. NaN beside Linux. */
function cpuSecondsOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
    return (Number(fields[11]) + Number(fields[12])) / 100
  } catch {
    return Number.NaN
  }
}

/** Median time of a health check while the generator saturates the sidecar, in ms. */
async function healthUnderLoad(url: string, load: () => Promise<unknown>): Promise<number> {
  const state = { isOver: false }
  const loaded = load().finally(() => {
    state.isOver = true
  })
  const times: number[] = []
  while (!state.isOver) {
    const startedMs = performance.now()
    await (await fetch(`${url}/healthz`)).arrayBuffer()
    times.push(performance.now() - startedMs)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  await loaded
  return median(times)
}

/** By how many MB the sidecar's memory grew under a load, after what came before warmed it up. */
async function memoryGrowth(url: string, load: () => Promise<unknown>): Promise<number> {
  const { rssMb } = await readServer(url)
  await load()
  return (await readServer(url)).rssMb - rssMb
}
