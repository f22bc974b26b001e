/**
 * Reads the header of a WAV file: how the samples are stored, where they lie, and how many there are.
 *
 * RIFF, RIFX, RF64 and BW64; chunks in any order. The wavefile package reads headers too, but only of a file that is
 * whole in memory, and it takes a length left open by a pipe at its word; so the walk over the chunks is here, and
 * wavefile is the tests' oracle. RF64 and ds64: EBU Tech 3306.
 */
import { fileKindOf } from './audio-kind.ts'
import { numbersOf, wavFormatOf, wavRefusal, type Numbers, type WavEncoding, type WavFormat } from './format.ts'
import { dataLengthOf } from './lengths.ts'

/** What a WAV file holds. A frame is one sample of each channel; `sampleRate` is frames per second. */
export interface WavInfo {
  readonly sampleRate: number
  readonly channels: number
  readonly frames: number
  readonly encoding: WavEncoding
  readonly durationS: number
  /** What in the file is not as it should be and was read all the same, one sentence each. */
  readonly warnings: readonly string[]
}

/** Where the samples lie, and how they are read. */
export interface WavLayout {
  readonly info: WavInfo
  readonly dataAt: number
  readonly frameBytes: number
  /** What a decoded sample is multiplied by. */
  readonly scale: number
  /** RIFX: the high byte comes first. */
  readonly isBig: boolean
}

/** A file to look into. `at` answers fewer bytes than asked only at the file's end. */
export interface WavSource {
  readonly path: string
  readonly fileBytes: number
  at(position: number, length: number): Buffer
}

interface Chunk {
  readonly id: string
  readonly at: number
  readonly bytes: number
}

// Real files hold a dozen chunks; a file made of empty ones would keep us reading eight bytes at a time for hours.
const maxChunks = 4096
/** Samples are looked at in so many places, each of about so many bytes, to see how they stand in their containers. */
const probes = { places: 8, bytes: 4096 }
/** Chunks that hold sound of their own: what they hold is not read. */
const soundIds = new Set(['data', 'RIFF', 'RIFX', 'RF64', 'BW64'])

/**
 * Find the samples.
 *
 * @throws RunbookError usage when this is no WAV, is cut short, holds no frame, or contradicts itself
 */
export function wavLayoutOf(source: WavSource): WavLayout {
  const { path, fileBytes } = source
  const { base, head, warnings } = startOf(source)
  const numbers = numbersOf(head.toString('latin1', 0, 4) === 'RIFX')
  const found = chunksIn(source, { from: base + 12, numbers })
  const { fmt, data, longDataBytes } = found
  if (fmt === null) throw wavRefusal(path, `it has no fmt chunk in its ${fileBytes} bytes`)
  if (data === null) throw wavRefusal(path, `it has no data chunk in its ${fileBytes} bytes`)
  const format = wavFormatOf({
    path,
    fmt: source.at(fmt.at, Math.min(fmt.bytes, 40)),
    numbers,
    samples: () => probe(source, data.at, numbers.u16(source.at(fmt.at + 2, 2), 0)),
  })
  const length = dataLengthOf({
    declared: data.bytes,
    longDataBytes,
    riffBytes: numbers.u32(head, 4),
    dataAt: data.at - base,
    fileBytes: fileBytes - base,
    isChunkAtData: isChunk(source, data.at, numbers),
  })
  refuseShort({ path, format, bytes: length.bytes, have: fileBytes - data.at })
  const frames = Math.floor(length.bytes / format.frameBytes)
  if (frames === 0) throw wavRefusal(path, 'it holds no sample', 'record it again, or name another file')
  const after = whatFollows(source, { at: data.at + length.bytes, numbers })
  const { sampleRate, channels, encoding, frameBytes, scale } = format
  return {
    info: {
      sampleRate,
      channels,
      encoding,
      frames,
      durationS: frames / sampleRate,
      warnings: [...warnings, ...format.warnings, ...length.warnings, ...after],
    },
    dataAt: data.at,
    frameBytes,
    scale,
    isBig: numbers.isBig,
  }
}

/** Bytes from all over the samples; each piece begins and ends with a frame, whichever container it has. */
function probe({ at, fileBytes }: WavSource, dataAt: number, channels: number): Buffer {
  // 2, 3 and 4 bytes a sample all divide it.
  const unit = 12 * Math.max(1, channels)
  const have = fileBytes - dataAt
  const piece = Math.floor(Math.min(probes.bytes, have / probes.places) / unit) * unit
  if (piece === 0) return at(dataAt, Math.min(have, probes.bytes))
  const places = Array.from({ length: probes.places }, (_, i) => Math.floor((have * i) / probes.places / unit) * unit)
  return Buffer.concat(places.map(place => at(dataAt + place, piece)))
}

function refuseShort(o: { path: string; format: WavFormat; bytes: number; have: number }): void {
  if (o.bytes <= o.have) return
  const count = (n: number) => `${n} bytes (${Math.floor(n / o.format.frameBytes)} frames)`
  const state = `it is cut short: its header promises ${count(o.bytes)}, and ${count(o.have)} are there`
  throw wavRefusal(o.path, state, `copy it again, or keep what is there: ffmpeg -i "${o.path}" y.wav`)
}

/** The first 12 bytes of the WAV itself, which may stand behind an ID3 tag. */
function startOf(source: WavSource): { base: number; head: Buffer; warnings: readonly string[] } {
  const first = source.at(0, 64)
  const tagBytes = id3BytesOf(first)
  const head = tagBytes > 0 ? source.at(tagBytes, 12) : first
  const isWav =
    ['RIFF', 'RIFX', 'RF64', 'BW64'].includes(head.toString('latin1', 0, 4)) &&
    head.toString('latin1', 8, 12) === 'WAVE'
  if (isWav)
    return {
      base: tagBytes,
      head,
      warnings: tagBytes > 0 ? [`an ID3 tag of ${tagBytes} bytes stands before the WAV`] : [],
    }
  throw notWav(source.path, first)
}

/** The length of an ID3v2 tag, its header included; 0 where there is none. Four times seven bits. */
function id3BytesOf(head: Buffer): number {
  if (head.length < 10 || head.toString('latin1', 0, 3) !== 'ID3') return 0
  const [a, b, c, d] = head.subarray(6, 10) as unknown as [number, number, number, number]
  return 10 + ((a & 0x7f) << 21) + ((b & 0x7f) << 14) + ((c & 0x7f) << 7) + (d & 0x7f)
}

function notWav(path: string, head: Buffer) {
  if (head.length === 0) return wavRefusal(path, 'it is empty', 'record it again, or name another file')
  const kind = fileKindOf(head)
  if (kind === null) {
    const state = 'it is not a WAV: no header says what it is; it may be samples alone, or no sound'
    return wavRefusal(
      path,
      state,
      `ffmpeg -f s16le -ar 16000 -ac 1 -i "${path}" y.wav, with the format (u8, s16le, f32le, mulaw, alaw) and ` +
        `rate of the recording`,
    )
  }
  const state = `it is ${kind.name}, not a WAV`
  if (kind.isSound) return wavRefusal(path, state)
  return wavRefusal(path, state, kind.name === 'a git-lfs pointer' ? 'git lfs pull' : 'name a WAV file')
}

/** The chunks that are wanted. */
function chunksIn(source: WavSource, o: { from: number; numbers: Numbers }) {
  let fmt: Chunk | null = null
  let data: Chunk | null = null
  let longDataBytes: number | null = null
  for (const chunk of chunksOf(source, o)) {
    if (chunk.id === 'ds64') longDataBytes = longDataBytesOf(source.at(chunk.at, 16))
    if (chunk.id === 'fmt ') fmt ??= chunk
    if (chunk.id === 'data') data ??= chunk
    if (fmt !== null && data !== null) break
  }
  return { fmt, data, longDataBytes }
}

const isId = (id: string) => /^[\x20-\x7e]{4}$/.test(id)

/** The chunks in turn. An odd one is followed by a byte of padding, which some writers leave out. */
function* chunksOf({ path, fileBytes, at }: WavSource, o: { from: number; numbers: Numbers }): Generator<Chunk> {
  let position = o.from
  let isAfterOdd = false
  for (let n = 0; position + 8 <= fileBytes + (isAfterOdd ? 1 : 0); n++) {
    let head = at(position, 8)
    if (isAfterOdd && !(head.length === 8 && isId(head.toString('latin1', 0, 4)))) {
      const unpadded = at(position - 1, 8)
      if (unpadded.length === 8 && isId(unpadded.toString('latin1', 0, 4))) [head, position] = [unpadded, position - 1]
    }
    const id = head.toString('latin1', 0, 4)
    if (head.length < 8 || !isId(id)) throw wavRefusal(path, `no chunk begins at byte ${position}`)
    if (n === maxChunks) throw wavRefusal(path, `its first ${maxChunks} chunks hold no samples`)
    const bytes = o.numbers.u32(head, 4)
    yield { id, at: position + 8, bytes }
    isAfterOdd = (bytes & 1) === 1
    position += 8 + bytes + (bytes & 1)
  }
}

/** RF64 keeps the length of the samples in 64 bits, after that of the whole; null when the chunk is cut short. */
const longDataBytesOf = (ds64: Buffer): number | null => (ds64.length < 16 ? null : Number(ds64.readBigUInt64LE(8)))

/** Whether a chunk begins at a byte and ends within the file. */
function isChunk({ at, fileBytes }: WavSource, position: number, numbers: Numbers): boolean {
  const head = at(position, 8)
  return (
    head.length === 8 && isId(head.toString('latin1', 0, 4)) && position + 8 + numbers.u32(head, 4) <= fileBytes + 1
  )
}

/**
 * What stands behind the samples: chunks that describe the sound are as they should be; other sound, and bytes that are
 * no chunk, are said.
 */
function whatFollows(source: WavSource, { at, numbers }: { at: number; numbers: Numbers }): readonly string[] {
  const { fileBytes } = source
  let position = at + (at & 1)
  if (isChunk(source, at, numbers) && !isChunk(source, position, numbers)) position = at
  for (let n = 0; n < 64 && position + 8 <= fileBytes; n++) {
    const head = source.at(position, 8)
    const id = head.toString('latin1', 0, 4)
    if (soundIds.has(id))
      return [`${fileBytes - position} bytes follow the data, with other sound in them (${id}), and are not read`]
    if (!isChunk(source, position, numbers)) break
    const bytes = numbers.u32(head, 4)
    position += 8 + bytes + (bytes & 1)
  }
  const rest = fileBytes - position
  return rest >= 8 ? [`${rest} bytes follow the data that are no chunk, and are not read`] : []
}
