/** A list of integers in one typed array, which grows by doubling: appending creates no object in the steady state. */
export class IntList {
  #values: Int32Array
  length = 0

  constructor(capacity = 1024) {
    this.#values = new Int32Array(capacity)
  }

  push(value: number): void {
    if (this.length === this.#values.length) {
      const larger = new Int32Array(2 * this.length)
      larger.set(this.#values)
      this.#values = larger
    }
    this.#values[this.length++] = value
  }

  /** The element at `index`; the last one for −1. */
  at(index: number): number | undefined {
    const place = index < 0 ? this.length + index : index
    return place < this.length ? this.#values[place] : undefined
  }

  clear(): void {
    this.length = 0
  }

  /** A copy as plain numbers. */
  toArray(): number[] {
    return [...this.#values.subarray(0, this.length)]
  }
}
