/**
 * Reads which TensorRT wrote a plan.
 *
 * The first 28 bytes tell, and are read before any library sees the plan: one of another version is refused by name,
 * while the library's own words for it differ from version to version. Everything after the header is the library's own
 * affair, so neither the GPU that the plan was built for nor whether it was built to be version compatible can be read
 * here. Layout: `printPlanVersion` in `samples/common/sampleEngines.cpp` of TensorRT 8.6 to 11.1.
 */
import type { TensorRtVersion } from './abi/abi.ts'

/** "ftrt" as a little-endian number, the first four bytes of every plan since 8.6. */
const planMagic = 0x74727466
/** "vtrt": TensorRT-RTX writes plans of its own, with the version at the same place. */
const rtxMagic = 0x74727476
const headerBytes = 28

/** What mends a plan that is none, or is damaged. */
export const againHint =
  'copy the plan again in binary mode and compare its sha256sum, or build it again: trtexec --onnx=… --saveEngine=…'

/**
 * The version that wrote a plan, or a few words on why it is none.
 *
 * @param head the first bytes of the file, more than 28 of them where it has more
 */
export function planVersionOf(head: Uint8Array): (TensorRtVersion & { readonly build: number }) | string {
  if (head.length === 0) return 'it is empty'
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength)
  const magic = head.length < 4 ? 0 : view.getUint32(0, true)
  if (magic === rtxMagic)
    return `it is a plan of ${rtxOf(head)}, which is not called here: build it with TensorRT itself`
  if (magic !== planMagic) {
    return (
      'it is not a TensorRT plan (it begins with ' +
      `${JSON.stringify(Buffer.from(head.subarray(0, 8)).toString('latin1'))})`
    )
  }
  if (head.length < headerBytes)
    return `it is cut short: the header of a plan takes ${headerBytes} bytes, and the file has ${head.length}`
  const serialization = view.getUint32(4, true)
  if (serialization !== 0) return `its serialization has version ${serialization}, and the known one is 0`
  const [major, minor, patch, build] = head.subarray(24, headerBytes) as unknown as readonly [
    number,
    number,
    number,
    number,
  ]
  // Plans from before 8.6 have other bytes there, as have damaged ones.
  if (major < 8)
    return `its version reads ${major}.${minor}.${patch}: it is damaged, or was written before TensorRT 8.6`
  if (head.length === headerBytes) return 'it ends with its header'
  return { major, minor, patch, build }
}

const rtxOf = (head: Uint8Array) =>
  `TensorRT-RTX${head.length < headerBytes ? '' : ` ${[...head.subarray(24, 27)].join('.')}`}`
