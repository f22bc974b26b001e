/**
 * The names by which torch calls its element types, and those of ours that they are.
 */
import type { Dtype } from '../tensors/tensor.ts'

/** Element type by the class of a typed storage, such as `torch.FloatStorage`. */
export const dtypeFromStorage: ReadonlyMap<string, Dtype> = new Map([
  ['torch.FloatStorage', 'float32'],
  ['torch.DoubleStorage', 'float64'],
  ['torch.HalfStorage', 'float16'],
  ['torch.BFloat16Storage', 'bfloat16'],
  ['torch.CharStorage', 'int8'],
  ['torch.ByteStorage', 'uint8'],
  ['torch.ShortStorage', 'int16'],
  ['torch.IntStorage', 'int32'],
  ['torch.LongStorage', 'int64'],
  ['torch.BoolStorage', 'bool'],
])

/** Element type by the name of a dtype, such as `torch.uint16`. */
export const dtypeFromName: ReadonlyMap<string, Dtype> = new Map([
  ['torch.float32', 'float32'],
  ['torch.float64', 'float64'],
  ['torch.float16', 'float16'],
  ['torch.bfloat16', 'bfloat16'],
  ['torch.int8', 'int8'],
  ['torch.uint8', 'uint8'],
  ['torch.int16', 'int16'],
  ['torch.uint16', 'uint16'],
  ['torch.int32', 'int32'],
  ['torch.uint32', 'uint32'],
  ['torch.int64', 'int64'],
  ['torch.uint64', 'uint64'],
  ['torch.bool', 'bool'],
])

/** A storage that knows its bytes and not their type. */
export const untypedStorage = 'torch.storage.UntypedStorage'
