#!/usr/bin/env -S npx tsx
/**
 * Parakeet export: is there a model folder whose graphs, values and shapes are those of the contract?
 *
 * Authors encoder, streaming encoder, predictor and joint in ONNX from the weights of a `.nemo` itself, without Python
 * and without unpickling code; or from a seed, so that everything behind can be tried without a download. Beside it,
 * NeMo's own export in a Python that you name. Writes the folder and `EXPORT_REPORT.md`.
 *
 *   npx tsx runbooks/parakeet-export.ts
 *   npx tsx runbooks/parakeet-export.ts --nemo parakeet-tdt-0.6b-v3.nemo --model-dir models/parakeet
 *   npx tsx runbooks/parakeet-export.ts --nemo parakeet-tdt-0.6b-v3.nemo --python ~/nemo-venv/bin/python
 */
import { choice, file, folder, number, runbook, text } from '../lib/notebook/run/runbook.ts'
import { parakeetVersions } from '../lib/systems/parakeet/contract/read.ts'
import { syntheticShapes } from '../lib/systems/parakeet/export/sources.ts'
import { runbookCommand } from '../lib/host/typescript.ts'

export default runbook(
  import.meta,
  {
    asks: 'is there a model folder whose graphs, values and shapes are those of the contract?',
    inputs: {
      nemo: file({ optional: true, env: 'NEMO_PATH', help: 'the .nemo to export; without it, a seeded model' }),
      synthetic: choice(syntheticShapes, { default: 'tiny', help: 'the seeded model, where no .nemo is given' }),
      seed: number({ default: 1, min: 0, integer: true, help: 'of the seeded model' }),
      contract: choice(parakeetVersions, { default: 'v3', help: 'which contract judges' }),
      modelDir: folder({ optional: true, late: true, help: 'where the model goes; default: model/ of the run' }),
      python: text({ optional: true, help: "a Python with nemo_toolkit: NeMo's own export is made beside ours" }),
      accept: text({ optional: true, help: 'keys of the .nemo that nothing here knows, and that have no effect' }),
      device: choice(['cpu', 'cuda'], { default: 'cpu', help: 'where NeMo exports' }),
    },
    steps: inputs => [
      inputs.nemo === undefined ? `seed a ${inputs.synthetic} model` : `read ${inputs.nemo}`,
      `write seven graphs to ${inputs.modelDir ?? 'model/ of the run'}`,
      'check them, compare the meta with the contract, run each once',
      ...(inputs.python === undefined ? [] : [`export with NeMo in ${inputs.python}`]),
    ],
  },
  async ({ inputs, run, cell, gate, hint, next, stamp, line, sh }) => {
    const { parakeetContract } = await import('../lib/systems/parakeet/contract/read.ts')
    const exporting = await import('../lib/systems/parakeet/export/index.ts')
    const { table } = await import('../lib/notebook/display/show.ts')
    const contract = parakeetContract(inputs.contract)
    stamp({ contract: contract.sha256 })
    const target = inputs.modelDir ?? run.path('model')

    const meta = await cell(`Write the model to ${target}`, ({ print }) =>
      exporting.writeFrom(target, inputs, contract, print),
    )
    const facts = await cell('Check graphs, logits and values', ({ show }) => {
      const found = exporting.checkFolder(target, meta, contract, inputs)
      show(table(found.graphs.map(({ file, problems }) => ({ file, problems: problems.join('; ') || 'none' }))))
      if (found.wrong.length > 0)
        show(
          table(
            found.wrong.map(v => ({ ...v })),
            { title: 'contradict the contract' },
          ),
        )
      return found
    })
    const sound = facts.graphs.filter(({ problems }) => problems.length === 0)
    gate('graphs without a problem', sound.length, { equals: facts.graphs.length })
    gate('operators that normalise the logits', facts.normalisers.length, { equals: 0 })
    gate(
      'values that contradict the contract',
      facts.wrong.length,
      { equals: 0 },
      { note: `${facts.values.length} compared` },
    )

    const smoke = await cell('Run every component once', async ({ print }) => {
      const seen = await exporting.smokeRun(target, contract)
      print(`${seen.offlineFrames} frames offline, ${seen.streamedFrames} streamed, ${seen.offlineTokens} tokens`)
      return seen
    })
    gate('components that gave numbers which are not finite', smoke.notFinite, { equals: 0 })
    gate('frames that streaming gave', smoke.streamedFrames, { equals: smoke.offlineFrames })
    run.write(
      'EXPORT_REPORT.md',
      exporting.reportOf(meta, facts, { inputs, device: smoke.device, contract: contract.contract }),
    )
    line(`Export report: ${run.shown}/EXPORT_REPORT.md`)

    if (inputs.python !== undefined && inputs.nemo === undefined)
      gate.blocked("NeMo's own export", 'give --nemo: NeMo exports no seeded model')
    else if (inputs.python !== undefined)
      await cell("Export with NeMo's own exporter", async () => {
        const program = run.write('nemo_export.py', exporting.nemoExportProgram)
        const args = exporting.nemoExportArguments({ nemo: inputs.nemo!, out: run.path('nemo'), device: inputs.device })
        const { exitCode } = await sh({ timeout: '7200s', nothrow: true })`${inputs.python} ${program} ${args}`
        const problems = exitCode === 0 ? exporting.nemoExportProblems(run.path('nemo')) : []
        if (exitCode === 0) gate("NeMo's own export", problems.length, { equals: 0 }, { note: problems.join('; ') })
        else gate.blocked("NeMo's own export", `${inputs.python} ended with ${exitCode}: see its log in the run`)
      })
    next({
      pass: runbookCommand('runbooks/parakeet-transcribe.ts', ['--model-dir', inputs.modelDir ?? `${run.shown}/model`]),
    })
    hint({
      fail: 'open EXPORT_REPORT.md: it names each value and each problem',
      blocked: 'pip install nemo_toolkit[asr] in that Python, then run this again',
    })
  },
)
