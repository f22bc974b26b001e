#!/usr/bin/env -S npx tsx
/**
 * Bench: is it quick enough, and does it stay small?
 *
 * Measures on this machine, now, and prints medians and ratios within this one run: another machine, or another hour,
 * gives
 * other seconds. The bounds are the contract's.
 *
 *   npx tsx runbooks/bench.ts --suite sweep
 *   npx tsx runbooks/bench.ts --suite ffi
 */
import { choice, number, runbook } from '../lib/notebook/run/runbook.ts'

export default runbook(
  import.meta,
  {
    asks: 'is it quick enough, and does it stay small?',
    inputs: {
      suite: choice(['sweep', 'ffi'], { default: 'sweep', help: 'the whole sweep, or the native calls' }),
      repeats: number({ default: 5, min: 1, integer: true, help: 'runs of each short measurement' }),
    },
    steps: ({ suite }) =>
      suite === 'ffi'
        ? ['call ONNX Runtime both ways', 'step through stand-ins of TensorRT and HailoRT']
        : [
            'measure --help of every runbook against a bare script',
            'author ten rungs',
            'run the whole sweep',
            'separate 60 s and 240 s of sound',
          ],
  },
  async tools => {
    if (tools.inputs.suite === 'ffi') await (await import('../lib/bench/native.ts')).benchNative(tools)
    else await (await import('../lib/bench/sweep.ts')).benchSweep(tools, tools.inputs.repeats)
  },
)
