#!/usr/bin/env -S npx tsx
/**
 * EdgeInfer parity: does this model, on this backend, still say what the reference said?
 *
 * Replays every golden window and measures how far the latents turned: cosine, mean-centred cosine, largest difference,
 * relative error by dimension, how many dimensions live, and the worst window. The golden latents came from another
 * runtime (PyTorch for the shipped weights). Bounds are the contract's: 0.99 after export, 0.95 after compilation.
 *
 *   npx tsx runbooks/edgeinfer-parity.ts
 *   npx tsx runbooks/edgeinfer-parity.ts --model module_runs/edgeinfer/artifacts/tcn_encoder.hef --backend hailort
 */
import { runbook } from '../lib/notebook/run/runbook.ts'
import { backendInput, commandAt, homeInput, modelInput } from '../lib/systems/edgeinfer/home.ts'

export default runbook(
  import.meta,
  {
    asks: 'does this model, on this backend, still say what the reference said?',
    inputs: {
      home: homeInput,
      model: modelInput,
      backend: backendInput,
    },
    steps: ({ backend }) => ['read the golden windows', `ask ${backend} about each`, 'compare'],
  },
  async ({ inputs, own, run, cell, show, gate, next, stamp }) => {
    const { edgeinferContract } = await import('../lib/systems/edgeinfer/contract.ts')
    const { defaultModel } = await import('../lib/systems/edgeinfer/home.ts')
    const { openEngine } = await import('../lib/systems/edgeinfer/model/engine.ts')
    const { cosineBound, goldenOf } = await import('../lib/systems/edgeinfer/model/self-test.ts')
    const { measureParity } = await import('../lib/systems/edgeinfer/parity/measure.ts')
    const { bars, histogram, table } = await import('../lib/notebook/display/show.ts')
    const { writeTsv } = await import('../lib/host/tsv.ts')
    const { gates, sha256 } = edgeinferContract()
    stamp({ contract: sha256 })

    const engine = await cell('Open the model', async ({ print }) => {
      const opened = await openEngine(inputs.model ?? defaultModel(inputs.home, inputs.backend), {
        backend: inputs.backend,
        slots: 1,
      })
      print(`${opened.path} on ${opened.device} (${opened.locked.entry.stage})`)
      return own(opened)
    })
    stamp({ device: engine.device, model: engine.sha256 })
    const golden = await cell('Read the golden windows', () => goldenOf(engine))
    const latents = await cell(`Ask ${engine.backend} about ${golden.length} windows`, async ({ progress }) => {
      const answers = await progress(
        golden,
        ({ window }) => engine.infer(window),
        () => '',
      )
      return answers.map(({ latent }) => latent)
    })
    const parity = await cell(`Compare with ${engine.locked.config.golden.reference}`, () =>
      measureParity(
        latents,
        golden.map(({ latent }) => latent),
      ),
    )
    const worstFirst = parity.windows.toSorted((a, b) => a.cosine - b.cosine)
    show(
      histogram(
        parity.windows.map(({ cosine }) => cosine),
        { title: 'cosine of each window' },
      ),
      table(worstFirst.slice(0, 5), { title: 'the five worst windows' }),
      bars(parity.dimensions, { x: 'dimension', y: 'relativeError', title: 'relative error of each dimension' }),
    )
    const columns = ['window', 'cosine', 'centredCosine', 'maxAbs'] as const
    writeTsv(
      run.path('parity.tsv'),
      [...columns],
      parity.windows.map(row => ({ ...row })),
    )
    gate('worst cosine', parity.cosineMin, { atLeast: cosineBound(engine) })
    gate('worst mean-centred cosine', parity.centredCosineMin, { atLeast: cosineBound(engine) })
    gate('dimensions that vary', parity.activeDimensions, { atLeast: gates.activeDimensionsMin })
    if (engine.locked.entry.stage === 'exported') gate('largest difference', parity.maxAbs, { atMost: gates.maxAbsMax })
    next({
      pass: commandAt(inputs.home, 'runbooks/edgeinfer-serve.ts'),
      fail: commandAt(inputs.home, 'runbooks/edgeinfer-compile.ts', ['--calibration', '2000']),
      blocked: commandAt(inputs.home, 'runbooks/edgeinfer-export.ts'),
    })
  },
)
