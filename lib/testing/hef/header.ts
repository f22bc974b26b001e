/**
 * Writes what a HEF's header holds, and finds the numbers that its formats and architectures have.
 */
import { orderOfFormat, type DeviceArch, type FormatOrder } from '../../formats/hef/arch.ts'
import { headerBytesOf, hefMagic, type HefHeader, type HefVersion } from '../../formats/hef/header.ts'

/** The number that `writeHef` gives an architecture: the one that compilers write. */
export const hwArchOf: Readonly<Record<DeviceArch | 'hailo8r', number>> = {
  hailo8_a0: 100,
  hailo8: 1,
  hailo8r: 2,
  hailo8l: 3,
  hailo15m: 4,
  hailo15l: 6,
  hailo15h: 103,
  hailo10h: 103,
  hailo12l: 108,
}

/** The number of a device order in a layer; the first one that means it. Null for orders that no device has. */
export function formatOf(order: FormatOrder): number | null {
  const found = Object.entries(orderOfFormat).find(([, name]) => name === order)
  return found === undefined ? null : Number(found[0])
}

/** The bytes of a header; its lengths and digests are taken as they are. */
export function encodeHefHeader(
  header: Omit<HefHeader, 'headerBytes' | 'digestName' | 'expectedBytes' | 'fileBytes'>,
): Uint8Array {
  const { version } = header
  const data = Buffer.alloc(headerBytesOf[version])
  data.writeUInt32BE(hefMagic, 0)
  data.writeUInt32BE(version, 4)
  data.writeUInt32BE(header.protoBytes, 8)
  data.write(header.digest, version === 0 ? 16 : 12, 'hex')
  if (version > 0) data.writeBigUInt64BE(BigInt(header.ccwsBytes), version === 1 ? 16 : 20)
  if (version === 3) {
    data.writeUInt32BE(header.paddingBytes, 28)
    data.writeBigUInt64BE(BigInt(header.additionalBytes), 32)
    data.write(header.protoDigest ?? '', 40, 'hex')
  }
  return new Uint8Array(data)
}

/** How long the header of a version is. */
export const hefHeaderBytes = (version: HefVersion): number => headerBytesOf[version]
