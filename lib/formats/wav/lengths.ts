/**
 * Works out how many bytes of a WAV file are samples.
 *
 * The header's length is a promise: a writer into a pipe cannot come back to fill it in, some count the header too, and
 * 32 bits wrap at 4 GiB. A length that cannot be meant is replaced by what the file holds, and that is said.
 */

/** What is known of the lengths of a file. */
export interface Lengths {
  /** The data chunk's own length. */
  readonly declared: number
  /** The 64-bit length of RF64, or null. */
  readonly longDataBytes: number | null
  /** The length of the whole, without its own 8 bytes. */
  readonly riffBytes: number
  /** Where the samples begin. */
  readonly dataAt: number
  readonly fileBytes: number
  /** Whether what stands where the samples would be is a chunk that fits into the file. */
  readonly isChunkAtData: boolean
}

/** Bytes of samples, and what had to be assumed. */
export interface DataLength {
  readonly bytes: number
  readonly warnings: readonly string[]
}

const wrap = 2 ** 32
// WHY: ffmpeg leaves 0xFFFFFFFF, sox 0x7FFFFFFF less the header, others 0x80000000 or a round number of bytes.
// SOURCE: lib/formats/wav/lengths.test.ts
// CONTRACT: a length this near to such a number, with less in the file, means "to the end of the file".
const nearBytes = 1024
/** A part of a header that was counted as sound: at most this long. */
const headerBytesMax = 64

/** How many bytes of samples there are; more than the file holds when it was cut short. */
export function dataLengthOf(o: Lengths): DataLength {
  const have = o.fileBytes - o.dataAt
  const isLong = o.declared === 0xffff_ffff && o.longDataBytes !== null
  const bytes = isLong ? o.longDataBytes! : o.declared
  const isOpenRiff = o.riffBytes === 0xffff_ffff || o.riffBytes + 8 <= o.dataAt
  if (isLong && (bytes === 0 || bytes > Number.MAX_SAFE_INTEGER)) return { bytes: have, warnings: [] }
  if (bytes === 0xffff_ffff && !isLong) return { bytes: have, warnings: [] }
  if (bytes === 0) return emptyLength(o, { have, isOpenRiff })
  if (bytes > have) return isLong ? { bytes, warnings: [] } : longLength(o, bytes, have)
  const beyond = have - bytes
  if (!isLong && beyond >= wrap - nearBytes && beyond % wrap < nearBytes * nearBytes) {
    const whole = Math.min(have, bytes + Math.round(beyond / wrap) * wrap)
    return { bytes: whole, warnings: [`its length has wrapped at 4 GiB; read as ${whole} bytes`] }
  }
  return { bytes, warnings: [] }
}

/** A length of 0: an empty recording, or one whose writer never came back. */
function emptyLength(o: Lengths, { have, isOpenRiff }: { have: number; isOpenRiff: boolean }): DataLength {
  const isWholeRiff = Math.abs(o.riffBytes + 8 - o.fileBytes) <= headerBytesMax && have > 0
  if (isOpenRiff) return { bytes: have, warnings: [] }
  if (!isWholeRiff || o.isChunkAtData) return { bytes: 0, warnings: [] }
  return { bytes: have, warnings: ['its data length is 0; read to the end of the file'] }
}

/** A length beyond the file: left open, counting the header too, or cut short. */
function longLength({ dataAt, riffBytes, fileBytes }: Lengths, bytes: number, have: number): DataLength {
  if (isOpenLength(bytes) || isOpenLength(bytes + dataAt) || isOpenLength(bytes + dataAt - 8))
    return { bytes: have, warnings: [] }
  const over = bytes - have
  const isHeader = over <= headerBytesMax || over === dataAt || over === dataAt - 8
  const isWholeRiff = riffBytes + 8 === fileBytes && over <= 4096
  if (over < have && (isHeader || isWholeRiff))
    return { bytes: have, warnings: [`its data length is ${over} bytes too long; read to the end of the file`] }
  return { bytes, warnings: [] }
}

/** A number that a writer puts where it does not know the length: near 2 or 4 GiB, or round. */
function isOpenLength(bytes: number): boolean {
  const near = (target: number) => Math.abs(bytes - target) <= nearBytes
  if (near(wrap) || near(wrap / 2)) return true
  if (bytes >= wrap / 2 - 2 ** 20 && bytes <= wrap / 2) return true
  const isRound = (unit: number) => bytes >= unit - nearBytes && near(Math.round(bytes / unit) * unit)
  return isRound(1e8) || (bytes >= 2 ** 26 && isRound(2 ** 24))
}
