/** Runs the cells of one execution: their source, their words and displays, their time and how they ended. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { plainText } from '../../base/text.ts'
import { RunbookError } from '../../base/errors.ts'
import { Owned, type Own } from '../../base/owned.ts'
import { createSh, errorOfCommand, type Sh } from '../../host/process/sh.ts'
import type { Display } from '../display/show.ts'
import type { CellRecord, OutputRecord, Report } from '../views/report.ts'
import type { Narrative } from '../views/narrative.ts'
import type { Recorder } from './recorder.ts'
import { callerLine, callSource } from './source.ts'

/** What a cell's function gets. */
export interface CellTools {
  /** Run `work` on each item in order; a bar on a terminal, one plain line per item elsewhere. */
  progress<T, R>(
    items: readonly T[],
    work: (item: T, index: number) => R | Promise<R>,
    label?: (item: T) => string,
  ): Promise<R[]>
  /** Move a bar of unknown speed: `done` of `total`; ten plain lines at the most where there is no terminal. */
  advance(done: number, total: number): void
  /** Say something; it is recorded with the cell. */
  print(text: string): void
  /** Say what is under way: recorded as `print` is, and shown only where the next line can be drawn over it. */
  note(text: string): void
  show(...displays: readonly Display[]): void
  /** Take charge of something open: it is closed when the cell ends. */
  readonly own: Own
  /** Aborts when the run is interrupted. */
  readonly signal: AbortSignal
  /** As in `Tools`. */
  readonly sh: Sh
}

/** Runs one titled step; its result is the cell's. */
export type Cell = <T>(title: string, work: (tools: CellTools) => T | Promise<T>) => Promise<T>

/** What cells are bound to. */
export interface CellSetting {
  /** The runbook's file, absolute. */
  readonly path: string
  readonly report: Report
  readonly narrative: Narrative
  readonly recorder: Recorder
  readonly signal: AbortSignal
  /** Where `sh` keeps the logs of its commands; null to keep none. */
  readonly commands: string | null
  readonly isDryRun: boolean
}

/** What the narrative shows of a display: no picture and no sound; of a table of several rows at most its length. */
function shownText({ kind, title, text, data }: OutputRecord, isTerminal: boolean): string {
  if (['audio', 'image', 'plot'].includes(kind)) return ''
  if (kind !== 'table' || !Array.isArray(data) || data.length < 2) return text
  if (isTerminal) return ''
  return `${title ?? 'table'}: ${data.length} rows in the report`
}

/** The cells of one execution. They may run side by side: an async context knows to which one a line belongs. */
export class Cells {
  /** As in `Tools`. */
  readonly sh: Sh
  readonly #o: CellSetting
  readonly #current = new AsyncLocalStorage<CellRecord>()
  readonly #text: string

  constructor(o: CellSetting) {
    this.#o = o
    this.#text = readFileSync(o.path, 'utf8')
    const { commands, signal, isDryRun } = o
    this.sh = createSh({ folder: commands, print: line => this.print(line), signal, isDryRun })
  }

  /** Say something in the cell that is open, else in the latest one. */
  print(words: string): void {
    const cell = this.#home()
    const plain = plainText(words)
    this.#o.recorder.text(cell, plain)
    this.#o.narrative.say(cell.n, plain)
  }

  /** Record a line that passes by. */
  note(words: string): void {
    const cell = this.#home()
    const plain = plainText(words)
    this.#o.recorder.text(cell, plain)
    this.#o.narrative.passing(cell.n, plain)
  }

  /** Show displays in the cell that is open, else in the latest one. Pictures and sound are for the report alone. */
  show(...displays: readonly Display[]): void {
    const { recorder, narrative } = this.#o
    const cell = this.#home()
    for (const display of displays) {
      recorder.show(cell, display, output => {
        const text = shownText(output, narrative.isTerminal)
        if (text !== '') narrative.say(cell.n, text)
      })
    }
  }

  /** Run one titled step. A failure is recorded, then rethrown. */
  async run<T>(title: string, work: (tools: CellTools) => T | Promise<T>, where: string | undefined): Promise<T> {
    const { path, recorder, narrative, signal } = this.#o
    signal.throwIfAborted()
    const line = callerLine(where, path)
    const record = recorder.open(plainText(title), line === null ? '' : callSource(this.#text, line))
    const startedMs = performance.now()
    const close = async (status: CellRecord['status'], error?: unknown) => {
      const durationMs = performance.now() - startedMs
      await recorder.close(record, status, { durationMs, error })
      narrative.close(record.n, status, durationMs)
    }
    narrative.open(record.n, record.title)
    try {
      const value = await this.#current.run(record, () => new Owned().run(own => work(this.#tools(own))))
      await recorder.settled()
      await close(signal.aborted ? 'interrupted' : 'ok')
      return value
    } catch (error) {
      const thrown = errorOfCommand(error, signal)
      const stopped = signal.aborted || (thrown instanceof RunbookError && thrown.exit === 'interrupted')
      await close(stopped ? 'interrupted' : 'failed', thrown).catch(() => {})
      throw thrown
    }
  }

  #home(): CellRecord {
    const { report, recorder } = this.#o
    return this.#current.getStore() ?? report.cells.at(-1) ?? recorder.open('Notes', '')
  }

  #tools(own: Own): CellTools {
    const { narrative, signal } = this.#o
    const startedMs = performance.now()
    return {
      signal,
      own,
      sh: this.sh,
      print: words => this.print(words),
      note: words => this.note(words),
      show: (...displays) => this.show(...displays),
      progress: (items, work, label) => this.#progress(items, work, label),
      advance: (done, total) => {
        const isTenth = Math.floor((done * 10) / total) > Math.floor(((done - 1) * 10) / total)
        if (!isTenth && !narrative.draws) return
        narrative.progress(this.#home().n, { done, total, label: '', durationMs: performance.now() - startedMs })
      },
    }
  }

  async #progress<T, R>(
    items: readonly T[],
    work: (item: T, index: number) => R | Promise<R>,
    label: ((item: T) => string) | undefined,
  ): Promise<R[]> {
    const { narrative, signal } = this.#o
    const results: R[] = []
    for (const [index, item] of items.entries()) {
      signal.throwIfAborted()
      const startedMs = performance.now()
      results.push(await work(item, index))
      const shown = label?.(item) ?? (typeof item === 'string' ? item : '')
      const durationMs = performance.now() - startedMs
      const bar = { done: index + 1, total: items.length, label: plainText(shown), durationMs }
      narrative.progress(this.#home().n, bar)
    }
    return results
  }
}
