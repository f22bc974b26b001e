/**
 * Gives a sweep compilers that hang with a family of processes, each in another way, and counts who lives on.
 *
 * The compiler is a shell script that answers as Hailo's program does when it is asked for its version, and hangs when
 * it is asked to work.
 */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readTsv } from '../../host/tsv.ts'
import { modelsSummary } from '../../systems/monolithic/given/sweep-models.ts'
import { inLanes, reportIn, startRun } from './started-run.ts'
import { writeTinyModels } from './tiny-models.ts'

/** What became of a sweep whose compiler hung. */
export interface Hung {
  readonly way: string
  readonly verdict: string
  /** What the table says of the case. */
  readonly status: string
  readonly left: number
}

/** Ways to hang; `WORD` is a number of seconds by which a stand-in is found. */
export const waysToHang: Readonly<Record<string, string>> = {
  sleeps: 'sleep WORD',
  spins: 'exec -a spins-WORD sh -c "while :; do :; done"',
  'hears no signal': 'trap "" TERM INT HUP; sleep WORD; sleep WORD',
  'waits for a child in the background': 'sleep WORD & wait',
  'leaves a child behind and ends well': 'sleep WORD & exit 0',
  'leaves its session': 'setsid sleep WORD & wait',
  'forks twice and leaves its session': '(setsid sleep WORD &) ; sleep WORD',
  'forks twice with an empty environment and leaves its session': '(env -i setsid sleep WORD &) ; sleep WORD',
  'stops itself': 'sleep WORD & kill -STOP $$',
  'begins again whenever it is ended': '(trap "" TERM; while :; do sleep WORD; done) & wait',
  'fills its log for ever': 'yes "[info] still here, WORD"',
}

const respond = `#!/bin/bash
case "$*" in
  *--version*|*--help*) echo "usage: hailo parser {tf,onnx}
Hailo Dataflow Compiler v3.33.0"; exit 0 ;;
esac
`

/** Hang in each way; each case has `limitS` seconds. */
export async function hangCompilers(o: {
  folder: string
  ways?: readonly string[]
  limitS?: number
  lanes?: number
}): Promise<Hung[]> {
  const model = writeTinyModels(join(o.folder, 'models'), 1)[0]!
  const ways = [...(o.ways ?? Object.keys(waysToHang)).entries()]
  return inLanes(ways, o.lanes ?? 4, async ([n, way]) => {
    const word = String(80_000 + n * 1000 + (process.pid % 1000))
    const program = join(o.folder, `way-${n + 1}`, 'bin/hailo')
    mkdirSync(join(program, '..'), { recursive: true })
    writeFileSync(program, `${respond}${waysToHang[way]!.replaceAll('WORD', word)}\n`)
    chmodSync(program, 0o755)
    const argv = ['--model', model, '--dfc', program, '--no-cache', '--case-timeout-min', String((o.limitS ?? 2) / 60)]
    const run = startRun('monolithic-sweep', { outDir: join(o.folder, 'runs'), ts: `way-${n + 1}`, argv, word })
    const { verdict } = await run.ended
    const left = await run.left(3000)
    for (const pid of left) process.kill(pid, 'SIGKILL')
    const status = statusIn(join(run.folder, modelsSummary))
    return { way, verdict: reportIn(run.folder)?.verdict === verdict ? verdict : 'none', status, left: left.length }
  })
}

function statusIn(table: string): string {
  try {
    return readTsv(table)[0]?.status ?? 'no row'
  } catch {
    return 'no table'
  }
}
