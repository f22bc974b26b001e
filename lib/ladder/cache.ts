/**
 * Keeps outcomes of cases for later runs: an identical case is taken from here, with its files.
 *
 * The key is a digest of all that decides the outcome; `case.ts` makes it. Outcomes that say nothing about the case
 * (time-outs, interruptions, a broken installation, a full disk) are not kept. An entry whose files no longer match
 * their digests is dropped.
 */
import { renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { RunbookError } from '../base/errors.ts'
import { copyFile, filesIn, makeFolder } from '../host/files.ts'
import { copyCase, writeCase } from './record.ts'
import { isOfMachine, type CaseResult } from './types.ts'

/**
 * Not kept either: nobody knows what the first two say, and the third goes away on a host with a GPU, or with more
 * samples.
 */
const doubtfulBuckets: ReadonlySet<string> = new Set([
  'optimize_subprocess',
  'unknown',
  'allocator_infeasible_16bit_bias',
])

/** Outcomes by key. */
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
      const result = copyCase(entryOf(key), folder)
      if (result === null) rmSync(entryOf(key), { recursive: true, force: true })
      return result
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
        if (!isOfSystem(thrown)) throw thrown
      }
    },
  }
}

function fill(making: string, { folder, result }: { folder: string; result: CaseResult }): void {
  rmSync(making, { recursive: true, force: true })
  makeFolder(making)
  for (const name of filesIn(folder)) copyFile(join(folder, name), join(making, name))
  writeCase(making, result)
}

const isOfSystem = (thrown: unknown) =>
  thrown instanceof RunbookError || typeof (thrown as NodeJS.ErrnoException).code === 'string'

const isLasting = ({ status, failure }: CaseResult) =>
  status === 'succeeded' ||
  (status === 'failed' && failure !== null && !isOfMachine(failure.bucket) && !doubtfulBuckets.has(failure.bucket))
