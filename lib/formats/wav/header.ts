/**
 * What does the front of a WAV file say: how the samples are kept, where they lie, how many there are?
 *
 * RIFF, RF64 and BW64; chunks in any order. The wavefile package reads headers too, but only of a file that is whole
 * in memory,
 * and it takes a length left open by a pipe at its word; so the walk over the chunks is here, and wavefile is the
 * tests' oracle.
 * Layout: Microsoft's "Multiple Channel Audio Data and WAVE Files"; RF64 and ds64: EBU Tech 3306.
 */
import { usageError } from '../../base/errors.ts'
import { fileKindOf } from './audio-kind.ts'

export type WavEncoding = 'pcm8' | 'pcm16' | 'pcm24' | 'pcm32' | 'float32' | 'float64' | 'mulaw' | 'alaw'

/** What a WAV file holds. A frame is one sample of each channel; `sampleRate` is frames per second. */
export interface WavInfo {
  readonly sampleRate: number
  readonly channels: number
  readonly frames: number
  readonly encoding: WavEncoding
  readonly durationS: number
}

/** Where the samples lie. */
export interface WavLayout {
  readonly info: WavInfo
  readonly dataAt: number
  readonly frameBytes: number
}

/** A file to look into. `at` answers fewer bytes than asked only at the file's end. */
export interface WavSource {
  readonly path: string
  readonly fileBytes: number
  at(position: number, length: number): Buffer
}

type Format = Pick<WavInfo, 'sampleRate' | 'channels' | 'encoding'> & { readonly frameBytes: number }
interface Lengths {
  readonly declared: number
  readonly longDataBytes: number | null
  readonly riffBytes: number
  readonly dataAt: number
  readonly fileBytes: number
}
interface Chunk {
  readonly id: string
  readonly at: number
  readonly bytes: number
}

const encodings: Record<string, WavEncoding> = {
  '1/8': 'pcm8',
  '1/16': 'pcm16',
  '1/24': 'pcm24',
  '1/32': 'pcm32',
  '3/32': 'float32',
  '3/64': 'float64',
  '6/8': 'alaw',
  '7/8': 'mulaw',
}
const tagNames: Record<number, string> = {
  1: 'PCM',
  2: 'Microsoft ADPCM',
  3: 'float',
  6: 'A-law',
  7: 'mu-law',
  17: 'IMA ADPCM',
  49: 'GSM 6.10',
  80: 'MPEG',
  85: 'MP3',
}
// Real files hold a dozen chunks; a file made of empty ones would keep us reading eight bytes at a time for hours.
const maxChunks = 4096

/** A refusal that says how to make a WAV that we do read. */
export const wavRefusal = (path: string, state: string, hint = `ffmpeg -i "${path}" -ac 1 -ar 16000 y.wav`) =>
  usageError(`Cannot read "${path}": ${state}`, hint)

/** Find the samples. Errors: usage when this is no WAV, is cut short, holds no frame, or contradicts itself. */
export function wavLayoutOf(source: WavSource): WavLayout {
  const { path, fileBytes } = source
  const head = source.at(0, 64)
  const riffBytes = riffBytesOf(head, path)
  let format: Format | null = null
  let data: Chunk | null = null
  let longDataBytes: number | null = null
  for (const chunk of chunksOf(source)) {
    if (chunk.id === 'ds64') longDataBytes = longDataBytesOf(source.at(chunk.at, 16))
    if (chunk.id === 'fmt ') format ??= formatOf(source.at(chunk.at, Math.min(chunk.bytes, 40)), path)
    if (chunk.id === 'data') data ??= chunk
    if (format !== null && data !== null) break
  }
  if (format === null) throw wavRefusal(path, `it has no fmt chunk in its ${fileBytes} bytes`)
  if (data === null) throw wavRefusal(path, `it has no data chunk in its ${fileBytes} bytes`)
  const bytes = dataBytesOf({ declared: data.bytes, longDataBytes, riffBytes, dataAt: data.at, fileBytes })
  const have = fileBytes - data.at
  const { frameBytes, ...info } = format
  if (bytes > have) {
    const count = (n: number) => `${n} bytes (${Math.floor(n / frameBytes)} frames)`
    const state = `it is cut short: its header promises ${count(bytes)}, and ${count(have)} are there`
    throw wavRefusal(path, state, `copy it again, or keep what is there: ffmpeg -i "${path}" y.wav`)
  }
  const frames = Math.floor(bytes / frameBytes)
  if (frames === 0) throw wavRefusal(path, 'it holds no sample', 'record it again, or name another file')
  return { info: { ...info, frames, durationS: frames / info.sampleRate }, dataAt: data.at, frameBytes }
}

/** The length that the RIFF header declares, without its own 8 bytes. */
function riffBytesOf(head: Buffer, path: string): number {
  const container = head.toString('latin1', 0, 4)
  if (['RIFF', 'RF64', 'BW64'].includes(container) && head.toString('latin1', 8, 12) === 'WAVE')
    return head.readUInt32LE(4)
  if (head.length === 0) throw wavRefusal(path, 'it is empty', 'record it again, or name another file')
  const kind = fileKindOf(head)
  const state = kind === null ? 'it is not a WAV' : `it is ${kind.name}, not a WAV`
  if (kind === null || kind.isSound) throw wavRefusal(path, state)
  throw wavRefusal(path, state, kind.name === 'a git-lfs pointer' ? 'git lfs pull' : 'name a WAV file')
}

/** The chunks in turn; an odd one is followed by a byte of padding. */
function* chunksOf({ path, fileBytes, at }: WavSource): Generator<Chunk> {
  let position = 12
  for (let n = 0; position + 8 <= fileBytes; n++) {
    const head = at(position, 8)
    const id = head.toString('latin1', 0, 4)
    if (head.length < 8 || !/^[\x20-\x7e]{4}$/.test(id)) throw wavRefusal(path, `no chunk begins at byte ${position}`)
    if (n === maxChunks) throw wavRefusal(path, `its first ${maxChunks} chunks hold no samples`)
    const bytes = head.readUInt32LE(4)
    yield { id, at: position + 8, bytes }
    position += 8 + bytes + (bytes & 1)
  }
}

function formatOf(fmt: Buffer, path: string): Format {
  if (fmt.length < 16) throw wavRefusal(path, `its fmt chunk holds ${fmt.length} bytes, and 16 are the least`)
  const outerTag = fmt.readUInt16LE(0)
  const tag = outerTag === 0xfffe ? innerTagOf(fmt, path) : outerTag
  const [channels, frameBytes, bits] = [fmt.readUInt16LE(2), fmt.readUInt16LE(12), fmt.readUInt16LE(14)]
  const sampleRate = fmt.readUInt32LE(4)
  const encoding = encodings[`${tag}/${bits}`]
  if (encoding === undefined) {
    const name = tagNames[tag] ?? `format 0x${tag.toString(16)}`
    throw wavRefusal(path, `its samples are ${bits}-bit ${name}, which is not read here`)
  }
  if (channels === 0) throw wavRefusal(path, 'its header says 0 channels')
  if (sampleRate < 1000 || sampleRate > 768_000) throw wavRefusal(path, `its header says ${sampleRate} Hz`)
  const takes = (channels * bits) / 8
  if (frameBytes !== takes) {
    throw wavRefusal(
      path,
      `its header says ${frameBytes} bytes a frame, and ${channels} channels of ${bits} bits take ${takes}`,
    )
  }
  return { sampleRate, channels, encoding, frameBytes }
}

/** RF64 keeps the length of the samples in 64 bits, after that of the whole; null when the chunk is cut short. */
const longDataBytesOf = (ds64: Buffer): number | null => (ds64.length < 16 ? null : Number(ds64.readBigUInt64LE(8)))

/** WAVE_FORMAT_EXTENSIBLE keeps the tag in the first two bytes of a GUID. */
function innerTagOf(fmt: Buffer, path: string): number {
  const guid = fmt.subarray(24, 40).toString('hex')
  if (guid.endsWith('000000001000800000aa00389b71')) return fmt.readUInt16LE(24)
  throw wavRefusal(path, `its extensible format "${guid}" is not one of sound samples`)
}

/**
 * How many bytes of samples. A writer into a pipe cannot come back to fill the length in: ffmpeg leaves 0xFFFFFFFF,
 * others
 * leave 0 or a number just below or at 2 GiB. Those mean "to the end of the file". A 0 counts so only where the RIFF
 * length is
 * open too: an empty recording has a length of 0 as well.
 */
function dataBytesOf(o: Lengths): number {
  const have = o.fileBytes - o.dataAt
  const isLong = o.declared === 0xffff_ffff && o.longDataBytes !== null
  const bytes = isLong ? o.longDataBytes! : o.declared
  const isOpenRiff = o.riffBytes === 0xffff_ffff || o.riffBytes + 8 <= o.dataAt
  const isOpen = isLong
    ? bytes === 0 || bytes > Number.MAX_SAFE_INTEGER
    : bytes === 0xffff_ffff || (bytes === 0 && isOpenRiff)
  const isHalfOpen = bytes >= 0x7fff_f000 && bytes <= 0x8000_0000
  return isOpen || (isHalfOpen && bytes > have) ? have : bytes
}
