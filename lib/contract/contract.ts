/**
 * Reads the contracts of `contracts/`, and audits the sources of their values.
 *
 * A contract is `contracts/<name>.contract.json`: plain values, and beside them `sources`, a map from JSON pointer to
 * where the value comes from. `readContract` parses and looks for what is required, and loads nothing heavy.
 * `checkContract` audits: sources, derived numbers, decisions, and the rules of `holds` between values. A source covers
 * its leaf, or every leaf below it; `*` in its pointer is every element.
 *
 *   "sources": { "/model/stride": { "kind": "code", "ref": "owner/repo@commit:path:line" },
 *                "/rungs/*\/frames": { "kind": "derived", "ref": "n / stride + 1",
 *                                     "with": { "n": "/rungs/*\/inputLen", "stride": "/model/stride" } } }
 */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { sha256File } from '../host/digest.ts'
import { readFile, readJson } from '../host/files.ts'
import { blockedError, RunbookError, usageError } from '../base/errors.ts'
import { expand, fill, isMap, numbersAt, stepEncoded, type Json, type JsonMap, type Match } from './pointer.ts'

/**
 * Where a value may come from. `measured` cites a run and says what it measured there: a bound may not be equal to it.
 */
export const sourceKinds = [
  'plan',
  'nemo_config',
  'hf_config',
  'onnx_io',
  'export_meta',
  'code',
  'derived',
  'paper',
  'decision',
  'measured',
] as const

/** Where a value of a contract comes from. */
export interface Source {
  readonly kind: (typeof sourceKinds)[number]
  /** Per kind: a plan's section, `owner/repo@commit:path:line`, a formula, the id `D-nn` of a decision, a run, … */
  readonly ref: string
  /** Only `derived`: the names in the formula, and the pointers that they stand for. */
  readonly with?: Readonly<Record<string, string>>
  /** Only `measured`: the value that the cited run gave. */
  readonly measured?: number
}

/** What `readContract` adds to the values: which file this was, to the bit. */
export interface ContractMark {
  readonly contract: string
  readonly version: number
  /** SHA-256 of the file, for a report's fingerprint. */
  readonly sha256: string
}

/** What must hold between values, such as `worst <= mean`, and the pointers that its names stand for. */
interface Rule {
  readonly that: string
  readonly with: Readonly<Record<string, string>>
}

interface Place {
  /** The folder of the contracts; the project's own when left out. */
  readonly folder?: string
}

const ownFolder = join(import.meta.dirname, '../../contracts')

/** Keys that describe the contract and need no source. */
const marks = new Set(['$schema', 'contract', 'version', 'about', 'required', 'sources', 'holds'])

interface Parsed {
  readonly path: string
  readonly values: JsonMap
  readonly required: readonly string[]
  readonly sources: Readonly<Record<string, Source>>
  readonly holds: readonly Rule[]
  readonly mark: ContractMark
}

/**
 * The values of a contract and its digest. `T` is the caller's claim; what it relies on stands in `required`, which is
 * checked.
 *
 * @throws RunbookError blocked when there is no such contract (naming those that exist), usage when it is malformed or
 *   lacks a required value
 * @example
 * ```ts
 * const contract = readContract<{ service: { port: number } }>('edgeinfer')
 * assert.equal(contract.service.port, 9000)
 * ```
 */
export function readContract<T extends object>(name: string, place: Place = {}): Readonly<T> & ContractMark {
  const parsed = parse(name, place)
  const absent = absentOf(parsed)
  if (absent.length > 0) {
    const state = `it lacks ${absent.join(', ')}`
    throw usageError(`Cannot use the contract "${parsed.path}": ${state}`, 'restore the value, with its source')
  }
  return { ...(parsed.values as T), ...parsed.mark }
}

/**
 * All that is wrong with a contract, a sentence each; none when it holds.
 *
 * @throws RunbookError blocked when absent, usage when malformed
 */
export async function checkContract(name: string, place: Place = {}): Promise<string[]> {
  const parsed = parse(name, place)
  const covered = new Map(
    Object.keys(parsed.sources).map(pointer => [pointer, expand(parsed.values, pointer)] as const),
  )
  return [
    ...(parsed.required.length === 0 ? ['nothing is required'] : []),
    ...absentOf(parsed).map(pointer => `${pointer} is required and absent`),
    ...unsourced(
      parsed,
      [...covered.values()].flat().map(match => match.pointer),
    ),
    ...[...covered]
      .filter(([, matches]) => matches.length === 0)
      .map(([pointer]) => `${pointer} has a source but no value`),
    ...Object.entries(parsed.sources).flatMap(([pointer, source]) => refProblems(pointer, source, place)),
    ...(await derivedProblems(parsed, covered)),
    ...measuredProblems(parsed, covered),
    ...(await ruleProblems(parsed)),
  ]
}

/** The names of the contracts in the folder. */
export function contractNames(folder: string = ownFolder): string[] {
  const files = existsSync(folder) ? readdirSync(folder) : []
  return files
    .filter(file => file.endsWith(suffix))
    .map(file => file.slice(0, -suffix.length))
    .toSorted()
}

const suffix = '.contract.json'

function parse(name: string, { folder = ownFolder }: Place): Parsed {
  const path = join(folder, `${name}${suffix}`)
  if (!/^[a-z0-9][a-z0-9._-]*$/.test(name) || !existsSync(path)) {
    const known = contractNames(folder).join(', ') || 'none'
    throw blockedError(`Cannot read the contract "${name}": there is no such file in ${folder}`, `one of ${known}`)
  }
  const json = readJson(path) as Json
  const fault = faultOf(json, name)
  if (fault !== null)
    throw usageError(`Cannot read the contract "${path}": ${fault}`, 'compare it with another contract')
  const whole = json as JsonMap
  return {
    path,
    values: Object.fromEntries(Object.entries(whole).filter(([key]) => !marks.has(key))),
    required: whole.required as readonly string[],
    sources: whole.sources as unknown as Readonly<Record<string, Source>>,
    holds: (whole.holds ?? []) as unknown as readonly Rule[],
    mark: { contract: name, version: whole.version as number, sha256: sha256File(path) },
  }
}

function faultOf(json: Json, name: string): string | null {
  if (!isMap(json)) return 'it is not an object'
  const { contract, version, required, sources, holds = [] } = json
  if (contract !== name) return `its "contract" is ${JSON.stringify(contract)}, not its name`
  if (typeof version !== 'number') return 'it has no "version"'
  const isList = Array.isArray(required) && required.every(pointer => typeof pointer === 'string')
  if (!isList) return 'its "required" is no list of pointers'
  const areRules = Array.isArray(holds) && holds.every(rule => isMap(rule) && isMap(rule.with))
  if (!areRules) return 'its "holds" is no list of expressions with their pointers'
  return isMap(sources) && Object.values(sources).every(isMap) ? null : 'its "sources" is no map of sources'
}

const absentOf = ({ required, values }: Parsed): string[] =>
  required.filter(pointer => expand(values, pointer).length === 0)

function unsourced({ values }: Parsed, covered: readonly string[]): string[] {
  const sourced = new Set(covered)
  const leaves = (value: Json, pointer: string): string[] =>
    sourced.has(pointer)
      ? []
      : typeof value === 'object' && value !== null && Object.keys(value).length > 0
        ? Object.entries(value).flatMap(([key, child]) => leaves(child, `${pointer}/${stepEncoded(key)}`))
        : [pointer]
  const bare = Object.entries(values).flatMap(([key, value]) => leaves(value, `/${stepEncoded(key)}`))
  return bare.map(pointer => `${pointer} has no source`)
}

function refProblems(pointer: string, { kind, ref, ...rest }: Source, { folder = ownFolder }: Place): string[] {
  if (!sourceKinds.includes(kind)) return [`${pointer} has a source of the unknown kind ${JSON.stringify(kind)}`]
  if (typeof ref !== 'string' || ref === '') return [`${pointer} has a source without a ref`]
  const more: Partial<Record<Source['kind'], string>> = { derived: 'with', measured: 'measured' }
  const stray = Object.keys(rest).filter(key => key !== more[kind])
  if (stray.length > 0) return [`${pointer} has a ${kind} source with a stray ${stray.join(', ')}`]
  if (kind === 'code' && !/^[\w.-]+\/[\w.-]+@[0-9a-f]{7,40}:[^:]+:\d+(-\d+)?$/.test(ref)) {
    return [`${pointer} cites "${ref}", which is not owner/repo@commit:path:line`]
  }
  const isOpen = kind === 'decision' && !decisions(folder).has(ref)
  return isOpen ? [`${pointer} rests on ${ref}, which is no heading of DECISIONS.md`] : []
}

function decisions(folder: string): Set<string> {
  const path = join(folder, 'DECISIONS.md')
  const text = existsSync(path) ? readFile(path).toString('utf8') : ''
  return new Set([...text.matchAll(/^## (D-\d+)\b/gm)].map(heading => heading[1]!))
}

async function derivedProblems(
  { sources, values }: Parsed,
  covered: ReadonlyMap<string, readonly Match[]>,
): Promise<string[]> {
  const derived = Object.entries(sources).filter(
    ([, source]) => source.kind === 'derived' && typeof source.ref === 'string',
  )
  if (derived.length === 0) return []
  const { valueOf } = await import('./expression.ts')
  const problemOf = (source: Source, { pointer, value, stars }: Match): string | null => {
    try {
      const names = Object.entries(source.with ?? {}).map(([name, where]) => [name, fill(where, stars)] as const)
      const want = valueOf(source.ref, numbersAt(values, Object.fromEntries(names)))
      return want === value ? null : `${pointer} is ${JSON.stringify(value)}, but ${source.ref} gives ${want}`
    } catch (error) {
      if (error instanceof RunbookError) return `${pointer}: ${error.message}`
      throw error
    }
  }
  return derived
    .flatMap(([pointer, source]) => covered.get(pointer)!.map(match => problemOf(source, match)))
    .filter(problem => problem !== null)
}

async function ruleProblems({ holds, values }: Parsed): Promise<string[]> {
  if (holds.length === 0) return []
  const { keepsTo } = await import('./expression.ts')
  return holds.flatMap(rule => {
    try {
      const numbers = numbersAt(values, rule.with)
      return keepsTo(rule.that, numbers) ? [] : [`"${rule.that}" does not hold with ${JSON.stringify(numbers)}`]
    } catch (error) {
      if (error instanceof RunbookError) return [`"${rule.that}": ${error.message}`]
      throw error
    }
  })
}

function measuredProblems({ sources }: Parsed, covered: ReadonlyMap<string, readonly Match[]>): string[] {
  return Object.entries(sources)
    .filter(([, source]) => source.kind === 'measured')
    .flatMap(([pointer, { measured }]) => {
      if (typeof measured !== 'number') return [`${pointer} cites a measurement without its value`]
      const equal = covered.get(pointer)!.filter(({ value }) => value === measured)
      return equal.map(match => `${match.pointer} is what its run measured, which leaves no room`)
    })
}
