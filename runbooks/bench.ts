#!/usr/bin/env -S npx tsx
/**
 * Bench: is it quick enough, and does it stay small?
 *
 * Measures on this machine, now, and prints medians and ratios within this one run: another machine, or another hour, gives
 * other seconds. The bounds are the contract's.
 *
 *   npx tsx runbooks/bench.ts --suite sweep
 *   npx tsx runbooks/bench.ts --suite ffi
 */
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readJson } from '../lib/host/files.ts'
import type { RuntimeMetrics } from '../lib/infer/separate-recording.ts'
import { ladderConfigs, monolithicContract } from '../lib/models/convtasnet/ladder-configs.ts'
import type { Inputs } from '../lib/notebook/inputs.ts'
import { choice, number, runbook } from '../lib/notebook/runbook.ts'
import type { Tools } from '../lib/notebook/session.ts'
import { table } from '../lib/notebook/show.ts'

const { bench, model, sha256 } = monolithicContract()
const runbookFile = (name: string) => join(import.meta.dirname, `${name}.ts`)

export default runbook(import.meta, {
  asks: 'is it quick enough, and does it stay small?',
  inputs: {
    suite: choice(['sweep', 'ffi'], { default: 'sweep', help: 'the whole sweep, or the native calls' }),
    repeats: number({ default: 5, min: 1, integer: true, help: 'runs of each short measurement' }),
  },
  steps: ({ suite }) => (suite === 'ffi'
    ? ['call ONNX Runtime both ways', 'step through stand-ins of TensorRT and HailoRT']
    : ['measure --help of every runbook against a bare script', 'author ten rungs', 'run the whole sweep', 'separate 60 s and 240 s of sound']),
}, async tools => (tools.inputs.suite === 'ffi' ? (await import('../lib/infer/bench-native.ts')).benchNative(tools) : benchSweep(tools, tools.inputs.repeats)))

type Pen = Pick<Tools<Inputs>, 'run' | 'cell' | 'gate' | 'stamp'>

async function benchSweep({ run, cell, gate, stamp }: Pen, repeats: number): Promise<void> {
  stamp({ contract: sha256 })
  const { convTasNetCase } = await import('../lib/compile/convtasnet-case.ts')
  const { openCalibration } = await import('../lib/compile/calibration.ts')
  const { decodeModel } = await import('../lib/formats/onnx.ts')
  const { readWav, writeWav } = await import('../lib/formats/wav.ts')
  const { costOfScript, median } = await import('../lib/host/measure.ts')
  const { shippedMixtures } = await import('../lib/infer/pick-recording.ts')
  const { checkModel } = await import('../lib/onnx/check.ts')
  const repeat = async <T>(work: () => Promise<T>): Promise<T[]> => {
    const results: T[] = []
    for (let i = 0; i < repeats; i++) results.push(await work())
    return results
  }

  const slowest = await cell('Ask each runbook for --help', async ({ show, progress }) => {
    const hello = run.write('hello.ts', "const words: string = 'hello'\nconsole.log(words)\n")
    const books = readdirSync(import.meta.dirname).filter(name => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    const names = ['hello', ...books.map(name => name.slice(0, -3))]
    const cpuMs = await progress(names, async name => {
      const costs = await repeat(() => costOfScript(name === 'hello' ? hello : runbookFile(name), ['--help']))
      return Math.min(...costs.map(cost => cost.cpuMs))
    }, name => name)
    const rows = names.map((name, i) => ({ script: name, 'cpu ms': cpuMs[i]!, ratio: cpuMs[i]! / cpuMs[0]! }))
    show(table(rows, { title: `smallest of ${repeats} runs` }))
    return Math.max(...rows.slice(1).map(row => row.ratio))
  })
  gate('slowest --help against a bare script', slowest, { atMost: bench.helpRatioMax })

  const authoringCpuS = await cell('Author, check and write ten rungs', async ({ print }) => {
    const calibration = await openCalibration({ path: undefined, lengthPolicy: 'error' })
    const setting = { calibration, calibrationSamples: 1, batchSize: 1, quick: true, scriptExtra: '', weights: undefined }
    const seconds = await repeat(async () => {
      const before = process.cpuUsage()
      for (const options of ladderConfigs('plan')) {
        const rung = convTasNetCase(options, setting)
        const { onnx } = await rung.prepare()
        const { problems } = checkModel(decodeModel(onnx))
        if (problems.length > 0) throw new Error(problems.join('\n'))
        run.write(`authored/${rung.tag}.onnx`, onnx)
      }
      const { user, system } = process.cpuUsage(before)
      return (user + system) / 1e6
    })
    print(`median ${median(seconds).toFixed(3)} s of CPU, largest ${Math.max(...seconds).toFixed(3)} s`)
    return median(seconds)
  })
  gate('authoring ten rungs', authoringCpuS, { atMost: bench.authoringCpuSMax }, { unit: 's of CPU' })

  const sweep = await cell('Run the whole default sweep', () =>
    costOfScript(runbookFile('monolithic-sweep'), ['--no-cache', '--toolchain', 'host', '--out-dir', run.folder, '--run-ts', 'sweep', '--quiet']))
  gate('the whole default sweep', sweep.exit === 0 ? sweep.wallMs / 1000 : Number.NaN, { atMost: bench.sweepWallSMax }, { unit: 's', note: `exit ${sweep.exit}` })
  if (sweep.exit !== 0) return

  const compiled = (readJson(run.path('sweep', 'monolithic_full_next_knob.json')) as { winner: string }).winner
  const { long, longer } = await cell('Separate a long and a four times longer recording', async ({ show }) => {
    const separate = async (name: string, seconds: number) => {
      const mix = run.path(`${name}.wav`)
      writeWav(mix, [repeated(readWav(shippedMixtures()[0]!).channels[0]!, seconds * model.sampleRateHz)], { sampleRate: model.sampleRateHz })
      const compiledModel = run.path('sweep', compiled, `${compiled}.host_compiled.onnx`)
      const argv = ['--model', compiledModel, '--mix-wav', mix, '--out-dir', run.folder, '--run-ts', name, '--quiet']
      const cost = await costOfScript(runbookFile('monolithic-infer'), argv)
      const metrics = readJson(run.path(name, 'runtime_metrics.json')) as RuntimeMetrics
      return { seconds, rtf: metrics.rtf, 'rtf with input and output': metrics.rtf_wall, 'resident MB': cost.maxRssBytes / 1e6 }
    }
    const long = await separate('long', bench.separationAudioS)
    const longer = await separate('longer', 4 * bench.separationAudioS)
    show(table([long, longer], { title: compiled }))
    return { long, longer }
  })
  gate('real-time factor of a 60 s recording', long['rtf with input and output'], { atMost: bench.separationRtfMax })
  gate('resident memory, four times the length', longer['resident MB'] / long['resident MB'], { atMost: 1.1 })
  writeFileSync(run.path('bench.json'), JSON.stringify({ slowest, authoringCpuS, sweepWallS: sweep.wallMs / 1000, long, longer }, null, 2))
}

/** A sound over and over, cut to a length. */
function repeated(sound: Float32Array, samples: number): Float32Array {
  return Float32Array.from({ length: samples }, (_, i) => sound[i % sound.length]!)
}
