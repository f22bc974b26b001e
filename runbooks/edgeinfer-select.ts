#!/usr/bin/env -S npx tsx
/**
 * EdgeInfer select: which windows should be labelled next, and is choosing them worth it?
 *
 * Draws label-efficiency curves of every strategy against choosing at random, on latents of an encoder that saw no
 * label (seeded weights), over several seeds. The pool is long-tailed as a day is: much lying, few stairs; on a
 * balanced pool (--pool balanced) random choice is hard to beat, and the curves show that too. Then it chooses from the
 * windows that the telemetry kept, without near-duplicates and with classes in turn, and writes `al/manifest.json`.
 *
 *   npx tsx runbooks/edgeinfer-select.ts
 *   npx tsx runbooks/edgeinfer-select.ts --data "UCI HAR Dataset" --seeds 10 --strategy k-center
 */
import { choice, number, runbook, text, toggle } from '../lib/notebook/run/runbook.ts'
import { edgeinferContract } from '../lib/systems/edgeinfer/contract.ts'
import { commandAt, homeInput } from '../lib/systems/edgeinfer/home.ts'
import { strategies } from '../lib/systems/edgeinfer/select/strategies.ts'
import { runbookCommand } from '../lib/host/typescript.ts'

const { selection, model, sha256 } = edgeinferContract()

const latencyByModel =
  'SELECT model, count(*)::INTEGER AS windows, quantile_cont(latency_s, 0.95) AS p95 FROM telemetry GROUP BY model'

export default runbook(
  import.meta,
  {
    asks: 'which windows should be labelled next, and is choosing them worth it?',
    inputs: {
      home: homeInput,
      strategy: choice(strategies, { default: 'badge', help: 'how the windows of the telemetry are chosen' }),
      count: number({ default: 24, min: 1, max: 10000, integer: true, help: 'windows to label' }),
      data: text({
        optional: true,
        help: 'labelled recordings for the curves: a UCI HAR folder; default: those that ship',
      }),
      pool: choice(['long-tailed', 'balanced'], {
        default: 'long-tailed',
        help: 'how often each activity is in the pool',
      }),
      compact: toggle({ default: false, help: 'pack closed telemetry segments into Parquet afterwards' }),
      seeds: number({ default: selection.seeds, min: 2, max: 100, integer: true, help: 'repetitions of each curve' }),
    },
    steps: ({ seeds, strategy }) => [`draw curves over ${seeds} seeds`, `choose from the telemetry (${strategy})`],
  },
  async ({ inputs, run, cell, show, gate, next, line, stamp }) => {
    const author = await import('../lib/systems/edgeinfer/export/author.ts')
    const { readDataSet } = await import('../lib/systems/edgeinfer/data/read.ts')
    const { homeFolder } = await import('../lib/systems/edgeinfer/home.ts')
    const { poolsForCurves, readTelemetryPool } = await import('../lib/systems/edgeinfer/select/pool.ts')
    const { labelCurves, worthOf } = await import('../lib/systems/edgeinfer/select/curves.ts')
    const { curvePlot } = await import('../lib/systems/edgeinfer/select/plot.ts')
    const { chooseFromTelemetry, writeManifest } = await import('../lib/systems/edgeinfer/select/manifest.ts')
    const { compactTelemetry, queryTelemetry } = await import('../lib/serve/telemetry/compact.ts')
    const { table } = await import('../lib/notebook/display/show.ts')
    const { writeTsv } = await import('../lib/host/tsv.ts')
    stamp({ contract: sha256 })

    const pools = await cell('Encode labelled windows with the seeded encoder', async ({ print, advance }) => {
      const data = await readDataSet(inputs.data)
      const windows = author.windowsForTraining(data)
      const donor = await author.openDonor('seeded')
      const raw = windows.map(({ window }) => window)
      const latents = await author.latentsOf(donor.weights, raw, { folder: run.folder, onDone: advance })
      const made = poolsForCurves(windows, latents, { isLongTailed: inputs.pool === 'long-tailed' })
      print(
        `${made.pool.labels.length} windows to choose from, ${made.test.labels.length} of other persons to score on`,
      )
      return { ...made, classCount: data.labels.length }
    })
    const points = await cell(`Draw curves over ${inputs.seeds} seeds`, () =>
      labelCurves(pools.pool, pools.test, { ...selection, seeds: inputs.seeds, classCount: pools.classCount }),
    )
    const worth = worthOf(points)
    show(curvePlot(points), table(worth, { title: `strategies, best first (${inputs.pool} pool)` }))
    writeTsv(
      run.path('curves.tsv'),
      ['strategy', 'seed', 'labels', 'accuracy'],
      points.map(point => ({ ...point })),
    )

    const options = { strategy: inputs.strategy, count: inputs.count, seed: model.seed, duplicateDistance: 1 }
    const folder = homeFolder(inputs.home, 'al')
    const found = await cell('Choose from the telemetry', async ({ print }) => {
      const telemetry = homeFolder(inputs.home, 'telemetry')
      const pool = await readTelemetryPool(telemetry)
      if (pool.records > 0) show(table(await queryTelemetry(telemetry, latencyByModel), { title: 'latency, seconds' }))
      print(`${pool.records} records, ${pool.kept.length} raw windows kept, ${pool.badLines} damaged lines`)
      const chosen = chooseFromTelemetry(pool.kept, options)
      const packed = inputs.compact ? await compactTelemetry(telemetry, `telemetry-${run.ts}`) : null
      if (packed) print(`${packed.segments} segments packed into ${packed.path}`)
      return { chosen, manifest: chosen.length === 0 ? null : await writeManifest(folder, chosen, options) }
    })
    const own = worth.find(({ strategy }) => strategy === inputs.strategy)!
    const random = worth.find(({ strategy }) => strategy === 'random')!
    line(
      `Labels: ${own.strategy} reaches random's accuracy at ${selection.labelsMax} labels after ` +
        `${own.labelsForRandomsLast ?? `more than ${selection.labelsMax}`} ; ` +
        `above random in ${own.seedsAboveRandom}/${inputs.seeds} seeds`,
    )
    if (inputs.strategy === 'random')
      gate.blocked('worth of the strategy', 'random is what others are measured against')
    else gate(`mean accuracy of ${own.strategy} over random`, own.area - random.area, { above: 0 })
    if (found.manifest === null)
      gate.blocked('windows to label', 'the telemetry holds no raw windows: run edgeinfer-load first')
    else {
      line(`Manifest: ${found.manifest}`)
      gate('windows to label', found.chosen.length, { atLeast: 1 })
    }
    next({
      pass: runbookCommand('runbooks/edgeinfer-deploy.ts'),
      blocked: commandAt(inputs.home, 'runbooks/edgeinfer-load.ts'),
    })
  },
)
