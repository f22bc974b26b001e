/**
 * Declares what a person may set, and resolves each value with where it came from.
 *
 * One declaration gives the flag, the environment variable, the default, the `--help` line, the type and the
 * provenance. A flag beats the environment, which beats the default; an empty variable counts as unset. Splitting the
 * command line into flags is `argv.ts`.
 */
import { statSync } from 'node:fs'
import { basename, isAbsolute, resolve } from 'node:path'
import { blockedError, RunbookError, usageError } from '../../base/errors.ts'
import { closest } from '../../base/text.ts'
import { flagFromName, operandSeparator, type Flags } from './argv.ts'
import type { InputRecord } from '../views/report.ts'

/** One declared input: where its text comes from, and how it becomes a value. */
export interface Input<T> {
  readonly help: string
  readonly env: string | null
  /** The flag without its dashes; null means: from the name, `hefPath` gives `hef-path`. */
  readonly flag: string | null
  readonly fallback: T | undefined
  readonly optional: boolean
  /** Never recorded: what a report shows of it is `secretMark`. */
  readonly isSecret?: true
  /** What stands behind the flag in `--help`: `<minutes>`; empty for a switch. */
  readonly placeholder: string
  /** The value from text. Throws a plain Error that says what was expected. */
  parse(text: string, cwd: string): T
}

interface Common<T> {
  readonly help: string
  readonly env?: string
  readonly flag?: string
  readonly default?: T
}
type Optional = { readonly optional: true }

/** The inputs of a runbook, by name. */
export type Inputs = Readonly<Record<string, Input<unknown>>>
/** The values that declared inputs resolve to. */
export type InputValues<S extends Inputs> = { readonly [K in keyof S]: S[K] extends Input<infer T> ? T : never }

function input<T>(o: Common<T> & Partial<Optional>, placeholder: string, parse: Input<T>['parse']): Input<T> {
  const { help, env = null, flag = null, optional = false } = o
  return { help, env, flag, fallback: o.default, optional, placeholder, parse }
}

/** One path or several, as words without dashes; the body opens them and meets their absence itself. */
export function paths(o: Common<readonly string[]>): Input<readonly string[]> {
  return input<readonly string[]>(o, '<path>', value => value.split(operandSeparator))
}

/** Any text. Required, unless it has a default or is `optional`. */
export function text(o: Common<string> & Optional): Input<string | undefined>
export function text(o: Common<string>): Input<string>
export function text(o: Common<string> & Partial<Optional>): Input<string | undefined> {
  return input(o, '<text>', value => value)
}

/** What stands in a report in the place of a secret. */
export const secretMark = '***'

/** A key or a password. No report, event or command that a run writes holds it. */
export const secret = (o: Common<string> & Optional): Input<string | undefined> => ({ ...text(o), isSecret: true })

/** The words of a command line with every secret in them replaced. */
export function withoutSecrets(argv: readonly string[], inputs: Inputs): string[] {
  const flags = Object.entries(inputs).flatMap(([name, { flag, isSecret }]) =>
    isSecret ? [`--${flag ?? flagFromName(name)}`] : [],
  )
  return argv.map((word, i) => {
    const spelled = (text: string | undefined) => text?.replaceAll('_', '-')
    const given = flags.find(flag => spelled(word)?.startsWith(`${flag}=`))
    if (given !== undefined) return `${given}=${secretMark}`
    return flags.includes(spelled(argv[i - 1]) ?? '') ? secretMark : word
  })
}

/** Text that fits a pattern; `expected` says it in words. */
export function pattern(form: RegExp, o: Common<string> & Optional & { expected: string }): Input<string | undefined> {
  return input<string>(o, '<text>', value => {
    if (form.test(value)) return value
    throw new Error(`expected ${o.expected}`)
  })
}

/** One of a few words. */
export function choice<const T extends string>(words: readonly T[], o: Common<T> & Optional): Input<T | undefined>
export function choice<const T extends string>(words: readonly T[], o: Common<T>): Input<T>
export function choice<const T extends string>(
  words: readonly T[],
  o: Common<T> & Partial<Optional>,
): Input<T | undefined> {
  return input(o, `<${words.join('|')}>`, value => {
    const found = words.find(word => word === value)
    if (found !== undefined) return found
    const near = closest(value, words)
    throw new Error(`expected ${words.join(', ')}${near ? ` (did you mean ${near}?)` : ''}`)
  })
}

interface Bounds {
  readonly min?: number
  readonly max?: number
  readonly integer?: boolean
  readonly unit?: string
}

/** A number inside bounds, both included. */
export function number(o: Common<number> & Bounds & Optional): Input<number | undefined>
export function number(o: Common<number> & Bounds): Input<number>
export function number(o: Common<number> & Bounds & Partial<Optional>): Input<number | undefined> {
  const { min = -Infinity, max = Infinity, integer = false, unit = integer ? 'n' : 'number' } = o
  return input(o, `<${unit}>`, value => {
    const parsed = value.trim() === '' ? Number.NaN : Number(value)
    if (!Number.isFinite(parsed) || (integer && !Number.isInteger(parsed))) {
      throw new Error(`expected ${integer ? 'a whole number' : 'a number'}`)
    }
    if (parsed < min || parsed > max) throw new Error(`expected ${rangeText(min, max)}`)
    return parsed
  })
}

function rangeText(min: number, max: number): string {
  if (max === Infinity) return `${min} or more`
  return min === -Infinity ? `${max} or less` : `${min} to ${max}`
}

/** A switch: `--quick-opt`, `--no-quick-opt`, `--quick-opt=0`, or 1 and 0 in the environment. */
export function toggle(o: Common<boolean>): Input<boolean> {
  return input({ ...o, default: o.default ?? false }, '', value => {
    const word = value.toLowerCase()
    if (['1', 'true', 'yes', 'on'].includes(word)) return true
    if (['0', 'false', 'no', 'off'].includes(word)) return false
    throw new Error('expected 1 or 0')
  })
}

/**
 * A file that must be there. The value is the path as it was given, seen from the working folder. Absent: exit code 3,
 * before anything is done; with `late: true` the body opens it and meets that error itself.
 */
export function file(o: Common<string> & Optional & { late?: boolean }): Input<string | undefined>
export function file(o: Common<string> & { late?: boolean }): Input<string>
export function file(o: Common<string> & Partial<Optional> & { late?: boolean }): Input<string | undefined> {
  return input(o, '<file>', (value, cwd) => (o.late ? value : existing('file', value, cwd)))
}

/** A folder that must be there. With `late: true` the body opens it, or makes it, and meets that error itself. */
export function folder(o: Common<string> & Optional & { late?: boolean }): Input<string | undefined>
export function folder(o: Common<string> & { late?: boolean }): Input<string>
export function folder(o: Common<string> & Partial<Optional> & { late?: boolean }): Input<string | undefined> {
  return input(o, '<folder>', (value, cwd) => (o.late ? value : existing('folder', value, cwd)))
}

function existing(kind: 'file' | 'folder', value: string, cwd: string): string {
  const path = isAbsolute(value) ? value : resolve(cwd, value)
  const stat = statSync(path, { throwIfNoEntry: false })
  if (!stat)
    throw blockedError(
      `Cannot open "${value}": there is no such ${kind}`,
      `check the path: ls ${path.slice(0, -basename(path).length)}`,
    )
  if (stat.isDirectory() !== (kind === 'folder')) throw new Error(`expected a ${kind}`)
  return value
}

/**
 * The inputs' values and their provenance.
 *
 * @throws RunbookError usage names the input and where its text came from
 * @example
 * ```ts
 * const inputs = { rate: number({ env: 'RATE', default: 20, help: 'windows a second', min: 1, max: 1000 }) }
 * const { values } = resolveInputs(inputs, { flags: new Map(), env: { RATE: '50' }, cwd: '.' })
 * assert.equal(values.rate, 50)
 * ```
 */
export function resolveInputs<S extends Inputs>(
  declared: S,
  o: { flags: Flags; env: Readonly<Record<string, string | undefined>>; cwd: string },
): { values: InputValues<S>; records: InputRecord[] } {
  const values: Record<string, unknown> = {}
  const records = Object.entries(declared).map(([name, spec]): InputRecord => {
    const flag = spec.flag ?? flagFromName(name)
    const envText = spec.env === null ? undefined : o.env[spec.env]
    const given = o.flags.get(flag) ?? (envText === '' ? undefined : envText)
    const from = o.flags.has(flag) ? 'flag' : given === undefined ? 'default' : 'env'
    const value = given === undefined ? defaultOf(spec, flag) : parseInput(spec, { flag, from, given, cwd: o.cwd })
    values[name] = value
    return {
      name,
      flag: `--${flag}`,
      env: spec.env,
      value: spec.isSecret && value !== undefined ? secretMark : (value ?? null),
      from,
      help: spec.help,
    }
  })
  return { values: values as InputValues<S>, records }
}

function defaultOf(spec: Input<unknown>, flag: string): unknown {
  if (spec.fallback !== undefined || spec.optional) return spec.fallback
  const env = spec.env === null ? '' : ` or set ${spec.env}`
  throw usageError(`Cannot run without --${flag}: ${spec.help}`, `give --${flag} ${spec.placeholder}${env}`)
}

function parseInput(spec: Input<unknown>, o: { flag: string; from: string; given: string; cwd: string }): unknown {
  try {
    return spec.parse(o.given, o.cwd)
  } catch (thrown) {
    if (thrown instanceof RunbookError) throw thrown
    const isEnv = o.from === 'env'
    const source = isEnv ? `${spec.env} in the environment` : `--${o.flag}`
    const hint = isEnv
      ? `give ${spec.env}=${spec.placeholder || '1 or 0'}, or leave it out`
      : `give --${o.flag} ${spec.placeholder}`.trim()
    throw usageError(`Cannot read ${source}: ${(thrown as Error).message}, got "${o.given}"`, hint)
  }
}
