#!/usr/bin/env -S npx tsx
/**
 * Whisper compile: at which lengths do its encoder and its decoder compile?
 *
 * Authors both in the fixed lengths of Hailo's own files and climbs down: chunks of 10 s, then 5 s; the decoder's
 * sequence, then half of it. Hailo's Dataflow Compiler compiles where it is, else the host, which proves the graphs,
 * the quantisation and the path, and nothing about a device. It is calibrated on the recordings that ship.
 *
 *   npx tsx runbooks/whisper-compile.ts --model tiny.en
 *   npx tsx runbooks/whisper-compile.ts --model base --dfc ~/hailo-venv --hw-arch hailo8l
 */
import { choice, number, runbook, text } from '../lib/notebook/run/runbook.ts'
import { table } from '../lib/notebook/display/show.ts'
import { shownPath } from '../lib/host/files.ts'
import { runbookCommand } from '../lib/host/typescript.ts'
import { shippedSpeech } from '../lib/systems/whisper/shipped-speech.ts'

export default runbook(
  import.meta,
  {
    asks: 'at which lengths do its encoder and its decoder compile?',
    inputs: {
      model: text({ env: 'WHISPER_MODEL', default: 'tiny.en', help: 'which model' }),
      models: text({ env: 'WHISPER_MODELS', optional: true, help: "the folder of models; default: the user's cache" }),
      toolchain: choice(['auto', 'dfc', 'host'], { default: 'auto', help: 'who compiles' }),
      dfc: text({
        optional: true,
        help: "where Hailo's Dataflow Compiler is: its program, virtualenv, or docker:IMAGE",
      }),
      hwArch: text({ env: 'HW_ARCH', default: 'hailo8', help: 'the device to compile for' }),
      caseTimeoutMin: number({ default: 120, min: 0.1, unit: 'minutes', help: 'the limit of one rung' }),
    },
    steps: ({ model, toolchain }) => [`author ${model} in fixed lengths`, `compile encoder and decoder (${toolchain})`],
  },
  async ({ inputs, run, cell, show, gate, mark, next, line, stamp, signal }) => {
    const { chooseToolchain } = await import('../lib/compile/choose-toolchain.ts')
    const { compileWhisper } = await import('../lib/systems/whisper/compile/compile.ts')
    const { calibrationFrom, shippedRecordings } = await import('../lib/systems/whisper/compile/calibration.ts')
    const { namedModel, whisperContract } = await import('../lib/systems/whisper/contract.ts')
    const { readWeights } = await import('../lib/systems/whisper/export.ts')
    const { storeFolder, weightsFolder } = await import('../lib/systems/whisper/store.ts')
    stamp({ contract: whisperContract().sha256 })
    const chosen = await cell('Choose the toolchain', async ({ print }) => {
      const found = await chooseToolchain(inputs.toolchain, { program: inputs.dfc, hwArch: inputs.hwArch })
      print(found.why)
      return found
    })
    mark('toolchain', chosen.toolchain.name)
    const { published } = namedModel(inputs.model)
    const folder = weightsFolder(inputs.models ?? storeFolder(), published)
    const model = await cell('Read the weights', () => ({ name: published, ...readWeights(folder) }))
    const calibration = await cell('Listen to the recordings that ship', () =>
      calibrationFrom(model, folder, shippedRecordings()),
    )
    const rows = await cell('Compile', ({ print }) =>
      compileWhisper(model, calibration, { ...inputs, chosen, path: run.path, signal, print }),
    )
    show(table(rows, { title: `rungs (${chosen.toolchain.name})` }))
    const compiled = rows.filter(({ stage }) => stage === 'compiled')
    const { name } = chosen.toolchain
    line(`Compile status: ${compiled.length}/${rows.length} ; toolchain=${name}`)
    for (const half of ['encoder', 'decoder']) {
      const count = compiled.filter(row => row.half === half).length
      gate(`lengths of the ${half} that compile (${name})`, count, { atLeast: 1 })
    }
    const hefs = ['encoder', 'decoder'].flatMap(half => {
      const row = compiled.find(each => each.half === half)
      return row === undefined ? [] : [`--${half}-hef`, `${run.shown}/${half}/${row.tag}/${row.file}`]
    })
    next({
      pass:
        name === 'dfc'
          ? runbookCommand('runbooks/whisper-transcribe.ts', ['--form', 'fixed', ...hefs, shownPath(shippedSpeech())])
          : runbookCommand('runbooks/doctor.ts', ['--need', 'dfc']),
      fail: runbookCommand('runbooks/explain-log.ts', [
        '--log',
        `${run.shown}/encoder/${rows.at(-1)?.tag}/compile.log`,
      ]),
    })
  },
)
