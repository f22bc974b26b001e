/**
 * Creates the folder in which one execution leaves its evidence.
 *
 * In a folder of its own, created exclusively and named by the second: a second run in the same second gets `-2`.
 * `latest` is a link to the run that ended last, so that a run can read what the one before it made. Nothing here ever
 * rewrites another run.
 */
import { mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { usageError } from '../../base/errors.ts'
import { fileError, makeFolder } from '../../host/files.ts'

/** The local time as `20260223_052929`. */
export function runTs(now: Date = new Date()): string {
  const two = (n: number) => String(n).padStart(2, '0')
  const day = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`
  return `${day}_${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`
}

/** What a run may be called: a name that stays in its folder and does not shadow the link. */
export const runName = /^(?!latest$)[A-Za-z0-9][\w.-]*$/

/**
 * Create the run's folder.
 *
 * @throws RunbookError usage for a bad name, blocked when it cannot be written
 */
export function createRunFolder(root: string, ts: string): string {
  if (!runName.test(ts)) {
    throw usageError(
      `Cannot name a run "${ts}": expected letters, digits, "_", "-" and "."`,
      'give --run-ts 20260223_052929, or leave it out',
    )
  }
  makeFolder(root)
  for (let n = 1; ; n++) {
    const name = n === 1 ? ts : `${ts}-${n}`
    try {
      mkdirSync(join(root, name))
      return join(root, name)
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST')
        throw fileError('create the run folder', join(root, name), thrown)
    }
  }
}

/** Point `latest` at a run that has ended. Best effort: a file system without links loses only the convenience. */
export function pointLatest(folder: string): void {
  const sibling = join(dirname(folder), `.latest.${process.pid}`)
  try {
    rmSync(sibling, { force: true })
    symlinkSync(basename(folder), sibling)
    renameSync(sibling, join(dirname(folder), 'latest'))
  } catch {
    rmSync(sibling, { force: true })
  }
}
