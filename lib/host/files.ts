/**
 * How does a file get written so that a reader sees the old one or the new one, never half of one?
 *
 * Writes go to a sibling and are renamed over the target. Errors of the system become operating errors with a hint.
 * Locks and run folders are elsewhere (`run-folder.ts`).
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, relative } from 'node:path'
import { blockedError, usageError, type RunbookError } from '../notebook/errors.ts'

const hints: Record<string, string> = {
  ENOSPC: 'the disk is full: free some room (`df -h`), or choose another folder',
  EDQUOT: 'the quota is used up: free some room, or choose another folder',
  EACCES: 'check the owner and the mode (`ls -ld`), or choose another folder',
  EPERM: 'check the owner and the mode (`ls -ld`), or choose another folder',
  EROFS: 'the file system is read-only: choose another folder',
  ENOENT: 'check the path with `ls`',
  EFBIG: 'the file is too large for this file system: choose another folder',
  ERR_FS_FILE_TOO_LARGE: 'files over 2 GiB cannot be read whole: give a smaller one',
  EEXIST: 'a file of that name is in the way: choose another folder',
  ENOTDIR: 'a part of the path is a file, not a folder',
  EMFILE: 'too many open files: raise the limit (`ulimit -n 4096`)',
}

/** An error of the system as an operating error, or the thrown value itself when it is something else. */
export function fileError(act: string, path: string, thrown: unknown): RunbookError | unknown {
  const code = (thrown as NodeJS.ErrnoException | undefined)?.code
  if (code === undefined) return thrown
  if (code === 'EISDIR') return usageError(`Cannot ${act} "${path}": it is a folder`, 'name a file inside it', thrown)
  const hint = hints[code]
  const state = code === 'ENOENT' ? 'ENOENT (there is no such file)' : code
  return hint === undefined ? thrown : blockedError(`Cannot ${act} "${path}": ${state}`, hint, thrown)
}

/** Create a folder and its parents; existing is fine. Errors: blocked. */
export function makeFolder(path: string): string {
  try {
    mkdirSync(path, { recursive: true })
    return path
  } catch (thrown) {
    throw fileError('create the folder', path, thrown)
  }
}

/** Write a file whole or not at all; creates the folder. Errors: blocked (full disk, no permission). */
export function writeFileAtomic(path: string, data: string | Uint8Array): void {
  const sibling = `${path}.${process.pid}.tmp`
  makeFolder(dirname(path))
  try {
    writeFileSync(sibling, data)
    renameSync(sibling, path)
  } catch (thrown) {
    rmSync(sibling, { force: true })
    throw fileError('write', path, thrown)
  }
}

/** Read a whole file. Errors: blocked when absent or unreadable, usage when it is a folder. */
export function readFile(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (thrown) {
    throw fileError('read', path, thrown)
  }
}

/** Read and parse JSON. Errors: usage when it is not JSON. */
export function readJson(path: string): unknown {
  const text = readFile(path).toString('utf8')
  try {
    return JSON.parse(text)
  } catch (thrown) {
    throw usageError(`Cannot read "${path}": it is not JSON (${(thrown as Error).message})`, 'open it and mend it', thrown)
  }
}

/** A path as a person would type it in the working folder: relative where it lies inside, else as it is. */
export function shownPath(path: string, cwd: string = process.cwd()): string {
  const inside = relative(cwd, path)
  return inside === '' || inside.startsWith('..') ? path : inside
}
