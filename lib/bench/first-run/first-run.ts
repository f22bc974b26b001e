/**
 * Measures what a newcomer meets: how long the default sweep takes, how much it says, and how soon `rungbook` starts.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { projectRoot } from '../../base/version.ts'
import { capture } from '../../host/exec.ts'
import { typescriptCommand } from '../../host/typescript.ts'
import type { Inputs } from '../../notebook/inputs/inputs.ts'
import type { Tools } from '../../notebook/run/session.ts'
import { monolithicContract } from '../../systems/monolithic/contract.ts'
import { costOfScript } from '../measure.ts'
import { drawnBy } from './terminal.ts'

type Pen = Pick<Tools<Inputs>, 'run' | 'cell' | 'gate'>

const sweep = join(projectRoot, 'runbooks/monolithic-sweep.ts')

/** Measure and judge; gives the seconds of the sweep, NaN when it did not pass. */
export async function benchFirstRun({ run, cell, gate }: Pen, repeats: number): Promise<number> {
  const { bench } = monolithicContract()
  const words = (name: string) => ['--no-cache', '--toolchain', 'host', '--out-dir', run.folder, '--run-ts', name]
  const { exit, wallMs } = await cell('Run the whole default sweep', () =>
    costOfScript(sweep, [...words('sweep'), '--quiet']),
  )
  const seconds = exit === 0 ? wallMs / 1000 : Number.NaN
  gate('the whole default sweep', seconds, { atMost: bench.sweepWallSMax }, { unit: 's', note: `exit ${exit}` })

  const columns = 80
  const drawn = await cell(`Run it in a terminal of ${columns} columns`, async ({ print }) => {
    const found = await drawnBy(typescriptCommand(sweep, words('terminal')), {
      columns,
      cwd: run.folder,
      timeoutMs: 300_000,
    })
    print(found.rows.join('\n'))
    return found
  })
  const rows = drawn.exitCode === 0 ? drawn.rows.length : Number.NaN
  gate('rows in a terminal', rows, { atMost: bench.terminalRowsMax })

  const json = await cell('Run it with --json', () =>
    capture(typescriptCommand(sweep, [...words('json'), '--json']), { cwd: run.folder, timeoutMs: 300_000 }),
  )
  const bytes = json.exitCode === 0 ? Buffer.byteLength(json.stdout) : Number.NaN
  gate('bytes of --json', bytes, { below: bench.jsonBytesMax }, { unit: 'B' })

  const ratio = await cell('Start rungbook, and a runbook by its path', async ({ print }) => {
    const doctor = join(projectRoot, 'runbooks/doctor.ts')
    const byPath = [process.execPath, '--import', import.meta.resolve('tsx'), doctor, '--help']
    const byName = [process.execPath, join(projectRoot, 'lib/notebook/bin/rungbook.mjs'), 'doctor', '--help']
    const [path, name] = [[], []] as [number[], number[]]
    // In turn, so that what else the machine does falls on both.
    for (let i = 0; i < Math.max(3, repeats); i++) {
      path.push(await wallMsOf(byPath))
      name.push(await wallMsOf(byName))
    }
    const [least, ours] = [Math.min(...path), Math.min(...name)]
    print(`${ours.toFixed(0)} ms against ${least.toFixed(0)} ms, the smallest of ${path.length}`)
    return ours / least
  })
  gate('start of rungbook against node --import tsx', ratio, { atMost: bench.binStartRatioMax })
  return seconds
}

/** Wall time of a command in ms; NaN when it fails. */
async function wallMsOf([program, ...words]: readonly string[]): Promise<number> {
  const startedMs = performance.now()
  const child = spawn(program!, words, { stdio: 'ignore' })
  const exit = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve))
  return exit === 0 ? performance.now() - startedMs : Number.NaN
}
