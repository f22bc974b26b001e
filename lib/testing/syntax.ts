/** Reads the syntax of a TypeScript file for the tidy test: its functions, its exports and its examples. */
import { parseSync } from 'oxc-parser'

/** A function of any kind, arrow functions too. */
export interface FunctionAt {
  /** 1 for the first. */
  readonly line: number
  /** From the line on which it begins to the one on which it ends. */
  readonly lines: number
}

/** Something that a file exports by its own declaration. */
export interface Exported {
  readonly name: string
  readonly line: number
  readonly isDocumented: boolean
}

interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
}

/** A node with what `clockComparisonsOf` asks of the kinds that it looks at. */
interface SyntaxNode extends Node {
  readonly callee?: Node
  readonly expression?: SyntaxNode
  readonly id?: { readonly name?: string }
  readonly init?: SyntaxNode | null
  readonly left?: SyntaxNode
  readonly name?: string
  readonly operator?: string
  readonly property?: { readonly name?: string }
  readonly right?: SyntaxNode
  readonly value?: unknown
}

const functionTypes = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression'])

/** Every function of a file. */
export function functionsOf(path: string, text: string): FunctionAt[] {
  const lineOf = lineFinder(text)
  const found: FunctionAt[] = []
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) return void value.forEach(visit)
    if (value === null || typeof value !== 'object') return
    const node = value as Node
    if (functionTypes.has(node.type)) {
      const line = lineOf(node.start)
      found.push({ line, lines: lineOf(node.end) - line + 1 })
    }
    Object.values(value).forEach(visit)
  }
  visit(parseSync(path, text).program.body)
  return found
}

/** Reads of a clock, as the text of what is called. */
const clocks = /^(performance|Date)\.now$|^process\.(hrtime(\.bigint)?|uptime)$/
/** What the project calls a time that a clock gave. */
const measured = /^(duration|elapsed|took|waited)Ms$/
const relations = new Set(['<', '>', '<=', '>='])

/**
 * The lines on which a file compares how long something took: a read of a clock, a variable that holds one or the
 * difference of two, or a `durationMs`. A comparison with 0 says only that it was measured, and is not given.
 */
export function clockComparisonsOf(path: string, text: string): number[] {
  const lineOf = lineFinder(text)
  const held = new Set<string>()
  const isTime = (node: SyntaxNode): boolean => {
    if (node.type === 'CallExpression') return clocks.test(text.slice(node.callee!.start, node.callee!.end))
    if (node.type === 'Identifier') return held.has(node.name!) || measured.test(node.name!)
    if (node.type === 'MemberExpression') return measured.test(node.property!.name ?? '')
    if (node.type === 'BinaryExpression') return isTime(node.left!) || isTime(node.right!)
    return node.type === 'TSNonNullExpression' && isTime(node.expression!)
  }
  const isZero = (node: SyntaxNode) => node.type === 'Literal' && node.value === 0
  const found: number[] = []
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) return void value.forEach(visit)
    if (value === null || typeof value !== 'object') return
    const node = value as SyntaxNode
    if (node.type === 'VariableDeclarator' && node.init && node.id!.name !== undefined && isTime(node.init))
      held.add(node.id!.name)
    if (node.type === 'BinaryExpression' && relations.has(node.operator!) && !isZero(node.right!) && isTime(node))
      found.push(lineOf(node.start))
    Object.values(value).forEach(visit)
  }
  visit(parseSync(path, text).program.body)
  return found
}

/** Every declaration that a file exports; of overloads the first one, which carries the docstring. */
export function exportsOf(path: string, text: string): Exported[] {
  const { program, comments } = parseSync(path, text)
  const lineOf = lineFinder(text)
  const docs = comments.filter(({ type, value }) => type === 'Block' && value.startsWith('*'))
  const isDocumented = (start: number) => docs.some(({ end }) => end <= start && text.slice(end, start).trim() === '')
  const found = new Map<string, Exported>()
  for (const statement of program.body) {
    if (statement.type !== 'ExportNamedDeclaration' || statement.declaration === null) continue
    const { start } = statement
    for (const name of namesOf(statement.declaration)) {
      if (!found.has(name)) found.set(name, { name, line: lineOf(start), isDocumented: isDocumented(start) })
    }
  }
  return [...found.values()]
}

function namesOf(declaration: object): string[] {
  const { id, declarations } = declaration as { id?: { name?: string }; declarations?: { id: { name?: string } }[] }
  return [id, ...(declarations ?? []).map(({ id }) => id)].flatMap(named => named?.name ?? [])
}

/**
 * The code of every `@example` of a file, with the line on which it begins.
 *
 * One that opens with `ts ignore` needs a model or a device, and is not given.
 */
export function examplesOf(text: string): { line: number; code: string }[] {
  const lineOf = lineFinder(text)
  return [
    ...text.matchAll(/^[ \t]*\* @example.*\n(?:[ \t]*\*[^\n`]*\n)*[ \t]*\* ```ts\n([\s\S]*?)\n[ \t]*\* ```$/gm),
  ].map(match => ({
    line: lineOf(match.index),
    code: match[1]!
      .split('\n')
      .map(line => line.replace(/^[ \t]*\* ?/, ''))
      .join('\n'),
  }))
}

/** From a place in a text to its line, 1 for the first. */
function lineFinder(text: string): (at: number) => number {
  const ends = [...text.matchAll(/\n/g)].map(({ index }) => index)
  return at => {
    let [low, high] = [0, ends.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (ends[middle]! < at) low = middle + 1
      else high = middle
    }
    return low + 1
  }
}

/** The texts of the values that a file gives to calls of `next({ verdict: value })`; of a choice, both of its ends. */
export function nextValuesOf(path: string, text: string): string[] {
  const found: string[] = []
  const ends = (node: Node & Record<string, Node>): void => {
    if (node.type !== 'ConditionalExpression') return void found.push(text.slice(node.start, node.end))
    for (const end of [node.consequent, node.alternate]) ends(end as Node & Record<string, Node>)
  }
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) return void value.forEach(visit)
    if (value === null || typeof value !== 'object') return
    const { type, callee, arguments: given } = value as { type?: string; callee?: { name?: string }; arguments?: any }
    if (type === 'CallExpression' && callee?.name === 'next')
      for (const property of given[0]?.properties ?? []) if (property.type === 'Property') ends(property.value)
    Object.values(value).forEach(visit)
  }
  visit(parseSync(path, text).program.body)
  return found
}

/** A string of a program, its templates and sums joined; what is computed stands as `…`. */
export interface StringAt {
  /** 1 for the first. */
  readonly line: number
  readonly text: string
  /** The runbook whose words these are, where they are given to a function together with its path. */
  readonly runbook?: string
}

type Syntax = Readonly<Record<string, unknown>> & { readonly type?: string; readonly start?: number }

/** A runbook's path where a call makes its command, so that the flags behind it are known for that runbook's. */
const commandOf = (node: Syntax, joined: (node: Syntax) => string | null): string | null =>
  (node.callee as Syntax).name === 'runbookCommand' ? joined((node.arguments as readonly Syntax[])[0]!) : null

/** The value of `path` in an object: what stands beside it is said of that file. */
const pathIn = (node: Syntax): Syntax | undefined =>
  node.type === 'ObjectExpression'
    ? ((node.properties as readonly Syntax[]).find(({ key }) => (key as Syntax | undefined)?.name === 'path')
        ?.value as Syntax)
    : undefined

/** Every string of a file, each once, with the runbook that it is an argument of. */
export function stringsOf(path: string, text: string): StringAt[] {
  const { program } = parseSync(path, text)
  const lineOf = lineFinder(text)
  const constants = new Map<string, string>()
  const joined = (node: Syntax | undefined | null): string | null => {
    if (node?.type === 'Literal') return typeof node.value === 'string' ? node.value : null
    if (node?.type === 'Identifier') return constants.get(String(node.name)) ?? null
    if (node?.type === 'BinaryExpression' && node.operator === '+') {
      const parts = [joined(node.left as Syntax), joined(node.right as Syntax)]
      return parts.every(part => part === null) ? null : parts.map(part => part ?? '…').join('')
    }
    if (node?.type === 'CallExpression') return commandOf(node, joined)
    if (node?.type !== 'TemplateLiteral') return null
    const between = node.expressions as readonly Syntax[]
    const quasis = node.quasis as readonly { value: { cooked: string } }[]
    return quasis.map(({ value }, i) => value.cooked + (between[i] ? (joined(between[i]) ?? '…') : '')).join('')
  }
  const found: StringAt[] = []
  const visit = (value: unknown, runbook: string | undefined): void => {
    if (Array.isArray(value)) return value.forEach(each => visit(each, runbook))
    if (value === null || typeof value !== 'object') return
    const node = value as Syntax
    if (node.type === 'VariableDeclarator') {
      const said = joined(node.init as Syntax | null)
      if (said !== null) constants.set(String((node.id as Syntax).name), said)
    }
    const said = node.type === 'Identifier' || node.type === 'CallExpression' ? null : joined(node)
    if (said !== null) found.push({ line: lineOf(node.start ?? 0), text: said, ...(runbook && { runbook }) })
    if (said !== null && node.type !== 'TemplateLiteral') return
    const [first] = node.type === 'CallExpression' ? (node.arguments as readonly Syntax[]) : [pathIn(node)]
    const named = /^(?:npx tsx )?(runbooks\/[\w-]+\.ts)/.exec(joined(first) ?? '')?.[1]
    for (const each of Object.values(node)) visit(each, named ?? runbook)
  }
  visit(program.body, undefined)
  return found
}

const textReaders = new Set([
  'includes',
  'startsWith',
  'endsWith',
  'match',
  'matchAll',
  'search',
  'indexOf',
  'test',
  'exec',
])

/** Fields that hold a sentence for a person. */
const sentences = new Set(['message', 'hint', 'because', 'why', 'fix'])

/** What a call is a method of, and its name; undefined for a plain function. */
function callee(call: object): { object: unknown; property?: { name?: string } } | undefined {
  const called = (call as { callee: { type: string; object: unknown; property?: { name?: string } } }).callee
  return called.type === 'MemberExpression' ? called : undefined
}

/**
 * The lines on which a file asks what a message or a hint says: a search in it, a pattern on it, or a comparison with a
 * text. To shorten or quote one is no question.
 */
export function messageReadersOf(path: string, text: string): number[] {
  const lineOf = lineFinder(text)
  const found = new Set<number>()
  const isMessage = (value: unknown): boolean => {
    if (Array.isArray(value)) return value.some(isMessage)
    if (value === null || typeof value !== 'object') return false
    const node = value as Node & { name?: string; operator?: string } & Record<string, unknown>
    if (node.type === 'UnaryExpression' && node.operator === 'typeof') return false
    if (/Function|ObjectExpression/.test(node.type)) return false
    if (node.type === 'Identifier') return sentences.has(node.name!)
    if (node.type === 'MemberExpression') return isMessage(node.computed ? node.object : node.property)
    if (node.type === 'CallExpression') {
      return isMessage((node as { arguments?: unknown }).arguments) || isMessage(callee(node)?.object)
    }
    return Object.values(node).some(isMessage)
  }
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) return void value.forEach(visit)
    if (value === null || typeof value !== 'object') return
    const node = value as Node & Record<string, unknown>
    if (node.type === 'CallExpression') {
      const [first] = node.arguments as unknown[]
      const called = callee(node)
      if (textReaders.has(called?.property?.name ?? '') && (isMessage(called!.object) || isMessage(first)))
        found.add(lineOf(node.start))
    }
    if (node.type === 'BinaryExpression' && /^[!=]==?$/.test(node.operator as string)) {
      const sides = [node.left, node.right] as (Node & { value?: unknown })[]
      const hasText = sides.some(
        ({ type, value: said }) => type === 'Literal' && typeof said === 'string' && said !== '',
      )
      if (hasText && sides.some(side => side.type !== 'Literal' && isMessage(side))) found.add(lineOf(node.start))
    }
    if (node.type === 'SwitchStatement' && isMessage(node.discriminant)) found.add(lineOf(node.start))
    Object.values(node).forEach(visit)
  }
  visit(parseSync(path, text).program.body)
  return [...found].toSorted((a, b) => a - b)
}
