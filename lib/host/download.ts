/**
 * Downloads a file whole or not at all: what was there before an interruption is continued, and the digest decides.
 */
import { createWriteStream, existsSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { blockedError, RunbookError } from '../base/errors.ts'
import { sha256File } from './digest.ts'
import { fileError, makeFolder } from './files.ts'

/** What is downloaded, and how it is known to be right. */
export interface Download {
  readonly url: string
  readonly to: string
  /** SHA-256 of the whole file; without one it is taken as it comes. */
  readonly sha256?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** Bytes that are there, and all of them where the server says how many. */
  readonly onProgress?: (done: number, total: number | undefined) => void
}

/**
 * Download a file; nothing is done when the right one is there. A part that was left is continued where the server can,
 * and begun again where the whole is then not right.
 * @throws RunbookError blocked when the address cannot be reached or the disk is full; fail when what came is another
 *   file
 */
export async function download({ url, to, sha256, signal, onProgress }: Download): Promise<void> {
  if (existsSync(to) && (sha256 === undefined || sha256File(to) === sha256)) return
  makeFolder(dirname(to))
  const part = `${to}.part`
  const began = sizeOf(part)
  await fetchInto(part, { url, to, from: began, signal, onProgress })
  if (sha256 !== undefined && sha256File(part) !== sha256 && began > 0) {
    rmSync(part)
    await fetchInto(part, { url, to, from: 0, signal, onProgress })
  }
  if (sha256 !== undefined && sha256File(part) !== sha256) {
    rmSync(part)
    throw new RunbookError('fail', `Cannot use "${url}": what came has another SHA-256`, 'give another source')
  }
  renameSync(part, to)
}

const sizeOf = (path: string) => statSync(path, { throwIfNoEntry: false })?.size ?? 0

async function fetchInto(part: string, o: Omit<Download, 'sha256'> & { from: number }): Promise<void> {
  const { url, to, from, signal, onProgress } = o
  const absent = (state: string, cause?: unknown) =>
    blockedError(`Cannot download "${url}": ${state}`, `download it by hand to ${to}`, cause)
  let answer: Response
  try {
    const headers = new Headers(from > 0 ? { range: `bytes=${from}-` } : [])
    answer = await fetch(url, { headers, ...(signal ? { signal } : {}) })
  } catch (thrown) {
    signal?.throwIfAborted()
    const cause = (thrown as Error).cause as Error | undefined
    throw absent(`it cannot be reached (${cause?.message ?? (thrown as Error).message})`, thrown)
  }
  // The part is whole already, or longer than the file: its digest decides.
  if (answer.status === 416) return
  if (!answer.ok || answer.body === null) throw absent(`the server answers ${answer.status}`)
  const isContinued = answer.status === 206
  let done = isContinued ? from : 0
  const length = Number(answer.headers.get('content-length'))
  const total = length > 0 ? done + length : undefined
  const counted = Readable.fromWeb(answer.body as Parameters<typeof Readable.fromWeb>[0])
  counted.on('data', (chunk: Buffer) => onProgress?.((done += chunk.length), total))
  try {
    await pipeline(
      counted,
      createWriteStream(part, { flags: isContinued ? 'a' : 'w' }),
      ...(signal ? [{ signal }] : []),
    )
  } catch (thrown) {
    signal?.throwIfAborted()
    if ((thrown as NodeJS.ErrnoException).code === 'ENOSPC') throw fileError('write', part, thrown)
    throw absent(`the connection broke after ${done} bytes; a further try continues there`, thrown)
  }
}
