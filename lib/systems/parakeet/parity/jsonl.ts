/**
 * Reads the original's reference streams: JSON lines whose tensors are base64 texts, 64 MB a line and gigabytes in all.
 *
 * A line is never held whole. Its base64 is decoded as it is read, into buffers that serve line after line, and the
 * rest of the line, a few hundred bytes, is parsed as JSON. Tensors beside the file (`{"npy_path": …}`) are read when
 * asked.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { usageError } from '../../../base/errors.ts'
import { fileError, readFile } from '../../../host/files.ts'
import { decodeNpy } from '../../../formats/tensors/npy.ts'
import { tensorFromBytes } from '../../../formats/tensors/tensor-bytes.ts'
import { float32, sizeOf, type Dtype, type FloatTensor } from '../../../formats/tensors/tensor.ts'
import type { CaseSource, ParityCase } from './cases.ts'

const mark = '"data_b64"'
/** A multiple of 4, so that pieces of base64 decode by themselves. */
const pieceBytes = 1 << 20
/** What is left of a line without its tensors. */
const skeletonBytesMax = 64 << 20

/** A line without its tensors, and their bytes in the order of the line. */
interface Line {
  readonly number: number
  readonly skeleton: Record<string, unknown>
  readonly tensors: readonly Buffer[]
}

/**
 * The chunks of a recorded stream as cases of the parity ladder. Their tensors hold until the next one is read.
 * @param keepFrames frames of a chunk that are final, from the contract
 * @throws RunbookError blocked when it is absent; usage from the iteration when a line is cut, or a tensor is not what
 *   it says
 */
export function readStreamJsonl(path: string, keepFrames: number): CaseSource {
  return {
    from: path,
    *cases(kind) {
      if (kind !== 'stream') return
      for (const line of linesWithoutTensors(path)) yield caseOf(path, line, keepFrames)
    },
  }
}

/** Lines one by one. The buffers of a line are overwritten by the next one. */
export function* linesWithoutTensors(path: string): Generator<Line> {
  const scanner = new Scanner(path)
  try {
    for (let line = scanner.next(); line !== null; line = scanner.next()) yield line
  } finally {
    scanner.close()
  }
}

/** Walks over the bytes of the file; knows texts only as far as it must to find the tensors and the ends of lines. */
class Scanner {
  readonly #path: string
  readonly #file: number
  #store: Buffer = Buffer.alloc(2 * pieceBytes)
  #buffer: Buffer = Buffer.alloc(0)
  #isEnded = false
  #number = 0
  readonly #tensors: Buffer[] = []

  constructor(path: string) {
    this.#path = path
    try {
      this.#file = openSync(path, 'r')
    } catch (thrown) {
      throw fileError('read', path, thrown)
    }
  }

  close(): void {
    closeSync(this.#file)
  }

  next(): Line | null {
    const parts: string[] = []
    let [count, size] = [0, 0]
    for (;;) {
      const end = this.#buffer.indexOf(10)
      const at = this.#buffer.indexOf(mark)
      if (at >= 0 && (end < 0 || at < end)) {
        const open = this.#openQuote(at + mark.length)
        if (open !== null) {
          parts.push(this.#buffer.toString('utf8', 0, open), `#${count}"`)
          this.#buffer = this.#buffer.subarray(open)
          this.#tensor(count++)
          continue
        }
      } else if (end >= 0) {
        parts.push(this.#buffer.toString('utf8', 0, end))
        this.#buffer = this.#buffer.subarray(end + 1)
        const text = parts.join('').trim()
        if (text === '' && count === 0) {
          parts.length = 0
          continue
        }
        return this.#parsed(text, count)
      }
      size += this.#buffer.length
      if (size > skeletonBytesMax * 8) throw this.#refusal('a line is longer than any record')
      if (!this.#more()) {
        const text = (parts.join('') + this.#buffer.toString('utf8')).trim()
        this.#buffer = Buffer.alloc(0)
        return text === '' ? null : this.#parsed(text, count)
      }
    }
  }

  /** Where the text behind `"data_b64"` begins, after its quote; null when more bytes are needed. */
  #openQuote(from: number): number | null {
    const quote = this.#buffer.indexOf(0x22, from)
    return quote < 0 ? null : quote + 1
  }

  #more(): boolean {
    if (this.#isEnded) return false
    const rest = this.#buffer.length
    const wanted = rest + pieceBytes
    const store = wanted <= this.#store.length ? this.#store : Buffer.alloc(2 * wanted)
    // What is left of the store moves to its beginning; the two may overlap.
    store.set(this.#buffer)
    this.#store = store
    const count = readSync(this.#file, store, rest, pieceBytes, null)
    this.#isEnded = count === 0
    this.#buffer = store.subarray(0, rest + count)
    return count > 0
  }

  /** Decode base64 up to its closing quote, in pieces, into the buffer of this place in the line. */
  #tensor(place: number): void {
    let out = this.#tensors[place] ?? Buffer.allocUnsafeSlow(1 << 16)
    let length = 0
    for (;;) {
      const quote = this.#buffer.indexOf(0x22)
      const end = quote >= 0 ? quote : this.#buffer.length - (this.#buffer.length % 4)
      const most = Math.ceil((end * 3) / 4)
      if (length + most > out.length) {
        const larger = Buffer.allocUnsafeSlow(Math.max(2 * out.length, length + most))
        out.copy(larger, 0, 0, length)
        out = larger
      }
      const decoded = decodeBase64(this.#buffer.subarray(0, end), out, length)
      if (decoded < 0) throw this.#refusal('a tensor is no base64')
      length += decoded
      this.#buffer = this.#buffer.subarray(quote >= 0 ? quote + 1 : end)
      if (quote >= 0) break
      if (!this.#more()) throw this.#refusal('it is cut inside a tensor')
    }
    this.#tensors[place] = out
    this.#lengths[place] = length
  }
  readonly #lengths: number[] = []

  #parsed(text: string, count: number): Line {
    try {
      const skeleton: unknown = JSON.parse(text)
      if (typeof skeleton === 'object' && skeleton !== null) {
        this.#number++
        const tensors = this.#tensors.slice(0, count).map((bytes, i) => bytes.subarray(0, this.#lengths[i]))
        return { number: this.#number, skeleton: skeleton as Record<string, unknown>, tensors }
      }
    } catch {
      // Refused below: a line that is no JSON was cut, or is none of these files.
    }
    throw this.#refusal('it is no JSON: the file was cut, or is no recorded stream')
  }

  #refusal(state: string) {
    return usageError(`Cannot read "${this.#path}": line ${this.#number + 1}: ${state}`, 'record the stream again')
  }
}

/**
 * Decode base64 into `out` from `at`; gives how many bytes, or −1 for what is no base64. Node's own decoder passes
 * letters over that it does not know, and then gives fewer bytes than there are letters for.
 */
function decodeBase64(text: Buffer, out: Buffer, at: number): number {
  let end = text.length
  while (end > 0 && end > text.length - 2 && text[end - 1] === 0x3d) end--
  if (end % 4 === 1) return -1
  const wanted = Math.floor((end * 3) / 4)
  return out.write(text.toString('latin1', 0, end), at, 'base64') === wanted ? wanted : -1
}

type Table = Readonly<Record<string, unknown>>

function caseOf(path: string, line: Line, keepFrames: number): ParityCase {
  const { inputs, outputs, metadata, chunk_idx: chunk } = line.skeleton as Record<string, Table | undefined>
  const refuse = (state: string) =>
    usageError(`Cannot read "${path}": line ${line.number}: ${state}`, 'record the stream again')
  if (inputs === undefined || outputs === undefined) throw refuse('it has no inputs or no outputs')
  const read = (from: Table, name: string) => tensorOf(path, from[name], line, refuse, name)
  const number = (from: Table, name: string) => Number(read(from, name).data[0])
  const encoded = number(outputs, 'encoded_lengths')
  const drop = (metadata?.schedule as Table | undefined)?.drop_extra_pre_encoded
  const places: Record<string, readonly [Table, string]> = {
    audio_signal: [inputs, 'audio_signal'],
    cache_last_channel: [inputs, 'cache_last_channel'],
    cache_last_time: [inputs, 'cache_last_time'],
    outputs: [outputs, 'encoder_output'],
    cache_last_channel_out: [outputs, 'cache_last_channel_out'],
    cache_last_time_out: [outputs, 'cache_last_time_out'],
  }
  return {
    kind: 'stream',
    name: String(chunk),
    facts: {
      chunk,
      drop: typeof drop === 'number' ? drop : null,
      length: number(inputs, 'length'),
      filled: number(inputs, 'cache_last_channel_len'),
      filled_out: number(outputs, 'cache_last_channel_len_out'),
      encoded,
      valid: Math.min(encoded, keepFrames),
    },
    tensor(name) {
      const place = places[name]
      if (place === undefined) throw refuse(`it has no tensor "${name}"`)
      return read(...place)
    },
  }
}

/** A tensor as the original writes it: base64, a plain list, or the path of an .npy file. */
function tensorOf(
  path: string,
  value: unknown,
  line: Line,
  refuse: (state: string) => Error,
  name: string,
): FloatTensor {
  if (typeof value === 'number') return float32([1], [value])
  if (Array.isArray(value)) return float32([value.flat(Infinity).length], value.flat(Infinity) as number[])
  const { dtype, shape, data_b64: data, npy_path: npy } = (value ?? {}) as Table
  if (typeof npy === 'string') return asFloat(decodeNpy(readFile(join(dirname(path), npy)), npy))
  const isTensor = typeof dtype === 'string' && Array.isArray(shape) && typeof data === 'string' && /^#\d+$/.test(data)
  if (!isTensor) throw refuse(`"${name}" is no tensor`)
  const bytes = line.tensors[Number(data.slice(1))]!
  // A view, not a copy: it holds until the next line is read.
  const isFloat = dtype === 'float32' && bytes.length === 4 * sizeOf(shape as number[])
  if (isFloat) return float32(shape as number[], new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4))
  const type = dtype.replace('torch.', '') as Dtype
  return asFloat(tensorFromBytes({ dtype: type, shape: shape as number[], bytes }))
}

function asFloat(tensor: {
  readonly dtype: Dtype
  readonly shape: readonly number[]
  readonly data: ArrayLike<number | bigint>
}): FloatTensor {
  if (tensor.data instanceof Float32Array) return float32(tensor.shape, tensor.data)
  return float32(
    tensor.shape,
    Float32Array.from({ length: sizeOf(tensor.shape) }, (_, i) => Number(tensor.data[i])),
  )
}
