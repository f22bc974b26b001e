#!/usr/bin/env -S npx tsx
/**
 * Bench: is it quick enough, and does it stay small?
 *
 * Measures on this machine, now, and prints medians and ratios within this one run: another machine, or another hour,
 * gives other seconds. The bounds are the contract's.
 *
 *   npx tsx runbooks/bench.ts --suite sweep
 *   npx tsx runbooks/bench.ts --suite ffi
 *   npx tsx runbooks/bench.ts --suite quantise --peer-python ~/onnx/bin/python3
 *   npx tsx runbooks/bench.ts --suite sidecar --peer fastapi --peer-python ~/fastapi/bin/python3
 *   npx tsx runbooks/bench.ts --suite survival
 *   npx tsx runbooks/bench.ts --suite whisper --peer-python ~/faster-whisper/bin/python3
 */
import { choice, file, number, runbook, text } from '../lib/notebook/run/runbook.ts'

export default runbook(
  import.meta,
  {
    asks: 'is it quick enough, and does it stay small?',
    inputs: {
      suite: choice(['sweep', 'ffi', 'quantise', 'sidecar', 'whisper', 'tdt', 'survival'], {
        default: 'sweep',
        help: 'what is measured',
      }),
      repeats: number({ default: 5, min: 1, integer: true, help: 'runs of each short measurement' }),
      model: text({ env: 'WHISPER_MODEL', default: 'tiny.en', help: 'of the suite whisper' }),
      audio: file({ optional: true, help: 'a recording for the suite whisper; default: shipped voices' }),
      peer: choice(['none', 'fastapi'], { default: 'none', help: 'a Python server beside the sidecar' }),
      peerPython: text({
        env: 'PEER_PYTHON',
        optional: true,
        help: 'a Python with the peer of the suite in it: faster-whisper, FastAPI, or onnx and onnxruntime',
      }),
      seed: number({ default: 1, min: 0, integer: true, help: 'of the suite survival: when and what is tried' }),
      requests: number({ default: 40, min: 1, integer: true, help: 'short recordings, to see whether memory grows' }),
    },
    steps: ({ suite, model }) =>
      ({
        sidecar: ['call the model in a bare loop', 'load the sidecar, a plain server and the peer in turn'],
        whisper: [`measure ${model} in float32 and int8`, 'transcribe the same with faster-whisper where it is given'],
        tdt: ['decode 100,000 steps', 'decode as sherpa-onnx does', 'compare a recorded stream of 3 GB'],
        survival: [
          'kill sweeps and resume them',
          'fill disks',
          'hang compilers',
          'ask hostile libraries',
          'sweep in a crowd',
        ],
        quantise: ['quantise and compile a MobileNet', 'the same with quantize_static where it is given'],
        ffi: ['call ONNX Runtime both ways', 'step through stand-ins of TensorRT and HailoRT'],
        sweep: [
          'measure --help of every runbook against a bare script',
          'author ten rungs',
          'run the whole sweep',
          'separate 60 s and 240 s of sound',
        ],
      })[suite],
  },
  async tools => {
    if (tools.inputs.suite === 'sidecar')
      await (await import('../lib/bench/sidecar/sidecar.ts')).benchSidecar(tools, tools.inputs)
    else if (tools.inputs.suite === 'quantise')
      await (await import('../lib/bench/quantize.ts')).benchQuantize(tools, tools.inputs.peerPython)
    else if (tools.inputs.suite === 'whisper')
      await (await import('../lib/bench/whisper/whisper.ts')).benchWhisper(tools, tools.inputs)
    else if (tools.inputs.suite === 'tdt')
      await (await import('../lib/bench/tdt.ts')).benchTdt(tools, tools.inputs.repeats)
    else if (tools.inputs.suite === 'survival')
      await (await import('../lib/bench/survival/survival.ts')).benchSurvival(tools, tools.inputs.seed)
    else if (tools.inputs.suite === 'ffi') await (await import('../lib/bench/native.ts')).benchNative(tools)
    else await (await import('../lib/bench/sweep.ts')).benchSweep(tools, tools.inputs.repeats)
  },
)
