/**
 * Appends records to a telemetry folder in groups, so that no request waits for the disk.
 *
 * `write` only queues. A group is what came within some time or bytes: one write, one fdatasync, off the event loop. A
 * crash loses at most the groups that were not yet written, and never a line in the middle. When the disk refuses, the
 * group is dropped and counted, and the next one tries again; serving goes on.
 */
import { mkdir, open, stat, type FileHandle } from 'node:fs/promises'
import { asError } from '../../base/errors.ts'
import { closeSegment, lastRecord, listSegments, mendTail, retainSegments, segmentPath } from './segments.ts'

/** Bounds of groups, segments and the folder. */
export interface TelemetryOptions {
  readonly folder: string
  readonly groupMs: number
  readonly groupBytes: number
  readonly segmentBytes: number
  readonly segmentSeconds: number
  readonly keepDays: number
  readonly keepBytes: number
  /** Told when the disk refuses, once for each kind of error in a row. */
  readonly onError?: (error: Error) => void
}

/** What the writer did so far. */
export interface TelemetryCounts {
  readonly written: number
  readonly dropped: number
  readonly bytes: number
  readonly rotations: number
  /** Bytes of torn lines that were cut off at the start. */
  readonly mendedBytes: number
}

/** How many records may wait for a slow disk. */
const queueMax = 50_000

/**
 * An open telemetry folder.
 *
 * @example
 * ```ts
 * import { mkdtempSync } from 'node:fs'
 * const writer = await TelemetryWriter.open({
 *   folder: mkdtempSync('/tmp/telemetry-'), groupMs: 100, groupBytes: 65536,
 *   segmentBytes: 1e6, segmentSeconds: 3600, keepDays: 7, keepBytes: 1e9,
 * })
 * writer.write({ latency_s: 0.002 })
 * await writer.close()
 * ```
 */
export class TelemetryWriter {
  readonly #o: TelemetryOptions
  #queue: string[] = []
  #queueBytes = 0
  #timer: NodeJS.Timeout | undefined
  #flushing: Promise<void> = Promise.resolve()
  #segment: { path: string; handle: FileHandle; bytes: number; startedMs: number; inode: number } | null = null
  #count = 0
  /** When this writer closed its segments, by a clock that nobody sets. */
  readonly #closedMs = new Map<string, number>()
  #seq: number
  #lastError = ''
  #counts = { written: 0, dropped: 0, bytes: 0, rotations: 0, mendedBytes: 0 }

  /** Mend what a crash left, and go on with the sequence numbers. The folder is made when it is absent. */
  static async open(o: TelemetryOptions): Promise<TelemetryWriter> {
    let seq = 0
    let mendedBytes = 0
    try {
      await mkdir(o.folder, { recursive: true })
      for (const segment of await listSegments(o.folder)) {
        if (segment.isOpen && !isWriterAlive(segment.path)) {
          mendedBytes += await mendTail(segment.path)
          await closeSegment(segment.path)
        }
      }
      // The last of all, not of the newest: a clock that was set back gives a later segment an earlier name.
      for (const { path } of await listSegments(o.folder)) {
        const last = await lastRecord(path)
        if (typeof last?.seq === 'number') seq = Math.max(seq, last.seq + 1)
      }
    } catch (thrown) {
      o.onError?.(asError(thrown))
    }
    const writer = new TelemetryWriter(o, seq)
    writer.#counts.mendedBytes = mendedBytes
    return writer
  }

  private constructor(o: TelemetryOptions, seq: number) {
    this.#o = o
    this.#seq = seq
  }

  /** See `TelemetryCounts`. */
  get counts(): TelemetryCounts {
    return this.#counts
  }

  /** How many records this segment holds already, those that wait included: what a reservoir counts by. */
  get recordsInSegment(): number {
    return this.#count
  }

  /**
   * Queue a record; it gets the next sequence number as `seq`. Never throws, never waits.
   * @param record an object, or the JSON text of its fields, without braces, for a caller that writes many
   */
  write(record: Readonly<Record<string, unknown>> | string): void {
    if (this.#queue.length >= queueMax) {
      this.#counts.dropped++
      return
    }
    const fields = typeof record === 'string' ? record : JSON.stringify(record).slice(1, -1)
    const line = `{"seq":${this.#seq++}${fields === '' ? '' : `,${fields}`}}\n`
    this.#queue.push(line)
    this.#queueBytes += line.length
    this.#count++
    if (this.#queueBytes >= this.#o.groupBytes) void this.flush()
    else this.#timer ??= setTimeout(() => void this.flush(), this.#o.groupMs).unref()
  }

  /** Write what waits, and sync it. */
  flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const group = this.#queue
    this.#queue = []
    this.#queueBytes = 0
    if (group.length > 0) this.#flushing = this.#flushing.then(() => this.#writeGroup(group))
    return this.#flushing
  }

  /** Write what waits and give the segment its final name. */
  async close(): Promise<void> {
    await this.flush()
    await this.#endSegment().catch(thrown => this.#tell(thrown))
  }

  async #writeGroup(group: readonly string[]): Promise<void> {
    const text = Buffer.from(group.join(''))
    try {
      const segment = await this.#open()
      try {
        await segment.handle.appendFile(text)
        await segment.handle.datasync()
      } catch (thrown) {
        // Half a group may be there: what was good before stays, and the next group begins a segment of its own.
        await segment.handle.truncate(segment.bytes).catch(() => {})
        await this.#endSegment().catch(() => {})
        throw thrown
      }
      segment.bytes += text.length
      this.#counts.bytes += text.length
      this.#counts.written += group.length
      this.#lastError = ''
      const isOld = performance.now() - segment.startedMs > this.#o.segmentSeconds * 1000
      if (segment.bytes >= this.#o.segmentBytes || isOld) await this.#rotate()
    } catch (thrown) {
      this.#counts.dropped += group.length
      this.#tell(thrown)
    }
  }

  /** The open segment; a new one when there is none, or when somebody deleted it. */
  async #open() {
    if (this.#segment) {
      const found = await stat(this.#segment.path).catch(() => null)
      if (found?.ino === this.#segment.inode) return this.#segment
      await this.#segment.handle.close().catch(() => {})
      this.#segment = null
    }
    await mkdir(this.#o.folder, { recursive: true })
    const path = segmentPath(this.#o.folder, new Date(), this.#counts.rotations)
    const handle = await open(path, 'ax')
    const { ino } = await handle.stat()
    this.#segment = { path, handle, bytes: 0, startedMs: performance.now(), inode: ino }
    return this.#segment
  }

  async #rotate(): Promise<void> {
    await this.#endSegment()
    const deleted = await retainSegments(this.#o.folder, {
      ...this.#o,
      ageMs: ({ path, modifiedMs }) => {
        const closedMs = this.#closedMs.get(path)
        return closedMs === undefined ? Date.now() - modifiedMs : performance.now() - closedMs
      },
    })
    for (const path of deleted) this.#closedMs.delete(path)
  }

  async #endSegment(): Promise<void> {
    const segment = this.#segment
    this.#segment = null
    this.#count = 0
    if (segment === null) return
    this.#counts.rotations++
    await segment.handle.close()
    const path = await closeSegment(segment.path)
    if (path !== null) this.#closedMs.set(path, performance.now())
  }

  #tell(thrown: unknown): void {
    const error = asError(thrown)
    const kind = (error as NodeJS.ErrnoException).code ?? error.message
    if (kind !== this.#lastError) this.#o.onError?.(error)
    this.#lastError = kind
  }
}

/** Whether the process that a segment is named after still runs; another writer's segment is left alone. */
function isWriterAlive(path: string): boolean {
  const pid = Number(/-(\d+)-\d+\.ndjson\.open$/.exec(path)?.[1])
  if (!(pid > 0) || pid === process.pid) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'EPERM'
  }
}
