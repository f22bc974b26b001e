/**
 * The types of `report.json`: what one execution of a runbook leaves as evidence.
 *
 * Plain data, as it stands in `report.json`. The renderers (`markdown.ts`, `html.ts`, `ipynb.ts`) are functions of it
 * and of nothing else, so every view of a run says the same.
 */

/** How a run ended. */
export type VerdictName = 'PASS' | 'FAIL' | 'BLOCKED' | 'USAGE' | 'INTERRUPTED' | 'BUG' | 'DRY-RUN'

/** One input and where its value came from. */
export interface InputRecord {
  readonly name: string
  readonly flag: string
  readonly env: string | null
  readonly value: unknown
  readonly from: 'flag' | 'env' | 'default'
  readonly help: string
}

/**
 * Something a cell said or showed. `mime` holds a Jupyter MIME bundle: text as a string, binary as base64, JSON as a
 * value.
 */
export interface OutputRecord {
  readonly kind: 'text' | 'table' | 'plot' | 'image' | 'audio' | 'json' | 'markdown'
  readonly title: string | null
  /** What a terminal shows; also `text/plain` in a notebook. */
  readonly text: string
  readonly mime: Readonly<Record<string, unknown>>
  /** A safe HTML fragment with nothing fetched; null when the text in a `<pre>` is all there is. */
  readonly html: string | null
  /** Markdown; null when the text in a fence is all there is. */
  readonly markdown: string | null
  /** The rows of a table, or the value that was shown, as plain data. */
  readonly data?: unknown
  /** Where a picture or a sound lies in the run folder. */
  readonly path?: string
}

/** What was thrown. */
export interface ErrorRecord {
  readonly name: string
  readonly message: string
  readonly hint: string | null
  /** What happened, as one word for programs, such as `ENOSPC`. */
  readonly code: string | null
  /** Only for bugs. */
  readonly stack: string | null
}

/** One step of a run, and what it said and showed. */
export interface CellRecord {
  /** 1 for the first. */
  readonly n: number
  readonly title: string
  status: 'running' | 'ok' | 'failed' | 'interrupted'
  readonly startedAt: string
  durationMs: number | null
  /** The cell's own TypeScript, as it stands in the runbook's file; empty when it cannot be found. */
  readonly source: string
  readonly outputs: OutputRecord[]
  error: ErrorRecord | null
}

/** One measured number or fact against one bound. */
export interface GateRecord {
  readonly name: string
  readonly value: number | string | boolean | null
  /** As people write it: `>= 15 dB`, `= true`. */
  readonly bound: string
  readonly unit: string | null
  readonly status: 'pass' | 'fail' | 'blocked'
  /** Why it is blocked, or a remark. */
  readonly note: string | null
}

/** One file that a run made. */
export interface ArtifactRecord {
  /** Relative to the run folder. */
  readonly path: string
  readonly bytes: number
  readonly sha256: string
}

/** What a program needs to run the same again. */
export interface Rerun {
  /** The runbook's file, absolute. */
  readonly script: string
  readonly argv: readonly string[]
  /** The variables that inputs were read from, and those that name libraries. */
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
}

/** One execution of a runbook, whole. */
export interface Report {
  readonly schema: 'rungbook.report/1'
  readonly runbook: string
  readonly asks: string
  /** The runbook's opening comment, as Markdown. */
  readonly intro: string
  /** The command that would run the same again. */
  readonly command: string
  readonly rerun?: Rerun
  verdict: VerdictName | null
  exit: number | null
  /** The run folder as the user would type it, `module_runs/20260223_052929`. */
  run: string
  readonly startedAt: string
  endedAt: string | null
  durationMs: number | null
  readonly inputs: readonly InputRecord[]
  readonly cells: CellRecord[]
  readonly gates: GateRecord[]
  /** Words for the verdict line beside the gates: which toolchain, which device. */
  readonly marks: Record<string, string>
  /** What a pass proves and what it does not, in words. */
  proves?: string
  /** The lines that a plan demands at the end. */
  readonly lines: string[]
  /** The command to run next, as it can be pasted. */
  next: string | null
  /** What helps and is no command. */
  hint: string | null
  artifacts: ArtifactRecord[]
  error: ErrorRecord | null
  fingerprint: Record<string, unknown>
}
