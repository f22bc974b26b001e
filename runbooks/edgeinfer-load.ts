#!/usr/bin/env -S npx tsx
/**
 * EdgeInfer load: does the sidecar keep its latency, and answer rightly, under load?
 *
 * A generator in its own process sends distinct windows on a fixed schedule (20 a second), whatever the answers do, and
 * checks every answer against the model's own. Latency counts from when a request was due. Then a ladder of rates shows
 * where the sidecar begins to refuse. Starts a sidecar of its own, or loads the one that --url names.
 *
 *   npx tsx runbooks/edgeinfer-load.ts
 *   npx tsx runbooks/edgeinfer-load.ts --url http://raspberrypi:9000 --model tcn_encoder.hef
 */
import { number, runbook, text, toggle } from '../lib/notebook/run/runbook.ts'
import type { Gate } from '../lib/notebook/run/session.ts'
import type { RateReport } from '../lib/systems/edgeinfer/load/load.ts'
import { edgeinferContract } from '../lib/systems/edgeinfer/contract.ts'
import { commandAt, homeInput, modelInput } from '../lib/systems/edgeinfer/home.ts'

const { load, gates, service, sha256, model } = edgeinferContract()

export default runbook(
  import.meta,
  {
    asks: 'does the sidecar keep its latency, and answer rightly, under load?',
    inputs: {
      home: homeInput,
      model: modelInput,
      url: text({ env: 'MODEL_BACKEND_URL', optional: true, help: 'a running sidecar; default: one is started' }),
      windows: number({
        default: load.windows,
        min: 1,
        max: 20000,
        integer: true,
        help: 'requests of the steady load',
      }),
      rate: number({ default: load.ratePerSecond, min: 1, max: 2000, help: 'requests a second of the steady load' }),
      stress: toggle({ default: true, help: 'whether rates are raised until the sidecar refuses' }),
      stressSeconds: number({ default: 5, min: 1, max: 60, unit: 'seconds', help: 'how long each rate lasts' }),
    },
    steps: ({ windows, rate }) => [`send ${windows} windows at ${rate}/s`, 'raise the rate until it refuses'],
  },
  async ({ inputs, own, run, cell, show, gate, next, hint, line, stamp }) => {
    const { defaultModel, homeFolder } = await import('../lib/systems/edgeinfer/home.ts')
    const { openEngine } = await import('../lib/systems/edgeinfer/model/engine.ts')
    const { LoadGenerator, loadLines, readServer, writeLoadWindows } =
      await import('../lib/systems/edgeinfer/load/load.ts')
    const { spawnSidecar } = await import('../lib/systems/edgeinfer/sidecar/spawn.ts')
    const { histogram, lines, table } = await import('../lib/notebook/display/show.ts')
    stamp({ contract: sha256 })
    const path = inputs.model ?? defaultModel(inputs.home, 'auto')
    const windows = await cell('Ask the model for the right answers', async ({ own }) => {
      const engine = own(await openEngine(path, { backend: 'auto', slots: 1 }))
      return await writeLoadWindows(engine, inputs.windows, run.folder)
    })
    const sidecar = own(
      inputs.url === undefined
        ? await cell('Start a sidecar', () =>
            spawnSidecar({
              host: '127.0.0.1',
              port: 0,
              model: path,
              backend: 'auto',
              useRealModel: true,
              motifs: model.motifs,
              telemetryFolder: homeFolder(inputs.home, 'telemetry'),
            }),
          )
        : null,
    )
    const url = inputs.url ?? sidecar!.url
    const generator = own(new LoadGenerator())
    const plan = { ...windows, url, deadlineMs: service.deadlineMs }
    const before = await readServer(url)
    const steady = await cell(`Send ${inputs.windows} windows at ${inputs.rate}/s`, () =>
      generator.run({ ...plan, count: inputs.windows, ratePerSecond: inputs.rate }),
    )
    const after = await readServer(url)
    show(
      histogram(steady.result.latencyMs, { title: 'latency of the steady load, ms' }),
      table([steady.report], { title: 'steady load' }),
      table([before, after], { title: 'the server before and after' }),
    )
    const stress: RateReport[] = []
    for (const rate of inputs.stress ? load.stressRatesPerSecond : []) {
      const count = Math.round(rate * inputs.stressSeconds)
      const { report } = await cell(`Send ${rate}/s`, () => generator.run({ ...plan, count, ratePerSecond: rate }))
      stress.push(report)
    }
    if (stress.length > 0) {
      show(table(stress, { title: 'stress ladder' }))
      show(lines(stress, { x: 'ratePerSecond', y: 'rightPerSecond', title: 'right answers a second, by rate sent' }))
    }
    const lost = (await sidecar?.stop()) ?? null
    run.write('load.json', JSON.stringify({ steady: steady.report, stress, before, after }, null, 2))
    for (const words of loadLines(steady, { before, after })) line(words)
    judge(gate, { steady: steady.report, stress, lost })
    next({ pass: commandAt(inputs.home, 'runbooks/edgeinfer-select.ts') })
    hint({ fail: 'run it again on a machine with nothing else to do' })
  },
)

/** The contract's bounds on what was measured. */
function judge(gate: Gate, o: { steady: RateReport; stress: readonly RateReport[]; lost: number | null }): void {
  const all = [o.steady, ...o.stress]
  const sum = (key: 'wrong' | 'failed') => all.reduce((total, report) => total + report[key], 0)
  const most = Math.max(...all.map(({ rightPerSecond }) => rightPerSecond))
  gate('p95 latency, ms', o.steady.p95Ms, { below: gates.latencyP95MsMax })
  // Without the ladder no more is sent than is wanted, and some of it may be refused.
  const share = o.stress.length > 0 ? 1 : gates.successMin
  gate('most right answers a second', most, { atLeast: gates.windowsPerSecondMin * share })
  gate('share of right answers', o.steady.success, { atLeast: gates.successMin })
  gate('wrong answers, under stress too', sum('wrong'), { equals: 0 })
  gate('failures that are no refusal, under stress too', sum('failed'), { equals: 0 })
  if (o.lost !== null) gate('accepted requests that the drain cut off', o.lost, { equals: 0 })
}
