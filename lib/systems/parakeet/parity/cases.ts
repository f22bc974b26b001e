/**
 * What a reference recorded of a model: inputs and outputs of each component, streams, and decoded recordings.
 *
 * Cases lie in an NDJSON file, one a line, and their tensors in a `.bin` beside it, so that a reference of gigabytes is
 * read one case at a time.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import { usageError } from '../../../base/errors.ts'
import { fileSource, piecesOf, type ByteSource } from '../../../formats/byte-source.ts'
import { bytesFromTensor, tensorFromBytes } from '../../../formats/tensors/tensor-bytes.ts'
import type { FloatTensor } from '../../../formats/tensors/tensor.ts'
import { fileError, writeFileAtomic } from '../../../host/files.ts'

/** Kinds of cases. */
export type CaseKind = 'encoder' | 'predictor' | 'joint' | 'stream' | 'decode'

/** One case: numbers and lists in `facts`, tensors by name. */
export interface ParityCase {
  readonly kind: CaseKind
  readonly name: string
  readonly facts: Readonly<Record<string, unknown>>
  tensor(name: string): FloatTensor
}

/** Cases of a reference, read one at a time and as often as asked. */
export interface CaseSource {
  readonly from: string
  cases(kind: CaseKind): Iterable<ParityCase> | AsyncIterable<ParityCase>
}

interface Place {
  readonly shape: readonly number[]
  readonly at: number
  readonly bytes: number
}

/** Writes cases. Call `end` when all are there: the NDJSON comes last, so that one that is there is whole. */
export class CaseWriter {
  readonly #path: string
  readonly #file: number
  readonly #lines: string[] = []
  #at = 0

  /**
   * @param path of the NDJSON file; the tensors go beside it, under `.bin`
   * @throws RunbookError blocked when it cannot be written
   */
  constructor(path: string) {
    this.#path = path
    try {
      this.#file = openSync(`${path}.bin`, 'w')
    } catch (thrown) {
      throw fileError('write', path, thrown)
    }
  }

  /** Append a case. */
  add(kind: CaseKind, name: string, facts: ParityCase['facts'], tensors: Readonly<Record<string, FloatTensor>>): void {
    const places: Record<string, Place> = {}
    for (const [key, tensor] of Object.entries(tensors)) {
      const bytes = bytesFromTensor(tensor)
      places[key] = { shape: tensor.shape, at: this.#at, bytes: bytes.length }
      for (let done = 0; done < bytes.length;) done += writeSync(this.#file, bytes, done)
      this.#at += bytes.length
    }
    this.#lines.push(JSON.stringify({ kind, name, facts, tensors: places }))
  }

  /** Close both files. */
  end(): void {
    closeSync(this.#file)
    writeFileAtomic(this.#path, `${this.#lines.join('\n')}\n`)
  }
}

/**
 * The cases of a file that `CaseWriter` wrote.
 * @throws RunbookError blocked when it is absent; usage from the iteration when a line is cut, or its tensors are not
 *   there
 */
export function readCases(path: string): CaseSource {
  const lines = fileSource(path)
  const tensors = fileSource(`${path}.bin`)
  return {
    from: path,
    *cases(kind) {
      for (const line of linesOf(lines)) {
        const found = parsed(path, line)
        if (found.kind !== kind) continue
        yield {
          kind,
          name: found.name,
          facts: found.facts,
          tensor: name => tensorAt(tensors, found.tensors[name], `${found.name}/${name}`),
        }
      }
    },
  }
}

interface Line {
  readonly kind: CaseKind
  readonly name: string
  readonly facts: ParityCase['facts']
  readonly tensors: Readonly<Record<string, Place>>
}

function parsed(path: string, line: string): Line {
  try {
    const value = JSON.parse(line) as Partial<Line> | null
    if (typeof value?.kind === 'string' && typeof value.tensors === 'object') return value as Line
  } catch {
    // What is no JSON is refused below, as what is no case.
  }
  throw usageError(`Cannot read "${path}": a line is no case: ${line.slice(0, 40)}`, 'record the reference again')
}

function tensorAt(source: ByteSource, place: Place | undefined, name: string): FloatTensor {
  if (place === undefined) throw usageError(`Cannot read the case "${name}": it has no such tensor`, 'record it again')
  const bytes = source.read(place.at, place.bytes)
  return tensorFromBytes({ dtype: 'float32', shape: place.shape, bytes }) as FloatTensor
}

/** The lines of a file, read in pieces. */
export function* linesOf(source: ByteSource): Generator<string> {
  let rest: Buffer = Buffer.alloc(0)
  for (const piece of piecesOf(source)) {
    rest = Buffer.concat([rest, piece])
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      if (end > 0) yield rest.toString('utf8', 0, end)
      rest = rest.subarray(end + 1)
    }
  }
  if (rest.length > 0) yield rest.toString('utf8')
}
