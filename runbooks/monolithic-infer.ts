#!/usr/bin/env -S npx tsx
/**
 * Monolithic inference: does one compiled model separate one recording here?
 *
 * Streams a recording of any length through the model in windows with a halo, and writes the mixture, the separated
 * sources and `runtime_metrics.json`, whose `ok` is false with a reason whenever something fails. Mono mean over
 * channels, resampled to the model's rate. With the clean voices beside the mixture (`s1/`, `s2/`, as LibriMix lays
 * them out) it scores SI-SDR.
 *
 *   HEF_PATH=module_runs/latest/…/model.onnx MIX_WAV=mix.wav npx tsx runbooks/monolithic-infer.ts
 *   npx tsx runbooks/monolithic-infer.ts --model model.onnx --librimix-root ~/LibriMix
 */
import { basename } from 'node:path'
import { exitNameOf } from '../lib/base/errors.ts'
import { runbook } from '../lib/notebook/run/runbook.ts'
import { monolithicContract } from '../lib/systems/monolithic/contract.ts'
import { inferInputs } from '../lib/systems/monolithic/separation/infer-inputs.ts'
import { runbookCommand } from '../lib/host/typescript.ts'

const { gates, model, sha256 } = monolithicContract()

export default runbook(
  import.meta,
  {
    asks: 'does one compiled model separate one recording here?',
    inputs: inferInputs(),
    async ifKilled({ folder, reason, inputs }) {
      const { killedMetrics } = await import('../lib/systems/monolithic/separation/runtime-metrics.ts')
      const audioDir = inputs.find(({ name }) => name === 'audioDir')?.value
      killedMetrics(typeof audioDir === 'string' ? [folder, audioDir] : [folder], reason)
    },
    steps: async inputs => {
      const { pickRecording } = await import('../lib/systems/monolithic/separation/index.ts')
      const files = 'mix.wav, sep_src1.wav, sep_src2.wav, runtime_metrics.json'
      return [`open ${inputs.model} (${inputs.backend})`, `separate ${pickRecording(inputs).mix}`, `write ${files}`]
    },
  },
  async ({ inputs, run, cell, gate, hint, next, line, stamp, signal }) => {
    const infer = await import('../lib/systems/monolithic/separation/index.ts')
    stamp({ contract: sha256 })
    const folder = inputs.audioDir ?? run.folder
    const shownFolder = inputs.audioDir ?? run.shown
    const status = (words: string) => line(`Runtime status: ${words} ; output_dir=${shownFolder}`)
    try {
      const { recording, facts } = await cell('Choose the recording', ({ print }) => {
        const known = { hef: inputs.model }
        return infer.orFailedMetrics({ folders: [folder, run.folder], known, signal }, () => {
          const picked = infer.pickRecording(inputs)
          const from = {
            shipped: 'ships with Rungbook',
            MIX_WAV: 'as given',
            LIBRIMIX_ROOT: 'from the LibriMix folder',
          }[picked.from]
          const facts = infer.modelFacts(inputs.model, inputs)
          print(`${picked.mix} (${from}), ${picked.references ? 'with its two references' : 'no references beside it'}`)
          return { recording: picked, facts }
        })
      })
      const { metrics } = await cell(`Separate ${basename(recording.mix)}`, async ({ show, print, advance }) => {
        const separated = await infer.separateRecording({
          modelPath: inputs.model,
          backend: inputs.backend,
          ort: { driver: inputs.ortDriver },
          hailort: { deviceId: inputs.device, group: inputs.group, timeoutMs: inputs.timeoutMs },
          input: inputs.input,
          output: inputs.output,
          recording,
          folder,
          rescales: inputs.rescale,
          evidenceFolder: run.folder,
          ...facts,
          signal,
          onWindow: advance,
        })
        for (const warning of separated.metrics.warnings) print(`warning: ${warning}`)
        show(...infer.showSeparation(separated, { runFolder: run.folder }))
        return separated
      })
      stamp({ device: metrics.device_info })
      const isNull = inputs.backend === 'null'
      const bounds = { ...gates, ...(isNull && { sourceDbMin: null }), mixtureDbMin: null }
      const isSound = infer.gateSeparation(gate, metrics, bounds)
      const isPair = gate('sources', metrics.sources, { equals: model.nSrc })
      if (isNull) gate.blocked('runtime', 'the null backend answers zeros: nothing was computed')
      status(!isSound || !isPair ? 'fail' : isNull ? 'blocked' : 'pass')
      next({ fail: runbookCommand('runbooks/monolithic-sweep.ts') })
      hint({ pass: `listen to ${shownFolder}/sep_src1.wav`, fail: infer.failureHint(metrics, bounds) })
    } catch (thrown) {
      status(exitNameOf(thrown) === 'blocked' ? 'blocked' : 'fail')
      throw thrown
    }
  },
)
