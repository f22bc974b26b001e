/** Runs sweeps side by side into one folder with one cache, as several people on one machine do. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { readTsv } from '../../host/tsv.ts'
import { modelsSummary } from '../../systems/monolithic/given/sweep-models.ts'
import { halfWritten, inLanes, reportIn, startRun } from './started-run.ts'
import { writeTinyModels } from './tiny-models.ts'

/** What became of one of several sweeps. */
export interface OfCrowd {
  readonly run: string
  readonly verdict: string
  readonly faults: readonly string[]
}

/** `count` sweeps at once, all told the same name for their run. */
export async function sweepTogether(o: { folder: string; count: number }): Promise<OfCrowd[]> {
  const models = writeTinyModels(join(o.folder, 'models'), 2)
  const outDir = join(o.folder, 'runs')
  const argv = ['--model', models.join(','), '--toolchain', 'host']
  const jobs = Array.from({ length: o.count }, (_, n) => n)
  const ended = await inLanes(jobs, o.count, async () => {
    const run = startRun('monolithic-sweep', { outDir, ts: 'same', argv })
    const { verdict, said } = await run.ended
    const left = await run.left()
    return { verdict, name: / run=\S*?([\w-]+)(?=\s|$)/.exec(said.trimEnd().split('\n').at(-1)!)?.[1] ?? '', left }
  })
  const names = ended.map(({ name }) => name)
  return ended.map(({ verdict, name, left }, i) => {
    const folder = join(outDir, name)
    const faults = left.map(pid => `process ${pid} is left`)
    if (names.indexOf(name) !== i) faults.push('another run has the same folder')
    if (reportIn(folder)?.verdict !== verdict) faults.push('report.json says otherwise')
    const table = join(folder, modelsSummary)
    const rows = existsSync(table) ? readTsv(table) : []
    const compiled = rows.filter(({ status }) => status === 'succeeded').length
    if (compiled !== models.length) faults.push(`${compiled} of ${models.length} models in the table`)
    faults.push(...halfWritten(folder).map(file => `${file} is left`))
    if (i === 0) faults.push(...unfinished(join(outDir, '.cache')))
    return { run: name, verdict, faults }
  })
}

/** Entries of a cache that were being made. */
function unfinished(cache: string): string[] {
  const names = existsSync(cache) ? readdirSync(cache) : []
  return names.filter(name => name.startsWith('.')).map(name => `the cache holds the unfinished ${name}`)
}
