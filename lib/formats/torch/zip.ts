/**
 * Lists the entries of a zip archive and reads one at a time, zip64 included.
 *
 * `torch.save` writes stored entries, and zip64 where the file is larger than 4 GiB. Encryption, several volumes, two
 * entries of one name and entries that overlap are refused. An entry's checksum is compared when it is read whole.
 * Source: PKWARE APPNOTE 4.3.
 */
import { crc32, inflateRawSync } from 'node:zlib'
import { usageError } from '../../base/errors.ts'
import { partSource, type ByteSource } from '../byte-source.ts'

/** One entry: where its bytes lie in the archive, how they are packed, and how long they are when unpacked. */
export interface ZipEntry {
  readonly name: string
  readonly method: number
  readonly crc: number
  readonly packedBytes: number
  readonly bytes: number
  readonly headerAt: number
}

/** The entries of an archive by name, and a way to read one. */
export interface Zip {
  readonly name: string
  readonly entries: ReadonlyMap<string, ZipEntry>
  /**
   * The unpacked bytes of an entry, checked against its checksum.
   * @throws RunbookError usage when the entry is absent, damaged, packed by another method than deflate, or longer than
   *   `bytesMax`
   */
  read(name: string, bytesMax?: number): Uint8Array
}

const maxU32 = 0xffff_ffff
const directoryBytesMax = 1 << 28
const again = 'the file was cut short or damaged: copy or download it again'

/**
 * Read the directory of a zip archive.
 * @throws RunbookError usage when it is no zip, or is cut short, encrypted, in several volumes, or names one entry
 *   twice
 */
export function readZip(source: ByteSource): Zip {
  const { at, bytes, count } = directoryPlace(source)
  if (bytes > directoryBytesMax) throw refusal(source.name, `its directory takes ${bytes} bytes`)
  const entries = entriesOf(source, Buffer.from(source.read(at, bytes)), count)
  checkApart(source.name, [...entries.values()], at)
  return {
    name: source.name,
    entries,
    read: (name, bytesMax = Number.MAX_SAFE_INTEGER) => {
      const entry = entries.get(name)
      if (entry === undefined) throw refusal(source.name, `it holds no entry "${name}"`)
      if (entry.bytes > bytesMax) throw refusal(`${source.name}/${name}`, `it takes ${entry.bytes} bytes`)
      return contentOf(source, entry)
    },
  }
}

const refusal = (thing: string, state: string) => usageError(`Cannot read "${thing}": ${state}`, again)

function directoryPlace(source: ByteSource): { at: number; bytes: number; count: number } {
  const tailBytes = Math.min(source.size, 22 + 0xffff)
  const tail = Buffer.from(source.read(source.size - tailBytes, tailBytes))
  let end = tail.length - 22
  const isEnd = (i: number) =>
    tail.readUInt32LE(i) === 0x0605_4b50 && i + 22 + tail.readUInt16LE(i + 20) === tail.length
  while (end >= 0 && !isEnd(end)) end--
  if (end < 0) throw refusal(source.name, 'it has no zip directory at its end')
  const count = tail.readUInt16LE(end + 10)
  const bytes = tail.readUInt32LE(end + 12)
  const at = tail.readUInt32LE(end + 16)
  const isWide = count === 0xffff || bytes === maxU32 || at === maxU32
  if (isWide) return widePlace(source, source.size - tail.length + end)
  if (tail.readUInt16LE(end + 4) !== 0 || tail.readUInt16LE(end + 8) !== count)
    throw refusal(source.name, 'it is one volume of several')
  return { at, bytes, count }
}

function widePlace(source: ByteSource, endAt: number): { at: number; bytes: number; count: number } {
  const locator = endAt >= 20 ? Buffer.from(source.read(endAt - 20, 20)) : Buffer.alloc(20)
  if (locator.readUInt32LE(0) !== 0x0706_4b50) throw refusal(source.name, 'its zip64 locator is absent')
  const recordAt = Number(locator.readBigUInt64LE(8))
  const record = Buffer.from(source.read(recordAt, 56))
  if (record.readUInt32LE(0) !== 0x0606_4b50) throw refusal(source.name, 'its zip64 record is absent')
  return {
    count: Number(record.readBigUInt64LE(32)),
    bytes: Number(record.readBigUInt64LE(40)),
    at: Number(record.readBigUInt64LE(48)),
  }
}

function entriesOf(source: ByteSource, directory: Buffer, count: number): Map<string, ZipEntry> {
  const entries = new Map<string, ZipEntry>()
  let at = 0
  for (let i = 0; i < count; i++) {
    const isHeader = at + 46 <= directory.length && directory.readUInt32LE(at) === 0x0201_4b50
    const nameEnd = isHeader ? at + 46 + directory.readUInt16LE(at + 28) : Infinity
    const extraEnd = isHeader ? nameEnd + directory.readUInt16LE(at + 30) : Infinity
    if (extraEnd > directory.length) throw refusal(source.name, `its directory breaks at entry ${i} of ${count}`)
    const name = directory.toString('utf8', at + 46, nameEnd)
    if ((directory.readUInt16LE(at + 8) & 1) === 1) throw refusal(source.name, `its entry "${name}" is encrypted`)
    if (entries.has(name)) throw refusal(source.name, `it names "${name}" twice`)
    const sizes = wideSizes(directory.subarray(nameEnd, extraEnd), {
      bytes: directory.readUInt32LE(at + 24),
      packedBytes: directory.readUInt32LE(at + 20),
      headerAt: directory.readUInt32LE(at + 42),
    })
    if (sizes === undefined) throw refusal(source.name, `its entry "${name}" lacks its zip64 sizes`)
    entries.set(name, {
      name,
      method: directory.readUInt16LE(at + 10),
      crc: directory.readUInt32LE(at + 16),
      ...sizes,
    })
    at = extraEnd + directory.readUInt16LE(at + 32)
  }
  return entries
}

interface Sizes {
  readonly bytes: number
  readonly packedBytes: number
  readonly headerAt: number
}

/** Sizes that do not fit 32 bits stand in the extra field 1, in this order, each only when its short form is full. */
function wideSizes(extra: Buffer, short: Sizes): Sizes | undefined {
  const wanted = (['bytes', 'packedBytes', 'headerAt'] as const).filter(key => short[key] === maxU32)
  if (wanted.length === 0) return short
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue
    if (at + 4 + 8 * wanted.length > extra.length || extra.readUInt16LE(at + 2) < 8 * wanted.length) return undefined
    return {
      ...short,
      ...Object.fromEntries(wanted.map((key, i) => [key, Number(extra.readBigUInt64LE(at + 4 + 8 * i))])),
    }
  }
  return undefined
}

/** Entries may not share bytes: an archive that does unpacks to far more than its size. */
function checkApart(name: string, entries: readonly ZipEntry[], directoryAt: number): void {
  let free = 0
  for (const entry of entries.toSorted((a, b) => a.headerAt - b.headerAt)) {
    const end = entry.headerAt + 30 + entry.packedBytes
    if (entry.headerAt < free || end > directoryAt) throw refusal(name, `its entry "${entry.name}" overlaps another`)
    free = end
  }
}

function contentOf(source: ByteSource, entry: ZipEntry): Uint8Array {
  const thing = `${source.name}/${entry.name}`
  const header = Buffer.from(source.read(entry.headerAt, 30))
  if (header.readUInt32LE(0) !== 0x0403_4b50) throw refusal(thing, 'its header is not where the directory says')
  const at = entry.headerAt + 30 + header.readUInt16LE(26) + header.readUInt16LE(28)
  const packed = partSource(source, { name: thing, at, size: entry.packedBytes }).read(0, entry.packedBytes)
  const content = entry.method === 0 ? packed : inflated(packed, entry, thing)
  if (content.length !== entry.bytes)
    throw refusal(thing, `it holds ${content.length} bytes, and the directory says ${entry.bytes}`)
  if (crc32(content) !== entry.crc) throw refusal(thing, 'its checksum is wrong')
  return content
}

function inflated(packed: Uint8Array, entry: ZipEntry, thing: string): Uint8Array {
  if (entry.method !== 8) throw refusal(thing, `it is packed by method ${entry.method}`)
  try {
    return inflateRawSync(packed, { maxOutputLength: Math.max(1, entry.bytes) })
  } catch (thrown) {
    throw usageError(`Cannot read "${thing}": it does not inflate to ${entry.bytes} bytes`, again, thrown)
  }
}
