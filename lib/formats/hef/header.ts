/**
 * Reads the header of a HEF: its version, the length of each part, and its seal.
 *
 * All numbers are big-endian and packed. Behind the header lie the protobuf, the device's configuration words (CCWs,
 * with their padding in front) and, in version 3, additional information. Checking the seal and reading the protobuf
 * are in `read.ts`. Layout: `hef_internal.hpp` of HailoRT 5.2.0.
 */
import { usageError } from '../../base/errors.ts'
import { fileKind } from '../file-kind.ts'
import type { HefDigestName } from './checksum.ts'

/** Version of the header. */
export type HefVersion = 0 | 1 | 2 | 3

/** A header, with the length that the file really has. */
export interface HefHeader {
  readonly version: HefVersion
  readonly headerBytes: number
  readonly protoBytes: number
  /** The configuration words with the padding in front of them. */
  readonly ccwsBytes: number
  readonly paddingBytes: number
  readonly additionalBytes: number
  /** The digest of everything after the header. */
  readonly digestName: HefDigestName
  readonly digest: string
  /** XXH3 of the protobuf alone; null where the header has none. When it is there, HailoRT 5 checks nothing else. */
  readonly protoDigest: string | null
  /** How long the file must be, and how long it is. */
  readonly expectedBytes: number
  readonly fileBytes: number
}

/** "\x01HEF". */
export const hefMagic = 0x01484546
/** Bytes of the header of each version. */
export const headerBytesOf = [32, 28, 44, 56] as const
const digestNameOf = ['md5', 'crc32', 'xxh3-64', 'xxh3-64'] as const
const again = "copy or download it again, and compare its sha256sum with the original's"

/**
 * A header from the first bytes of a file (512, or all of a shorter one).
 *
 * @param o.name what messages call the file
 * @throws RunbookError usage when it is no HEF, of an unknown version, contradicts itself, or is cut short in the
 *   header
 */
export function decodeHefHeader(head: Uint8Array, o: { fileBytes: number; name: string }): HefHeader {
  const data = Buffer.from(head.buffer, head.byteOffset, head.length)
  if (data.length < 4 || data.readUInt32BE(0) !== hefMagic) throw notHef(data, o.name)
  const refuse = (state: string, hint: string) => usageError(`Cannot read "${o.name}": ${state}`, hint)
  const have = `and the file has ${o.fileBytes}`
  const cut = (wanted: number) => refuse(`it is truncated: its header takes ${wanted} bytes, ${have}`, again)
  if (data.length < 12) throw cut(12)
  const version = data.readUInt32BE(4)
  if (!isVersion(version)) {
    throw refuse(
      `its header has version ${version}, and the known ones are 0 to 3`,
      'compile it with an earlier Dataflow Compiler',
    )
  }
  const headerBytes = headerBytesOf[version]
  if (data.length < headerBytes) throw cut(headerBytes)
  const parts = partsOf(data, version)
  const expectedBytes = headerBytes + parts.protoBytes + parts.ccwsBytes + parts.additionalBytes
  const { protoBytes, ccwsBytes, paddingBytes } = parts
  if (!Number.isSafeInteger(expectedBytes)) throw refuse(`its header asks for ${expectedBytes} bytes, ${have}`, again)
  if (paddingBytes > ccwsBytes)
    throw refuse(`its header has ${paddingBytes} bytes of padding in ${ccwsBytes} of configuration`, again)
  if (protoBytes === 0) throw refuse('its header leaves no room for a description', again)
  if (protoBytes >= 2 ** 31) throw refuse(`its description has ${protoBytes} bytes, and protobuf ends at 2 GiB`, again)
  return { version, headerBytes, ...parts, digestName: digestNameOf[version], expectedBytes, fileBytes: o.fileBytes }
}

const isVersion = (n: number): n is HefVersion => n <= 3

function partsOf(data: Buffer, version: HefVersion) {
  const protoBytes = data.readUInt32BE(8)
  const big = (at: number) => Number(data.readBigUInt64BE(at))
  const hex = (from: number, to: number) => data.toString('hex', from, to)
  const none = { protoBytes, ccwsBytes: 0, paddingBytes: 0, additionalBytes: 0, protoDigest: null }
  if (version === 0) return { ...none, digest: hex(16, 32) }
  if (version === 1) return { ...none, digest: hex(12, 16), ccwsBytes: big(16) }
  if (version === 2) return { ...none, digest: hex(12, 20), ccwsBytes: big(20) }
  const protoDigest = data.readBigUInt64BE(40) === 0n ? null : hex(40, 48)
  return {
    protoBytes,
    digest: hex(12, 20),
    ccwsBytes: big(20),
    paddingBytes: data.readUInt32BE(28),
    additionalBytes: big(32),
    protoDigest,
  }
}

function notHef(head: Buffer, name: string) {
  const kind = fileKind(head)
  const begins = `it begins with ${head.subarray(0, 4).toString('hex')}, and a HEF with 01484546`
  const what = kind === null ? begins : kind.id === 'empty' ? 'it is empty' : `it is ${kind.name}`
  return usageError(`Cannot read "${name}" as a HEF: ${what}`, kind?.hint ?? again)
}
