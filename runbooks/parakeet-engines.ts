#!/usr/bin/env -S npx tsx
/**
 * Parakeet engines: does TensorRT build an engine of every component, and does each run?
 *
 * Drives trtexec with the flags that it has, or libnvinfer itself (`--builder ffi`), with the contract's profiles, a
 * timing cache and a hard time limit; each plan is told by its first bytes and asked once. `build_report.json` is
 * written also when a build fails, with the failure's family. TF32 is off for float32. From TensorRT 11 on graphs are
 * converted to float16 first, and judged; those of other lower precisions have to be given.
 *
 *   npx tsx runbooks/parakeet-engines.ts --model-dir models/parakeet
 *   npx tsx runbooks/parakeet-engines.ts --model-dir models/parakeet --precision fp16 --engine-dir models/parakeet-fp16
 */
import { choice, folder, number, runbook, text } from '../lib/notebook/run/runbook.ts'
import { builderWays } from '../lib/compile/trtexec/types.ts'
import { precisions } from '../lib/systems/parakeet/parity/precisions.ts'
import { runbookCommand } from '../lib/host/typescript.ts'

export default runbook(
  import.meta,
  {
    asks: 'does TensorRT build an engine of every component, and does each run?',
    inputs: {
      modelDir: folder({ optional: true, help: 'the exported model; default: a seeded one' }),
      engineDir: folder({ optional: true, late: true, help: 'where the plans go; default: engines/ of the run' }),
      halfDir: folder({
        optional: true,
        help: 'graphs of the precision, for TensorRT 11 and newer; fp16 is converted here',
      }),
      precision: choice(precisions, { default: 'fp32', help: 'of the engines' }),
      builder: choice(builderWays, { default: 'trtexec', help: 'the program, or calls of libnvinfer itself' }),
      trtexec: text({ default: 'trtexec', env: 'TRTEXEC', help: 'the program, a name on PATH or a path' }),
      timeoutS: number({ optional: true, min: 1, help: "for one engine; default: the contract's", unit: 's' }),
    },
    steps: inputs => [
      inputs.builder === 'ffi' ? 'open libnvinfer and its parser' : `find ${inputs.trtexec} and its flags`,
      `build ${inputs.precision} engines of encoder, encoder_streaming, predictor and joint`,
      'ask each engine once, and write build_report.json',
    ],
  },
  async ({ inputs, run, cell, show, gate, next, stamp, line, signal }) => {
    const { parakeetContract } = await import('../lib/systems/parakeet/contract/read.ts')
    const halves = await import('../lib/systems/parakeet/engines/half-graphs.ts')
    const { buildAll, reportOf } = await import('../lib/systems/parakeet/engines/build-all.ts')
    const { openEngineBuilder } = await import('../lib/compile/trtexec/builder.ts')
    const { seedModel } = await import('../lib/systems/parakeet/transcribe/hear-file.ts')
    const { table } = await import('../lib/notebook/display/show.ts')
    const contract = parakeetContract()
    stamp({ contract: contract.sha256 })
    const modelDir =
      inputs.modelDir ?? (await cell('Seed a model', () => seedModel(run.path('model'), { stream: false }, contract)))
    const engineDir = inputs.engineDir ?? run.path('engines')
    const report = (facts: object) =>
      run.write('build_report.json', `${JSON.stringify({ precision: inputs.precision, ...facts }, null, 2)}\n`)
    report({ ok: false, builds: [], state: 'not begun' })
    next({
      pass: runbookCommand('runbooks/parakeet-parity.ts', ['--model-dir', modelDir, '--engines-fp32', engineDir]),
      blocked: runbookCommand('runbooks/doctor.ts', ['--need', 'nvidia']),
    })

    const builder = await cell('Find the builder', async ({ print }) => {
      const found = await openEngineBuilder({ way: inputs.builder, trtexec: inputs.trtexec, signal })
      print(`TensorRT ${found.version} (${found.where})`)
      return found
    })
    const isConverted = halves.wantsConversion(builder, inputs.precision, inputs.halfDir)
    const halfDir = isConverted ? run.path('half') : inputs.halfDir
    if (isConverted) {
      const judged = await cell('Convert the graphs to float16', async ({ show: showHere }) => {
        showHere(table(halves.convertGraphs(modelDir, run.path('half')).map(graph => ({ ...graph }))))
        return await halves.judgeConversion(modelDir, run.path('half'), contract, run.path('float32.ndjson'))
      })
      const { status, firstDivergence, tolerance } = judged
      gate('converted graphs give the reference', status, { equals: 'pass' }, { note: firstDivergence || tolerance })
    }
    const builds = await cell('Build the engines', ({ print }) =>
      buildAll(builder, {
        ...inputs,
        halfDir,
        modelDir,
        engineDir,
        contract,
        logDir: run.folder,
        signal,
        print,
        onBuilt: built => report(reportOf(builder, built)),
      }),
    )
    report(reportOf(builder, builds))
    show(
      table(
        builds.map(({ component, ok, seconds, bytes, bucket, evidence, smoke }) => ({
          component,
          ok,
          seconds,
          bytes,
          bucket: bucket || smoke,
          evidence,
        })),
      ),
    )
    line(`Build report: ${run.shown}/build_report.json`)
    for (const { component, ok, evidence, smoke, smokeBlocked } of builds) {
      gate(`${component} built`, ok, { equals: true }, { note: evidence })
      if (smokeBlocked !== '') gate.blocked(`${component} asked once`, smokeBlocked)
      else if (ok) gate(`${component} asked once`, smoke, { equals: 'ran' })
    }
  },
)
