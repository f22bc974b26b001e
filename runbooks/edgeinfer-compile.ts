#!/usr/bin/env -S npx tsx
/**
 * EdgeInfer compile: which form of the encoder compiles first, and does it keep its latents?
 *
 * Climbs the three exported forms (Conv2d, pads and slice, Conv1d) with real windows to calibrate, on Hailo's Dataflow
 * Compiler or on the host, which says that it proves nothing about a device. The first that compiles goes to
 * `artifacts/` with its metadata, golden windows and `tcn_encoder.yaml`, and is compared with the golden latents.
 *
 *   npx tsx runbooks/edgeinfer-compile.ts
 *   npx tsx runbooks/edgeinfer-compile.ts --dfc ~/hailo-venv --hw-arch hailo8l --calibration 2000
 */
import { choice, number, runbook, text } from '../lib/notebook/run/runbook.ts'
import { edgeinferContract } from '../lib/systems/edgeinfer/contract.ts'
import { commandAt, homeInput } from '../lib/systems/edgeinfer/home.ts'

const contract = edgeinferContract()

export default runbook(
  import.meta,
  {
    asks: 'which form of the encoder compiles first, and does it keep its latents?',
    inputs: {
      home: homeInput,
      toolchain: choice(['auto', 'dfc', 'host'], { default: 'auto', help: 'who compiles' }),
      dfc: text({
        optional: true,
        help: "where Hailo's Dataflow Compiler is: its program, virtualenv, or docker:IMAGE",
      }),
      hwArch: text({ env: 'HW_ARCH', default: 'hailo8', help: 'the device to compile for' }),
      profile: choice(['focused', 'extended'], {
        default: 'focused',
        help: 'stop at the first that compiles, or try all',
      }),
      data: text({
        optional: true,
        help: 'recordings to calibrate with: a UCI HAR folder or a CSV; default: those that ship',
      }),
      calibration: number({
        default: contract.calibration.windows,
        min: 1,
        max: 20000,
        integer: true,
        help: 'windows',
      }),
      caseTimeoutMin: number({ default: 60, min: 0.1, unit: 'minutes', help: 'the limit of one form' }),
    },
    steps: ({ toolchain }) => [
      `compile three forms (${toolchain})`,
      'write artifacts/',
      'compare with the golden latents',
    ],
  },
  async ({ inputs, run, cell, show, gate, mark, next, hint, line, stamp, signal }) => {
    const { chooseToolchain } = await import('../lib/compile/choose-toolchain.ts')
    const { compileForms, judgeArtifact } = await import('../lib/systems/edgeinfer/compile/compile.ts')
    const { table } = await import('../lib/notebook/display/show.ts')
    stamp({ contract: contract.sha256 })

    const chosen = await cell('Choose the toolchain', async ({ print }) => {
      const found = await chooseToolchain(inputs.toolchain, { program: inputs.dfc, hwArch: inputs.hwArch })
      print(found.why)
      return found
    })
    mark('toolchain', chosen.toolchain.name)
    const outcome = await cell('Compile', ({ print }) =>
      compileForms({
        ...inputs,
        chosen,
        folder: run.folder,
        summary: run.path('edgeinfer_summary.tsv'),
        signal,
        print,
      }),
    )
    show(table(outcome.rows, { title: `forms (${chosen.toolchain.name})` }))
    line(`Compile status: ${outcome.compiledCount}/${outcome.rows.length} ; toolchain=${chosen.toolchain.name}`)
    gate(`forms that compile (${chosen.toolchain.name})`, outcome.compiledCount, { atLeast: 1 })
    if (outcome.artifact !== null) {
      line(`Artifact: ${outcome.artifact}`)
      const parity = await cell('Compare with the golden latents', () => judgeArtifact(outcome.artifact!))
      if (typeof parity === 'string') gate.blocked('worst cosine of the compiled model', parity)
      else {
        show(table([parity.worst], { title: 'the worst window' }))
        gate('worst cosine of the compiled model', parity.cosineMin, { atLeast: contract.gates.compiledCosineMin })
      }
    }
    const { artifact } = outcome
    const judged = (...words: string[]) => commandAt(inputs.home, 'runbooks/edgeinfer-parity.ts', words)
    next({ fail: commandAt(inputs.home, 'runbooks/edgeinfer-compile.ts', ['--profile', 'extended']) })
    if (artifact !== null) {
      next({ pass: judged('--model', artifact), blocked: judged('--backend', 'hailort', '--model', artifact) })
      hint({ blocked: 'the next command is for a board: copy the model there' })
    }
  },
)
