/**
 * Transforms blocks of complex numbers whose length is a product of 2, 4 and 5, such as the 400 samples of a speech
 * window.
 *
 * fft.js takes powers of two alone. A mixed-radix transform in the order of Stockham needs no bit reversal: every pass
 * reads one half of the workspace and writes the other. Input, output and factors lie in one array, real and imaginary
 * parts side by side: with one array V8 keeps its address in a register, and the transform takes half the time.
 */
import { usageError } from '../../base/errors.ts'

/** One pass: `radix` interleaved sub-transforms of length `inner`, `outer` times; its factors begin at `factors`. */
interface Pass {
  readonly radix: number
  readonly outer: number
  readonly inner: number
  readonly factors: number
}

/** One pass over `cells`, from the block at `from` into the block at `to`. */
type Butterfly = (cells: Float64Array, from: number, to: number, pass: Pass) => void

/** A forward transform of one length. */
export class Fourier {
  /** Give the block here before each `run`: real and imaginary part of number i at 2 i and 2 i + 1. */
  readonly cells: Float64Array
  readonly #size: number
  readonly #passes: readonly Pass[]

  /**
   * @param size how many complex numbers
   * @throws RunbookError usage when `size` has a prime factor other than 2 and 5, or is less than 2
   */
  constructor(size: number) {
    const radices = radicesOf(size)
    this.#size = size
    this.cells = new Float64Array(4 * size + 2 * radices.length * size)
    this.#passes = withFactors(this.cells, size, radices)
  }

  /**
   * The discrete Fourier transform, unscaled; the input is overwritten.
   * @returns where the transform begins in `cells`
   */
  run(): number {
    let from = 0
    let to = 2 * this.#size
    for (const pass of this.#passes) {
      butterflies[pass.radix]!(this.cells, from, to, pass)
      const spare = from
      from = to
      to = spare
    }
    return from
  }
}

function radicesOf(size: number): number[] {
  const radices: number[] = []
  let rest = size
  for (const radix of [4, 2, 5]) {
    while (rest > 1 && Number.isInteger(rest / radix)) {
      radices.push(radix)
      rest /= radix
    }
  }
  if (rest === 1 && radices.length > 0) return radices
  throw usageError(`Cannot transform blocks of "${size}" numbers: it is no product of 2 and 5`, 'use 400 or 512')
}

function withFactors(cells: Float64Array, size: number, radices: readonly number[]): Pass[] {
  let at = 4 * size
  let outer = 1
  return radices.map(radix => {
    const pass = { radix, outer, inner: size / (outer * radix), factors: at }
    for (let i = 0; i < pass.inner; i++) {
      for (let output = 1; output < radix; output++) {
        const angle = (-2 * Math.PI * outer * output * i) / size
        cells[at++] = Math.cos(angle)
        cells[at++] = Math.sin(angle)
      }
    }
    outer *= radix
    return pass
  })
}

const pass2: Butterfly = (c, from, to, { outer, inner, factors }) => {
  const width = 2 * inner
  const step = width * outer
  for (let k = 0; k < outer; k++) {
    let a = from + 2 * k * width
    let o = to + k * width
    let t = factors
    for (let i = 0; i < inner; i++, a += 2, o += 2, t += 2) {
      const b = a + width
      const re = c[a]! - c[b]!
      const im = c[a + 1]! - c[b + 1]!
      c[o] = c[a]! + c[b]!
      c[o + 1] = c[a + 1]! + c[b + 1]!
      c[o + step] = re * c[t]! - im * c[t + 1]!
      c[o + step + 1] = re * c[t + 1]! + im * c[t]!
    }
  }
}

const pass4: Butterfly = (c, from, to, { outer, inner, factors }) => {
  const width = 2 * inner
  const step = width * outer
  for (let k = 0; k < outer; k++) {
    let a = from + 4 * k * width
    let o = to + k * width
    let t = factors
    for (let i = 0; i < inner; i++, a += 2, o += 2, t += 6) {
      const b = a + width
      const g = b + width
      const h = g + width
      const evenRe = c[a]! + c[g]!
      const evenIm = c[a + 1]! + c[g + 1]!
      const gapRe = c[a]! - c[g]!
      const gapIm = c[a + 1]! - c[g + 1]!
      const oddRe = c[b]! + c[h]!
      const oddIm = c[b + 1]! + c[h + 1]!
      const turnRe = c[b + 1]! - c[h + 1]!
      const turnIm = c[h]! - c[b]!
      c[o] = evenRe + oddRe
      c[o + 1] = evenIm + oddIm
      twist(c, o + step, gapRe + turnRe, gapIm + turnIm, t)
      twist(c, o + 2 * step, evenRe - oddRe, evenIm - oddIm, t + 2)
      twist(c, o + 3 * step, gapRe - turnRe, gapIm - turnIm, t + 4)
    }
  }
}

const cos1 = Math.cos(0.4 * Math.PI)
const cos2 = Math.cos(0.8 * Math.PI)
const sin1 = Math.sin(0.4 * Math.PI)
const sin2 = Math.sin(0.8 * Math.PI)

const pass5: Butterfly = (c, from, to, { outer, inner, factors }) => {
  const width = 2 * inner
  const step = width * outer
  for (let k = 0; k < outer; k++) {
    let a = from + 5 * k * width
    let o = to + k * width
    let t = factors
    for (let i = 0; i < inner; i++, a += 2, o += 2, t += 8) {
      const b = a + width
      const g = b + width
      const h = g + width
      const e = h + width
      const re = c[a]!
      const im = c[a + 1]!
      const addRe1 = c[b]! + c[e]!
      const addIm1 = c[b + 1]! + c[e + 1]!
      const gapRe1 = c[b]! - c[e]!
      const gapIm1 = c[b + 1]! - c[e + 1]!
      const addRe2 = c[g]! + c[h]!
      const addIm2 = c[g + 1]! + c[h + 1]!
      const gapRe2 = c[g]! - c[h]!
      const gapIm2 = c[g + 1]! - c[h + 1]!
      c[o] = re + addRe1 + addRe2
      c[o + 1] = im + addIm1 + addIm2
      const midRe1 = re + cos1 * addRe1 + cos2 * addRe2
      const midIm1 = im + cos1 * addIm1 + cos2 * addIm2
      const midRe2 = re + cos2 * addRe1 + cos1 * addRe2
      const midIm2 = im + cos2 * addIm1 + cos1 * addIm2
      const turnRe1 = sin1 * gapIm1 + sin2 * gapIm2
      const turnIm1 = -(sin1 * gapRe1 + sin2 * gapRe2)
      const turnRe2 = sin2 * gapIm1 - sin1 * gapIm2
      const turnIm2 = -(sin2 * gapRe1 - sin1 * gapRe2)
      twist(c, o + step, midRe1 + turnRe1, midIm1 + turnIm1, t)
      twist(c, o + 2 * step, midRe2 + turnRe2, midIm2 + turnIm2, t + 2)
      twist(c, o + 3 * step, midRe2 - turnRe2, midIm2 - turnIm2, t + 4)
      twist(c, o + 4 * step, midRe1 - turnRe1, midIm1 - turnIm1, t + 6)
    }
  }
}

/** Writes `re + i·im` times the factor at `factor` to `at`. */
function twist(c: Float64Array, at: number, re: number, im: number, factor: number): void {
  c[at] = re * c[factor]! - im * c[factor + 1]!
  c[at + 1] = re * c[factor + 1]! + im * c[factor]!
}

const butterflies: Readonly<Record<number, Butterfly>> = { 2: pass2, 4: pass4, 5: pass5 }
