/**
 * Keeps the keys and values of the tokens that a decoder was given, for several sequences side by side.
 */
import { boundTensor, type BoundTensor } from '../../../infer/ort/binding.ts'

/** A masked row: far below every score, and finite. */
export const masked = -1e9

interface CacheShape {
  readonly layers: number
  readonly heads: number
  readonly headWidth: number
  readonly sequences: number
  readonly capacity: number
}

/** Tensors [sequences, heads, capacity, headWidth], two for each layer, and the mask of the rows that hold nothing. */
export class DecoderCache {
  readonly shape: CacheShape
  readonly keys: readonly BoundTensor[]
  readonly values: readonly BoundTensor[]
  /** float32 [capacity]: 0 for a row that holds, `masked` for one that does not. */
  readonly mask: BoundTensor
  /** How many rows hold. */
  length = 0

  constructor(shape: CacheShape) {
    const { layers, heads, headWidth, sequences, capacity } = shape
    this.shape = shape
    const make = () => boundTensor('float32', [sequences, heads, capacity, headWidth])
    this.keys = Array.from({ length: layers }, make)
    this.values = Array.from({ length: layers }, make)
    this.mask = boundTensor('float32', [capacity])
    this.clear()
  }

  /** Forget everything. */
  clear(): void {
    this.length = 0
    ;(this.mask.data as Float32Array).fill(masked)
  }

  /** Append what a run gave for `time` new tokens: tensors [sequences, heads, time, headWidth] for each layer. */
  append(keys: readonly BoundTensor[], values: readonly BoundTensor[], time: number): void {
    for (const [i, key] of keys.entries()) {
      this.#write(key, this.keys[i]!, time)
      this.#write(values[i]!, this.values[i]!, time)
    }
    this.#hold(this.length + time)
  }

  /** Take over the rows of another cache: sequence i is what its sequence `sources[i]` was. */
  copyFrom(other: DecoderCache, sources: readonly number[]): void {
    for (let i = 0; i < this.keys.length; i++) {
      this.#copy(other.keys[i]!, this.keys[i]!, { sources, other })
      this.#copy(other.values[i]!, this.values[i]!, { sources, other })
    }
    this.clear()
    this.#hold(other.length)
  }

  #hold(length: number): void {
    ;(this.mask.data as Float32Array).fill(0, this.length, length)
    this.length = length
  }

  #write(from: BoundTensor, to: BoundTensor, time: number): void {
    const { heads, headWidth, sequences, capacity } = this.shape
    const source = from.data as Float32Array
    const target = to.data as Float32Array
    const count = time * headWidth
    for (let row = 0; row < sequences * heads; row++) {
      const start = (row * capacity + this.length) * headWidth
      for (let k = 0; k < count; k++) target[start + k] = source[row * count + k]!
    }
  }

  #copy(
    from: BoundTensor,
    to: BoundTensor,
    { sources, other }: { sources: readonly number[]; other: DecoderCache },
  ): void {
    const { heads, headWidth, capacity } = this.shape
    const source = from.data as Float32Array
    const target = to.data as Float32Array
    const count = other.length * headWidth
    for (const [sequence, chosen] of sources.entries()) {
      for (let head = 0; head < heads; head++) {
        const start = (chosen * heads + head) * other.shape.capacity * headWidth
        target.set(source.subarray(start, start + count), (sequence * heads + head) * capacity * headWidth)
      }
    }
  }
}
