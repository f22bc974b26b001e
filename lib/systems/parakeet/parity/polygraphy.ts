/**
 * Reads the outputs that `polygraphy run --save-outputs` wrote: JSON whose arrays are .npy files in base64.
 */
import { decodeNpy } from '../../../formats/tensors/npy.ts'
import type { Tensor } from '../../../formats/tensors/tensor.ts'
import { readJson } from '../../../host/files.ts'
import { usageError } from '../../../base/errors.ts'

/**
 * Arrays by runner and name, `onnxrt-runner-N0/outputs`; of several iterations the first.
 * @throws RunbookError blocked when it is absent; usage when it holds no arrays
 */
export function readPolygraphy(path: string): Map<string, Tensor> {
  const found = new Map<string, Tensor>()
  walk(readJson(path), [], found)
  if (found.size > 0) return found
  throw usageError(`Cannot read "${path}": it holds no arrays`, 'write it with polygraphy run --save-outputs')
}

/** The .npy signature in base64. */
const npyBegin = /^k05VTVBZ/

function walk(value: unknown, trail: readonly string[], found: Map<string, Tensor>): void {
  if (Array.isArray(value)) {
    // A pair of a runner's name and its iterations.
    const [name, rest] = value
    if (value.length === 2 && typeof name === 'string' && typeof rest === 'object') walk(rest, [...trail, name], found)
    else for (const item of value) walk(item, trail, found)
    return
  }
  if (typeof value !== 'object' || value === null) return
  const { array } = value as { array?: unknown }
  if (typeof array === 'string' && npyBegin.test(array)) {
    const name = trail
      .filter(step => !['lst', 'outputs', 'values', 'arr'].includes(step) || step === trail.at(-1))
      .join('/')
    if (!found.has(name)) found.set(name, decodeNpy(Buffer.from(array, 'base64'), name))
    return
  }
  for (const [key, child] of Object.entries(value)) {
    const isName = !['lst', 'values', 'arr', 'polygraphy_class', '__polygraphy_type', 'dct'].includes(key)
    const isContainer = key === 'outputs' && typeof child === 'object' && child !== null && !('array' in child)
    walk(child, isName && !isContainer ? [...trail, key] : trail, found)
  }
}
