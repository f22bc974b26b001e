/**
 * Reads and writes the arrays of a `.npz` archive.
 *
 * A zip of `.npy` files. The list comes from the directory at the archive's end; an array is inflated when it is asked
 * for, and its checksum compared. Left out: zip64, encryption, archives in several volumes, and whatever is pickled.
 * Reading uses node's own zlib, because it stops at the declared size and tells a stream that was cut; fflate, which
 * writes, does neither. Layout: PKWARE APPNOTE 4.3.
 */
import { basename } from 'node:path'
import { crc32, inflateRawSync } from 'node:zlib'
import { readFile, writeFileAtomic } from '../../host/files.ts'
import { usageError } from '../../base/errors.ts'
import { decodeNpy, encodeNpy } from './npy.ts'
import type { Tensor } from './tensor.ts'

/** One array of an archive. */
export interface NpzEntry {
  readonly name: string
  /**
   * Reads the array.
   *
   * @throws RunbookError usage when it is pickled, damaged or not an array
   */
  tensor(): Tensor
}

/** An entry of the zip's directory; `at` is where its local header begins. */
interface ZipEntry {
  readonly file: string
  readonly method: number
  readonly crc: number
  readonly size: number
  readonly fullSize: number
  readonly at: number
}

/** Where the directory lies, and of how many entries. */
interface Directory {
  readonly at: number
  readonly count: number
  readonly end: number
}

const maxBytes = 0xffff_ffff
// WHY: deflate makes at most 1032 bytes of one, and sound or weights gain a factor of ten at the most; a small file
// that becomes gigabytes is no data.
// SOURCE: lib/formats/tensors/npz.test.ts
// CONTRACT: an array of more than 64 MiB may not be more than 100 times its compressed bytes.
const inflation = { freeBytes: 64 * 2 ** 20, ratioMax: 100 }
const maxEntries = 0xffff

/**
 * The arrays of an archive by name, without `.npy`, in the archive's order. Pickled ones are listed too; they refuse
 * when asked.
 *
 * @throws RunbookError blocked when the file is absent; usage when it is no zip, cut short, zip64, encrypted, or names
 *   one array twice
 */
export async function readNpz(path: string): Promise<Map<string, NpzEntry>> {
  return decodeNpz(readFile(path), path)
}

/** As `readNpz`, of bytes in memory. `path` is the name in messages. */
export function decodeNpz(bytes: Uint8Array, path = 'npz archive'): Map<string, NpzEntry> {
  const zip = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const directoryAt = endRecordOf(zip, path)
  const entries = new Map<string, NpzEntry>()
  for (const entry of directoryOf(zip, directoryAt, path)) {
    const name = entry.file.replace(/\.npy$/, '')
    if (entries.has(name)) throw refusal(path, `it names "${name}" twice`, 'save it again with np.savez')
    const thing = `${basename(path)}/${entry.file}`
    entries.set(name, { name, tensor: () => decodeNpy(contentOf(zip, entry, thing), thing) })
  }
  return entries
}

/**
 * Write arrays by name as numpy's `savez` does: stored, not deflated, so that the same arrays give the same bytes
 * whatever version of the deflater is installed.
 *
 * @throws RunbookError usage over 4 GiB or for an empty name, blocked when the disk is full
 */
export async function writeNpz(path: string, tensors: Readonly<Record<string, Tensor>>): Promise<void> {
  const { zipSync } = await import('fflate')
  const files = Object.entries(tensors).map(([name, tensor]) => {
    if (name === '') throw usageError(`Cannot write "${path}": an array has no name`, 'name every array')
    return [`${name}.npy`, encodeNpy(tensor)] as const
  })
  const bytes = files.reduce((sum, [name, data]) => sum + data.length + 2 * Buffer.byteLength(name) + 76, 22)
  if (bytes > maxBytes || files.length >= maxEntries) {
    const state = `${files.length} arrays of ${bytes} bytes are more than a zip holds`
    throw usageError(`Cannot write "${path}": ${state}`, 'write several files')
  }
  // A zip keeps local time without a zone: the first moment it can tell is the same bytes in every zone.
  writeFileAtomic(path, zipSync(Object.fromEntries(files), { level: 0, mtime: new Date(1980, 0, 1) }))
}

const refusal = (path: string, state: string, hint: string) => usageError(`Cannot read "${path}": ${state}`, hint)
const cutShort = 'the file was cut short or damaged: copy or save it again'

/** Find the record at the archive's end. Answers where the directory lies. */
function endRecordOf(zip: Buffer, path: string): Directory {
  if (zip.length === 0) throw refusal(path, 'it is empty', 'save it again with np.savez')
  let end = zip.length - 22
  const last = Math.max(0, end - 0xffff)
  while (
    end >= last &&
    !(zip.readUInt32LE(end) === 0x0605_4b50 && end + 22 + zip.readUInt16LE(end + 20) === zip.length)
  )
    end--
  if (end < last) {
    if (zip.toString('latin1', 0, 6) === '\x93NUMPY')
      throw refusal(path, 'it is a single .npy array', 'save it with np.savez')
    const isZip = zip.toString('latin1', 0, 2) === 'PK'
    if (isZip) throw refusal(path, 'it has no directory at its end', cutShort)
    throw refusal(path, 'it is not an .npz archive', 'save it with np.savez')
  }
  const count = zip.readUInt16LE(end + 10)
  const bytes = zip.readUInt32LE(end + 12)
  const at = zip.readUInt32LE(end + 16)
  const hasLocator = end >= 20 && zip.readUInt32LE(end - 20) === 0x0706_4b50
  if (hasLocator || count === maxEntries || bytes === maxBytes || at === maxBytes) {
    throw refusal(
      path,
      'it is a zip64 archive (over 4 GiB or 65534 arrays)',
      'save fewer arrays per file with np.savez',
    )
  }
  const isWhole = zip.readUInt16LE(end + 4) === 0 && zip.readUInt16LE(end + 8) === count
  if (!isWhole) throw refusal(path, 'it is one volume of several', 'save it again with np.savez')
  if (at + bytes !== end)
    throw refusal(path, `its directory lies at ${at}..${at + bytes}, and should end at ${end}`, cutShort)
  return { at, count, end }
}

function directoryOf(zip: Buffer, { at, count, end }: Directory, path: string): ZipEntry[] {
  const entries: ZipEntry[] = []
  let next = at
  while (entries.length < count) {
    const nameAt = next + 46
    const nameEnd = nameAt <= end ? nameAt + zip.readUInt16LE(next + 28) : Infinity
    if (nameEnd > end || zip.readUInt32LE(next) !== 0x0201_4b50) {
      throw refusal(path, `its directory breaks at entry ${entries.length} of ${count}`, cutShort)
    }
    const file = zip.toString('utf8', nameAt, nameEnd)
    const [size, fullSize, headerAt] = [20, 24, 42].map(offset => zip.readUInt32LE(next + offset)) as [
      number,
      number,
      number,
    ]
    const isZip64 = [size, fullSize, headerAt].includes(maxBytes)
    if (isZip64) throw refusal(path, `its entry "${file}" is in zip64 form (over 4 GiB)`, 'save smaller arrays')
    const isEncrypted = (zip.readUInt16LE(next + 8) & 1) === 1
    if (isEncrypted) throw refusal(path, `its entry "${file}" is encrypted`, 'save it again with np.savez')
    entries.push({
      file,
      method: zip.readUInt16LE(next + 10),
      crc: zip.readUInt32LE(next + 16),
      size,
      fullSize,
      at: headerAt,
    })
    next = nameEnd + zip.readUInt16LE(next + 30) + zip.readUInt16LE(next + 32)
  }
  if (next !== end) throw refusal(path, `its directory holds more than its ${count} entries`, cutShort)
  return entries
}

function contentOf(zip: Buffer, entry: ZipEntry, thing: string): Uint8Array {
  const { at, size, fullSize, method } = entry
  const isHeader = at + 30 <= zip.length && zip.readUInt32LE(at) === 0x0403_4b50
  const start = isHeader ? at + 30 + zip.readUInt16LE(at + 26) + zip.readUInt16LE(at + 28) : Infinity
  if (start + size > zip.length) throw refusal(thing, `its ${size} bytes are not where the directory says`, cutShort)
  const isKnown = method === 0 || method === 8
  if (!isKnown) throw refusal(thing, `it is compressed by method ${method}`, 'save it again with np.savez_compressed')
  if (method === 8 && fullSize > inflation.freeBytes && fullSize > inflation.ratioMax * size) {
    throw refusal(
      thing,
      `its ${size} bytes would inflate to ${fullSize}, which is no array of measurements`,
      'save it uncompressed with np.savez, if it is meant',
    )
  }
  const stored = zip.subarray(start, start + size)
  const content = method === 0 ? stored : inflated(stored, fullSize, thing)
  if (content.length !== fullSize) {
    throw refusal(thing, `it holds ${content.length} bytes, and the directory says ${fullSize}`, cutShort)
  }
  if (crc32(content) !== entry.crc) throw refusal(thing, 'its checksum is wrong', cutShort)
  return content
}

function inflated(stored: Uint8Array, fullSize: number, thing: string): Buffer {
  try {
    return inflateRawSync(stored, { maxOutputLength: Math.max(1, fullSize) })
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException
    throw usageError(`Cannot read "${thing}": it does not inflate to ${fullSize} bytes (${code})`, cutShort, thrown)
  }
}
