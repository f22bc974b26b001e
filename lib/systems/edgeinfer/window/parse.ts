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

const powers = Float64Array.from({ length: 60 }, (_, n) => 10 ** n)
/** The ends of the error of a number that was read in float64 with too many digits or too large a power. */
const [below, above] = [1 - 2 ** -50, 1 + 2 ** -50]
const [space, tab, newline, carriage] = [0x20, 0x09, 0x0a, 0x0d]
const [comma, open, close, point, zero, minus] = [0x2c, 0x5b, 0x5d, 0x2e, 0x30, 0x2d]

/** Where the body is read. Of the module, because nothing is awaited meanwhile, and a field takes twice the time. */
let at = 0

/** The body read as the usual form, or null where it is anything else. */
function readPlain(bytes: Uint8Array): Float32Array | null {
  at = 0
  // {"x":[
  for (const byte of [0x7b, 0x22]) if (!take(bytes, byte)) return null
  if (bytes[at++] !== 0x78 || bytes[at++] !== 0x22) return null
  for (const byte of [0x3a, open]) if (!take(bytes, byte)) return null
  const window = new Float32Array(windowSize)
  for (let i = 0, t = 0; t < windowSamples; t++) {
    if ((t > 0 && !take(bytes, comma)) || !take(bytes, open)) return null
    for (let c = 0; c < windowChannels; c++, i++) {
      if (c > 0 && !take(bytes, comma)) return null
      if (bytes[at]! <= space) skip(bytes)
      const value = readNumber(bytes, at)
      if (value !== value) return null
      window[i] = value
    }
    if (!take(bytes, close)) return null
  }
  for (const byte of [close, 0x7d]) if (!take(bytes, byte)) return null
  skip(bytes)
  return at === bytes.length ? window : null
}

function skip(bytes: Uint8Array): void {
  for (;;) {
    const byte = bytes[at]!
    if (byte > space || (byte !== space && byte !== newline && byte !== tab && byte !== carriage)) return
    at++
  }
}

function take(bytes: Uint8Array, byte: number): boolean {
  if (bytes[at] !== byte) skip(bytes)
  return bytes[at++] === byte
}

/**
 * A JSON number, or NaN where there is none. Up to 15 digits and powers of ten up to 22 are exact in float64, so that
 * one division rounds correctly (Clinger 1990). Up to 18 digits and other powers are off by at most four roundings,
 * less than 2^-50 of the value, which is enough where both ends of that error round to the same float32; all else is
 * read by the engine. Two integers of nine digits are added up, because a chain of float64 sums takes twice as long.
 */
function readNumber(bytes: Uint8Array, begin: number): number {
  const isNegative = bytes[begin] === minus
  const first = isNegative ? begin + 1 : begin
  let i = first
  let high = 0
  let d = bytes[i]! - zero
  for (; d >= 0 && d <= 9; d = bytes[++i]! - zero) high = (high * 10 + d) | 0
  const wholeDigits = i - first
  if (wholeDigits === 0 || (wholeDigits > 1 && bytes[first] === zero)) return Number.NaN
  // Zeros before the first digit that counts are no digits of the number.
  let digits = high === 0 ? 0 : wholeDigits
  let low = 0
  let lowDigits = 0
  let decimals = 0
  if (bytes[i] === point) {
    const from = ++i
    d = bytes[i]! - zero
    if (digits === 0) while (d === 0) d = bytes[++i]! - zero
    const counting = i
    const highEnd = i + 9 - digits
    for (; i < highEnd && d >= 0 && d <= 9; d = bytes[++i]! - zero) high = (high * 10 + d) | 0
    const lowBegin = i
    for (; d >= 0 && d <= 9; d = bytes[++i]! - zero) low = (low * 10 + d) | 0
    lowDigits = i - lowBegin
    digits += i - counting
    decimals = i - from
    if (decimals === 0) return Number.NaN
  }
  at = i
  if ((bytes[i]! | 0x20) === 0x65) return withExponent(bytes, begin)
  if (wholeDigits > 9 || lowDigits > 9 || decimals >= powers.length) return Number(textFrom(bytes, begin))
  const value = (high * powers[lowDigits]! + low) / powers[decimals]!
  const isExact = digits <= 15 && decimals <= 22
  if (!isExact && Math.fround(value * below) !== Math.fround(value * above)) return Number(textFrom(bytes, begin))
  return isNegative ? -value : value
}

/** A number with an exponent, of which clients write few: the engine reads it. */
function withExponent(bytes: Uint8Array, begin: number): number {
  at++
  if (bytes[at] === 0x2b || bytes[at] === minus) at++
  const from = at
  while (bytes[at]! >= zero && bytes[at]! <= 0x39) at++
  return at === from ? Number.NaN : Number(textFrom(bytes, begin))
}

const textFrom = (bytes: Uint8Array, begin: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + begin, at - begin).toString('latin1')
