/**
 * Writes lists of numbers as JSON text, several times as fast as `JSON.stringify` or `join`.
 *
 * A float32 needs nine significant digits (`FLT_DECIMAL_DIG` of C): rounded to float32, the text gives the same bits
 * again. Engines print a float32 as the float64 that it is, with up to 17 digits, most of which say nothing.
 */

const powers = Array.from({ length: 60 }, (_, n) => 10 ** n)
const [zero, minus, point, comma, letterE] = [0x30, 0x2d, 0x2e, 0x2c, 0x65]
/** The longest number: a sign, nine digits, the point, four zeros before them, or an exponent. */
const longest = 24

/** Bytes of the text under way. One for all, because nothing is awaited while it is used. */
let scratch = Buffer.alloc(4096)

/**
 * Finite float32 numbers with commas between them, nine significant digits each.
 *
 * @example
 * ```ts
 * float32Text(Float32Array.of(1, -0.5, 0.1)) // '1,-0.5,0.100000001'
 * ```
 */
export const float32Text = (values: Float32Array): string => listText(values, writeFloat32)

/**
 * Finite numbers with commas between them, rounded to so many decimals; from 2^31 / 10^decimals on they are whole.
 *
 * @param decimals 0 to 9
 */
export const decimalText = (values: ArrayLike<number>, decimals: number): string =>
  listText(values, (at, value) => writeDecimal(at, value, decimals))

function listText(values: ArrayLike<number>, write: (at: number, value: number) => number): string {
  if (scratch.length < values.length * longest) scratch = Buffer.alloc(values.length * longest)
  let at = 0
  for (let i = 0; i < values.length; i++) {
    if (i > 0) scratch[at++] = comma
    at = write(at, values[i]!)
  }
  return scratch.toString('latin1', 0, at)
}

function writeFloat32(at: number, value: number): number {
  const size = Math.abs(value)
  if (value < 0 || Object.is(value, -0)) scratch[at++] = minus
  if (size === 0) return writeDigits(at, 0, 0)
  let exponent = Math.floor(Math.log10(size))
  let digits = nineDigits(size, exponent)
  // The logarithm may be off by one beside a power of ten, and the last digit may be rounded up to one.
  if (digits >= 1e9) digits = nineDigits(size, ++exponent)
  else if (digits < 1e8) digits = nineDigits(size, --exponent)
  const isPlain = exponent >= -5 && exponent <= 8
  let decimals = isPlain ? 8 - exponent : 8
  while (decimals > 0 && digits % 10 === 0) {
    digits /= 10
    decimals--
  }
  at = writeDigits(at, digits, decimals)
  if (isPlain) return at
  scratch[at++] = letterE
  return at + scratch.write(String(exponent), at, 'latin1')
}

const nineDigits = (size: number, exponent: number): number =>
  Math.round(exponent <= 8 ? size * powers[8 - exponent]! : size / powers[exponent - 8]!)

function writeDecimal(at: number, value: number, decimals: number): number {
  let digits = Math.round(Math.abs(value) * powers[decimals]!)
  // Beyond int32 the engine's own text is as good: such numbers are rare.
  if (!(digits < 2 ** 31)) return at + scratch.write(JSON.stringify(value), at, 'latin1')
  if (value < 0 && digits > 0) scratch[at++] = minus
  while (decimals > 0 && digits % 10 === 0) {
    digits /= 10
    decimals--
  }
  return writeDigits(at, digits, decimals)
}

/** Write `digits` with the point before the last `decimals` of them. `digits` is below 2^31. */
function writeDigits(at: number, digits: number, decimals: number): number {
  digits |= 0
  let count = 1
  while (digits >= powers[count]!) count++
  const whole = Math.max(1, count - decimals)
  const end = at + whole + (decimals > 0 ? decimals + 1 : 0)
  for (let i = end - 1; i >= at; i--) {
    if (decimals > 0 && i === at + whole) {
      scratch[i] = point
      continue
    }
    const rest = (digits / 10) | 0
    scratch[i] = zero + digits - rest * 10
    digits = rest
  }
  return end
}
