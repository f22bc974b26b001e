/**
 * Writes to stderr what a person sees while a runbook works.
 *
 * A cell takes one line, `[2] Compile  ok 1.2 s`, and more only when it says something. On a terminal the line of a
 * cell that is under way, and the bar of `progress`, are drawn over; elsewhere a cell shows its title after a second,
 * and each item of `progress` takes a line. Long output is cut here and whole in the report. While cells run side by
 * side each line carries its cell's number, so that streams never mix.
 */
import { styleText } from 'node:util'
import { plainText } from '../../base/text.ts'
import { cutToWidth } from '../display/display.ts'

/** Where text goes; a terminal says so, and how wide it is. */
export interface Sink {
  write(text: string): unknown
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
}

type Style = Parameters<typeof styleText>[0]

interface OpenCell {
  readonly title: string
  /** Its title stands on a line of its own. */
  isShown: boolean
  timer: NodeJS.Timeout | undefined
}

/** After this long a cell that says nothing shows its title, where there is no terminal to draw on. */
const titleAfterMs = 1000
/** A cell that spoke, went well and took less does not tell its time. */
const toldAfterMs = 10_000
/** Lines of one output that are shown. */
const shownLines = 12
/** More items than this are told by tenths, where there is no bar. */
const shownItems = 12

/** Writes the narrative of one run. */
export class Narrative {
  readonly #sink: Sink
  readonly #quiet: boolean
  readonly #colour: boolean
  readonly #open = new Map<number, OpenCell>()
  /** What is drawn on the last line of a terminal, to be drawn over. */
  #drawn = false

  constructor(sink: Sink, o: { quiet: boolean; env: Readonly<Record<string, string | undefined>> }) {
    this.#sink = sink
    this.#quiet = o.quiet
    this.#colour = sink.isTTY === true && !o.env.NO_COLOR
  }

  /** Whether a person reads along on a screen. */
  get isTerminal(): boolean {
    return this.#sink.isTTY === true
  }

  /** Whether a bar can be drawn over itself. */
  get draws(): boolean {
    return this.#sink.isTTY === true && this.#open.size <= 1
  }

  /** A cell opens. */
  open(n: number, title: string): void {
    const cell: OpenCell = { title: plainText(title), isShown: false, timer: undefined }
    this.#open.set(n, cell)
    if (this.draws) return this.#draw(`[${n}] ${cell.title}`)
    cell.timer = setTimeout(() => this.#showTitle(n), titleAfterMs)
    cell.timer.unref()
  }

  /** A cell has ended. */
  close(n: number, status: string, durationMs: number): void {
    const cell = this.#open.get(n)
    const mark = status === 'ok' ? this.#style('green', 'ok') : this.#style('red', status)
    const ending = `${mark} ${durationText(durationMs)}`
    clearTimeout(cell?.timer)
    const isShown = cell?.isShown ?? true
    const prefix = this.#prefix(n)
    this.#open.delete(n)
    // What a cell said tells that it went well; how long it took is told when that is long.
    if (isShown && status === 'ok' && durationMs < toldAfterMs) return this.#clear()
    this.#line(isShown ? prefix + ending : `${this.#titleOf(n, cell!.title)}  ${ending}`)
  }

  /** A line that the next one is drawn over; unseen where that cannot be. */
  passing(n: number, text: string): void {
    if (this.draws) this.#draw(this.#prefix(n) + plainText(text).split('\n').at(-1)!)
  }

  /** Text inside a cell (`n`), or between cells (null). */
  say(n: number | null, text: string): void {
    if (n !== null) this.#showTitle(n)
    const lines = plainText(text).split('\n')
    const isLong = lines.length > shownLines + 1
    for (const line of isLong ? lines.slice(0, shownLines) : lines)
      this.#line(line === '' ? '' : this.#prefix(n) + line)
    if (isLong) this.#line(`${this.#prefix(n)}… ${lines.length - shownLines} more lines in the report`)
  }

  /** One gate's line, coloured by its status. */
  gate(status: string, text: string): void {
    const plain = plainText(text)
    // Why a gate did not pass is worth a second row; what belongs to one that did is in the report.
    const shown = this.isTerminal && status === 'pass' ? cutToWidth(plain, this.#sink.columns ?? 80) : plain
    this.#line(this.#style(status === 'pass' ? 'green' : status === 'fail' ? 'red' : 'yellow', shown))
  }

  /** Item `done` of `total`: a bar on a terminal, a line elsewhere. */
  progress(n: number | null, o: { done: number; total: number; label: string; durationMs: number }): void {
    if (this.#quiet) return
    if (this.draws) {
      const width = 24
      const filled = o.total === 0 ? width : Math.round((o.done / o.total) * width)
      const bar = `${'█'.repeat(filled)}${'░'.repeat(width - filled)}`
      return this.#draw(`${this.#prefix(n)}${bar} ${o.done}/${o.total} ${o.label}`)
    }
    const isTenth = Math.floor((o.done * 10) / o.total) > Math.floor(((o.done - 1) * 10) / o.total)
    if (o.total > shownItems && !isTenth) return
    if (n !== null) this.#showTitle(n)
    this.#line(`${this.#prefix(n)}${o.done}/${o.total} ${o.label} ${durationText(o.durationMs)}`.trimEnd())
  }

  /** Shown even when quiet: errors. */
  error(text: string): void {
    this.#clear()
    this.#sink.write(`${plainText(text)}\n`)
  }

  #prefix(n: number | null): string {
    if (n === null) return ''
    return this.#open.size > 1 ? `  [${n}] ` : '  '
  }

  #titleOf(n: number, title: string): string {
    return this.#style('bold', `[${n}] ${title}`)
  }

  #showTitle(n: number): void {
    const cell = this.#open.get(n)
    if (cell === undefined || cell.isShown) return
    clearTimeout(cell.timer)
    cell.isShown = true
    this.#line(this.#titleOf(n, cell.title))
  }

  #style(style: Style, text: string): string {
    return this.#colour ? styleText(style, text, { validateStream: false }) : text
  }

  #draw(text: string): void {
    if (this.#quiet) return
    this.#sink.write(`\r\x1b[2K${cutToWidth(text, (this.#sink.columns ?? 80) - 1)}`)
    this.#drawn = true
  }

  #clear(): void {
    if (this.#drawn) this.#sink.write('\r\x1b[2K')
    this.#drawn = false
  }

  #line(text: string): void {
    if (this.#quiet) return
    this.#clear()
    // Colours are ours, and no column wide; a line that has them is short.
    const isPlain = !text.includes('\x1b')
    const { isTTY, columns = 80 } = this.#sink
    this.#sink.write(`${isTTY && isPlain ? cutToWidth(text, columns) : text}\n`)
  }
}

/** `840 ms`, `12.3 s`, `4 min 05 s`. */
export function durationText(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`
  const s = Math.round(ms / 1000)
  return `${Math.floor(s / 60)} min ${String(s % 60).padStart(2, '0')} s`
}
