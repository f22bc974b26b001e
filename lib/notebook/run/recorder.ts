/**
 * Writes the report of a run after every cell, so that even `kill -9` leaves what was found.
 *
 * The recorder holds the report and writes every view of it after each cell, whole or not at all; events are appended
 * as they happen. Without a run folder it records in memory only.
 */
import { appendFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { sha256File } from '../../host/digest.ts'
import { fileError, writeFileAtomic } from '../../host/files.ts'
import { pointLatest } from './run-folder.ts'
import { asError, RunbookError } from '../../base/errors.ts'
import { plainText } from '../../base/text.ts'
import { holdReserve, releaseReserve, reserveName } from '../../host/reserve.ts'
import type { Display } from '../display/show.ts'
import type { CellRecord, ErrorRecord, OutputRecord, Report } from '../views/report.ts'

const views = ['report.json', 'report.md', 'report.html', 'report.ipynb', 'events.ndjson', reserveName]
/** Enough for the views of a run with sounds of a few seconds. */
const reserveBytes = 4_000_000

/** Holds the report of one run, and writes every view of it. */
export class Recorder {
  readonly report: Report
  readonly #folder: string | null
  readonly #pending = new Set<Promise<void>>()

  /** @param folder the run folder, or null to keep nothing */
  constructor(report: Report, folder: string | null) {
    this.report = report
    this.#folder = folder
    if (folder !== null) holdReserve(folder, reserveBytes)
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
      const path = this.#mediaFile(`cell-${cell.n}-${slot}`, output)
      cell.outputs[slot] = path === null ? output : { ...output, path }
      then(output)
    }
    const rendered = display.render()
    if (!(rendered instanceof Promise)) return settle(rendered)
    const job = rendered.then(settle).finally(() => this.#pending.delete(job))
    this.#pending.add(job)
    job.catch(() => {})
  }

  /** A picture as a file of its own beside the report; gives its path in the run folder. */
  #mediaFile(name: string, { mime }: OutputRecord): string | null {
    if (this.#folder === null) return null
    const png = mime['image/png']
    const svg = mime['image/svg+xml']
    const path = join('media', `${name}.${png === undefined ? 'svg' : 'png'}`)
    if (typeof png === 'string') writeFileAtomic(join(this.#folder, path), Buffer.from(png, 'base64'))
    else if (typeof svg === 'string') writeFileAtomic(join(this.#folder, path), svg)
    else return null
    return path
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
   * The run has ended: write everything, and let `latest` point here when the run made something. A run that made
   * nothing and judged nothing leaves no folder, but for one that broke.
   *
   * @throws RunbookError as `save`
   */
  async end(): Promise<void> {
    const folder = this.#folder
    if (folder === null) return
    // From here on the room is there for the evidence.
    releaseReserve(folder)
    this.report.artifacts = artifactsOf(folder, true)
    if (this.#isEmpty()) {
      rmSync(folder, { recursive: true, force: true })
      this.report.run = 'none'
      return
    }
    this.event('ended', { verdict: this.report.verdict, exit: this.report.exit })
    await this.save()
    if (this.#results().length > 0 && this.report.verdict !== 'USAGE') pointLatest(folder)
  }

  #isEmpty(): boolean {
    const { gates, verdict } = this.report
    return (verdict === 'USAGE' || verdict === 'BLOCKED') && gates.length === 0 && this.#results().length === 0
  }

  /** What the run made, but for what only tells of it. */
  #results(): Report['artifacts'] {
    return this.report.artifacts.filter(({ path }) => !/^(media|commands)\//.test(path))
  }

  /**
   * Write every view of the report, the data first.
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
    this.#writeData(this.#folder)
    writeFileAtomic(join(this.#folder, 'report.md'), renderMarkdown(this.report))
    writeFileAtomic(join(this.#folder, 'report.html'), renderHtml(this.report))
    writeFileAtomic(join(this.#folder, 'report.ipynb'), renderIpynb(this.report))
  }

  /**
   * Write `report.json` alone, when the other views did not fit; gives whether it did. Where there is no room for it
   * either, the other views make room, then the outputs of the cells are left out.
   */
  saveData(): boolean {
    const folder = this.#folder
    if (folder === null) return true
    const slim = { ...this.report, cells: this.report.cells.map(cell => ({ ...cell, source: '', outputs: [] })) }
    const ways = [
      () => this.#writeData(folder),
      () => {
        for (const name of ['report.html', 'report.ipynb', 'report.md']) rmSync(join(folder, name), { force: true })
        this.#writeData(folder)
      },
      () => this.#writeData(folder, slim),
    ]
    return ways.some(way => {
      try {
        way()
        return true
      } catch {
        return false
      }
    })
  }

  #writeData(folder: string, report = this.report): void {
    writeFileAtomic(join(folder, 'report.json'), `${JSON.stringify(report, null, 2)}\n`)
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
    return {
      name: thrown.name,
      message: plainText(thrown.message),
      hint: plainText(thrown.hint),
      code: thrown.code ?? null,
      stack: null,
    }
  const error = asError(thrown)
  const stack = error.stack === undefined ? null : plainText(error.stack)
  return { name: error.name, message: plainText(error.message), hint: null, code: null, stack }
}
