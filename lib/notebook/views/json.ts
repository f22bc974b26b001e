/**
 * Renders a run as the document of `--json`: what a program needs, at most a few kilobytes.
 *
 * Rows stand in it as data, pictures and sound by their path in the run folder. Sources, HTML and the whole texts are
 * in `report.json`.
 */
import { cutLines } from '../display/display.ts'
import type { OutputRecord, Report } from './report.ts'

const charsMax = 2000

/** The document of `--json`. */
export function jsonDocument(report: Report): Record<string, unknown> {
  const { intro, rerun, cells, ...rest } = report
  void [intro, rerun]
  return {
    ...rest,
    cells: cells.map(({ source, outputs, ...cell }) => {
      void source
      return { ...cell, outputs: outputs.map(outputOf) }
    }),
  }
}

function outputOf({ kind, title, text, data, path }: OutputRecord): Record<string, unknown> {
  if (path !== undefined) return { kind, title, path }
  if (data !== undefined) return { kind, title, data }
  return { kind, title, text: kind === 'text' || kind === 'markdown' || kind === 'json' ? shortened(text) : '' }
}

function shortened(text: string): string {
  const cut = cutLines(text, { head: 20, tail: 20 })
  return cut.length > charsMax ? `${cut.slice(0, charsMax)}…` : cut
}
