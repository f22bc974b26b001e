/**
 * Writes the report of a run after every cell, so that even `kill -9` leaves what was found.
 *
 * The recorder holds the report and writes every view of it after each cell, whole or not at all; events are appended
 * as they happen. Without a run folder it records in memory only.
 */
import { appendFileSync, readdirSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { sha256File } from '../../host/digest.ts'
import { fileError, writeFileAtomic } from '../../host/files.ts'
import { pointLatest } from './run-folder.ts'
import { RunbookError } from '../../base/errors.ts'
import type { Display } from '../display/show.ts'
import type { CellRecord, ErrorRecord, OutputRecord, Report } from '../views/report.ts'

const views = ['report.json', 'report.md', 'report.html', 'report.ipynb', 'events.ndjson']

/** Holds the report of one run, and writes every view of it. */
export class Recorder {
  readonly report: Report
  readonly #folder: string | null
  readonly #pending = new Set<Promise<void>>()

  /** @param folder the run folder, or null to keep nothing */
  constructor(report: Report, folder: string | null) {
    this.report = report
    this.#folder = folder
  }

  /** Append one event with its time. */
  event(kind: string, data: Readonly<Record<string, unknown>> = {}): void {
    if (this.#folder === null) return
    const path = join(this.#folder, 'events.ndjson')
    try {
      appendFileSync(path, `${JSON.stringify({ at: new Date().toISOString(), event: kind, ...data })}\n`)
    } catch (thrown) {
      throw fileError('append to', path, thrown)
    }
  }

  /** Open a cell. */
  open(title: string, source: string): CellRecord {
    const cell: CellRecord = {
      n: this.report.cells.length + 1,
      title,
      source,
      status: 'running',
      startedAt: new Date().toISOString(),
      durationMs: null,
      outputs: [],
      error: null,
    }
    this.report.cells.push(cell)
    this.event('cell-opened', { n: cell.n, title })
    return cell
  }

  /** Add text to a cell; lines that follow each other become one output. */
  text(cell: CellRecord, text: string): void {
    const last = cell.outputs.at(-1)
    const joined = last?.kind === 'text' && last.title === null
    const whole = joined ? `${last.text}\n${text}` : text
    const output: OutputRecord = {
      kind: 'text',
      title: null,
      text: whole,
      mime: { 'text/plain': whole },
      html: null,
      markdown: null,
    }
    if (joined) cell.outputs[cell.outputs.length - 1] = output
    else cell.outputs.push(output)
  }

  /** Render a display into a cell, in its place; `then` gets the text for the narrative. */
  show(cell: CellRecord, display: Display, then: (output: OutputRecord) => void): void {
    const slot =
      cell.outputs.push({ kind: display.kind, title: display.title, text: '', mime: {}, html: null, markdown: null }) -
      1
    const settle = (output: OutputRecord) => {
      cell.outputs[slot] = output
      then(output)
    }
    const rendered = display.render()
    if (!(rendered instanceof Promise)) return settle(rendered)
    const job = rendered.then(settle).finally(() => this.#pending.delete(job))
    this.#pending.add(job)
    job.catch(() => {})
  }

  /** Close a cell and write every view. */
  async close(
    cell: CellRecord,
    status: CellRecord['status'],
    o: { durationMs: number; error?: unknown },
  ): Promise<void> {
    cell.status = status
    cell.durationMs = Math.round(o.durationMs)
    cell.error = o.error === undefined ? null : errorRecord(o.error)
    this.event('cell-closed', { n: cell.n, status, durationMs: cell.durationMs, error: cell.error?.message })
    await this.save()
  }

  /** Wait for what is still being drawn. */
  async settled(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending)
  }

  /**
   * The run has ended: write everything, and let `latest` point here.
   *
   * @throws as `save`
   */
  async end(): Promise<void> {
    this.event('ended', { verdict: this.report.verdict, exit: this.report.exit })
    await this.save()
    if (this.#folder !== null && this.report.verdict !== 'USAGE') pointLatest(this.#folder)
  }

  /**
   * Write every view of the report.
   *
   * @throws RunbookError blocked (full disk, no permission)
   */
  async save(): Promise<void> {
    await this.settled()
    if (this.#folder === null) return
    const [{ renderMarkdown }, { renderHtml }, { renderIpynb }] = await Promise.all([
      import('../views/markdown.ts'),
      import('../views/html.ts'),
      import('../views/ipynb.ts'),
    ])
    this.report.artifacts = artifactsOf(this.#folder, this.report.verdict !== null)
    writeFileAtomic(join(this.#folder, 'report.json'), `${JSON.stringify(this.report, null, 2)}\n`)
    writeFileAtomic(join(this.#folder, 'report.md'), renderMarkdown(this.report))
    writeFileAtomic(join(this.#folder, 'report.html'), renderHtml(this.report))
    writeFileAtomic(join(this.#folder, 'report.ipynb'), renderIpynb(this.report))
  }
}

/** Every file of a run folder but the report's own; digests only at the end, when nothing grows any more. */
function artifactsOf(folder: string, final: boolean): Report['artifacts'] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8', withFileTypes: true })
    .filter(entry => entry.isFile() && !entry.name.endsWith('.tmp'))
    .map(entry => relative(folder, join(entry.parentPath, entry.name)))
    .filter(path => !views.includes(path))
    .toSorted()
    .map(path => ({
      path,
      bytes: statSync(join(folder, path)).size,
      sha256: final ? sha256File(join(folder, path)) : '',
    }))
}

/** An error as evidence: a stack only for bugs. */
export function errorRecord(thrown: unknown): ErrorRecord {
  if (thrown instanceof RunbookError)
    return { name: thrown.name, message: thrown.message, hint: thrown.hint, stack: null }
  const error = thrown instanceof Error ? thrown : new Error(String(thrown))
  return { name: error.name, message: error.message, hint: null, stack: error.stack ?? null }
}
