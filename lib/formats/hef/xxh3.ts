/**
 * Takes the XXH3 digest, 64 bits, seed 0, of bytes that arrive in pieces.
 *
 * Node has no XXH3, and HEFs since header version 2 are sealed with it. Inputs over 240 bytes, the usual case, run on
 * pairs of
 * 32-bit numbers, since bigints would cost minutes on a large file; the short forms, rare here, are written with
 * bigints. The host
 * must be little-endian, as every machine with an accelerator is.
 * Seeds, own secrets and the 128-bit form are left out. Source: the XXH3 algorithm of Yann Collet's xxHash, version
 * 0.8.
 */

const secret = Buffer.from(
  'b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221b8084674' +
    'f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8a8fa763fe39c343f' +
    'f9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d3165526' +
    '29d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e',
  'hex',
)

const prime32 = [0x9e3779b1, 0x85ebca77, 0xc2b2ae3d] as const
const prime64 = [
  0x9e3779b185ebca87n,
  0xc2b2ae3d27d4eb4fn,
  0x165667b19e3779f9n,
  0x85ebca77c2b2ae63n,
  0x27d4eb2f165667c5n,
] as const
const u64 = (value: bigint) => BigInt.asUintN(64, value)
const shortMax = 240
const stripeBytes = 64
/** Sixteen stripes use up the secret, eight bytes each; then the lanes are scrambled. */
const blockBytes = 1024

/** Digests bytes piece by piece: `update` any number of times, then `digest` once. */
export class Xxh3 {
  /** Eight lanes of 64 bits, low half first. */
  readonly #lanes = Uint32Array.of(
    prime32[2],
    0,
    0x85ebca87,
    prime32[0],
    0x27d4eb4f,
    prime32[2],
    0x9e3779f9,
    0x165667b1,
    0xc2b2ae63,
    0x85ebca77,
    prime32[1],
    0,
    0x165667c5,
    0x27d4eb2f,
    prime32[0],
    0,
  )
  /**
   * What may yet prove to be the end: at least a block, or everything while it is short. Seen as bytes and as words.
   */
  readonly #words = new Uint32Array(blockBytes)
  readonly #held = Buffer.from(this.#words.buffer)
  #heldBytes = 0
  #stripes = 0
  #total = 0

  /** Takes the next piece, of any length. */
  update(piece: Uint8Array): this {
    this.#total += piece.length
    let at = 0
    while (at < piece.length) {
      const taken = Math.min(piece.length - at, this.#held.length - this.#heldBytes)
      this.#held.set(piece.subarray(at, at + taken), this.#heldBytes)
      this.#heldBytes += taken
      at += taken
      if (this.#heldBytes === this.#held.length) this.#consume(this.#held.length - blockBytes)
    }
    return this
  }

  /** The digest, as a 64-bit number. */
  digest(): bigint {
    const held = this.#held.subarray(0, this.#heldBytes)
    if (this.#total <= shortMax) return digestShort(held)
    // The stripe that ends with the last byte is mixed in again, whatever it overlaps.
    const last = Buffer.from(held.subarray(this.#heldBytes - stripeBytes))
    this.#consume(Math.floor((this.#heldBytes - 1) / stripeBytes) * stripeBytes)
    const words = Uint32Array.from({ length: stripeBytes / 4 }, (_, i) => last.readUInt32LE(4 * i))
    accumulate(this.#lanes, words, 0, secret.length - stripeBytes - 7)
    return mergeLanes(this.#lanes, this.#total)
  }

  /** Mixes whole stripes from the front of what is held, and keeps the rest. */
  #consume(bytes: number): void {
    for (let at = 0; at < bytes; at += stripeBytes) {
      const inBlock = this.#stripes++ % 16
      accumulate(this.#lanes, this.#words, at / 4, inBlock * 8)
      if (inBlock === 15) scramble(this.#lanes)
    }
    this.#held.copyWithin(0, bytes, this.#heldBytes)
    this.#heldBytes -= bytes
  }
}

/** The digest of bytes in memory. */
export const xxh3 = (bytes: Uint8Array): bigint => new Xxh3().update(bytes).digest()

/** The secret as 32-bit words at every byte. */
const secretAt = Uint32Array.from({ length: secret.length - 3 }, (_, at) => secret.readUInt32LE(at))

/** The high half of a product of two unsigned 32-bit numbers; Math.imul gives the low one. */
function highOfProduct(a: number, b: number): number {
  const a0 = a & 0xffff
  const b0 = b & 0xffff
  const middle = (a >>> 16) * b0 + ((a0 * b0) >>> 16)
  const cross = a0 * (b >>> 16) + (middle & 0xffff)
  return (a >>> 16) * (b >>> 16) + (middle >>> 16) + (cross >>> 16)
}

/** Adds one stripe to the lanes: each lane gets its neighbour's data and the product of the halves of data ^ secret. */
function accumulate(lanes: Uint32Array, data: Uint32Array, from: number, key: number): void {
  for (let lane = 0; lane < 8; lane++) {
    const low = data[from + 2 * lane]!
    const high = data[from + 2 * lane + 1]!
    const a = (low ^ secretAt[key + lane * 8]!) >>> 0
    const b = (high ^ secretAt[key + lane * 8 + 4]!) >>> 0
    add64(lanes, lane ^ 1, low, high)
    add64(lanes, lane, Math.imul(a, b) >>> 0, highOfProduct(a, b))
  }
}

function add64(lanes: Uint32Array, lane: number, low: number, high: number): void {
  const sum = lanes[2 * lane]! + low
  lanes[2 * lane] = sum
  lanes[2 * lane + 1] = lanes[2 * lane + 1]! + high + (sum > 0xffff_ffff ? 1 : 0)
}

/** Between blocks: each lane is folded, keyed with the end of the secret, and multiplied. */
function scramble(lanes: Uint32Array): void {
  for (let lane = 0; lane < 8; lane++) {
    const high = (lanes[2 * lane + 1]! ^ secretAt[132 + lane * 8]!) >>> 0
    const low = (lanes[2 * lane]! ^ (lanes[2 * lane + 1]! >>> 15) ^ secretAt[128 + lane * 8]!) >>> 0
    lanes[2 * lane] = Math.imul(low, prime32[0])
    lanes[2 * lane + 1] = Math.imul(high, prime32[0]) + highOfProduct(low, prime32[0])
  }
}

const laneOf = (lanes: Uint32Array, lane: number) => (BigInt(lanes[2 * lane + 1]!) << 32n) | BigInt(lanes[2 * lane]!)
const word = (at: number) => secret.readBigUInt64LE(at)

/** The 128 bits of a product, folded into 64. */
function fold(a: bigint, b: bigint): bigint {
  const product = a * b
  return u64(product) ^ (product >> 64n)
}

function avalanche(hash: bigint): bigint {
  const mixed = u64((hash ^ (hash >> 37n)) * 0x165667919e3779f9n)
  return mixed ^ (mixed >> 32n)
}

function avalancheXxh64(hash: bigint): bigint {
  const once = u64((hash ^ (hash >> 33n)) * prime64[1])
  const twice = u64((once ^ (once >> 29n)) * prime64[2])
  return twice ^ (twice >> 32n)
}

function mergeLanes(lanes: Uint32Array, total: number): bigint {
  let sum = BigInt(total) * prime64[0]
  for (let pair = 0; pair < 4; pair++) {
    sum += fold(laneOf(lanes, 2 * pair) ^ word(11 + 16 * pair), laneOf(lanes, 2 * pair + 1) ^ word(19 + 16 * pair))
  }
  return avalanche(u64(sum))
}

/** Sixteen bytes against sixteen of the secret. */
const mix16 = (data: Buffer, at: number, secretAt: number) =>
  fold(data.readBigUInt64LE(at) ^ word(secretAt), data.readBigUInt64LE(at + 8) ^ word(secretAt + 8))

function digestShort(data: Buffer): bigint {
  const n = data.length
  if (n <= 16) return digest16(data)
  let sum = BigInt(n) * prime64[0]
  if (n <= 128) {
    for (let i = Math.floor((n - 1) / 32); i >= 0; i--)
      sum += mix16(data, 16 * i, 32 * i) + mix16(data, n - 16 * (i + 1), 32 * i + 16)
    return avalanche(u64(sum))
  }
  for (let i = 0; i < 8; i++) sum += mix16(data, 16 * i, 16 * i)
  sum = avalanche(u64(sum))
  for (let i = 8; i < Math.floor(n / 16); i++) sum += mix16(data, 16 * i, 16 * (i - 8) + 3)
  return avalanche(u64(sum + mix16(data, n - 16, 136 - 17)))
}

function digest16(data: Buffer): bigint {
  const n = data.length
  if (n === 0) return avalancheXxh64(word(56) ^ word(64))
  if (n <= 3) {
    const joined = ((data[0]! << 16) | (data[n >> 1]! << 24) | data[n - 1]! | (n << 8)) >>> 0
    return avalancheXxh64(BigInt(joined) ^ BigInt((secret.readUInt32LE(0) ^ secret.readUInt32LE(4)) >>> 0))
  }
  if (n <= 8) {
    const joined = BigInt(data.readUInt32LE(n - 4)) + (BigInt(data.readUInt32LE(0)) << 32n)
    const keyed = joined ^ word(8) ^ word(16)
    const rotated = keyed ^ u64((keyed << 49n) | (keyed >> 15n)) ^ u64((keyed << 24n) | (keyed >> 40n))
    const once = u64(rotated * 0x9fb21c651e98df25n)
    const twice = u64((once ^ ((once >> 35n) + BigInt(n))) * 0x9fb21c651e98df25n)
    return twice ^ (twice >> 28n)
  }
  const low = data.readBigUInt64LE(0) ^ word(24) ^ word(32)
  const high = data.readBigUInt64LE(n - 8) ^ word(40) ^ word(48)
  const swapped = Buffer.alloc(8)
  swapped.writeBigUInt64LE(low)
  return avalanche(u64(BigInt(n) + swapped.readBigUInt64BE(0) + high + fold(low, high)))
}
