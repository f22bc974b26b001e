/**
 * Has this very case been run before? Then its outcome and its files are taken from there.
 *
 * The key is a digest of all that decides the outcome; `case.ts` makes it.
 * Outcomes that say nothing about the case (time-outs, interruptions, a broken installation, a full disk) are not
 * kept. An entry
 * whose files no longer match their digests is dropped.
 */
import { existsSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { sha256File } from '../host/digest.ts'
import { filesIn, makeFolder, readJson, share, writeFileAtomic } from '../host/files.ts'
import { RunbookError } from '../base/errors.ts'
import type { CaseResult } from './case.ts'

interface Entry {
  readonly result: CaseResult
  /** Path relative to the entry to digest. */
  readonly files: Readonly<Record<string, string>>
}

/** Buckets that say something about the machine or the moment, and nothing about the case. */
export const passingBuckets: ReadonlySet<string> = new Set([
  'wrapper_timeout',
  'aborted',
  'host_oom',
  'host_disk_full',
  'environment_broken_install',
])
/** Not kept either: nobody knows what they say. */
const doubtfulBuckets = new Set(['optimize_subprocess', 'unknown'])

export interface Cache {
  /** The outcome that is kept under a key, its files put into `folder`; null when there is none. */
  get(key: string, folder: string): CaseResult | null
  /** Keep an outcome with the files of its folder, when it says something about the case. */
  put(key: string, folder: string, result: CaseResult): void
}

/** A cache in `root`; the folder is made when something is kept. */
export function openCache(root: string): Cache {
  const entryOf = (key: string) => join(root, key)
  return {
    get(key, folder) {
      const entry = readEntry(entryOf(key))
      if (entry === null) return null
      try {
        for (const name of Object.keys(entry.files)) share(join(entryOf(key), name), join(folder, name))
      } catch (thrown) {
        // Somebody has just removed the entry: it is as if it had never been there.
        if (!existsSync(join(entryOf(key), 'entry.json'))) return null
        throw thrown
      }
      return { ...entry.result, origin: 'cache' }
    },
    put(key, folder, result) {
      if (!isLasting(result)) return
      const making = join(root, `.${key}.${process.pid}`)
      try {
        fill(making, { folder, result })
        renameSync(making, entryOf(key))
      } catch (thrown) {
        // A full disk costs only the entry, and another sweep may just have stored the same case: both are right.
        rmSync(making, { recursive: true, force: true })
        if (!isOfTheSystem(thrown)) throw thrown
      }
    },
  }
}

function fill(making: string, { folder, result }: { folder: string; result: CaseResult }): void {
  rmSync(making, { recursive: true, force: true })
  makeFolder(making)
  const files: Record<string, string> = {}
  for (const name of filesIn(folder).filter(name => name !== 'case.json')) {
    share(join(folder, name), join(making, name))
    files[name] = sha256File(join(making, name))
  }
  writeFileAtomic(join(making, 'entry.json'), JSON.stringify({ result, files } satisfies Entry))
}

const isOfTheSystem = (thrown: unknown) =>
  thrown instanceof RunbookError || typeof (thrown as NodeJS.ErrnoException).code === 'string'

const isLasting = ({ status, failure }: CaseResult) =>
  status === 'succeeded' ||
  (status === 'failed' &&
    failure !== null &&
    !passingBuckets.has(failure.bucket) &&
    !doubtfulBuckets.has(failure.bucket))

function readEntry(folder: string): Entry | null {
  try {
    const entry = readJson(join(folder, 'entry.json')) as Entry
    const whole = Object.entries(entry.files).every(([name, digest]) => sha256File(join(folder, name)) === digest)
    if (whole) return entry
  } catch {
    // An entry that cannot be read is as good as none.
  }
  rmSync(folder, { recursive: true, force: true })
  return null
}
