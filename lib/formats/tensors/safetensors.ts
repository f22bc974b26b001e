/**
 * Reads the tensors of a `.safetensors` file.
 *
 * An 8-byte length, a JSON header, then the data. A file is refused unless its tensors fill the data exactly: no
 * overlap, no hole, nothing beyond the end. float8 types and files split over an index are left out. Layout:
 * https://huggingface.co/docs/safetensors, "Format".
 */
import { readFile } from '../../host/files.ts'
import { usageError } from '../../base/errors.ts'
import { byteLengthOf, tensorFromBytes } from './tensor-bytes.ts'
import { describe, type Dtype, type Tensor } from './tensor.ts'

/** The name of each type in a header. */
export const safetensorsTypes = {
  float64: 'F64',
  float32: 'F32',
  float16: 'F16',
  bfloat16: 'BF16',
  int64: 'I64',
  int32: 'I32',
  int16: 'I16',
  int8: 'I8',
  uint64: 'U64',
  uint32: 'U32',
  uint16: 'U16',
  uint8: 'U8',
  bool: 'BOOL',
} as const satisfies Record<Dtype, string>
const dtypes = new Map<string, Dtype>(Object.entries(safetensorsTypes).map(([dtype, code]) => [code, dtype as Dtype]))

/** Tensors by name, and the free texts that the writer left (`format: pt` and the like). */
export interface Safetensors {
  readonly tensors: Map<string, Tensor>
  readonly metadata: Readonly<Record<string, string>>
}

interface Place {
  readonly name: string
  readonly dtype: Dtype
  readonly shape: readonly number[]
  readonly begin: number
  readonly end: number
}

/**
 * The tensors of a file by name, in the order of their data.
 *
 * @throws RunbookError blocked when the file is absent; usage when it is cut short, malformed, or holds a type that we
 *   do not read
 */
export const readSafetensors = (path: string): Map<string, Tensor> => decodeSafetensors(readFile(path), path).tensors

/** As `readSafetensors`, of bytes in memory, with the metadata. `path` is the name in messages. */
export function decodeSafetensors(bytes: Uint8Array, path = 'safetensors'): Safetensors {
  const { header, dataAt } = headerOf(bytes, path)
  const { __metadata__: metadata = {}, ...rest } = header
  if (!isRecord(metadata) || !Object.values(metadata).every(value => typeof value === 'string')) {
    throw refusal(path, 'its __metadata__ is not a table of texts')
  }
  const places = Object.entries(rest).map(([name, entry]) => placeOf(name, entry, path))
  places.sort((a, b) => a.begin - b.begin || a.end - b.end)
  let filled = 0
  for (const { name, begin, end } of places) {
    if (begin !== filled)
      throw refusal(path, `"${name}" begins at byte ${begin}, and the one before it ends at ${filled}`)
    filled = end
  }
  const have = bytes.length - dataAt
  if (filled !== have) throw refusal(path, `its tensors take ${filled} bytes, and ${have} follow the header`)
  const tensors = places.map(({ name, dtype, shape, begin, end }) => {
    return [name, tensorFromBytes({ dtype, shape, bytes: bytes.subarray(dataAt + begin, dataAt + end) })] as const
  })
  return { tensors: new Map(tensors), metadata: metadata as Record<string, string> }
}

const refusal = (path: string, state: string, hint = 'copy or save it again with safetensors.save_file') =>
  usageError(`Cannot read "${path}": ${state}`, hint)
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const areCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every(n => Number.isSafeInteger(n) && (n as number) >= 0)

function headerOf(bytes: Uint8Array, path: string): { header: Record<string, unknown>; dataAt: number } {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (file.length < 8) throw refusal(path, `it holds ${file.length} bytes, fewer than the shortest header`)
  const dataAt = 8 + Number(file.readBigUInt64LE(0))
  // A JSON header must begin with "{": so a zip, a pickle or a text is told from a safetensors file that was cut short.
  if (file.length > 8 && file[8] !== 0x7b) {
    throw refusal(path, 'it is not a safetensors file', 'convert it: safetensors.torch.save_file(torch.load(...), ...)')
  }
  if (dataAt > file.length) throw refusal(path, `its header ends at byte ${dataAt}, and the file at ${file.length}`)
  try {
    const header: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(file.subarray(8, dataAt)))
    if (isRecord(header)) return { header, dataAt }
  } catch (thrown) {
    const { message } = thrown as Error
    throw usageError(`Cannot read "${path}": its header is not JSON (${message})`, 'copy or save it again', thrown)
  }
  throw refusal(path, 'its header is not a JSON object')
}

function placeOf(name: string, entry: unknown, path: string): Place {
  const { dtype: code, shape, data_offsets: offsets } = isRecord(entry) ? entry : {}
  if (typeof code !== 'string' || !areCounts(shape) || !areCounts(offsets)) {
    throw refusal(path, `"${name}" lacks a dtype, a shape or data_offsets`)
  }
  const dtype = dtypes.get(code)
  if (dtype === undefined)
    throw refusal(path, `"${name}" is ${code}`, `save it as one of ${[...dtypes.keys()].join(', ')}`)
  const [begin, end] = offsets
  const bytes = byteLengthOf(dtype, shape)
  if (offsets.length !== 2 || begin === undefined || end === undefined || end - begin !== bytes) {
    throw refusal(
      path,
      `"${name}" lies at ${offsets.join('..')}, and ${describe({ dtype, shape })} takes ${bytes} bytes`,
    )
  }
  return { name, dtype, shape, begin, end }
}
