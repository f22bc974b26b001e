#!/usr/bin/env -S npx tsx
/**
 * Monolithic inference: does one compiled model separate one recording here?
 *
 * Streams a recording of any length through the model in windows with a halo, and writes the mixture, the separated sources and
 * `runtime_metrics.json`, whose `ok` is false with a reason whenever something fails. Mono mean over channels, resampled to the
 * model's rate. With the clean voices beside the mixture (`s1/`, `s2/`, as LibriMix lays them out) it scores SI-SDR.
 *
 *   HEF_PATH=module_runs/latest/…/model.onnx MIX_WAV=mix.wav npx tsx runbooks/monolithic-infer.ts
 *   npx tsx runbooks/monolithic-infer.ts --model model.onnx --librimix-root ~/LibriMix
 */
import { backendNames } from '../lib/infer/backend.ts'
import { haloOf } from '../lib/infer/halo.ts'
import { pickRecording } from '../lib/infer/pick-recording.ts'
import { separateRecording } from '../lib/infer/separate-recording.ts'
import { gateSeparation, showSeparation } from '../lib/infer/separation-report.ts'
import { monolithicContract } from '../lib/models/convtasnet/ladder-configs.ts'
import { choice, file, folder, number, runbook, text } from '../lib/notebook/runbook.ts'

const { gates, model, sha256 } = monolithicContract()

export default runbook(import.meta, {
  asks: 'does one compiled model separate one recording here?',
  inputs: {
    model: file({ env: 'HEF_PATH', late: true, help: 'the compiled model: .hef, .onnx or .ort' }),
    backend: choice(backendNames, { env: 'MODEL_BACKEND', default: 'auto', help: 'who runs it; auto goes by the file' }),
    mixWav: file({ env: 'MIX_WAV', optional: true, late: true, help: 'the recording; default: from LIBRIMIX_ROOT, else a shipped one' }),
    librimixRoot: folder({ env: 'LIBRIMIX_ROOT', optional: true, help: 'a LibriMix folder to pick a recording from' }),
    audioDir: folder({ env: 'OUT_DIR', optional: true, create: true, help: 'where sound and metrics go; default: the run folder' }),
    input: text({ optional: true, help: 'the input stream, where the model has several' }),
    output: text({ optional: true, help: 'the output stream, where the model has several' }),
    haloFrames: number({ optional: true, min: 0, integer: true, help: 'frames thrown away at a window edge; default: what the model says' }),
  },
  steps: inputs => [`open ${inputs.model} (${inputs.backend})`, `separate ${pickRecording(inputs).mix}`, 'write mix.wav, sep_src1.wav, sep_src2.wav, runtime_metrics.json'],
}, async ({ inputs, run, cell, gate, next, line, stamp, signal }) => {
  stamp({ contract: sha256 })
  const recording = pickRecording(inputs)
  const folder = inputs.audioDir ?? run.folder
  try {
    const { metrics } = await cell(`Separate ${recording.mix}`, async ({ print, show, advance }) => {
      print(`${recording.from === 'shipped' ? 'a recording that ships with Rungbook' : recording.from}${recording.references ? ', with its two references' : ', no references beside it'}`)
      const separated = await separateRecording({
        modelPath: inputs.model, backend: inputs.backend, input: inputs.input, output: inputs.output, recording, folder, sampleRate: model.sampleRateHz,
        layout: { kernel: model.kernelSize, stride: model.stride }, haloFrames: () => inputs.haloFrames ?? haloOf(inputs.model), signal, onWindow: advance,
      })
      show(...showSeparation(separated))
      return separated
    })
    stamp({ device: metrics.device_info })
    gateSeparation(gate, metrics, { rtfMax: gates.rtfMax, mixtureDbMin: null })
    gate('sources', metrics.sources, { equals: model.nSrc })
    line(`Runtime status: pass ; output_dir=${folder === run.folder ? run.shown : folder}`)
    next({ pass: `listen to ${folder === run.folder ? run.shown : folder}/sep_src1.wav` })
  } catch (thrown) {
    line('Runtime status: fail ; output_dir=none')
    throw thrown
  }
})
