/**
 * Reads a YAML configuration so that a mistake is told with file, key and line.
 *
 * Keys that the schema does not know are mistakes too: a misspelt key would otherwise be a setting without effect.
 */
import type { LineCounter, Document, ParsedNode } from 'yaml'
import type { ZodError, ZodType } from 'zod'
import { usageError } from '../base/errors.ts'
import { readFile } from '../host/files.ts'

/**
 * Read and check a YAML file.
 * @param schema what the values must be; use `z.strictObject` so that unknown keys are refused
 * @throws {RunbookError} usage, naming file, key and line, for what is no YAML, a key that stands twice, or a value
 *   that the schema refuses; blocked when the file is absent
 */
export async function readYaml<T>(path: string, schema: ZodType<T>): Promise<T> {
  return await parseYaml(readFile(path).toString('utf8'), schema, path)
}

/**
 * As {@linkcode readYaml}, from a text.
 *
 * @example
 * ```ts
 * import assert from 'node:assert/strict'
 * import { z } from 'zod'
 * import { parseYaml } from './config.ts'
 *
 * const schema = z.strictObject({ server: z.strictObject({ port: z.int().max(65535) }) })
 * assert.deepEqual(await parseYaml('server:\n  port: 11437\n', schema, 'config.yaml'), { server: { port: 11437 } })
 * await assert.rejects(parseYaml('server:\n  port: high\n', schema, 'config.yaml'), /line 2.*server\.port/)
 * ```
 */
export async function parseYaml<T>(text: string, schema: ZodType<T>, path: string): Promise<T> {
  const { LineCounter, parseDocument } = await import('yaml')
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, maxAliasCount: 100 } as object)
  const [broken] = document.errors
  if (broken) {
    const line = lines.linePos(broken.pos[0]).line
    throw usageError(`Cannot read "${path}": line ${line}: ${broken.message.split('\n')[0]}`, `edit ${path}`)
  }
  const parsed = schema.safeParse(document.toJS() ?? {})
  if (parsed.success) return parsed.data
  throw refusal(path, document, lines, parsed.error)
}

function refusal(path: string, document: Document.Parsed, lines: LineCounter, error: ZodError) {
  const [issue] = error.issues
  const unknown = issue!.code === 'unrecognized_keys' ? issue!.keys[0] : undefined
  const keys = [...issue!.path.map(String), ...(unknown === undefined ? [] : [unknown])]
  const line = lineOf(document, lines, keys)
  const at = line === null ? '' : `line ${line}: `
  const why = unknown === undefined ? issue!.message : 'there is no such key'
  return usageError(`Cannot use "${path}": ${at}${keys.join('.') || 'the file'}: ${why}`, `edit ${path}`)
}

/** The line of a key, or of the nearest that is there; null for an empty file. */
function lineOf(document: Document.Parsed, lines: LineCounter, keys: readonly string[]): number | null {
  for (let depth = keys.length; depth > 0; depth--) {
    const parent = document.getIn(keys.slice(0, depth - 1), true) as { items?: unknown[] } | undefined
    const pair = parent?.items?.find(item => String((item as { key?: unknown }).key) === keys[depth - 1])
    const node = (pair as { key?: ParsedNode } | undefined)?.key
    if (node?.range) return lines.linePos(node.range[0]).line
  }
  return null
}
