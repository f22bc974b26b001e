#!/usr/bin/env -S npx tsx
/**
 * Parakeet parity: does this export still say what its reference says, and if not, which component is to blame?
 *
 * A ladder: R0 contract, R1 features, R2 components, R3 the predictor on its own state, R4 and R5 a stream on the
 * reference's caches and on its own, R6 decoding, R7 a swap that names the component, R8 and R9 engines, R10 words. The
 * reference is another folder, a recorded stream, or the same folder on the onnxruntime-node package.
 *
 *   npx tsx runbooks/parakeet-parity.ts --model-dir models/parakeet --reference-dir models/from-nemo
 *   npx tsx runbooks/parakeet-parity.ts --model-dir models/parakeet --reference pytorch_reference_50.jsonl
 *   npx tsx runbooks/parakeet-parity.ts --model-dir models/parakeet --manifest dev.json
 */
import { choice, file, folder, number, runbook, text } from '../lib/notebook/run/runbook.ts'
import { parakeetVersions } from '../lib/systems/parakeet/contract/read.ts'
import { rungGroups } from '../lib/systems/parakeet/parity/groups.ts'
import { runbookCommand } from '../lib/host/typescript.ts'

export default runbook(
  import.meta,
  {
    asks: 'does this export still say what its reference says, and if not, which component is to blame?',
    inputs: {
      modelDir: folder({ optional: true, help: 'the model folder to judge; default: a seeded one' }),
      referenceDir: folder({ optional: true, help: 'the reference; default: the same folder on another driver' }),
      reference: file({ optional: true, help: 'a recorded stream (JSONL) or recorded cases (NDJSON) instead' }),
      rungs: choice(rungGroups, { default: 'ort', help: 'R0 to R7 on ONNX Runtime, R8 and R9 on TensorRT, or all' }),
      enginesFp32: folder({ optional: true, help: 'a folder of float32 plans, for R8' }),
      enginesFp16: folder({ optional: true, help: 'a folder of float16 plans, for R9' }),
      enginesBf16: folder({ optional: true, help: 'a folder of bfloat16 plans, for R9' }),
      enginesInt8: folder({ optional: true, help: 'a folder of int8 plans, for R9' }),
      melFixture: file({ optional: true, help: 'a JSON fixture of features, for R1' }),
      polygraphy: file({ optional: true, help: 'outputs that polygraphy saved of two runners, for R8' }),
      manifest: file({ optional: true, help: 'a NeMo manifest, for R10' }),
      werMax: number({ optional: true, min: 0, max: 1, help: "bound of R10; default: the contract's" }),
      language: text({ default: 'en', help: 'of the manifest' }),
      contract: choice(parakeetVersions, { default: 'v3', help: 'whose tolerances hold' }),
    },
    steps: inputs => [
      `open ${inputs.modelDir ?? 'a seeded model'} and ${inputs.reference ?? inputs.referenceDir ?? 'its reference'}`,
      `climb ${inputs.rungs === 'ort' ? 'R0 to R7' : inputs.rungs === 'trt' ? 'R8 and R9' : 'R0 to R9'}`,
      ...(inputs.manifest === undefined ? [] : [`transcribe ${inputs.manifest}`]),
    ],
  },
  async ({ inputs, own, run, cell, show, gate, hint, next, stamp, line }) => {
    const { parakeetContract } = await import('../lib/systems/parakeet/contract/read.ts')
    const parity = await import('../lib/systems/parakeet/parity/run.ts')
    const { table, lines } = await import('../lib/notebook/display/show.ts')
    const contract = parakeetContract(inputs.contract)
    stamp({ contract: contract.sha256 })
    const modelDir =
      inputs.modelDir ?? (await cell('Seed a model', () => parity.seedFolder(run.path('model'), contract)))

    const sides = own(parity.openSides(modelDir, inputs))
    const source = await cell('Get the reference', () =>
      parity.sourceOf(sides, inputs, run.path('reference.ndjson'), contract),
    )
    const results = await cell('Climb', async ({ print }) => {
      const found = await parity.climb({ ...sides, source, modelDir, contract }, inputs, print)
      return parity.inOrder(found)
    })
    show(
      table(
        results.map(({ rung, asks, status, firstDivergence, note }) => ({
          rung,
          asks,
          status,
          first: firstDivergence || note,
        })),
      ),
      lines(parity.driftRows(results), { x: 'case', y: 'max_abs', color: 'rung', title: 'largest error by case' }),
    )
    const { ort, trt } = parity.reportsOf(results, { inputs, modelDir, reference: source.from })
    run.write('VALIDATION_REPORT_ORT.md', ort)
    run.write('VALIDATION_REPORT_TRT.md', trt)
    run.write('rungs.json', `${JSON.stringify(results, null, 2)}\n`)
    for (const { rung, asks, status, firstDivergence, note, tolerance } of results) {
      if (status === 'blocked') gate.blocked(`${rung} ${asks}`, note)
      else if (status !== 'not_run')
        gate(`${rung} ${asks}`, status, { equals: 'pass' }, { note: firstDivergence || tolerance })
    }
    line(`Validation report: ${run.shown}/VALIDATION_REPORT_ORT.md`)
    line(`Rungs: ${results.map(({ rung, status }) => `${rung} ${status}`).join(', ')}`)
    next({
      pass: runbookCommand('runbooks/parakeet-engines.ts', ['--model-dir', modelDir]),
      blocked: runbookCommand('runbooks/doctor.ts', ['--need', 'nvidia']),
    })
    hint({ fail: 'open VALIDATION_REPORT_ORT.md: it names the first divergence of each rung' })
  },
)
