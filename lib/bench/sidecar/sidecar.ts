/**
 * Measures the EdgeInfer sidecar against its limit and against a plain server, side by side in one run.
 *
 * The limit is the same model called in a bare loop with two windows under way. All servers answer the same bodies of
 * the same closed-loop generator, which runs on the same cores and checks every answer.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { median } from '../../base/statistics.ts'
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
import { openEngine, type Engine } from '../../systems/edgeinfer/model/engine.ts'
import { spawnSidecar, type SpawnedSidecar } from '../../systems/edgeinfer/sidecar/spawn.ts'
import { windowSize } from '../../systems/edgeinfer/window/layout.ts'
import { memoryGrowth, warmUpRequests } from './memory.ts'
import { startFastapi, startPlain, type Peer } from './peers.ts'

const { gates, model } = edgeinferContract()

/** Windows under way at once: one for each of two cores. */
const slots = 2
/** Requests under way at once: enough that no slot waits for the network. */
const concurrency = 8
/** Requests of one measurement of a rate. */
const requestsEach = 1500

type Server = 'sidecar' | 'plain' | 'fastapi'
type BenchTools = Pick<Tools<Inputs>, 'run' | 'cell' | 'gate' | 'stamp'>

/** What is measured, and beside whom. */
export interface SidecarBenchOptions {
  /** Turns of the rates; 40,000 times as many requests, at least 100,000, show whether memory is steady. */
  readonly repeats: number
  readonly peer: 'none' | 'fastapi'
  /** A Python with fastapi, uvicorn, numpy and onnxruntime in it; `python3` unless given. */
  readonly peerPython: string | undefined
}

/** Measure, show and judge. @throws RunbookError blocked when the peer does not start */
export async function benchSidecar(tools: BenchTools, o: SidecarBenchOptions): Promise<void> {
  const { run, cell, gate, stamp } = tools
  const { repeats, peerPython = 'python3' } = o
  stamp({ contract: edgeinferContract().sha256 })
  const folder = run.path('exports')
  const windows = await cell('Export the shipped encoder', () => prepare(folder, run.folder))
  const path = join(folder, fileOfForm('nchw'))
  const found = await cell('Ask the bare model, the sidecar and its peers in turn', async ({ show }) => {
    await using sidecar = await start(path, run.path('telemetry'))
    await using plain = await startPlain(pathOfPeers(folder))
    await using python =
      o.peer === 'none' ? null : await startFastapi({ python: peerPython, model: pathOfPeers(folder) })
    await using bare = await openEngine(path, { backend: 'auto', slots })
    const servers = { sidecar, plain, ...(python ? { fastapi: python } : {}) }
    using generator = new LoadGenerator()
    const ask = (url: string, count: number) =>
      generator.run({ ...windows, url, count, ratePerSecond: 0, concurrency, deadlineMs: 60_000 })
    const measured = await measureInTurn({ bare, servers, turns: Math.max(3, repeats), ask })
    show(table(measured.rows))
    const health = await healthUnderLoad(sidecar.url, () => ask(sidecar.url, requestsEach))
    const requests = Math.max(100_000, 40_000 * repeats)
    const memory = await memoryGrowth({
      requests,
      load: count => ask(sidecar.url, count),
      readMb: async () => (await readServer(sidecar.url)).rssMb,
    })
    return { ...measured, health, memory: { ...memory, requests } }
  })
  const coldMs = await cell('Start it three times', () => coldStartMs(path))
  const { rate, p99, memory } = found
  const perSecond = rate.sidecar!
  gate('every answer was right', found.right, { equals: true })
  gate('requests a second, share of the bare loop', perSecond / found.bareRate, { atLeast: gates.limitShareMin })
  gate('requests a second, over the plain server', perSecond / rate.plain!, { atLeast: gates.plainRatioMin })
  gate('p99 latency, over the plain server', p99.sidecar! / p99.plain!, { atMost: 1 })
  if (rate.fastapi !== undefined)
    gate('requests a second, over FastAPI', perSecond / rate.fastapi, { atLeast: gates.peerRatioMin })
  gate('health check while saturated, ms', found.health, { below: 5 })
  const growth = `growth of memory over ${memory.requests} requests, after ${warmUpRequests}`
  gate(growth, memory.growthMb, { below: gates.rssGrowthMbMax }, { unit: 'MB' })
  gate('from start to ready', coldMs, { below: gates.coldStartMsMax }, { unit: 'ms' })
}

/** Peers take time first, as it is sent. */
const pathOfPeers = (folder: string) => join(folder, fileOfForm('causal'))

async function coldStartMs(path: string): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < 3; i++) {
    await using sidecar = await start(path, undefined)
    times.push(sidecar.readyMs)
  }
  return median(times)
}

interface Measured {
  /** Windows a second of the model alone. */
  readonly bareRate: number
  /** Medians over the turns. */
  readonly rate: Partial<Record<Server, number>>
  readonly p99: Partial<Record<Server, number>>
  readonly right: boolean
  readonly rows: Readonly<Record<string, string | number>>[]
}

/** Ask the bare model and each server in turn, so that a busy minute of the machine falls on all. */
async function measureInTurn(o: {
  bare: Engine
  servers: Partial<Record<Server, Peer>>
  turns: number
  ask: (url: string, count: number) => Promise<{ report: RateReport }>
}): Promise<Measured> {
  const servers = Object.entries(o.servers) as [Server, Peer][]
  const reports = new Map<Server, RateReport[]>(servers.map(([name]) => [name, []]))
  const cpuSeconds = new Map<Server, number>()
  for (const [, { url }] of servers) await o.ask(url, 300)
  await bareStretch(o.bare)
  const bare: Stretch[] = []
  for (let i = 0; i < o.turns; i++) {
    bare.push(await bareStretch(o.bare))
    for (const [name, { url, pid }] of servers) {
      const before = cpuSecondsOf(pid)
      reports.get(name)!.push((await o.ask(url, requestsEach)).report)
      cpuSeconds.set(name, (cpuSeconds.get(name) ?? 0) + cpuSecondsOf(pid) - before)
    }
  }
  const of = (name: Server, key: 'rightPerSecond' | 'p50Ms' | 'p99Ms') =>
    median(reports.get(name)!.map(report => report[key]))
  const bareRate = median(bare.map(({ perSecond }) => perSecond))
  const rows = servers.map(([server]) => ({
    server,
    perSecond: of(server, 'rightPerSecond'),
    ofLimit: of(server, 'rightPerSecond') / bareRate,
    cpuUs: (cpuSeconds.get(server)! * 1e6) / (requestsEach * o.turns),
    p50Ms: of(server, 'p50Ms'),
    p99Ms: of(server, 'p99Ms'),
  }))
  return {
    bareRate,
    rate: Object.fromEntries(servers.map(([name]) => [name, of(name, 'rightPerSecond')])),
    p99: Object.fromEntries(servers.map(([name]) => [name, of(name, 'p99Ms')])),
    right: [...reports.values()].flat().every(({ right, requests }) => right === requests),
    rows: [
      {
        server: 'bare loop',
        perSecond: bareRate,
        ofLimit: 1,
        cpuUs: median(bare.map(({ cpuUs }) => cpuUs)),
        p50Ms: '',
        p99Ms: '',
      },
      ...rows,
    ],
  }
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
interface Stretch {
  readonly perSecond: number
  /** CPU time of one window, in µs. */
  readonly cpuUs: number
}

/** Windows a second with `slots` under way and nothing else to do. */
async function bareStretch(engine: Engine): Promise<Stretch> {
  const window = new Float32Array(windowSize)
  let left = requestsEach
  const startedMs = performance.now()
  const before = process.cpuUsage()
  const worker = async () => {
    while (left-- > 0) await engine.infer(window)
  }
  await Promise.all(Array.from({ length: slots }, worker))
  const { user, system } = process.cpuUsage(before)
  return {
    perSecond: (requestsEach * 1000) / (performance.now() - startedMs),
    cpuUs: (user + system) / requestsEach,
  }
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
