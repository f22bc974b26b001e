/**
 * Reads weights of any network from a file, by name, and gives a graph exactly those that it needs.
 *
 * Kinds of file: `.safetensors`, `.npz`, and what `torch.save` wrote. Nothing is ever cut, padded or left at a default.
 */
import { extname } from 'node:path'
import { usageError } from '../base/errors.ts'
import { describe, float32, type FloatTensor, type Tensor } from '../formats/tensors/tensor.ts'

/** Tensors by name, read when asked for. */
export type LazyTensors = ReadonlyMap<string, () => Tensor>

/** A weight that a graph needs. */
export interface WeightSpec {
  readonly name: string
  readonly shape: readonly number[]
}

/** What is said of weights that do not fit. */
export interface PickOptions {
  readonly path: string
  /** Told of names that the graph does not use. */
  readonly note?: ((line: string) => void) | undefined
  /** Whether a name that the graph does not use is an error. */
  readonly refuseUnused?: boolean
  /** What helps when weights are missing, unused, or of another shape. */
  readonly hint?: string
}

/**
 * The weights of a list from tensors by name.
 * @throws RunbookError usage for a missing name, another shape (naming both), a type that is not floating point, NaN or
 *   infinity (naming tensor and index), and for an unused name where that is refused
 */
export function pickWeights(have: LazyTensors, specs: readonly WeightSpec[], o: PickOptions): Map<string, FloatTensor> {
  const wanted = new Set(specs.map(spec => spec.name))
  const missing = specs.filter(spec => !have.has(spec.name)).map(spec => `${spec.name} [${spec.shape.join(', ')}]`)
  const extra = [...have.keys()].filter(name => !wanted.has(name))
  if (missing.length > 0) {
    const unused = extra.length > 0 ? `; not used in the file: ${some(extra)}` : ''
    const state = `${missing.length} of ${specs.length} are missing: ${some(missing)}${unused}`
    throw usageError(`Cannot use the weights "${o.path}": ${state}`, o.hint ?? 'rename the weights')
  }
  if (extra.length > 0 && o.refuseUnused === true) {
    const state = `the graph does not use ${extra.length} of ${have.size}: ${some(extra)}`
    throw usageError(`Cannot use the weights "${o.path}": ${state}`, o.hint ?? 'leave them out')
  }
  if (extra.length > 0) o.note?.(`${extra.length} weights in the file are not used: ${some(extra)}`)
  return new Map(specs.map(spec => [spec.name, checkedWeight(spec, have.get(spec.name)!(), o)]))
}

const some = (names: readonly string[]): string =>
  names.slice(0, 4).join(', ') + (names.length > 4 ? `, and ${names.length - 4} more` : '')

const torchEndings = ['.pth', '.pt', '.ckpt', '.bin']

/**
 * Every tensor of a file by name, read when asked for: `.safetensors`, `.npz`, or what `torch.save` wrote (`.pth`,
 * `.pt`, `.ckpt`, `.bin`), whose pickle is read and never run.
 * @throws RunbookError blocked when the file is absent; usage for another kind of file, or a damaged one
 */
export async function readTensors(path: string): Promise<LazyTensors> {
  const ending = extname(path).toLowerCase()
  if (ending === '.safetensors') {
    const { readSafetensors } = await import('../formats/tensors/safetensors.ts')
    return new Map([...readSafetensors(path)].map(([name, tensor]) => [name, () => tensor]))
  }
  if (ending === '.npz') {
    const { readNpz } = await import('../formats/tensors/npz.ts')
    return new Map([...(await readNpz(path))].map(([name, entry]) => [name, () => entry.tensor()]))
  }
  if (torchEndings.includes(ending)) {
    const { readTorch, stateDictOf } = await import('../formats/torch/read.ts')
    const tensors = stateDictOf(readTorch(path), ['state_dict', 'model'], path)
    return new Map([...tensors].map(([name, tensor]) => [name.replace(/^model\./, ''), () => tensor.tensor()]))
  }
  throw usageError(
    `Cannot use the weights "${path}": its ending is none of .safetensors, .npz, .pth, .pt, .ckpt`,
    'save the weights in one of these: safetensors.torch.save_file(model.state_dict(), path)',
  )
}

/**
 * Plain values that a checkpoint keeps beside its weights, such as `model_args`; none where there are no such.
 * @throws RunbookError as `readTensors`
 */
export async function readPlainEntry(path: string, key: string): Promise<Readonly<Record<string, unknown>>> {
  if (!torchEndings.includes(extname(path).toLowerCase())) return {}
  const { readTorch } = await import('../formats/torch/read.ts')
  const whole = readTorch(path)
  const entry = whole instanceof Map ? whole.get(key) : undefined
  return entry instanceof Map ? Object.fromEntries([...entry].map(([name, value]) => [String(name), value])) : {}
}

function checkedWeight({ name, shape }: WeightSpec, given: Tensor, { path, hint }: PickOptions): FloatTensor {
  // A gain is one number a channel, whatever axes of 1 stand behind it.
  const isGain = given.shape.length === 1 && shape[0] === given.shape[0] && shape.slice(1).every(n => n === 1)
  const tensor = isGain ? { ...given, shape } : given
  if (tensor.shape.length !== shape.length || tensor.shape.some((n, i) => n !== shape[i])) {
    const shapes = `it is [${tensor.shape.join(', ')}], and the graph needs [${shape.join(', ')}]`
    const helps = hint ?? 'give the sizes of the model that was saved'
    throw usageError(
      `Cannot use the weight "${name}" of "${path}": ${shapes}`,
      `${helps}; weights are never cut to fit`,
    )
  }
  const weight = floatTensor(tensor, name, path)
  const bad = weight.data.findIndex(value => !Number.isFinite(value))
  if (bad >= 0) {
    const state = `element ${bad} is ${weight.data[bad]}`
    throw usageError(`Cannot use the weight "${name}" of "${path}": ${state}`, 'mend or train the weights again')
  }
  return weight
}

function floatTensor(tensor: Tensor, name: string, path: string): FloatTensor {
  const { dtype, shape, data } = tensor
  if (dtype === 'float32' && data instanceof Float32Array) return float32(shape, data)
  if (dtype === 'float64' && data instanceof Float64Array) return float32(shape, Float32Array.from(data))
  if (dtype === 'float16' && data instanceof Uint16Array) return float32(shape, Float32Array.from(data, floatFromHalf))
  if (dtype === 'bfloat16' && data instanceof Uint16Array) return float32(shape, floatsFromBfloat16(data))
  const kinds = 'float32, float64, float16 or bfloat16'
  throw usageError(`Cannot use the weight "${name}" of "${path}": it is ${describe(tensor)}`, `save it as ${kinds}`)
}

/** The value of 16 bits of IEEE 754 binary16. Every one is exact in float32. */
function floatFromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : Number.NaN
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25)
}

/** bfloat16 is the upper half of a float32. */
const floatsFromBfloat16 = (data: Uint16Array): Float32Array =>
  new Float32Array(Uint32Array.from(data, bits => bits * 65536).buffer)
