/**
 * Keeps a finished case on disk: its result with a digest of every file beside it, in `case.json`.
 *
 * `case.json` is written last and whole, so a folder with one holds a finished case, whatever happens to the run. A
 * case is taken over into another folder only when each of its files still has its digest. Files are copied and never
 * linked: an edit in one run leaves the other as it is.
 */
import { join } from 'node:path'
import { RunbookError } from '../base/errors.ts'
import { sha256File } from '../host/digest.ts'
import { copyFile, filesIn, readJson, writeFileAtomic } from '../host/files.ts'
import type { CaseResult } from './types.ts'

const recordFile = 'case.json'

interface CaseRecord {
  readonly result: CaseResult
  /** Path relative to the folder, to digest. */
  readonly digests: Readonly<Record<string, string>>
}

/**
 * Write a finished case's record.
 * @throws RunbookError blocked when the folder cannot be written
 */
export function writeCase(folder: string, result: CaseResult): void {
  const names = filesIn(folder).filter(name => name !== recordFile)
  const digests = Object.fromEntries(names.map(name => [name, sha256File(join(folder, name))]))
  writeFileAtomic(join(folder, recordFile), `${JSON.stringify({ result, digests } satisfies CaseRecord, null, 2)}\n`)
}

/** The record of a case that was finished in `folder`; null for none, and for one that is half-written or foreign. */
function readRecord(folder: string): CaseRecord | null {
  try {
    const { result, digests } = readJson(join(folder, recordFile)) as Partial<CaseRecord>
    const isWhole = typeof result?.tag === 'string' && typeof result.status === 'string' && typeof digests === 'object'
    return isWhole ? { result, digests } : null
  } catch (thrown) {
    if (thrown instanceof RunbookError) return null
    throw thrown
  }
}

/** The result of a case that was finished in `folder`, or null. Its files are not looked at. */
export const readCase = (folder: string): CaseResult | null => readRecord(folder)?.result ?? null

/**
 * Copy a finished case into another folder.
 * @returns its result; null when there is none, or when one of its files is gone or no longer what it was
 * @throws RunbookError blocked when the other folder cannot be written
 */
export function copyCase(from: string, to: string): CaseResult | null {
  const record = readRecord(from)
  if (record === null) return null
  const names = Object.keys(record.digests)
  try {
    for (const name of names) copyFile(join(from, name), join(to, name))
  } catch (thrown) {
    // Somebody has just removed a file there: it is as if the case had never been.
    if (names.some(name => digestOf(join(from, name)) === null)) return null
    throw thrown
  }
  return names.every(name => digestOf(join(to, name)) === record.digests[name]) ? record.result : null
}

function digestOf(path: string): string | null {
  try {
    return sha256File(path)
  } catch (thrown) {
    if (thrown instanceof RunbookError) return null
    throw thrown
  }
}
