/**
 * Reads files whole, writes them whole or not at all, and makes operating errors of what the system says.
 *
 * Writes go to a sibling and are renamed over the target. Errors of the system become operating errors with a hint.
 * Locks and run folders are elsewhere (`lib/notebook/run/run-folder.ts`).
 */
import { constants } from 'node:buffer'
import {
  closeSync,
  constants as fsConstants,
  copyFileSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { blockedError, usageError } from '../base/errors.ts'
import { fileError } from '../base/system-error.ts'
import { releaseReserve } from './reserve.ts'

export { fileError }

/**
 * Create a folder and its parents; existing is fine.
 *
 * @throws RunbookError blocked
 */
export function makeFolder(path: string): string {
  try {
    makeEach(resolve(path))
    return path
  } catch (thrown) {
    throw fileError('create the folder', path, thrown)
  }
}

/** One by one: node's own "recursive" goes round for ever where a parent cannot be made, as under `/proc`. */
function makeEach(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return
  if (dirname(path) !== path) makeEach(dirname(path))
  try {
    mkdirSync(path)
  } catch (thrown) {
    // Another process may have been quicker; a file in its place is an error.
    if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST' || !statSync(path).isDirectory()) throw thrown
  }
}

/**
 * Write a file whole or not at all; creates the folder.
 *
 * @throws RunbookError blocked (full disk, no permission)
 */
export function writeFileAtomic(path: string, data: string | Uint8Array): void {
  makeFolder(dirname(path))
  try {
    replaceFile(path, data)
  } catch (thrown) {
    const isFull = ['ENOSPC', 'EDQUOT'].includes((thrown as NodeJS.ErrnoException).code ?? '')
    if (!isFull || data.length > smallBytes) throw fileError('write', path, thrown)
    if (releaseReserve(resolve(path))) writeFileAtomic(path, data)
    else if (!overwrite(path, Buffer.from(data))) throw fileError('write', path, thrown)
  }
}

/** The last resort on a full disk: write into the blocks that a file has already; false when they are too few. */
function overwrite(path: string, data: Uint8Array): boolean {
  const { blocks = 0 } = statSync(path, { throwIfNoEntry: false }) ?? {}
  if (blocks * 512 < data.length) return false
  const file = openSync(path, 'r+')
  try {
    writeSync(file, data)
    ftruncateSync(file, data.length)
    return true
  } finally {
    closeSync(file)
  }
}

/** What may take the room that a run holds for its evidence. */
const smallBytes = 1 << 18

function replaceFile(path: string, data: string | Uint8Array): void {
  const sibling = `${path}.${process.pid}.tmp`
  try {
    writeFileSync(sibling, data)
    renameSync(sibling, path)
  } catch (thrown) {
    rmSync(sibling, { force: true })
    throw thrown
  }
}

/** node itself refuses to read 2 GiB in one call. */
const pieceBytesUsual = 2 ** 30

/**
 * Read a whole file, in pieces where it is large.
 * @param limits what a piece takes, and the longest file that is read
 * @throws RunbookError blocked when absent or unreadable, or when there is no memory for it; usage when it is a folder,
 *   or larger than a Buffer
 */
export function readFile(path: string, { pieceBytes = pieceBytesUsual, bytesMax = constants.MAX_LENGTH } = {}): Buffer {
  try {
    const file = openSync(path, 'r')
    try {
      const { size } = fstatSync(file)
      if (size > bytesMax) throw tooLarge(path, { size, bytesMax })
      // What has no size of its own, such as a pipe, is read to its end by node.
      return size <= pieceBytes ? readFileSync(file) : readPieces(file, roomFor(path, size), pieceBytes)
    } finally {
      closeSync(file)
    }
  } catch (thrown) {
    throw fileError('read', path, thrown)
  }
}

function readPieces(file: number, whole: Buffer, pieceBytes: number): Buffer {
  let at = 0
  while (at < whole.length) {
    const read = readSync(file, whole, at, Math.min(pieceBytes, whole.length - at), null)
    if (read === 0) return whole.subarray(0, at)
    at += read
  }
  return whole
}

function roomFor(path: string, size: number): Buffer {
  try {
    return Buffer.allocUnsafeSlow(size)
  } catch (thrown) {
    throw blockedError(
      `Cannot read "${path}": there is no memory for its ${gigabytes(size)}`,
      'free some memory: look at `free -g`',
      thrown,
    )
  }
}

const newerNode = constants.MAX_LENGTH < 2 ** 33 ? ', or use Node 22 or newer, which reads more than 4 GiB' : ''

const tooLarge = (path: string, { size, bytesMax }: { size: number; bytesMax: number }) =>
  usageError(
    `Cannot read "${path}": it has ${gigabytes(size)}, and at most ${gigabytes(bytesMax)} can be read whole`,
    `give a smaller file${newerNode}`,
  )

const gigabytes = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`

/**
 * Open a file that will be read more than once, and so must be one: a pipe would give its bytes once, and waits for
 * whoever writes into it.
 *
 * @returns the descriptor, which is the caller's to close
 * @throws RunbookError as `readFile`; usage for a pipe, a socket or a device
 */
export function openToRead(path: string): number {
  try {
    // Without this flag opening a pipe that nobody writes into does not return.
    const file = openSync(path, fsConstants.O_RDONLY | fsConstants.O_NONBLOCK)
    const status = fstatSync(file)
    if (status.isFile()) return file
    closeSync(file)
    if (status.isDirectory()) throw usageError(`Cannot read "${path}": it is a folder`, 'name a file inside it')
    const kind = status.isFIFO() ? 'a pipe' : status.isSocket() ? 'a socket' : 'a device'
    throw usageError(`Cannot read "${path}": it is ${kind}`, 'copy what it gives into a file first: cat PIPE > FILE')
  } catch (thrown) {
    throw fileError('read', path, thrown)
  }
}

/**
 * The first bytes of a file, fewer where it has no more.
 *
 * @throws RunbookError as `openToRead`
 */
export function readHead(path: string, bytes: number): Buffer {
  const file = openToRead(path)
  try {
    const head = Buffer.alloc(bytes)
    return head.subarray(0, readSync(file, head))
  } catch (thrown) {
    throw fileError('read', path, thrown)
  } finally {
    closeSync(file)
  }
}

/**
 * Read and parse JSON.
 *
 * @throws RunbookError usage when it is not JSON
 */
export function readJson(path: string): unknown {
  const bytes = readFile(path)
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch (thrown) {
    throw usageError(
      `Cannot read "${path}": it is not JSON (${(thrown as Error).message})`,
      'open it and mend it',
      thrown,
    )
  }
}

/** A path as a person would type it in the working folder: relative where it lies inside, else as it is. */
export function shownPath(path: string, cwd: string = process.cwd()): string {
  const inside = relative(cwd, path)
  return inside === '' || inside.startsWith('..') ? path : inside
}

/**
 * Every file below a folder, relative to it, sorted.
 * @throws RunbookError blocked when the folder is absent
 */
export function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter(entry => entry.isFile())
      .map(entry => relative(folder, join(entry.parentPath, entry.name)))
      .toSorted()
  } catch (thrown) {
    throw fileError('list', folder, thrown)
  }
}

/**
 * Copy a file over another, and make its folder. Where the file system can, the copy shares blocks until one is written
 * to.
 * @throws RunbookError blocked when the first is absent, or for a full disk or no permission
 */
export function copyFile(from: string, to: string): void {
  makeFolder(dirname(to))
  try {
    copyFileSync(from, to, fsConstants.COPYFILE_FICLONE)
  } catch (thrown) {
    throw fileError(`copy "${from}" to`, to, thrown)
  }
}
