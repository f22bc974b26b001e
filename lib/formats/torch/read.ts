/**
 * Reads what `torch.save` wrote: tensors and plain containers out of a .pt, .pth or .ckpt, without running its pickle.
 *
 * The file is a zip: one pickle that names storages, and one entry for each storage. A tensor is read when it is asked
 * for, so a checkpoint of several gigabytes costs its directory until then. TorchScript programs, the format from
 * before torch 1.6, sparse and quantised tensors are refused by name.
 */
import { usageError } from '../../base/errors.ts'
import { fileSource, type ByteSource } from '../byte-source.ts'
import { elementBytes } from '../tensors/tensor-bytes.ts'
import { readPickle } from './pickle.ts'
import { PickleName, type PickleValue } from './pickle-value.ts'
import { dtypeFromName, dtypeFromStorage, untypedStorage } from './storage-types.ts'
import { TorchTensor, type TorchStorage } from './torch-tensor.ts'
import { readZip, type Zip } from './zip.ts'

export { PickleName } from './pickle-value.ts'
export { TorchTensor } from './torch-tensor.ts'

/** What a torch file holds: plain values, lists, Maps and Sets, with tensors at the leaves. */
export type TorchValue = PickleValue<TorchTensor | TorchStorage>

const pickleBytesMax = 1 << 28

/**
 * What the file at `path`, or a part of another file, holds.
 * @throws RunbookError blocked when the file is absent; usage when it is cut short, hostile, no torch file, or holds
 *   objects
 * @example
 * ```ts ignore
 * const checkpoint = 'epoch-12.ckpt'
 * for (const [name, tensor] of stateDictOf(readTorch(checkpoint), ['state_dict'])) console.log(name, tensor.shape)
 * ```
 */
export function readTorch(from: string | ByteSource): TorchValue {
  const source = typeof from === 'string' ? fileSource(from) : from
  checkKind(source)
  const zip = readZip(source)
  const folder = folderOf(zip)
  const order = zip.entries.has(`${folder}byteorder`) ? textOf(zip, `${folder}byteorder`) : 'little'
  if (order !== 'little' && order !== 'big') throw refusal(source.name, `its byte order is "${order}"`)
  const storages = new Map<string, TorchStorage>()
  const table = tableOf((key, dtype, elements) => {
    const known = storages.get(key)
    if (known !== undefined) return known
    const storage = storageOf({ zip, entry: `${folder}data/${key}`, dtype, elements, isBig: order === 'big' })
    storages.set(key, storage)
    return storage
  }, source.name)
  return readPickle(zip.read(`${folder}data.pkl`, pickleBytesMax), table, `${source.name}/data.pkl`)
}

/**
 * The tensors of a state dictionary by name, in its order: of the file's own dictionary, or of the one that it keeps
 * under one of `keys`.
 * @throws RunbookError usage when there is no such dictionary, or when an entry of it is no tensor
 */
export function stateDictOf(
  value: TorchValue,
  keys: readonly string[] = [],
  name = 'checkpoint',
): Map<string, TorchTensor> {
  const outer = value instanceof Map ? value : new Map()
  const under = keys.map(key => outer.get(key)).find(inner => inner instanceof Map)
  const dictionary = under instanceof Map ? under : outer
  const tensors = new Map<string, TorchTensor>()
  for (const [key, tensor] of dictionary as Map<TorchValue, TorchValue>) {
    if (typeof key !== 'string' || !(tensor instanceof TorchTensor))
      throw refusal(
        name,
        `its entry "${String(key)}" is no tensor${keys.length > 0 ? `, and it has no ${keys.join(' or ')}` : ''}`,
      )
    tensors.set(key, tensor)
  }
  if (tensors.size === 0) throw refusal(name, 'it holds no dictionary of tensors')
  return tensors
}

const refusal = (thing: string, state: string, hint = 'save it again: torch.save(model.state_dict(), path)') =>
  usageError(`Cannot read "${thing}": ${state}`, hint)

function checkKind(source: ByteSource): void {
  const head = Buffer.from(source.read(0, Math.min(source.size, 4))).toString('latin1')
  if (head.startsWith('PK\x03\x04')) return
  if (/^\x80[\x02-\x05]/.test(head)) {
    const hint = 'save it again with torch 1.6 or newer: torch.save(torch.load(path, weights_only=True), new_path)'
    throw refusal(source.name, 'it is a bare pickle, as torch wrote before 1.6', hint)
  }
  throw refusal(source.name, source.size === 0 ? 'it is empty' : 'it is no zip archive, so not what torch.save writes')
}

function folderOf(zip: Zip): string {
  const pickles = [...zip.entries.keys()].filter(name => /^([^/]+\/)?data\.pkl$/.test(name))
  if (pickles.length !== 1)
    throw refusal(zip.name, `it holds ${pickles.length} data.pkl, so torch.save did not write it`)
  const folder = pickles[0]!.slice(0, -'data.pkl'.length)
  if (zip.entries.has(`${folder}constants.pkl`))
    throw refusal(
      zip.name,
      'it is a TorchScript program',
      'save its weights: torch.save(torch.jit.load(path).state_dict(), new_path)',
    )
  return folder
}

const textOf = (zip: Zip, name: string) => Buffer.from(zip.read(name, 64)).toString('utf8').trim()

function storageOf(o: {
  zip: Zip
  entry: string
  dtype: Dtype | undefined
  elements: number
  isBig: boolean
}): TorchStorage {
  const bytes = o.elements * (o.dtype === undefined ? 1 : elementBytes(o.dtype))
  return {
    key: o.entry,
    bytes,
    dtype: o.dtype,
    read(width) {
      const content = o.zip.read(o.entry)
      if (content.length !== bytes)
        throw refusal(o.zip.name, `its storage "${o.entry}" holds ${content.length} bytes instead of ${bytes}`)
      return o.isBig ? swapped(content, width) : content
    },
  }
}

function swapped(bytes: Uint8Array, width: number): Uint8Array {
  const copy = Buffer.from(bytes)
  if (width === 2) return copy.swap16()
  if (width === 4) return copy.swap32()
  return width === 8 ? copy.swap64() : copy
}

type Dtype = TorchTensor['dtype']
type Keep = (key: string, dtype: Dtype | undefined, elements: number) => TorchStorage

function tableOf(keep: Keep, thing: string) {
  const wrong = (state: string) => refusal(thing, state)
  const counts = (value: TorchValue | undefined): number[] => {
    if (!Array.isArray(value) || !value.every(n => typeof n === 'number')) throw wrong('a tensor has no list of sizes')
    return value
  }
  const rebuild = (args: readonly TorchValue[], named?: TorchValue): TorchTensor => {
    const [storage, offset, shape, strides] = args
    if (!isStorage(storage) || typeof offset !== 'number') throw wrong('a tensor has no storage or no offset')
    const dtype = named instanceof PickleName ? dtypeFromName.get(named.path) : storage.dtype
    if (dtype === undefined) throw wrong('a tensor has no element type that is read here')
    return new TorchTensor({ dtype, shape: counts(shape), strides: counts(strides), offset, storage })
  }
  return {
    calls: {
      'collections.OrderedDict': (args: readonly TorchValue[]) => orderedDict(args, wrong),
      'torch._utils._rebuild_tensor_v2': (args: readonly TorchValue[]) => rebuild(args),
      'torch._utils._rebuild_tensor_v3': (args: readonly TorchValue[]) => rebuild(args, args[6] ?? null),
      'torch._utils._rebuild_parameter': (args: readonly TorchValue[]) => {
        if (!(args[0] instanceof TorchTensor)) throw wrong('a parameter has no tensor')
        return args[0]
      },
      'torch.Size': (args: readonly TorchValue[]) => counts(args[0]),
      'torch.device': (args: readonly TorchValue[]) => args.map(String).join(':'),
      'builtins.set': (args: readonly TorchValue[]) => new Set(Array.isArray(args[0]) ? args[0] : []),
    },
    isPlainName: (path: string) => dtypeFromStorage.has(path) || dtypeFromName.has(path) || path === untypedStorage,
    persistent: (id: TorchValue): TorchStorage => {
      const [kind, type, key, , elements] = Array.isArray(id) ? id : []
      const isKnown = kind === 'storage' && type instanceof PickleName && typeof key === 'string'
      if (!isKnown || typeof elements !== 'number' || !Number.isSafeInteger(elements) || elements < 0)
        throw wrong('it refers to something that is no storage')
      return keep(key, dtypeFromStorage.get(type.path), elements)
    },
  }
}

const isStorage = (value: TorchValue | undefined): value is TorchStorage =>
  typeof value === 'object' && value !== null && 'read' in value && !(value instanceof TorchTensor)

function orderedDict(args: readonly TorchValue[], wrong: (state: string) => Error): Map<TorchValue, TorchValue> {
  const [pairs] = args
  if (pairs === undefined) return new Map()
  if (!Array.isArray(pairs)) throw wrong('an OrderedDict is not made of pairs')
  return new Map(
    pairs.map(pair => {
      if (!Array.isArray(pair) || pair.length !== 2) throw wrong('an OrderedDict is not made of pairs')
      return [pair[0]!, pair[1]!] as const
    }),
  )
}
