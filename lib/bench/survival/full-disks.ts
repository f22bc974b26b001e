/**
 * Runs sweeps on disks that are too small, and looks whether what they say agrees with what they leave.
 *
 * Each disk is a tmpfs in a mount namespace of its own, so that nothing stays mounted whatever happens.
 */
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { readJson } from '../../host/files.ts'
import { readTsv } from '../../host/tsv.ts'
import { halfWritten, inLanes, reportIn, startRun } from './started-run.ts'

/** What became of a sweep on a disk of some size. */
export interface FullDisk {
  readonly sizeKb: number
  readonly verdict: string
  readonly exit: number | null
  readonly faults: readonly string[]
}

const exits: Readonly<Record<string, number>> = { PASS: 0, FAIL: 1, BLOCKED: 3 }

/** Mounts, runs, and brings out what was left: the mount goes with the namespace. */
const script = `
mount -t tmpfs -o size="$1"k tmpfs "$2" || exit 99
at=$2; to=$3; shift 3
"$@"; code=$?
cp -r "$at"/. "$to"
exit $code`

/**
 * Run a sweep on a disk of each size, and once where there is room.
 * @param o.argv of the sweep @param o.shares of what a whole run needs
 */
export async function fillDisks(o: {
  folder: string
  words: readonly string[]
  argv: readonly string[]
  shares: readonly number[]
  lanes?: number
}): Promise<FullDisk[]> {
  const roomy = startRun('monolithic-sweep', { outDir: join(o.folder, 'roomy'), ts: 'run', argv: o.argv })
  await roomy.ended
  const neededKb = kilobytesOf(roomy.folder)
  const sizes = o.shares.map(share => Math.round(share * neededKb))
  return inLanes(sizes, o.lanes ?? 2, async sizeKb => {
    const [at, to] = ['disk', 'left'].map(name => join(o.folder, `${name}-${sizeKb}`)) as [string, string]
    for (const folder of [at, to]) mkdirSync(folder, { recursive: true })
    const before = [...o.words, 'sh', '-c', script, 'sh', String(sizeKb), at, to]
    const run = startRun('monolithic-sweep', { outDir: at, ts: 'run', argv: o.argv, before })
    const { exit, verdict } = await run.ended
    const left = await run.left()
    const faults = [...faultsOf(join(to, 'run'), { exit, verdict }), ...left.map(pid => `process ${pid} is left`)]
    return { sizeKb, verdict, exit, faults }
  })
}

function faultsOf(folder: string, { exit, verdict }: { exit: number | null; verdict: string }): string[] {
  const faults: string[] = []
  if (exits[verdict] === undefined || exits[verdict] !== exit) faults.push(`verdict "${verdict}" with exit ${exit}`)
  if (!existsSync(folder)) return faults
  // A disk that does not hold the first page of a report has no run at all.
  if (readdirSync(folder).length === 0) return [...faults, 'an empty folder']
  const report = reportIn(folder)
  if (report?.verdict !== verdict) faults.push(`report.json says ${report === null ? 'nothing' : report.verdict}`)
  faults.push(...halfWritten(folder).map(name => `${name} is left`))
  const tables = readdirSync(folder).filter(name => name.endsWith('_summary.tsv'))
  for (const row of tables.flatMap(name => readTsv(join(folder, name)))) {
    const tag = row.run_tag ?? row.model!.replace(/^.*\/|\.onnx$/g, '')
    const record = join(folder, tag, 'case.json')
    const status = existsSync(record) ? (readJson(record) as { result: { status: string } }).result.status : null
    const isRowGood = row.status === 'succeeded' || ['true', 'host'].includes(row.hef_success ?? '')
    if (status === 'succeeded' && !isRowGood) faults.push(`the table has ${tag} otherwise than its record`)
    if (isRowGood && status !== 'succeeded') faults.push(`the table has ${tag} as compiled, and there is no record`)
  }
  return faults
}

function kilobytesOf(folder: string): number {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  const bytes = names.map(name => statSync(join(folder, name)).size)
  return Math.ceil(bytes.reduce((sum, size) => sum + Math.ceil(size / 4096) * 4096, 0) / 1024)
}
