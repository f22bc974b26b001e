/**
 * The files of a telemetry folder: how they are called, mended after a crash, read, and deleted when they are old.
 *
 * A segment is written as `<utc>-<pid>-<n>.ndjson.open` and becomes `.ndjson` when it is full. One that is still open
 * when the next writer starts was left by a crash: its last line, if torn, is cut off.
 */
import { createReadStream } from 'node:fs'
import { open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const closedEnding = '.ndjson'
const openEnding = '.ndjson.open'

/** A segment of the folder. */
export interface Segment {
  readonly path: string
  readonly bytes: number
  readonly modifiedMs: number
  readonly isOpen: boolean
}

/** Segments in the order they were begun; none where there is no such folder. */
export async function listSegments(folder: string): Promise<Segment[]> {
  const names = await readdir(folder).catch(() => [])
  const segments: Segment[] = []
  for (const name of names.filter(each => each.endsWith(closedEnding) || each.endsWith(openEnding)).toSorted()) {
    const path = join(folder, name)
    const found = await stat(path).catch(() => null)
    if (found?.isFile())
      segments.push({ path, bytes: found.size, modifiedMs: found.mtimeMs, isOpen: name.endsWith(openEnding) })
  }
  return segments
}

/** The path of a new segment; `n` counts those of this process. */
export const segmentPath = (folder: string, startedAt: Date, n: number): string =>
  join(
    folder,
    `${startedAt.toISOString().replaceAll(/[-:]/g, '')}-${process.pid}-${String(n).padStart(6, '0')}${openEnding}`,
  )

/** Give a segment its final name; an empty one is removed. Gives the new path, or null. */
export async function closeSegment(path: string): Promise<string | null> {
  const { size } = await stat(path)
  if (size === 0) {
    await rm(path, { force: true })
    return null
  }
  const final = path.slice(0, -openEnding.length) + closedEnding
  await rename(path, final)
  return final
}

/** Cut off what follows the last line end. Gives how many bytes were cut. */
export async function mendTail(path: string): Promise<number> {
  const file = await open(path, 'r+')
  try {
    const { size } = await file.stat()
    const piece = Buffer.alloc(65_536)
    let end = size
    while (end > 0) {
      const at = Math.max(0, end - piece.length)
      const { bytesRead } = await file.read(piece, 0, end - at, at)
      const line = piece.subarray(0, bytesRead).lastIndexOf(0x0a)
      if (line >= 0) {
        end = at + line + 1
        break
      }
      end = at
    }
    if (end < size) await file.truncate(end)
    return size - end
  } finally {
    await file.close()
  }
}

/** How much of a segment's end is read for its last record: more than the longest one. */
const tailBytes = 65_536

/** The last whole record of a segment, read from its end, or null. */
export async function lastRecord(path: string): Promise<Record<string, unknown> | null> {
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    const from = Math.max(0, size - tailBytes)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from)
    const lines = buffer.toString('utf8', 0, bytesRead).split('\n')
    for (const line of lines.toReversed()) {
      const record = recordOf(line)
      if (record !== null) return record
    }
    return null
  } finally {
    await file.close()
  }
}

/** Lines of a segment: the record, or null for a line that is no JSON object. */
export async function* readSegment(path: string): AsyncGenerator<{ record: Record<string, unknown> | null }> {
  const lines = createInterface({ input: createReadStream(path, 'utf8'), crlfDelay: Infinity })
  for await (const line of lines) {
    if (line !== '') yield { record: recordOf(line) }
  }
}

/** Null for a torn or damaged line, which the reader counts. */
function recordOf(line: string): Record<string, unknown> | null {
  try {
    const record: unknown = JSON.parse(line)
    return typeof record === 'object' && record !== null && !Array.isArray(record)
      ? (record as Record<string, unknown>)
      : null
  } catch {
    return null
  }
}

/**
 * Delete the oldest closed segments until what is left is neither too old nor too large.
 *
 * @param o.ageMs the age of a segment; by the clock unless told. A board without a battery starts in the past, and once
 *   its clock is set, what it has just written looks years old
 * @returns the paths that were deleted
 */
export async function retainSegments(
  folder: string,
  o: { keepDays: number; keepBytes: number; ageMs?: (segment: Segment) => number },
): Promise<string[]> {
  const ageMs = o.ageMs ?? (({ modifiedMs }) => Date.now() - modifiedMs)
  const segments = await listSegments(folder)
  let bytes = segments.reduce((sum, segment) => sum + segment.bytes, 0)
  const deleted: string[] = []
  for (const segment of segments) {
    const isOld = ageMs(segment) > o.keepDays * 86_400_000
    if (segment.isOpen || (!isOld && bytes <= o.keepBytes)) continue
    await rm(segment.path, { force: true })
    bytes -= segment.bytes
    deleted.push(segment.path)
  }
  return deleted
}
