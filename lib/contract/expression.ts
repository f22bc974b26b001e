/**
 * Evaluates the expressions of contracts over measured numbers, and nothing else.
 *
 * mathjs parses; nothing of it evaluates. The tree is walked here, over an allowlist of nodes, operators and functions,
 * so that no expression can reach an object or a program, comparisons are exact (mathjs calls 0.999 and
 * 0.9990000000000001 equal), and NaN fails, also behind a `not`. Only plain numbers: no strings, units, matrices,
 * assignments or implied products.
 */
import { createRequire } from 'node:module'
import { usageError } from '../base/errors.ts'

/** A node of mathjs's tree, with the fields that the allowlist reads. */
interface MathNode {
  readonly type: string
  readonly value?: unknown
  readonly name?: string
  readonly fn?: string | { readonly name?: string; readonly type?: string }
  readonly implicit?: boolean
  readonly isPercentage?: boolean
  readonly content?: MathNode
  readonly args?: readonly MathNode[]
}

type Value = number | boolean

const arithmetic: Record<string, (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  subtract: (a, b) => a - b,
  multiply: (a, b) => a * b,
  divide: (a, b) => a / b,
  pow: (a, b) => a ** b,
}
const comparisons: Record<string, (a: number, b: number) => boolean> = {
  larger: (a, b) => a > b,
  largerEq: (a, b) => a >= b,
  smaller: (a, b) => a < b,
  smallerEq: (a, b) => a <= b,
  equal: (a, b) => a === b,
  unequal: (a, b) => a !== b,
}
const functions: Record<string, (...numbers: number[]) => number> = {
  abs: Math.abs,
  min: Math.min,
  max: Math.max,
  floor: Math.floor,
  ceil: Math.ceil,
  round: Math.round,
  sqrt: Math.sqrt,
  log2: Math.log2,
  log10: Math.log10,
}

/** What is NaN or infinite makes the whole expression undecided, which is never a pass. */
class Undecided extends Error {}

/**
 * Whether the metrics keep to a gate such as `cosine >= 0.999 and max_abs <= 1e-3`. NaN and infinity, given or
 * computed, fail.
 *
 * @throws RunbookError usage for a missing metric, for an expression that is no comparison, and for anything beyond the
 *   allowlist
 */
export function keepsTo(gate: string, metrics: Readonly<Record<string, number>>): boolean {
  const verdict = evaluate(gate, metrics)
  if (typeof verdict === 'number')
    throw refuse(gate, 'it is a number, not a comparison', 'write it like "cosine >= 0.999"')
  return verdict ?? false
}

/**
 * The number that a formula gives.
 *
 * @throws RunbookError usage for a missing name, a comparison, NaN, infinity, or anything not allowed
 * @example
 * ```ts
 * assert.equal(await valueOf('n / stride + 1', { n: 64, stride: 16 }), 5)
 * ```
 */
export function valueOf(formula: string, numbers: Readonly<Record<string, number>>): number {
  const value = evaluate(formula, numbers)
  if (typeof value === 'boolean')
    throw refuse(formula, 'it is a comparison, not a number', 'write it like "length / stride + 1"')
  if (value === null) throw refuse(formula, 'it comes to NaN or infinity', 'check the numbers that it is made of')
  return value
}

const refuse = (text: string, why: string, hint: string) => usageError(`Cannot evaluate "${text}": ${why}`, hint)

/** Longest expression that is parsed: beyond it nobody wrote it by hand. */
const charactersMax = 500

function evaluate(text: string, names: Readonly<Record<string, number>>): Value | null {
  if (text.length > charactersMax) {
    throw refuse(`${text.slice(0, 40)} …`, `it has more than ${charactersMax} characters`, 'split it')
  }
  const tree = parse(text)
  check(tree, text, names)
  try {
    return walk(tree, names)
  } catch (error) {
    if (error instanceof Undecided) return null
    if (!(error instanceof TypeError)) throw error
    throw refuse(text, error.message, 'compare numbers, and join comparisons with "and" or "or"')
  }
}

function parse(text: string): MathNode {
  // The plain import of mathjs costs seconds; this bundle, which has no types, a fifth of that.
  const math = createRequire(import.meta.url)('mathjs/lib/browser/math.js') as { parse(text: string): MathNode }
  try {
    return math.parse(text)
  } catch (thrown) {
    throw refuse(text, (thrown as Error).message, 'write it like "cosine >= 0.999 and max_abs <= 1e-3"')
  }
}

/** Refuse a node that is not on the list, everywhere in the tree and before any part of it is evaluated. */
function check(node: MathNode, text: string, names: Readonly<Record<string, number>>): void {
  const fault = faultOf(node, names)
  if (fault !== null) {
    const allowed = `+ - * / ^, comparisons, and, or, not, ${Object.keys(functions).join(', ')}`
    throw refuse(text, fault, `use numbers, the given names, ${allowed}`)
  }
  for (const child of childrenOf(node)) check(child, text, names)
}

function faultOf(node: MathNode, names: Readonly<Record<string, number>>): string | null {
  switch (node.type) {
    case 'ConstantNode':
      return typeof node.value === 'number' ? null : `${JSON.stringify(node.value)} is not a number`
    case 'SymbolNode':
      if (Object.hasOwn(names, node.name!)) return null
      return `there is no "${node.name}" among ${Object.keys(names).join(', ') || 'no names'}`
    case 'ParenthesisNode':
      return null
    case 'OperatorNode':
      return node.implicit || node.isPercentage ? 'a product without its "*", or a percentage' : operatorFault(node)
    case 'FunctionNode': {
      const name = functionName(node)
      const isKnown = name !== null && Object.hasOwn(functions, name) && node.args!.length > 0
      return isKnown ? null : `no function "${name ?? '?'}" is allowed`
    }
    default:
      return `a ${node.type} is not allowed`
  }
}

const logic = new Set(['and', 'or', 'not', 'unaryMinus', 'unaryPlus'])

function operatorFault(node: MathNode): string | null {
  const name = node.fn as string
  const isKnown = logic.has(name) || Object.hasOwn(arithmetic, name) || Object.hasOwn(comparisons, name)
  return isKnown ? null : `no operator "${name}" is allowed`
}

const functionName = (node: MathNode): string | null =>
  typeof node.fn === 'object' && node.fn.type === 'SymbolNode' ? (node.fn.name ?? null) : null

const childrenOf = (node: MathNode): readonly MathNode[] => (node.content ? [node.content] : (node.args ?? []))

function walk(node: MathNode, names: Readonly<Record<string, number>>): Value {
  if (node.type === 'ConstantNode') return finite(node.value)
  if (node.type === 'SymbolNode') return finite(names[node.name!])
  if (node.type === 'ParenthesisNode') return walk(node.content!, names)
  // Every operand is evaluated, so that `a >= 1 or b >= 1` is undecided when either is NaN.
  const values = node.args!.map(argument => walk(argument, names))
  if (node.type === 'FunctionNode') return finite(functions[functionName(node)!]!(...values.map(number)))
  return operate(node.fn as string, values)
}

function operate(name: string, values: readonly Value[]): Value {
  const [a, b] = values
  if (name === 'not') return !truth(a)
  if (name === 'and') return [truth(a), truth(b)].every(Boolean)
  if (name === 'or') return [truth(a), truth(b)].some(Boolean)
  if (name === 'unaryMinus') return -number(a)
  if (name === 'unaryPlus') return number(a)
  const compared = comparisons[name]
  return compared ? compared(number(a), number(b)) : finite(arithmetic[name]!(number(a), number(b)))
}

function finite(value: unknown): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new Undecided()
  return value
}

function number(value: Value | undefined): number {
  if (typeof value !== 'number') throw new TypeError('a comparison stands where a number must')
  return value
}

function truth(value: Value | undefined): boolean {
  if (typeof value !== 'boolean') throw new TypeError('a number stands where a comparison must')
  return value
}
