/**
 * Writes to stderr what a person sees while a runbook works.
 *
 * The narrative goes to stderr: a title when a cell opens, what it prints, how it ended. While cells run side by side
 * each line carries its cell's number, so that streams never mix. On a terminal the bar of `progress` draws over
 * itself; elsewhere it is one plain line per item.
 */
import { styleText } from 'node:util'

/** Where text goes; a terminal says so, and how wide it is. */
export interface Sink {
  write(text: string): unknown
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
}

type Style = Parameters<typeof styleText>[0]

/** Writes the narrative of one run. */
export class Narrative {
  readonly #sink: Sink
  readonly #quiet: boolean
  readonly #colour: boolean
  readonly #open = new Set<number>()
  #bar = false

  constructor(sink: Sink, o: { quiet: boolean; env: Readonly<Record<string, string | undefined>> }) {
    this.#sink = sink
    this.#quiet = o.quiet
    this.#colour = sink.isTTY === true && !o.env.NO_COLOR
  }

  /** Whether a bar can be drawn over itself. */
  get draws(): boolean {
    return this.#sink.isTTY === true && this.#open.size <= 1
  }

  /** A cell opens. */
  open(n: number, title: string): void {
    this.#open.add(n)
    this.#line(this.#style('bold', `[${n}] ${title}`))
  }

  /** A cell has ended. */
  close(n: number, status: string, durationMs: number): void {
    const mark = status === 'ok' ? this.#style('green', 'ok') : this.#style('red', status)
    this.#line(`${this.#prefix(n)}${mark} ${durationText(durationMs)}`)
    this.#open.delete(n)
  }

  /** Text inside a cell (`n`), or between cells (null). */
  say(n: number | null, text: string): void {
    for (const line of text.split('\n')) this.#line(line === '' ? '' : this.#prefix(n) + line)
  }

  /** One gate's line, coloured by its status. */
  gate(status: string, text: string): void {
    this.#line(this.#style(status === 'pass' ? 'green' : status === 'fail' ? 'red' : 'yellow', text))
  }

  /** Item `done` of `total`: a bar on a terminal, a line elsewhere. */
  progress(n: number | null, o: { done: number; total: number; label: string; durationMs: number }): void {
    if (this.#quiet) return
    if (!this.draws) {
      return this.#line(`${this.#prefix(n)}${o.done}/${o.total} ${o.label} ${durationText(o.durationMs)}`.trimEnd())
    }
    const width = 24
    const filled = o.total === 0 ? width : Math.round((o.done / o.total) * width)
    const bar = `${'█'.repeat(filled)}${'░'.repeat(width - filled)}`
    const line = `${this.#prefix(n)}${bar} ${o.done}/${o.total} ${o.label}`
    this.#sink.write(`\r\x1b[2K${line.slice(0, (this.#sink.columns ?? 80) - 1)}`)
    this.#bar = true
    if (o.done === o.total) this.#endBar()
  }

  /** Shown even when quiet: errors. */
  error(text: string): void {
    this.#endBar()
    this.#sink.write(`${text}\n`)
  }

  #prefix(n: number | null): string {
    if (n === null) return ''
    return this.#open.size > 1 ? `  [${n}] ` : '  '
  }

  #style(style: Style, text: string): string {
    return this.#colour ? styleText(style, text, { validateStream: false }) : text
  }

  #endBar(): void {
    if (this.#bar) this.#sink.write('\n')
    this.#bar = false
  }

  #line(text: string): void {
    if (this.#quiet) return
    this.#endBar()
    this.#sink.write(`${text}\n`)
  }
}

/** `840 ms`, `12.3 s`, `4 min 05 s`. */
export function durationText(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`
  const s = Math.round(ms / 1000)
  return `${Math.floor(s / 60)} min ${String(s % 60).padStart(2, '0')} s`
}
