/**
 * Keeps of a log of any length what says how it went: both ends, and of the middle the lines with a telling word.
 *
 * A log is read in pieces, so that one of many gigabytes takes no more memory than one of a few hundred kilobytes.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { StringDecoder } from 'node:string_decoder'
import { usageError } from '../../base/errors.ts'
import { fileError } from '../../host/files.ts'
import { exact } from '../patterns.ts'

// In characters. What is kept of a long log is searched by some hundred patterns, so it is bounded.
const keep = { whole: 262_144, head: 16_384, tail: 65_536, middle: 131_072, line: 16_384 }
const pieceBytes = 1 << 20
const ansi = /\x1b\[[0-9;?]{0,32}[ -/]{0,4}[@-~]|\x1b\][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)?/g
const telling = exact`rror|ERROR|xcept|EXCEPT|[Ff]ail|FAIL|feasib|upport|xceed|assign|Kill|KILL|emory|MEMORY|space
  |[Cc]ancel|CANCEL|nterrupt|imed? ?out|TIME|eshape|ssert|crash|ault|ymbol|ound|odule|HAILO_|HailoRT|match|alid|xhaust
  |artition|ontext|ccess|alib|quantiz|NaN|nan\b|script|xpired|kernel|mapped|SNR:|dataset with
  |ersion|enied|efused|PASSED`

/**
 * The lines of a log: split on line feeds and on the carriage returns of progress bars, colours and titles stripped.
 */
export function linesOf(raw: string): string[] {
  const plain = raw.includes('\x1b') ? raw.replace(ansi, '') : raw
  return plain.split(/[\r\n]+/)
}

/** A line of at most 16,384 characters: the front and the end of a longer one. */
export const clipped = (line: string): string =>
  line.length <= keep.line ? line : `${line.slice(0, keep.line * 0.75)} ... ${line.slice(-keep.line * 0.25)}`

/** What was kept of the lines that were added. A log of at most 262,144 characters is kept whole. */
export class LogDigest {
  #whole: string[] | null = []
  #characters = 0
  readonly #head: string[] = []
  #headRoom = keep.head
  /** Begins at `#from`; what stands before that has left it. */
  #tail: string[] = []
  #from = 0
  #tailCharacters = 0
  /** Each line once, the latest last. */
  readonly #middle = new Set<string>()
  #middleRoom = keep.middle
  #rest = ''

  /** Add text as it comes; a line may be split over two pieces. */
  push(text: string): void {
    const lines = (this.#rest + text).split(/[\r\n]+/)
    this.#rest = lines.pop()!
    for (const line of lines) this.add(line)
    // A text without line ends comes in lines of a megabyte, so that memory does not grow with it.
    if (this.#rest.length > pieceBytes) this.#addRest()
  }

  /** Add a line. */
  add(raw: string): void {
    const line = clipped(raw.includes('\x1b') ? raw.replace(ansi, '') : raw)
    this.#characters += line.length + 1
    if (this.#whole === null) return this.#keep(line)
    this.#whole.push(line)
    if (this.#characters <= keep.whole) return
    const all = this.#whole
    this.#whole = null
    for (const each of all) this.#keep(each)
  }

  /** The lines that were kept, in their order. */
  lines(): string[] {
    if (this.#rest !== '') this.#addRest()
    return this.#whole ?? [...this.#head, ...this.#middle, ...this.#tail.slice(this.#from)]
  }

  #addRest(): void {
    const rest = this.#rest
    this.#rest = ''
    this.add(rest)
  }

  #keep(line: string): void {
    if (this.#headRoom > 0) {
      this.#head.push(line)
      this.#headRoom -= line.length + 1
      return
    }
    this.#tail.push(line)
    this.#tailCharacters += line.length + 1
    while (this.#tailCharacters > keep.tail && this.#from < this.#tail.length - 1) {
      const oldest = this.#tail[this.#from++]!
      this.#tailCharacters -= oldest.length + 1
      this.#toMiddle(oldest)
    }
    if (this.#from > 4096) {
      this.#tail = this.#tail.slice(this.#from)
      this.#from = 0
    }
  }

  #toMiddle(line: string): void {
    if (!telling.test(line.length > 600 ? line.slice(0, 600) : line)) return
    if (this.#middle.delete(line)) this.#middleRoom += line.length + 1
    this.#middle.add(line)
    this.#middleRoom -= line.length + 1
    for (const oldest of this.#middle) {
      if (this.#middleRoom >= 0) break
      this.#middle.delete(oldest)
      this.#middleRoom += oldest.length + 1
    }
  }
}

/** Decodes the bytes of a log: UTF-8, or the UTF-16 that PowerShell writes. */
class LogDecoder {
  #decoder: StringDecoder | null = null
  hasZero = false
  isEmpty = true

  write(bytes: Buffer): string {
    const isWide = bytes[0] === 0xff && bytes[1] === 0xfe
    this.#decoder ??= new StringDecoder(isWide ? 'utf16le' : 'utf8')
    const text = this.#decoder.write(bytes).replace(/^\uFEFF/, '')
    this.hasZero ||= text.includes('\0')
    this.isEmpty &&= text.trim() === ''
    return text
  }
}

/** What a source gave: its lines, and whether they are text. */
interface Digested {
  readonly text: string
  readonly hasZero: boolean
  readonly isEmpty: boolean
}

const digested = (digest: LogDigest, { hasZero, isEmpty }: LogDecoder): Digested => ({
  text: digest.lines().join('\n'),
  hasZero,
  isEmpty,
})

/**
 * What a log file says, from a byte on; the whole of it while it is short.
 *
 * @throws RunbookError blocked when it is absent or unreadable; usage when it is a folder
 */
export function digestFile(path: string, fromByte = 0): Digested {
  try {
    const file = openSync(path, 'r')
    try {
      const [digest, decoder, piece] = [new LogDigest(), new LogDecoder(), Buffer.allocUnsafe(pieceBytes)]
      // A pipe has no places to read from.
      const isPlain = fstatSync(file).isFile()
      for (let at = fromByte; ;) {
        const count = readSync(file, piece, 0, piece.length, isPlain ? at : null)
        if (count === 0) return digested(digest, decoder)
        at += count
        digest.push(decoder.write(piece.subarray(0, count)))
      }
    } finally {
      closeSync(file)
    }
  } catch (thrown) {
    throw fileError('read', path, thrown)
  }
}

/** What a stream of bytes says. */
async function digestStream(stream: AsyncIterable<Buffer | string>): Promise<Digested> {
  const [digest, decoder] = [new LogDigest(), new LogDecoder()]
  for await (const piece of stream) digest.push(decoder.write(Buffer.from(piece)))
  return digested(digest, decoder)
}

/**
 * The telling part of a log, as text.
 *
 * @param name a file, or what the stream is called in messages
 * @param stream what is read instead of a file
 * @throws RunbookError usage when it is empty or no text; blocked when the file is absent
 */
export async function readLogText(name: string, stream?: AsyncIterable<Buffer | string>): Promise<string> {
  const { text, hasZero, isEmpty } = stream ? await digestStream(stream) : digestFile(name)
  if (isEmpty) throw usageError(`Cannot explain "${name}": it is empty`, 'give the log of the case that failed')
  if (hasZero) throw usageError(`Cannot explain "${name}": it is no text`, 'give a log, not what the tool made')
  return text
}
