/**
 * Reads one window from a request's body: JSON `{"x": [[9 numbers] * 100]}`, or 900 little-endian float32.
 *
 * The usual body is read byte by byte straight into a Float32Array, with the very numbers that `JSON.parse` would give.
 * At the first byte that is unusual (another key, an escape, a wrong count) the body is read again by `JSON.parse`, and
 * what is wrong is told with its place.
 */
import { Problem } from '../../../serve/http.ts'
import { edgeinferContract } from '../contract.ts'
import { channelMax, indexOfOdd, schemaHint, windowChannels, windowSamples, windowSize } from './layout.ts'

const { channelOrder, units } = edgeinferContract().model

const refusal = (code: string, message: string) =>
  new Problem(400, code, message, { details: { schema_hint: schemaHint } })

/**
 * A window from a JSON body.
 * @throws Problem 400 `invalid_json`, `missing_x`, `invalid_shape`, `invalid_value`, `non_finite`, `out_of_range`
 */
export function parseWindow(body: Uint8Array): Float32Array {
  const window = readPlain(body) ?? readAnyJson(body)
  return checked(window)
}

/**
 * A window from 3,600 bytes of little-endian float32, row-major.
 * @throws Problem 400 `invalid_shape`, `non_finite`, `out_of_range`
 */
export function windowFromBytes(body: Uint8Array): Float32Array {
  if (body.length !== windowSize * 4) {
    throw refusal('invalid_shape', `The body has ${body.length} bytes, and ${windowSize * 4} are wanted`)
  }
  // A copy, because the bytes may lie at any offset of a shared buffer.
  return checked(new Float32Array(new Uint8Array(body).buffer))
}

/**
 * A window from numbers that are already read.
 * @throws Problem 400 as `parseWindow`
 */
export function windowFromRows(x: unknown, name = 'x'): Float32Array {
  return checked(readRows(x, name))
}

function checked(window: Float32Array): Float32Array {
  const odd = indexOfOdd(window)
  if (odd < 0) return window
  const channel = odd % windowChannels
  const value = window[odd]!
  const at = `x[${Math.floor(odd / windowChannels)}][${channel}] (${channelOrder[channel]})`
  if (!Number.isFinite(value)) throw refusal('non_finite', `${at} is no finite float32`)
  throw refusal('out_of_range', `${at} is ${value} ${units[channel]}, beyond ±${channelMax[channel]}`)
}

function readAnyJson(body: Uint8Array): Float32Array {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch (thrown) {
    throw refusal('invalid_json', `The body is no JSON: ${(thrown as Error).message.slice(0, 120)}`)
  }
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, 'x')) {
    throw refusal('missing_x', 'The body is no object with a key "x"')
  }
  return readRows((value as { x: unknown }).x, 'x')
}

const kindOf = (value: unknown) => (value === null ? 'null' : Array.isArray(value) ? 'a list' : `a ${typeof value}`)

function readRows(x: unknown, name: string): Float32Array {
  if (!Array.isArray(x)) throw refusal('invalid_shape', `${name} is ${kindOf(x)}, and a list of rows is wanted`)
  if (x.length !== windowSamples) {
    throw refusal('invalid_shape', `${name} has ${x.length} rows, and ${windowSamples} are wanted`)
  }
  const window = new Float32Array(windowSize)
  for (const [t, row] of x.entries()) {
    if (!Array.isArray(row)) throw refusal('invalid_shape', `${name}[${t}] is ${kindOf(row)}, and a list is wanted`)
    if (row.length !== windowChannels) {
      throw refusal('invalid_shape', `${name}[${t}] has ${row.length} numbers, and ${windowChannels} are wanted`)
    }
    for (const [c, value] of row.entries()) {
      if (typeof value !== 'number') {
        throw refusal('invalid_value', `${name}[${t}][${c}] is ${kindOf(value)}, and a number is wanted`)
      }
      window[t * windowChannels + c] = value
    }
  }
  return window
}

const powers = Array.from({ length: 23 }, (_, n) => 10 ** n)
/** The ends of the error of a number of 16 to 19 digits. */
const [below, above] = [1 - 2 ** -50, 1 + 2 ** -50]
const [space, tab, newline, carriage] = [0x20, 0x09, 0x0a, 0x0d]

/** The body read as the usual form, or null where it is anything else. */
function readPlain(bytes: Uint8Array): Float32Array | null {
  return new PlainReader(bytes).window()
}

class PlainReader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  window(): Float32Array | null {
    // {"x":[
    for (const byte of [0x7b, 0x22]) if (!this.#take(byte)) return null
    if (this.#bytes[this.#at++] !== 0x78 || this.#bytes[this.#at++] !== 0x22) return null
    for (const byte of [0x3a, 0x5b]) if (!this.#take(byte)) return null
    const window = new Float32Array(windowSize)
    for (let i = 0, t = 0; t < windowSamples; t++) {
      if ((t > 0 && !this.#take(0x2c)) || !this.#take(0x5b)) return null
      for (let c = 0; c < windowChannels; c++, i++) {
        if (c > 0 && !this.#take(0x2c)) return null
        const value = this.#number()
        if (value !== value) return null
        window[i] = value
      }
      if (!this.#take(0x5d)) return null
    }
    for (const byte of [0x5d, 0x7d]) if (!this.#take(byte)) return null
    this.#skip()
    return this.#at === this.#bytes.length ? window : null
  }

  #skip(): void {
    for (;;) {
      const byte = this.#bytes[this.#at]
      if (byte !== space && byte !== newline && byte !== tab && byte !== carriage) return
      this.#at++
    }
  }

  #take(byte: number): boolean {
    this.#skip()
    return this.#bytes[this.#at++] === byte
  }

  /**
   * A JSON number, or NaN where there is none. Up to 15 digits and powers of ten up to 22 are exact in float64, so that
   * one division or multiplication rounds correctly (Clinger 1990). Up to 19 digits are off by less than 2^-50 of the
   * value, which is enough where both ends of that error round to the same float32; all else is read by the engine.
   */
  #number(): number {
    this.#skip()
    const bytes = this.#bytes
    const begin = this.#at
    const isNegative = bytes[this.#at] === 0x2d
    if (isNegative) this.#at++
    let [mantissa, digits, exponent] = [0, 0, 0]
    const first = this.#at
    for (let d = bytes[this.#at]! - 0x30; d >= 0 && d <= 9; d = bytes[++this.#at]! - 0x30, digits++)
      mantissa = mantissa * 10 + d
    if (digits === 0 || (digits > 1 && bytes[first] === 0x30)) return Number.NaN
    if (bytes[this.#at] === 0x2e) {
      const point = ++this.#at
      for (let d = bytes[this.#at]! - 0x30; d >= 0 && d <= 9; d = bytes[++this.#at]! - 0x30, digits++)
        mantissa = mantissa * 10 + d
      exponent = point - this.#at
      if (exponent === 0) return Number.NaN
    }
    if ((bytes[this.#at]! | 0x20) === 0x65) {
      this.#at++
      const sign = bytes[this.#at]
      if (sign === 0x2b || sign === 0x2d) this.#at++
      const from = this.#at
      while (bytes[this.#at]! >= 0x30 && bytes[this.#at]! <= 0x39) this.#at++
      if (this.#at === from) return Number.NaN
      return Number(this.#text(begin))
    }
    if (digits > 19 || exponent < -22) return Number(this.#text(begin))
    const value = exponent === 0 ? mantissa : mantissa / powers[-exponent]!
    if (digits > 15 && Math.fround(value * below) !== Math.fround(value * above)) return Number(this.#text(begin))
    return isNegative ? -value : value
  }

  #text(begin: number): string {
    return String.fromCharCode(...this.#bytes.subarray(begin, this.#at))
  }
}
