/**
 * Where do a graph's weights come from? From a seed (`seeded-weights.ts`) or from a `.safetensors` or `.npz` file, by
 * name.
 *
 * A weight that does not fit is refused with both shapes. Nothing is ever cut, padded or left at a default.
 */
import { usageError } from '../../base/errors.ts'
import { describe, float32, type FloatTensor, type Tensor } from '../../formats/tensors/tensor.ts'
import type { ConvTasNetOptions } from './options.ts'
import { weightSpecs, type WeightSpec } from './weight-specs.ts'

export { isMixtureConsistent, seededWeights } from './seeded-weights.ts'
export { hasProjector, weightSpecs, type WeightSpec } from './weight-specs.ts'

/**
 * The weights of a graph from a file; names that the graph does not use go to `note` and are left out.
 *
 * Errors: blocked when the file is absent; usage for another kind of file, a missing name, another shape (naming
 * both), a type
 * that is not floating point, NaN or infinity (naming tensor and index).
 */
export async function loadWeights(
  path: string,
  options: ConvTasNetOptions,
  o: { note?: (line: string) => void } = {},
): Promise<Map<string, Tensor>> {
  return pickWeights(await readTensors(path), weightSpecs(options), { path, note: o.note })
}

/** The same from weights that are already read. Errors: those of `loadWeights`. */
export function pickWeights(
  have: ReadonlyMap<string, () => Tensor>,
  specs: readonly WeightSpec[],
  o: { path: string; note?: ((line: string) => void) | undefined },
): Map<string, Tensor> {
  const wanted = new Set(specs.map(spec => spec.name))
  const missing = specs.filter(spec => !have.has(spec.name)).map(spec => `${spec.name} [${spec.shape.join(', ')}]`)
  const extra = [...have.keys()].filter(name => !wanted.has(name))
  if (missing.length > 0) {
    throw usageError(
      `Cannot use the weights "${o.path}": ${missing.length} of ${specs.length} are missing: ${some(missing)}`,
      extra.length > 0 ? `rename the weights; not used in the file: ${some(extra)}` : savedSizes,
    )
  }
  if (extra.length > 0) o.note?.(`${extra.length} weights in the file are not used: ${some(extra)}`)
  return new Map(specs.map(spec => [spec.name, checkedWeight(spec, have.get(spec.name)!(), o.path)]))
}

const savedSizes = 'give the sizes of the model that was saved'

const some = (names: readonly string[]): string =>
  names.slice(0, 4).join(', ') + (names.length > 4 ? `, and ${names.length - 4} more` : '')

/** Every tensor of a `.safetensors` or `.npz` file by name, read when asked for. Errors: blocked, usage. */
export async function readTensors(path: string): Promise<Map<string, () => Tensor>> {
  if (path.endsWith('.safetensors')) {
    const { readSafetensors } = await import('../../formats/tensors/safetensors.ts')
    return new Map([...readSafetensors(path)].map(([name, tensor]) => [name, () => tensor]))
  }
  if (path.endsWith('.npz')) {
    const { readNpz } = await import('../../formats/tensors/npz.ts')
    return new Map([...(await readNpz(path))].map(([name, entry]) => [name, () => entry.tensor()]))
  }
  throw usageError(
    `Cannot use the weights "${path}": neither .safetensors nor .npz`,
    'save the weights in one of the two',
  )
}

function checkedWeight({ name, shape }: WeightSpec, tensor: Tensor, path: string): FloatTensor {
  if (tensor.shape.length !== shape.length || tensor.shape.some((n, i) => n !== shape[i])) {
    const shapes = `it is [${tensor.shape.join(', ')}], and the graph needs [${shape.join(', ')}]`
    throw usageError(
      `Cannot use the weight "${name}" of "${path}": ${shapes}`,
      `${savedSizes}; weights are never cut to fit`,
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
