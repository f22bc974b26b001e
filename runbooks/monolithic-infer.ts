#!/usr/bin/env -S npx tsx
/**
 * Monolithic inference: does one compiled model separate one recording here?
 *
 * Streams a recording of any length through the model in windows with a halo, and writes the mixture, the separated
 * sources and
 * `runtime_metrics.json`, whose `ok` is false with a reason whenever something fails. Mono mean over channels,
 * resampled to the
 * model's rate. With the clean voices beside the mixture (`s1/`, `s2/`, as LibriMix lays them out) it scores SI-SDR.
 *
 *   HEF_PATH=module_runs/latest/…/model.onnx MIX_WAV=mix.wav npx tsx runbooks/monolithic-infer.ts
 *   npx tsx runbooks/monolithic-infer.ts --model model.onnx --librimix-root ~/LibriMix
 */
import { basename } from 'node:path'
import { backendNames } from '../lib/infer/options.ts'
import { ortDrivers } from '../lib/infer/ort/options.ts'
import { monolithicContract } from '../lib/systems/monolithic/contract.ts'
import { exitNameOf } from '../lib/base/errors.ts'
import { choice, file, folder, number, runbook, text } from '../lib/notebook/run/runbook.ts'

const { gates, model, sha256 } = monolithicContract()

export default runbook(
  import.meta,
  {
    asks: 'does one compiled model separate one recording here?',
    inputs: {
      model: file({ env: 'HEF_PATH', late: true, help: 'the compiled model: .hef, .plan, .engine, .onnx or .ort' }),
      backend: choice(backendNames, {
        env: 'MODEL_BACKEND',
        default: 'auto',
        help: 'who runs it; auto goes by the file',
      }),
      ortDriver: choice(ortDrivers, {
        default: 'c',
        help: 'how ONNX Runtime is called: its C API, or the onnxruntime-node package',
      }),
      mixWav: file({
        env: 'MIX_WAV',
        optional: true,
        late: true,
        help: 'the recording; default: LIBRIMIX_ROOT, or a shipped one',
      }),
      librimixRoot: folder({
        env: 'LIBRIMIX_ROOT',
        optional: true,
        late: true,
        help: 'a LibriMix folder to pick a recording from',
      }),
      audioDir: folder({
        env: 'OUT_DIR',
        optional: true,
        late: true,
        help: 'for sound and metrics; default: the run folder',
      }),
      input: text({ optional: true, help: 'the input stream, where the model has several; the others are fed zeros' }),
      output: text({ optional: true, help: 'the output stream, where the model has several' }),
      device: text({
        optional: true,
        help: 'id of a Hailo device, as hailortcli scan tells it; default: any that is free',
      }),
      group: text({ optional: true, help: 'the network group of a HEF that has several' }),
      timeoutMs: number({
        optional: true,
        min: 1,
        integer: true,
        help: 'how long a Hailo device may take for one window; default: 10 000',
      }),
      haloFrames: number({
        optional: true,
        min: 0,
        integer: true,
        help: "frames dropped at a window edge; default: the model's",
      }),
    },
    steps: async inputs => {
      const { pickRecording } = await import('../lib/systems/monolithic/separation/index.ts')
      const files = 'mix.wav, sep_src1.wav, sep_src2.wav, runtime_metrics.json'
      return [`open ${inputs.model} (${inputs.backend})`, `separate ${pickRecording(inputs).mix}`, `write ${files}`]
    },
  },
  async ({ inputs, run, cell, gate, next, line, stamp, signal }) => {
    const infer = await import('../lib/systems/monolithic/separation/index.ts')
    stamp({ contract: sha256 })
    const folder = inputs.audioDir ?? run.folder
    const shownFolder = inputs.audioDir ?? run.shown
    const status = (words: string) => line(`Runtime status: ${words} ; output_dir=${shownFolder}`)
    try {
      const recording = await cell('Choose the recording', ({ print }) => {
        const known = { hef: inputs.model, sample_rate: model.sampleRateHz }
        return infer.orFailedMetrics({ folders: [folder, run.folder], known, signal }, () => {
          const picked = infer.pickRecording(inputs)
          const from = {
            shipped: 'ships with Rungbook',
            MIX_WAV: 'as given',
            LIBRIMIX_ROOT: 'from the LibriMix folder',
          }[picked.from]
          print(`${picked.mix} (${from}), ${picked.references ? 'with its two references' : 'no references beside it'}`)
          return picked
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
          evidenceFolder: run.folder,
          sampleRate: model.sampleRateHz,
          layout: { kernel: model.kernelSize, stride: model.stride },
          signal,
          onWindow: advance,
          haloFrames: () => inputs.haloFrames ?? infer.haloOf(inputs.model),
        })
        for (const warning of separated.metrics.warnings) print(`warning: ${warning}`)
        show(...infer.showSeparation(separated, { runFolder: run.folder }))
        return separated
      })
      stamp({ device: metrics.device_info })
      const isSound = infer.gateSeparation(gate, metrics, { rtfMax: gates.rtfMax, mixtureDbMin: null })
      const isPair = gate('sources', metrics.sources, { equals: model.nSrc })
      if (inputs.backend === 'null') gate.blocked('runtime', 'the null backend answers zeros: nothing was computed')
      status(!isSound || !isPair ? 'fail' : inputs.backend === 'null' ? 'blocked' : 'pass')
      next({
        pass: `listen to ${shownFolder}/sep_src1.wav`,
        fail: 'choose another rung: npx tsx runbooks/monolithic-sweep.ts',
      })
    } catch (thrown) {
      status(exitNameOf(thrown) === 'blocked' ? 'blocked' : 'fail')
      throw thrown
    }
  },
)
