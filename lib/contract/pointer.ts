/**
 * Finds what a JSON pointer (RFC 6901) names in a contract; here `*` is every element of a list, or every key.
 */
import { usageError } from '../base/errors.ts'

/** Any value of a JSON file. */
export type Json = null | boolean | number | string | readonly Json[] | JsonMap
/** An object of a JSON file. */
export interface JsonMap {
  readonly [key: string]: Json
}

/** One value that a pointer names. */
export interface Match {
  readonly pointer: string
  readonly value: Json
  /** What each `*` of the pattern stood for, in order. */
  readonly stars: readonly string[]
}

/** Whether a value is an object. */
export const isMap = (value: Json | undefined): value is JsonMap =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Every value that a pointer names. */
export function expand(root: Json, pattern: string): Match[] {
  if (!pattern.startsWith('/')) return []
  const steps = pattern.slice(1).split('/')
  return steps.reduce<Match[]>(
    (matches, step) =>
      matches.flatMap(({ pointer, value, stars }) => {
        if (typeof value !== 'object' || value === null) return []
        const keys =
          step === '*' ? Object.keys(value) : Object.hasOwn(value, stepDecoded(step)) ? [stepDecoded(step)] : []
        return keys.map(key => ({
          pointer: `${pointer}/${stepEncoded(key)}`,
          value: (value as JsonMap)[key]!,
          stars: step === '*' ? [...stars, stepEncoded(key)] : stars,
        }))
      }),
    [{ pointer: '', value: root, stars: [] }],
  )
}

/** A key as a step of a pointer. */
export const stepEncoded = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1')
const stepDecoded = (step: string): string => step.replaceAll('~1', '/').replaceAll('~0', '~')

/** A pattern with its stars replaced, the first by the first. */
export const fill = (pattern: string, stars: readonly string[]): string => {
  const left = [...stars]
  return pattern
    .split('/')
    .map(step => (step === '*' ? (left.shift() ?? '*') : step))
    .join('/')
}

/**
 * The numbers that pointers name, under the names of an expression.
 * @throws RunbookError usage when a pointer names no single number
 */
export function numbersAt(values: Json, pointers: Readonly<Record<string, string>>): Record<string, number> {
  return Object.fromEntries(Object.entries(pointers).map(([name, pointer]) => [name, numberAt(values, pointer)]))
}

function numberAt(values: Json, pointer: string): number {
  const [match, ...more] = expand(values, pointer)
  if (match === undefined || more.length > 0 || typeof match.value !== 'number') {
    throw usageError(`Cannot derive from "${pointer}": it names no single number`, 'mend the "with" beside it')
  }
  return match.value
}
