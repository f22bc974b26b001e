/**
 * Reads and writes a `.npy` file: one numeric array, as numpy saves it.
 *
 * Format 1 to 3, either byte order, either axis order; the answer is little-endian and row-major. bfloat16 travels as
 * `<V2`, the way the ml_dtypes package saves it. Pickled objects are refused (to read one is to run its code), and so
 * are structured arrays, text, dates and complex numbers. The header's layout:
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
import { RunbookError, usageError } from '../../base/errors.ts'
import { byteLengthOf, bytesFromTensor, elementBytes, tensorFromBytes } from './tensor-bytes.ts'
import { describe, type Dtype, type Tensor } from './tensor.ts'

const magic = '\x93NUMPY'
const cutShort = 'the file was cut short: copy or save it again'
const codes = {
  float32: '<f4',
  float64: '<f8',
  float16: '<f2',
  bfloat16: '<V2',
  int8: '|i1',
  uint8: '|u1',
  int16: '<i2',
  uint16: '<u2',
  int32: '<i4',
  uint32: '<u4',
  int64: '<i8',
  uint64: '<u8',
  bool: '|b1',
} as const satisfies Record<Dtype, string>
const dtypes = new Map<string, Dtype>(Object.entries(codes).map(([dtype, code]) => [code, dtype as Dtype]))
const kinds: Record<string, string> = {
  c: 'complex numbers',
  f: 'long doubles',
  m: 'time spans',
  M: 'dates',
  S: 'byte strings',
  U: 'text',
  V: 'raw bytes',
}

interface Header {
  readonly descr: string
  readonly fortranOrder: boolean
  readonly shape: readonly number[]
  readonly dataAt: number
}

/**
 * The array of a `.npy` file.
 * @param bytes the whole file
 * @param thing its name in messages
 * @throws RunbookError usage when it is pickled, structured, not numeric, cut short, longer than its shape, or no
 *   `.npy`
 * @example
 * ```ts
 * import { float32 } from './lib/formats/tensors/tensor.ts'
 *
 * const bytes = encodeNpy(float32([2, 3], [1, 2, 3, 4, 5, 6]))
 * assert.deepEqual(decodeNpy(bytes).shape, [2, 3])
 * ```
 */
export function decodeNpy(bytes: Uint8Array, thing = 'npy array'): Tensor {
  const { descr, fortranOrder, shape, dataAt } = headerOf(bytes, thing)
  const { dtype, isBig } = dtypeOf(descr, thing)
  const want = byteLengthOf(dtype, shape)
  const have = bytes.length - dataAt
  if (!Number.isSafeInteger(want) || have !== want) {
    const state = `${describe({ dtype, shape })} takes ${want} bytes, and ${have} follow the header`
    throw refusal(thing, state, have < want ? cutShort : 'save one array per file with np.save')
  }
  const data = Buffer.from(bytes.subarray(dataAt))
  if (isBig) swapBytes(data, elementBytes(dtype))
  const isRowMajor = !fortranOrder || shape.filter(n => n !== 1).length < 2
  return tensorFromBytes({ dtype, shape, bytes: isRowMajor ? data : rowMajor(data, shape, elementBytes(dtype)) })
}

/**
 * The `.npy` file of a tensor, byte for byte as np.save writes it.
 *
 * @throws RunbookError usage when the tensor contradicts itself
 */
export function encodeNpy(tensor: Tensor): Uint8Array {
  const { dtype, shape } = tensor
  const data = bytesFromTensor(tensor)
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`
  const dict = `{'descr': '${codes[dtype]}', 'fortran_order': False, 'shape': ${tuple}, }`
  // numpy leaves room for the first axis to grow to 21 digits, ends with a newline, and aligns the data to 64 bytes.
  const room = shape.length === 0 ? 0 : Math.max(0, 21 - String(shape[0]).length)
  const text = dict + ' '.repeat(room)
  const header = text + ' '.repeat(64 - ((10 + text.length + 1) % 64)) + '\n'
  const bytes = new Uint8Array(10 + header.length + data.length)
  bytes.set(Buffer.from(`${magic}\x01\x00`, 'latin1'))
  new DataView(bytes.buffer).setUint16(8, header.length, true)
  bytes.set(Buffer.from(header, 'latin1'), 10)
  bytes.set(data, 10 + header.length)
  return bytes
}

const refusal = (thing: string, state: string, hint: string) => usageError(`Cannot read "${thing}": ${state}`, hint)

function headerOf(bytes: Uint8Array, thing: string): Header {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length === 0) throw refusal(thing, 'it is empty', 'save it again with np.save')
  if (file.toString('latin1', 0, 6) !== magic) {
    const isZip = file.toString('latin1', 0, 2) === 'PK'
    if (isZip) throw refusal(thing, 'it is a zip, not one array', 'name it .npz')
    throw refusal(thing, 'it is not a .npy array', 'save it with np.save')
  }
  const major = file[6] ?? 0
  if (major < 1 || major > 3 || file[7] !== 0) {
    throw refusal(
      thing,
      `its format is ${major}.${file[7] ?? 0}, and 1.0 to 3.0 are known`,
      'save it again with np.save',
    )
  }
  const lengthBytes = major === 1 ? 2 : 4
  const textAt = 8 + lengthBytes
  const dataAt = bytes.length < textAt ? Infinity : textAt + file.readUIntLE(8, lengthBytes)
  if (dataAt > bytes.length) throw refusal(thing, `it ends at byte ${bytes.length}, within its header`, cutShort)
  return { ...parseHeader(file.toString(major === 3 ? 'utf8' : 'latin1', textAt, dataAt), thing), dataAt }
}

/** The header is a Python literal: a dict with three known keys, in any order, and nothing else. */
function parseHeader(text: string, thing: string): Omit<Header, 'dataAt'> {
  const shown = JSON.stringify(text.trim().slice(0, 100))
  const bad = (why: string) => refusal(thing, `its header ${why}: ${shown}`, 'save it again with np.save')
  const body = /^\s*\{(.*)\}\s*$/s.exec(text)?.[1]
  if (body === undefined) throw bad('is not a Python dict')
  const entry = /\s*(['"])(\w+)\1\s*:\s*('[^']*'|"[^"]*"|True|False|\([\dL,\s]*\)|\[.*)\s*(,\s*|$)/sy
  const values = new Map<string, string>()
  while (entry.lastIndex < body.length) {
    const [, , key, value, comma] = entry.exec(body) ?? []
    const isTable = value?.startsWith('[')
    if (isTable) throw refusal(thing, 'it is a structured array (named fields)', 'save each field as its own array')
    if (key === undefined || value === undefined || comma === undefined || values.has(key)) throw bad('is malformed')
    values.set(key, value)
  }
  const [descr, order, tuple] = ['descr', 'fortran_order', 'shape'].map(key => values.get(key))
  const isWhole = values.size === 3 && /^['"]/.test(descr ?? '') && /^(True|False)$/.test(order ?? '')
  const shape = shapeOf(tuple ?? '')
  if (!isWhole || shape === null) throw bad('lacks a descr, a fortran_order or a shape, or holds more')
  return { descr: descr!.slice(1, -1), fortranOrder: order === 'True', shape }
}

/** `(3, 4)`, `(3,)` or `()`; null for anything else. Python 2 wrote `3L`. */
function shapeOf(tuple: string): number[] | null {
  if (/^\(\s*\)$/.test(tuple)) return []
  const parts =
    /^\((.*)\)$/s
      .exec(tuple)?.[1]
      ?.split(',')
      .map(part => part.trim()) ?? []
  if (parts.length < 2) return null
  if (parts.at(-1) === '') parts.pop()
  const isShape = parts.every(part => /^\d+L?$/.test(part) && Number.isSafeInteger(Number.parseInt(part, 10)))
  return isShape ? parts.map(part => Number.parseInt(part, 10)) : null
}

function dtypeOf(descr: string, thing: string): { dtype: Dtype; isBig: boolean } {
  const [, order, kind, size] = /^([<>|=])([A-Za-z])(\d*)/.exec(descr) ?? []
  if (kind === 'O') {
    const state = 'the array is a pickled Python object, and to read it is to run its code'
    const hint = 'save it from Python as numbers: np.save(..., allow_pickle=False)'
    throw new RunbookError('usage', `Cannot read "${thing}": ${state}`, hint, { code: 'pickled' })
  }
  const code = size === '1' ? `|${kind}1` : `<${kind}${size}`
  const dtype = dtypes.get(code)
  const isKnown = code.slice(1) === descr.slice(1) && (order !== '|' || size === '1') && (kind !== 'V' || order === '<')
  if (dtype !== undefined && isKnown) return { dtype, isBig: order === '>' && size !== '1' }
  const what = kinds[kind ?? ''] ?? 'elements of an unknown type'
  throw refusal(thing, `it holds ${what} ("${descr}")`, 'convert it in Python first: x.astype(np.float32)')
}

function swapBytes(data: Buffer, itemBytes: number): void {
  if (itemBytes === 2) data.swap16()
  if (itemBytes === 4) data.swap32()
  if (itemBytes === 8) data.swap64()
}

/** Column-major bytes (first axis fastest) as row-major bytes (last axis fastest). */
function rowMajor(data: Uint8Array, shape: readonly number[], itemBytes: number): Uint8Array {
  const out = new Uint8Array(data.length)
  const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((product, n) => product * n, itemBytes))
  const index = shape.map(() => 0)
  let from = 0
  for (let to = 0; to < out.length; to += itemBytes) {
    for (let b = 0; b < itemBytes; b++) out[to + b] = data[from + b]!
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis]!++
      from += strides[axis]!
      if (index[axis]! < shape[axis]!) break
      from -= strides[axis]! * shape[axis]!
      index[axis] = 0
    }
  }
  return out
}
