/** Writes files as torch.save does, for tests: a zip of one pickle and one entry for each storage. */
import { storedZip } from './stored-zip.ts'
import { bytesFromTensor } from '../../formats/tensors/tensor-bytes.ts'
import { sizeOf, type Dtype, type Tensor } from '../../formats/tensors/tensor.ts'

/** Opcodes of pickle that the tests write. */
const op = (code: number, ...rest: Uint8Array[]) => Buffer.concat([Buffer.of(code), ...rest])
const u32 = (n: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(n)
  return bytes
}

/** A pickled text. */
export const pickledText = (text: string): Buffer => op(0x58, u32(Buffer.byteLength(text)), Buffer.from(text))
/** A pickled integer of 32 bits. */
export const pickledInt = (n: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32LE(n)
  return op(0x4a, bytes)
}
/** A pickled tuple. */
export const pickledTuple = (...items: Buffer[]): Buffer => op(0x28, ...items, Buffer.of(0x74))
/** A pickled import. */
export const pickledName = (module: string, name: string): Buffer => op(0x63, Buffer.from(`${module}\n${name}\n`))
/** A pickled call. */
export const pickledCall = (callee: Buffer, args: Buffer): Buffer => Buffer.concat([callee, args, Buffer.of(0x52)])
/** A pickled dictionary of these texts and values. */
export const pickledDict = (entries: readonly (readonly [string, Buffer])[]): Buffer =>
  Buffer.concat([
    Buffer.of(0x7d, 0x28),
    ...entries.flatMap(([key, value]) => [pickledText(key), value]),
    Buffer.of(0x75),
  ])
/** A whole pickle around one value. */
export const pickled = (value: Buffer): Buffer => Buffer.concat([Buffer.of(0x80, 2), value, Buffer.of(0x2e)])

const storageNames: Partial<Record<Dtype, string>> = {
  float32: 'FloatStorage',
  float64: 'DoubleStorage',
  float16: 'HalfStorage',
  bfloat16: 'BFloat16Storage',
  int64: 'LongStorage',
  int32: 'IntStorage',
  int16: 'ShortStorage',
  int8: 'CharStorage',
  uint8: 'ByteStorage',
  bool: 'BoolStorage',
}

/** A pickled view into a storage. */
export function pickledTensor(view: {
  key: string
  dtype: Dtype
  elements: number
  shape: readonly number[]
  strides: readonly number[]
  offset?: number
}): Buffer {
  const type = pickledName('torch', storageNames[view.dtype]!)
  const id = pickledTuple(
    pickledText('storage'),
    type,
    pickledText(view.key),
    pickledText('cpu'),
    pickledInt(view.elements),
  )
  const hooks = pickledCall(pickledName('collections', 'OrderedDict'), Buffer.of(0x29))
  const args = pickledTuple(
    Buffer.concat([id, Buffer.of(0x51)]),
    pickledInt(view.offset ?? 0),
    pickledTuple(...view.shape.map(pickledInt)),
    pickledTuple(...view.strides.map(pickledInt)),
    Buffer.of(0x89),
    hooks,
  )
  return pickledCall(pickledName('torch._utils', '_rebuild_tensor_v2'), args)
}

/** The strides of a row-major tensor, in elements. */
export const rowMajor = (shape: readonly number[]): number[] => shape.map((_, axis) => sizeOf(shape.slice(axis + 1)))

/** A torch file around a pickle and its storages. */
export function torchFile(
  pickle: Buffer,
  storages: Readonly<Record<string, Uint8Array>>,
  more: Readonly<Record<string, Uint8Array>> = {},
): Buffer {
  const entries = Object.entries(storages).map(([key, bytes]) => [`archive/data/${key}`, bytes] as const)
  const files = { 'archive/data.pkl': pickle, 'archive/version': Buffer.from('3\n'), ...more }
  return storedZip({ ...files, ...Object.fromEntries(entries) })
}

/** A state dictionary of these tensors, as `torch.save(model.state_dict(), path)` writes it. */
export function torchStateDict(tensors: ReadonlyMap<string, Tensor>): Buffer {
  const list = [...tensors]
  const values = list.map(([name, { dtype, shape }], i) => {
    const place = { key: String(i), dtype, elements: sizeOf(shape), shape, strides: rowMajor(shape) }
    return [name, pickledTensor(place)] as const
  })
  const storages = Object.fromEntries(list.map(([, tensor], i) => [String(i), bytesFromTensor(tensor)]))
  return torchFile(pickled(pickledDict(values)), storages)
}
