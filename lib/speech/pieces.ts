/**
 * Turns token ids into text: SentencePiece pieces, from a tokenizer.model, a vocabulary file or a model's own list.
 *
 * Only decoding is here. A piece that begins with `▁` begins a word; the first space of a text is left out. Source:
 * google/sentencepiece@0f7e3a1:src/sentencepiece_model.proto, fields `pieces`, `piece` and `type`.
 */
import { usageError } from '../base/errors.ts'
import { readRecords, WireError } from '../formats/protobuf.ts'

/** A vocabulary: what each id says. */
export interface Pieces {
  /** As the tokenizer has them, `▁the`; blank is not among them. */
  readonly list: readonly string[]
  /** Ids that stand for one byte of UTF-8, `<0x0A>`. */
  readonly bytes: ReadonlyMap<number, number>
  /** The id for what the vocabulary cannot say, or −1. */
  readonly unknown: number
}

const wordMark = '▁'
/** What SentencePiece says for its unknown piece. */
const unknownText = ' ⁇ '

/** Pieces of a list, in the order of their ids. */
export function piecesOf(list: readonly string[]): Pieces {
  const bytes = new Map<number, number>()
  for (const [id, piece] of list.entries()) {
    const code = /^<0x([0-9A-F]{2})>$/.exec(piece)?.[1]
    if (code !== undefined) bytes.set(id, Number.parseInt(code, 16))
  }
  return { list, bytes, unknown: list.indexOf('<unk>') }
}

/**
 * The pieces of a SentencePiece `tokenizer.model`.
 * @throws RunbookError usage when the bytes are no such model
 */
export function piecesFromModel(bytes: Uint8Array, name = 'tokenizer.model'): Pieces {
  const list: string[] = []
  try {
    for (const record of readRecords(bytes)) {
      if (record.number !== 1 || record.wire !== 2) continue
      const message = bytes.subarray(record.body, record.end)
      const piece = [...readRecords(message)].find(field => field.number === 1 && field.wire === 2)
      if (piece === undefined) throw refusal(name, `piece ${list.length} has no text`)
      list.push(Buffer.from(message.subarray(piece.body, piece.end)).toString('utf8'))
    }
  } catch (thrown) {
    if (thrown instanceof WireError) throw refusal(name, thrown.message, thrown)
    throw thrown
  }
  if (list.length === 0) throw refusal(name, 'it holds no pieces')
  return piecesOf(list)
}

/**
 * The pieces of a vocabulary file: one a line, or `piece id` in the order of ids; a last `<blk>` is blank and no piece.
 * @throws RunbookError usage when ids have gaps, or when the lines are of both kinds
 */
export function piecesFromText(text: string, name = 'vocab.txt'): Pieces {
  const lines = text.replaceAll('\r\n', '\n').split('\n')
  if (lines.at(-1) === '') lines.pop()
  // A space of its own may be a piece, so a line is "piece id" only if every line ends in its own number.
  const numbered = lines.every((line, i) => line.endsWith(` ${i}`) || line.endsWith(`\t${i}`))
  const list = numbered
    ? lines.map(line => line.slice(0, Math.max(line.lastIndexOf(' '), line.lastIndexOf('\t'))))
    : lines
  const isMixed =
    !numbered && lines.length > 1 && lines.filter(line => /[ \t]\d+$/.test(line)).length > lines.length / 2
  if (isMixed) throw refusal(name, 'its numbers are not 0, 1, 2, … in order')
  if (list.length === 0) throw refusal(name, 'it is empty')
  if (list.at(-1) === '<blk>' || list.at(-1) === '<blank>') list.pop()
  if (list.some(piece => piece.startsWith('##'))) throw refusal(name, 'it is in the ## form, which leaves <unk> out')
  return piecesOf(list)
}

/**
 * The text of ids, as SentencePiece decodes them: `▁` is a space, the first one is left out, bytes are UTF-8.
 * @throws RunbookError usage for an id that the vocabulary does not have
 */
export function textOf(pieces: Pieces, ids: readonly number[]): string {
  const parts: Buffer[] = []
  for (const id of ids) {
    const piece = pieces.list[id]
    if (piece === undefined)
      throw usageError(
        `Cannot decode the token ${id}: the vocabulary has ${pieces.list.length} pieces`,
        'give the tokenizer of this model',
      )
    const byte = pieces.bytes.get(id)
    if (byte !== undefined) parts.push(Buffer.of(byte))
    else parts.push(Buffer.from(id === pieces.unknown ? unknownText : piece.replaceAll(wordMark, ' ')))
  }
  const text = Buffer.concat(parts).toString('utf8')
  const isMarked = ids.length > 0 && ids[0] !== pieces.unknown && pieces.list[ids[0]!]!.startsWith(wordMark)
  return isMarked ? text.slice(1) : text
}

/** Whether a token begins a word. */
export const beginsWord = (pieces: Pieces, id: number): boolean =>
  pieces.list[id]?.startsWith(wordMark) === true || id === pieces.unknown

/** The punctuation marks that stand in pieces, but for those of special pieces such as `<unk>`. */
export const punctuationOf = (pieces: Pieces): ReadonlySet<string> =>
  new Set(
    pieces.list
      .filter(piece => !/^<.*>$|^\[.*\]$/.test(piece))
      .flatMap(piece => [...piece])
      .filter(char => /\p{P}/u.test(char)),
  )

const refusal = (name: string, state: string, cause?: unknown) =>
  usageError(
    `Cannot read "${name}": ${state}`,
    "give the tokenizer.model or the vocabulary of the model's own export",
    cause,
  )
