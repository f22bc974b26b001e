/**
 * Judges one measured number, or fact, against one bound.
 *
 * NaN, an infinity, a missing value and an empty comparison never pass: `Math.min()` of nothing is Infinity, and an
 * infinity is what a broken measurement looks like. No value makes a gate throw; the verdict (`verdict.ts`) is made of
 * them.
 */
import type { GateRecord } from '../views/report.ts'

/** What a value is held against: exactly one of these. */
export type Bound =
  | { readonly atLeast: number }
  | { readonly atMost: number }
  | { readonly above: number }
  | { readonly below: number }
  | { readonly equals: number | string | boolean }

/** What is said of a gate beside its value. */
export interface GateOptions {
  readonly unit?: string
  readonly note?: string
}

/**
 * Judge a value. A value that is null, undefined, NaN or infinite fails, whatever the bound.
 *
 * @throws TypeError for a bound that is none: that is a defect of the runbook, and judges nothing
 * @example
 * ```ts
 * assert.equal(judge('worst cosine', 0.9993, { atLeast: 0.999 }).status, 'pass')
 * assert.equal(judge('worst cosine', NaN, { atLeast: 0.999 }).status, 'fail')
 * ```
 */
export function judge(name: string, value: unknown, bound: Bound, o: GateOptions = {}): GateRecord {
  checkBound(name, bound)
  const shown = typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean' ? value : null
  const pass = shown !== null && (typeof shown !== 'number' || Number.isFinite(shown)) && keeps(shown, bound)
  return {
    name,
    value: shown,
    bound: boundText(bound, o.unit),
    unit: o.unit ?? null,
    status: pass ? 'pass' : 'fail',
    note: o.note ?? null,
  }
}

/** A gate that could not be measured here, and why. */
export const blockedGate = (name: string, why: string): GateRecord => ({
  name,
  value: null,
  bound: '',
  unit: null,
  status: 'blocked',
  note: why,
})

/** Exactly one known bound with a value that can be compared, or a defect of the runbook. */
function checkBound(name: string, bound: Bound): void {
  const entries = Object.entries(bound)
  const [key, value] = entries[0] ?? []
  const isNumber = key !== 'equals'
  const isFit = entries.length === 1 && key !== undefined && key in signs && (!isNumber || Number.isFinite(value))
  if (isFit && value !== undefined && value !== null) return
  const shown = JSON.stringify(bound)
  throw new TypeError(`the gate "${name}" has the bound ${shown}: it takes one of ${Object.keys(signs).join(', ')}`)
}

function keeps(value: number | string | boolean, bound: Bound): boolean {
  if ('equals' in bound) return value === bound.equals
  if (typeof value !== 'number') return false
  if ('atLeast' in bound) return value >= bound.atLeast
  if ('atMost' in bound) return value <= bound.atMost
  return 'above' in bound ? value > bound.above : value < bound.below
}

const signs = { atLeast: '>=', atMost: '<=', above: '>', below: '<', equals: '=' } as const

function boundText(bound: Bound, unit?: string): string {
  const [key, value] = Object.entries(bound)[0] as [keyof typeof signs, number | string | boolean]
  return `${signs[key]} ${value}${unit ? ` ${unit}` : ''}`
}

/** A number as a person reads it: at most four significant digits after a long fraction, integers whole. */
export function formatValue(value: number | string | boolean | null): string {
  if (value === null) return 'none'
  if (typeof value !== 'number' || Number.isInteger(value)) return String(value)
  return Number.isFinite(value) ? String(Number(value.toPrecision(4))) : String(value)
}

/** `pass  worst cosine: 0.9993 (>= 0.999)`, as the narrative and the reports say it. */
export function gateText(gate: GateRecord): string {
  if (gate.status === 'blocked') return `blocked  ${gate.name}: ${gate.note}`
  const unit = gate.unit && gate.value !== null ? ` ${gate.unit}` : ''
  const note = gate.note ? ` ${gate.note}` : ''
  return `${gate.status}  ${gate.name}: ${formatValue(gate.value)}${unit} (${gate.bound})${note}`
}
