/**
 * Finds exports that no other module asks for, by the names in import statements.
 *
 * A word of the same name elsewhere is no use. Whoever passes a module on (`export … from`) passes its importers on; a
 * module that is loaded by `import()` uses what its text names.
 */
import { dirname, join } from 'node:path'
import { parseSync } from 'oxc-parser'

/** An export of a module. */
export interface ExportOf {
  readonly path: string
  readonly name: string
}

interface Node {
  readonly type: string
  readonly [field: string]: unknown
}
type Named = { readonly name?: string; readonly value?: string }

/** What one module declares, asks for and mentions. */
class Module {
  readonly exports: string[] = []
  /** By target: the names that are imported, `*` for all. */
  readonly imports = new Map<string, Set<string>>()
  readonly passesOn: { readonly to: string; readonly names: ReadonlySet<string> | null }[] = []
  readonly loads: string[] = []
  /** How often each name stands in it for a value or a type of its own scope. */
  readonly words = new Map<string, number>()
  /** What it takes out of objects: `module.name`, `const { name } = module`. */
  readonly taken = new Set<string>()
  readonly #folder: string

  constructor(path: string, text: string) {
    this.#folder = dirname(path)
    const body = parseSync(path, text).program.body as unknown as Node[]
    for (const statement of body) this.#read(statement)
    this.#visit(body)
  }

  #read(statement: Node): void {
    const { type, source, declaration } = statement as Node & { source: Named | null; declaration: Node | null }
    const to = source?.value?.startsWith('.') ? join(this.#folder, source.value) : null
    const specifiers = (statement.specifiers ?? []) as { imported?: Named; local: Named }[]
    if (type === 'ImportDeclaration' && to !== null) {
      const names = specifiers.map(({ imported }) => imported?.name ?? '*')
      this.imports.set(to, new Set([...(this.imports.get(to) ?? []), ...names]))
    }
    if (type === 'ExportAllDeclaration' && to !== null) this.passesOn.push({ to, names: null })
    if (type !== 'ExportNamedDeclaration') return
    if (to !== null) this.passesOn.push({ to, names: new Set(specifiers.map(({ local }) => local.name!)) })
    if (declaration !== null && !declaration.type.startsWith('TS')) {
      const { id, declarations = [] } = declaration as { id?: Named; declarations?: { id: Named }[] }
      this.exports.push(...[id, ...declarations.map(each => each.id)].flatMap(each => each?.name ?? []))
    }
  }

  #visit(value: unknown): void {
    if (Array.isArray(value)) return value.forEach(each => this.#visit(each))
    if (value === null || typeof value !== 'object') return
    const node = value as Node
    if (node.type === 'Identifier') this.words.set(node.name as string, (this.words.get(node.name as string) ?? 0) + 1)
    const source = node.type === 'ImportExpression' ? (node.source as Named).value : undefined
    if (typeof source === 'string' && source.startsWith('.')) this.loads.push(join(this.#folder, source))
    if (node.type === 'ExportNamedDeclaration' && node.source !== null) return
    // A key is a name in another scope.
    const key = node.computed === true ? undefined : node.type === 'MemberExpression' ? 'property' : 'key'
    for (const [field, each] of Object.entries(node)) if (field !== key) this.#visit(each)
    if (node.type === 'MemberExpression' && key !== undefined) this.taken.add((node.property as Named).name ?? '')
    if (node.type === 'ObjectPattern')
      for (const { key: taken } of node.properties as { key?: Named }[]) this.taken.add(taken?.name ?? '')
  }
}

/**
 * Values that a module exports and that neither another one nor its own text uses.
 * @param texts the modules by their path; only uses inside them count
 */
export function unusedExports(texts: ReadonlyMap<string, string>): ExportOf[] {
  const modules = new Map([...texts].map(([path, text]) => [path, new Module(path, text)]))
  /** The modules through which an export can be had: its own, and those that pass it on. */
  const facesOf = (path: string, name: string, seen = new Set<string>()): ReadonlySet<string> => {
    if (seen.has(path)) return seen
    seen.add(path)
    for (const [other, { passesOn }] of modules)
      if (passesOn.some(({ to, names }) => to === path && (names === null || names.has(name))))
        facesOf(other, name, seen)
    return seen
  }
  const isUsed = (path: string, name: string): boolean => {
    if (modules.get(path)!.words.get(name)! > 1) return true
    const faces = facesOf(path, name)
    return [...modules.values()].some(({ imports, loads, taken }) => {
      const isImported = [...faces].some(face => imports.get(face)?.has(name) || imports.get(face)?.has('*'))
      return isImported || (taken.has(name) && loads.some(to => faces.has(to)))
    })
  }
  return [...modules].flatMap(([path, { exports }]) =>
    exports.filter(name => !isUsed(path, name)).map(name => ({ path, name })),
  )
}
