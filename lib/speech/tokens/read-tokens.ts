/**
 * Reads a Whisper's vocabulary from whichever files lie beside its weights.
 *
 * `tokenizer.json` (Hugging Face), `vocab.json` (with or without its merges), `*.tiktoken` (OpenAI), `vocabulary.txt`
 * and `vocabulary.json` (CTranslate2). All give the same: the bytes of every ordinary token, and the names of special
 * tokens where the file has them.
 */
import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { readFile } from '../../host/files.ts'
import { blockedError, usageError } from '../../base/errors.ts'
import { bytesFromSpelling } from './byte-pairs.ts'

/** A vocabulary as its file has it. */
export interface TokenFile {
  readonly path: string
  /** The bytes of each ordinary token, by id. */
  readonly ordinary: readonly Uint8Array[]
  /** Special tokens that the file names; empty where it names none. */
  readonly special: ReadonlyMap<string, number>
}

const readers: readonly [pattern: RegExp, read: (path: string) => TokenFile][] = [
  [/^tokenizer\.json$/, readTokenizerJson],
  [/^vocabulary\.json$/, path => fromList(path, parsed(path))],
  [/^vocabulary\.txt$/, path => fromList(path, textOf(path).replace(/\n$/, '').split('\n'))],
  [/^vocab\.json$/, path => fromTable(path, parsed(path), new Map())],
  [/\.tiktoken$/, readTiktoken],
]

/**
 * The vocabulary of a model folder, from the first of the files that it holds.
 * @throws RunbookError blocked when it holds none; usage when the file is damaged
 */
export function readTokens(folder: string): TokenFile {
  const names = existsSync(folder) ? readdirSync(folder).toSorted() : []
  for (const [pattern, read] of readers) {
    const name = names.find(each => pattern.test(each))
    if (name !== undefined) return read(join(folder, name))
  }
  throw blockedError(
    `Cannot read the vocabulary of "${folder}": it holds no tokenizer file`,
    'put tokenizer.json, vocab.json, vocabulary.txt, vocabulary.json or a .tiktoken file there',
  )
}

const refusal = (path: string, state: string) =>
  usageError(`Cannot read "${path}": ${state}`, 'copy or download the tokenizer files of the model again')
const textOf = (path: string) => readFile(path).toString('utf8')

function parsed(path: string): unknown {
  try {
    return JSON.parse(textOf(path))
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown
    throw refusal(path, `it is not JSON (${thrown.message})`)
  }
}

const isTable = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function readTokenizerJson(path: string): TokenFile {
  const file = parsed(path)
  const { model, added_tokens: added = [] } = isTable(file) ? file : {}
  if (!isTable(model) || !Array.isArray(added)) throw refusal(path, 'it has no model with a vocabulary')
  const special = new Map<string, number>()
  for (const entry of added as unknown[]) {
    const { content, id } = isTable(entry) ? entry : {}
    if (typeof content !== 'string' || typeof id !== 'number') throw refusal(path, 'an added token has no name or id')
    special.set(content, id)
  }
  return fromTable(path, model.vocab, special)
}

function fromTable(path: string, table: unknown, special: ReadonlyMap<string, number>): TokenFile {
  if (!isTable(table)) throw refusal(path, 'its vocabulary is no table of tokens')
  const list: string[] = []
  for (const [token, id] of Object.entries(table)) {
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id > 1_000_000 || list[id] !== undefined) {
      throw refusal(path, `the id of "${token}" is ${String(id)}`)
    }
    list[id] = token
  }
  const read = fromList(path, list)
  return { ...read, special: new Map([...read.special, ...special]) }
}

/** Ordinary tokens come first; the first in angle brackets ends them. */
function fromList(path: string, list: unknown): TokenFile {
  if (!Array.isArray(list) || list.length === 0) throw refusal(path, 'it is no list of tokens')
  const ordinary: Uint8Array[] = []
  const special = new Map<string, number>()
  for (const [id, token] of (list as unknown[]).entries()) {
    if (typeof token !== 'string') throw refusal(path, `token ${id} is missing`)
    if (special.size > 0 || /^<\|.*\|>$/.test(token)) {
      special.set(token, id)
      continue
    }
    const bytes = bytesFromSpelling(token)
    if (bytes === undefined) throw refusal(path, `token ${id} is "${token}", which spells no bytes`)
    ordinary.push(bytes)
  }
  return { path, ordinary, special }
}

function readTiktoken(path: string): TokenFile {
  const ordinary = textOf(path)
    .split('\n')
    .filter(line => line !== '')
    .map((line, i) => {
      const [base64 = '', rank] = line.split(' ')
      if (Number(rank) !== i) throw refusal(path, `line ${i + 1} of ${basename(path)} has the rank "${rank}"`)
      // The last token of the multilingual file is empty, and spelled "=".
      return new Uint8Array(Buffer.from(base64, 'base64'))
    })
  if (ordinary.length === 0) throw refusal(path, 'it is empty')
  return { path, ordinary, special: new Map() }
}
