/**
 * Runs several test files in this process, one after another, and writes how much CPU each took.
 *
 * `run-tests.ts` writes a small module for each process that calls `runBatch`. A test that awaits nothing stands behind
 * the tests of each file: node:test runs tests of the top level in order, so that it ends when they have ended, and
 * only then is the next file loaded. The runner drops these from what it shows and counts.
 */
import { appendFileSync, readFileSync } from 'node:fs'
import test from 'node:test'
import { pathToFileURL } from 'node:url'

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

/**
 * Run test files in order.
 *
 * @param files absolute paths
 * @param cpuFile gets a line for each file: seconds of CPU, a tab, the path. The start of the process is the first
 *   file's, its end the last one's
 */
export async function runBatch(files: readonly string[], cpuFile: string): Promise<void> {
  let booked = 0
  const book = (path: string) => {
    const seconds = cpuSeconds()
    appendFileSync(cpuFile, `${seconds - booked}\t${path}\n`)
    booked = seconds
  }
  for (const [i, path] of files.entries()) {
    try {
      await import(pathToFileURL(path).href)
    } catch (thrown) {
      void test(`${path} loads`, () => {
        throw thrown
      })
    }
    await test(`end of ${path}`, () => {})
    if (i < files.length - 1) book(path)
    else process.on('exit', () => book(path))
  }
}
