/**
 * Which TensorRT wrote this plan?
 *
 * The first 28 bytes tell, and are read before any library sees the plan: one of another version is refused by name, while the
 * library's own words for it differ from version to version. Everything after the header is the library's own affair.
 */
import type { TensorRtVersion } from './abi.ts'

/** "ftrt" as a little-endian number, the first four bytes of every plan since 8.6. */
const planMagic = 0x74727466

/** The version that wrote a plan, or a few words on why it is none. */
export function planVersionOf(head: Uint8Array): (TensorRtVersion & { readonly build: number }) | string {
  if (head.length === 0) return 'it is empty'
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength)
  if (head.length < 4 || view.getUint32(0, true) !== planMagic) {
    return `it is not a TensorRT plan (it begins with ${JSON.stringify(Buffer.from(head.subarray(0, 8)).toString('latin1'))})`
  }
  if (head.length < 28) return `it is cut short after ${head.length} bytes`
  const serialization = view.getUint32(4, true)
  if (serialization !== 0) return `its serialization version ${serialization} is not known`
  return { major: head[24]!, minor: head[25]!, patch: head[26]!, build: head[27]! }
}
