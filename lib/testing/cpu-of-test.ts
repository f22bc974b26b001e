/**
 * Writes how much CPU a test file took, with the children that it waited for, when its process ends.
 *
 * `run-tests.ts` preloads this file; `RUNGBOOK_TEST_CPU` names the folder. Only the process that runs a test file
 * writes: what it starts inherits the variable, but not the preload.
 */
import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Seconds of user and system time; Linux counts waited-for children in ticks of 10 ms. */
function cpuSeconds(): number {
  const own = process.cpuUsage()
  try {
    const stat = readFileSync('/proc/self/stat', 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (own.user + own.system) / 1e6 + (Number(fields[13]) + Number(fields[14])) / 100
  } catch {
    return (own.user + own.system) / 1e6
  }
}

const { RUNGBOOK_TEST_CPU: folder } = process.env
const file = process.argv[1]
if (folder !== undefined && file?.endsWith('.test.ts')) {
  process.on('exit', () => appendFileSync(join(folder, 'cpu.tsv'), `${cpuSeconds()}\t${file}\n`))
}
