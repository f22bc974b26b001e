/**
 * What a rung of the parity ladder found.
 */
import { RunbookError } from '../../../../base/errors.ts'
import type { Comparison } from '../../../../parity/compare.ts'

/** `blocked`: it could not run here; `not_run`: nobody asked. Neither is a pass. */
export type RungStatus = 'pass' | 'fail' | 'blocked' | 'not_run'

/** A rung's answer. */
export interface RungResult {
  readonly rung: string
  readonly asks: string
  readonly status: RungStatus
  /** How close is close enough, and who says so. */
  readonly tolerance: string
  readonly metrics: Readonly<Record<string, number | string>>
  /** The first thing that was wrong; empty when nothing was. */
  readonly firstDivergence: string
  /** Errors by case, for plots. */
  readonly series?: Readonly<Record<string, readonly number[]>>
  /** Why it is blocked, or what fails. */
  readonly note: string
}

/** A rung before it has run. */
export interface Rung {
  readonly rung: string
  readonly asks: string
  readonly tolerance: string
}

/** The answer of a rung that ran. A rung that compared nothing fails. */
export const answered = (
  rung: Rung,
  o: {
    compared: number
    firstDivergence: string
    metrics: RungResult['metrics']
    series?: RungResult['series']
    note?: string
  },
): RungResult => ({
  ...rung,
  status: o.compared > 0 && o.firstDivergence === '' ? 'pass' : 'fail',
  metrics: { compared: o.compared, ...o.metrics },
  firstDivergence: o.compared > 0 ? o.firstDivergence : 'nothing was compared',
  note: o.note ?? '',
  ...(o.series && { series: o.series }),
})

/** A rung that cannot run here. */
export const blocked = (rung: Rung, note: string): RungResult => ({
  ...rung,
  status: 'blocked',
  metrics: {},
  firstDivergence: '',
  note,
})

/** A rung that nobody asked for. */
export const notRun = (rung: Rung): RungResult => ({ ...blocked(rung, 'not asked for'), status: 'not_run' })

/** Run a rung; what is absent outside makes it blocked, anything else is thrown. */
export async function attempt(rung: Rung, work: () => Promise<RungResult>): Promise<RungResult> {
  try {
    return await work()
  } catch (thrown) {
    if (thrown instanceof RunbookError && thrown.exit === 'blocked') return blocked(rung, thrown.message)
    throw thrown
  }
}

/** Gathers comparisons of one rung. */
export class Findings {
  compared = 0
  maxAbs = 0
  cosineMin = Infinity
  p95Max = 0
  firstDivergence = ''
  readonly errors: number[] = []

  /** Note a comparison; `where` names it. */
  note(where: string, found: Comparison): void {
    this.compared += found.compared
    const error = found.notFinite > 0 ? NaN : found.maxAbs
    this.errors.push(error)
    this.maxAbs = Number.isNaN(error) || Number.isNaN(this.maxAbs) ? NaN : Math.max(this.maxAbs, error)
    this.cosineMin = Math.min(this.cosineMin, found.cosine)
    this.p95Max = Math.max(this.p95Max, found.absolute.p95)
    if (!found.isClose)
      this.say(
        `${where}: ${found.outside} of ${found.compared} outside, worst at ${found.worst?.index ?? 'none'} (${error})`,
      )
  }

  /** Note something else that is wrong. */
  say(what: string): void {
    if (this.firstDivergence === '') this.firstDivergence = what
  }

  /** The numbers of all comparisons. */
  metrics(): Record<string, number> {
    return { max_abs: this.maxAbs, p95_abs: this.p95Max, cosine_min: this.cosineMin }
  }
}
