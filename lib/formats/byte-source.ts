/**
 * Gives bytes at any place of a file, of a part of a file, or of a buffer, without reading the whole.
 *
 * Archives inside archives (a torch zip in a NeMo tar) are read through a part of a part, so that a model of several
 * gigabytes costs only the tensor that is asked for.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { usageError } from '../base/errors.ts'
import { fileError } from '../host/files.ts'

/** Bytes with a length. `name` is what messages call it. */
export interface ByteSource {
  readonly name: string
  readonly size: number
  /**
   * A copy or a view of `length` bytes from `at`.
   * @throws RunbookError usage when they do not lie inside; blocked when the file cannot be read
   */
  read(at: number, length: number): Uint8Array
}

const again = 'the file was cut short or damaged: copy or download it again'

/**
 * The bytes of a file, opened for each read: nothing stays open and nothing needs closing.
 * @throws RunbookError blocked when the file is absent; usage when it is a folder
 */
export function fileSource(path: string): ByteSource {
  const size = withFile(path, file => {
    const stat = fstatSync(file)
    if (stat.isDirectory()) throw usageError(`Cannot read "${path}": it is a folder`, 'name a file inside it')
    return stat.size
  })
  return {
    name: path,
    size,
    read(at, length) {
      checkInside({ name: path, size, at, length })
      return withFile(path, file => {
        const bytes = new Uint8Array(length)
        let done = 0
        while (done < length) {
          const count = readSync(file, bytes, done, Math.min(length - done, 1 << 30), at + done)
          if (count === 0) throw usageError(`Cannot read "${path}": it ends at byte ${at + done}`, again)
          done += count
        }
        return bytes
      })
    },
  }
}

/**
 * A part of another source.
 * @throws RunbookError usage when the part does not lie inside
 */
export function partSource(whole: ByteSource, part: { name: string; at: number; size: number }): ByteSource {
  checkInside({ name: whole.name, size: whole.size, at: part.at, length: part.size })
  return {
    name: part.name,
    size: part.size,
    read(at, length) {
      checkInside({ name: part.name, size: part.size, at, length })
      return whole.read(part.at + at, length)
    },
  }
}

/** The whole of a source in pieces of at most `pieceBytes`. */
export function* piecesOf(source: ByteSource, pieceBytes = 1 << 20): Generator<Uint8Array> {
  for (let at = 0; at < source.size; at += pieceBytes) yield source.read(at, Math.min(pieceBytes, source.size - at))
}

function withFile<T>(path: string, use: (file: number) => T): T {
  try {
    const file = openSync(path, 'r')
    try {
      return use(file)
    } finally {
      closeSync(file)
    }
  } catch (thrown) {
    throw fileError('read', path, thrown)
  }
}

function checkInside({ name, size, at, length }: { name: string; size: number; at: number; length: number }): void {
  if (Number.isSafeInteger(at) && Number.isSafeInteger(length) && at >= 0 && length >= 0 && at + length <= size) return
  throw usageError(`Cannot read "${name}": bytes ${at}..${at + length} lie outside its ${size} bytes`, again)
}
