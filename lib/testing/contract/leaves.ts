/**
 * Finds the values of contracts that no production code reads.
 *
 * The compiler says who reads what: every value's name is changed in the type of its contract, and each place that
 * still asks for it under the old name becomes an error of `tsc`. So a common word elsewhere (`name`, `path`) cannot be
 * taken for a read. A value that goes whole to a type of another room counts as read where it is handed over.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseSync } from 'oxc-parser'

/** Where the type of a contract is declared. */
export interface ContractType {
  /** From the root of the project. */
  readonly file: string
  /** An interface of that file. */
  readonly name: string
}

/** A value as its contract's type declares it. */
export interface TypedLeaf {
  readonly file: string
  /** The interface that it stands in; several types may name a value alike. */
  readonly owner: string
  /** A JSON pointer, with `*` for any element or key. */
  readonly pointer: string
  readonly key: string
  /** Where its key begins in the file; null for one that `Pick` takes from a type of another file. */
  readonly at: number | null
}

/** The members of a type: properties, and keys that are picked from a type of another file. */
interface Members {
  readonly properties: readonly Node[]
  readonly picked: readonly string[]
  /** The interface that they stand in. */
  readonly owner: string
  /** Steps of a pointer before their keys. */
  readonly step: string
}

interface Node {
  readonly type: string
  readonly start: number
  readonly [field: string]: unknown
}

/**
 * The values that a type declares, down to what is no object of this file.
 * @throws Error when the file declares no such interface
 */
export function typedLeaves(root: string, { file, name }: ContractType): TypedLeaf[] {
  const types = typesOf(file, readFileSync(join(root, file), 'utf8'))
  const declared = types.get(name)
  if (declared === undefined) throw new Error(`${file} declares no ${name}`)
  const leavesOf = (node: Node, above: string, pointer: string): TypedLeaf[] => {
    const { properties, picked, owner, step } = membersOf(node, above, types)!
    const foreign = picked.map(key => ({ file, owner, pointer: `${pointer}${step}/${key}`, key, at: null }))
    const own = properties.flatMap(member => {
      const { name: key, start: at } = member.key as { name: string; start: number }
      const deeper = `${pointer}${step}/${key}`
      const inner = (member.typeAnnotation as { typeAnnotation: Node }).typeAnnotation
      const isObject = membersOf(inner, owner, types) !== null
      return isObject ? leavesOf(inner, owner, deeper) : [{ file, owner, pointer: deeper, key, at }]
    })
    return [...foreign, ...own]
  }
  return leavesOf(declared, name, '')
}

/** The interfaces and aliases that a file declares, by name. */
function typesOf(file: string, text: string): Map<string, Node> {
  const types = new Map<string, Node>()
  for (const statement of parseSync(file, text).program.body as unknown as Node[]) {
    const declared = (statement.declaration ?? statement) as Node
    const isType = /^TS(Interface|TypeAlias)Declaration$/.test(declared.type)
    if (isType) types.set((declared.id as { name: string }).name, declared)
  }
  return types
}

/** The members of a type, or null for one that is no object of this file. */
function membersOf(node: Node, owner: string, types: ReadonlyMap<string, Node>): Members | null {
  const of = (inner: unknown, step = ''): Members | null => {
    const found = membersOf(inner as Node, owner, types)
    return found && { ...found, step: step + found.step }
  }
  const propertiesOf = (members: unknown) => (members as Node[]).filter(({ type }) => type === 'TSPropertySignature')
  switch (node.type) {
    case 'TSTypeLiteral':
      return { properties: propertiesOf(node.members), picked: [], owner, step: '' }
    case 'TSInterfaceDeclaration': {
      const { name } = node.id as { name: string }
      const { body } = node.body as { body: Node[] }
      const above = ((node.extends ?? []) as Node[]).map(({ expression }) => (expression as { name: string }).name)
      const inherited = above.flatMap(parent => (types.has(parent) ? [of(types.get(parent))!] : []))
      return joined([{ properties: propertiesOf(body), picked: [], owner: name, step: '' }, ...inherited])
    }
    case 'TSTypeAliasDeclaration':
    case 'TSTypeOperator':
      return of(node.typeAnnotation)
    case 'TSIntersectionType': {
      const parts = (node.types as Node[]).map(part => of(part)).filter(part => part !== null)
      return parts.length === 0 ? null : joined(parts)
    }
    case 'TSArrayType':
      return of(node.elementType, '/*')
    case 'TSTypeReference':
      return ofReference(node, of, types)
    default:
      return null
  }
}

const joined = (parts: readonly Members[]): Members => ({
  ...parts[0]!,
  properties: parts.flatMap(({ properties }) => properties),
  picked: parts.flatMap(({ picked }) => picked),
})

function ofReference(
  node: Node,
  of: (inner: unknown, step?: string) => Members | null,
  types: ReadonlyMap<string, Node>,
): Members | null {
  const { name = '' } = node.typeName as { name?: string }
  const parameters = (node.typeArguments as { params: Node[] } | null)?.params ?? []
  if (name === 'Readonly') return of(parameters[0])
  if (name === 'Record') return of(parameters[1], '/*')
  if (types.has(name)) return of(types.get(name))
  if (name !== 'Pick') return null
  const keys = ((parameters[1]!.types ?? [parameters[1]]) as { literal: { value: string } }[]).map(
    ({ literal }) => literal.value,
  )
  return { properties: [], picked: keys, owner: '', step: '' }
}

/** The leaves that no production file reads; `files` are those files, from the root. */
export function unreadLeaves(root: string, files: readonly string[], types: readonly ContractType[]): TypedLeaf[] {
  const folder = mkdtempSync(join(tmpdir(), 'contract-leaves-'))
  try {
    for (const part of ['lib', 'ffi', 'runbooks', 'package.json'])
      cpSync(join(root, part), join(folder, part), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
    const { compilerOptions } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8')) as {
      compilerOptions: object
    }
    const options = { ...compilerOptions, noErrorTruncation: true, noUnusedLocals: false }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files }))
    let left = types.flatMap(type => typedLeaves(root, type)).filter(({ at }) => at !== null)
    for (;;) {
      renameIn({ root, folder, files: types.map(({ file }) => file) }, left)
      const said = messagesOf(root, folder)
      const unread = left.filter((leaf, i) => !said.some(error => asksFor(error, leaf, { id: idOf(leaf, i), left })))
      // A list of missing properties ends after the fourth: the others are seen when those have their names back.
      if (unread.length === left.length || !said.some(error => /, and \d+ more/.test(error))) return unread
      left = unread
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** What the compiler says of a project, an error each. */
function messagesOf(root: string, folder: string): string[] {
  const { stdout, error } = spawnSync(join(root, 'node_modules/.bin/tsc'), ['--noEmit', '--pretty', 'false'], {
    cwd: folder,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  if (error) throw error
  return stdout.split(/^(?=\S+\.ts\(\d+,\d+\): error)/m)
}

const idOf = ({ key }: TypedLeaf, i: number): string => `${key}__${i}`

/** Write the files that declare the types anew, with these values under new names. */
function renameIn(
  { root, folder, files }: { root: string; folder: string; files: readonly string[] },
  leaves: readonly TypedLeaf[],
): void {
  for (const file of new Set(files)) {
    const places = leaves.flatMap((leaf, i) => (leaf.file === file ? [{ ...leaf, id: idOf(leaf, i) }] : []))
    const text = places
      .toSorted((a, b) => b.at! - a.at!)
      .reduce(
        (all, { at, key, id }) => all.slice(0, at!) + id + all.slice(at! + key.length),
        readFileSync(join(root, file), 'utf8'),
      )
    writeFileSync(join(folder, file), text)
  }
}

/** Whether an error is about this value: it names its key, and shows its new name or the type that holds it. */
function asksFor(error: string, leaf: TypedLeaf, { id, left }: { id: string; left: readonly TypedLeaf[] }): boolean {
  const listed = /missing the following properties from type .*: ([\w, ]+)/.exec(error)?.[1]?.split(/, (?:and )?/) ?? []
  if (!new RegExp(`['"]${leaf.key}['"]`).test(error) && !listed.includes(leaf.key)) return false
  if (new RegExp(`\\b${id}\\b`).test(error)) return true
  const namesakes = left.filter(({ key }) => key === leaf.key)
  if (namesakes.length === 1) return true
  return !/__\d/.test(error) && new RegExp(`\\b${leaf.owner}\\b`).test(error)
}

/** The values of a contract's JSON that its type does not declare, as pointers. */
export function untypedLeaves(values: unknown, typed: readonly TypedLeaf[]): string[] {
  const patterns = typed.map(({ pointer }) => pointer.split('/'))
  const isTyped = (steps: readonly string[]) =>
    patterns.some(want => want.length <= steps.length && want.every((step, i) => step === '*' || step === steps[i]))
  const visit = (value: unknown, steps: readonly string[]): string[] => {
    if (steps.length > 1 && isTyped(steps)) return []
    if (typeof value !== 'object' || value === null) return [steps.join('/')]
    return Object.entries(value).flatMap(([key, child]) => visit(child, [...steps, key]))
  }
  return visit(values, [''])
}
