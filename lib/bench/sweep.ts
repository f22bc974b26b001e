/**
 * Measures whether the sweep is quick enough, and stays small.
 *
 * The cells of `runbooks/bench.ts --suite sweep`: what a runbook's `--help` costs, authoring, the first run, and long
 * recordings. Scripts are measured as processes of their own. Bounds are the contract's.
 */
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodeModel } from '../formats/onnx/index.ts'
import { readWav, writeWav } from '../formats/wav/index.ts'
import { readJson } from '../host/files.ts'
import { median } from '../base/statistics.ts'
import { benchFirstRun } from './first-run/first-run.ts'
import { costOfScript } from './measure.ts'
import { shippedMixtures } from '../systems/monolithic/pick-recording.ts'
import type { RuntimeMetrics } from '../systems/monolithic/separation/separate-recording.ts'
import { ladderConfigs, monolithicContract } from '../systems/monolithic/contract.ts'
import type { Inputs } from '../notebook/inputs/inputs.ts'
import type { Tools } from '../notebook/run/session.ts'
import { table } from '../notebook/display/show.ts'
import { checkModel } from '../onnx/check/check.ts'
import { openCalibration } from '../systems/monolithic/search/calibration.ts'
import { convTasNetCase } from '../systems/monolithic/search/convtasnet-case.ts'

type Pen = Pick<Tools<Inputs>, 'run' | 'cell' | 'gate' | 'stamp'>

const runbooks = join(import.meta.dirname, '../../runbooks')
const runbookFile = (name: string) => join(runbooks, `${name}.ts`)

async function repeat<T>(times: number, work: () => Promise<T>): Promise<T[]> {
  const results: T[] = []
  for (let i = 0; i < times; i++) results.push(await work())
  return results
}

/** Measure, show and judge. @param repeats runs of each short measurement */
export async function benchSweep(pen: Pen, repeats: number): Promise<void> {
  const { run, gate, stamp } = pen
  const { bench, sha256 } = monolithicContract()
  stamp({ contract: sha256 })
  const slowest = await slowestHelp(pen, repeats)
  gate('slowest --help against a bare script', slowest, { atMost: bench.helpRatioMax })
  const authoringCpuS = await authoring(pen, repeats)
  gate('authoring ten rungs', authoringCpuS, { atMost: bench.authoringCpuSMax }, { unit: 's of CPU' })
  const sweepWallS = await benchFirstRun(pen, repeats)
  if (Number.isNaN(sweepWallS)) return
  const { long, longer } = await separations(pen)
  gate('real-time factor of a 60 s recording', long['rtf with input and output'], { atMost: bench.separationRtfMax })
  gate('resident memory, four times the length', longer['resident MB'] / long['resident MB'], { atMost: 1.1 })
  writeFileSync(run.path('bench.json'), JSON.stringify({ slowest, authoringCpuS, sweepWallS, long, longer }, null, 2))
}

/** The dearest `--help` of all runbooks, over a bare script. */
function slowestHelp({ run, cell }: Pen, repeats: number): Promise<number> {
  return cell('Ask each runbook for --help', async ({ show, progress }) => {
    const hello = run.write('hello.ts', "const words: string = 'hello'\nconsole.log(words)\n")
    const books = readdirSync(runbooks).filter(name => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    const names = ['hello', ...books.map(name => name.slice(0, -3))]
    const cpuMs = await progress(
      names,
      async name => {
        const costs = await repeat(repeats, () =>
          costOfScript(name === 'hello' ? hello : runbookFile(name), ['--help']),
        )
        return Math.min(...costs.map(cost => cost.cpuMs))
      },
      name => name,
    )
    const rows = names.map((name, i) => ({ script: name, 'cpu ms': cpuMs[i]!, ratio: cpuMs[i]! / cpuMs[0]! }))
    show(table(rows, { title: `smallest of ${repeats} runs` }))
    return Math.max(...rows.slice(1).map(row => row.ratio))
  })
}

/** CPU seconds of authoring, checking and writing ten rungs. */
function authoring({ run, cell }: Pen, repeats: number): Promise<number> {
  return cell('Author, check and write ten rungs', async ({ print }) => {
    const calibration = await openCalibration({ path: undefined, lengthPolicy: 'error' })
    const setting = {
      calibration,
      calibrationSamples: 1,
      batchSize: 1,
      quick: true,
      scriptExtra: '',
      weights: undefined,
    }
    const seconds = await repeat(repeats, async () => {
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
}

/** A long and a four times longer recording, through the model that the sweep compiled. */
function separations({ run, cell }: Pen) {
  const { bench, files, model } = monolithicContract()
  const sound = readWav(shippedMixtures()[0]!).channels[0]!
  const compiled = (readJson(run.path('sweep', 'monolithic_full_next_knob.json')) as { winner: string }).winner
  return cell('Separate a long and a four times longer recording', async ({ show }) => {
    const separate = async (name: string, seconds: number) => {
      const mix = run.path(`${name}.wav`)
      writeWav(mix, [repeated(sound, seconds * model.sampleRateHz)], { sampleRate: model.sampleRateHz })
      const compiledModel = run.path('sweep', compiled, `${compiled}.host_compiled.onnx`)
      const argv = ['--model', compiledModel, '--mix-wav', mix, '--out-dir', run.folder, '--run-ts', name, '--quiet']
      const cost = await costOfScript(runbookFile('monolithic-infer'), argv)
      const metrics = readJson(run.path(name, files.runtimeMetrics)) as RuntimeMetrics
      return {
        seconds,
        rtf: metrics.rtf,
        'rtf with input and output': metrics.rtf_wall,
        'resident MB': cost.maxRssBytes / 1e6,
      }
    }
    const long = await separate('long', bench.separationAudioS)
    const longer = await separate('longer', 4 * bench.separationAudioS)
    show(table([long, longer], { title: compiled }))
    return { long, longer }
  })
}

/** A sound over and over, cut to a length. */
function repeated(sound: Float32Array, samples: number): Float32Array {
  return Float32Array.from({ length: samples }, (_, i) => sound[i % sound.length]!)
}
