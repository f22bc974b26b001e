/**
 * Reads the fmt chunk of a WAV file: how the samples are stored.
 *
 * Layout: Microsoft's "Multiple Channel Audio Data and WAVE Files". Two fields say how long a frame is, and one of them
 * (the block align) is often wrong; the samples themselves decide where the two differ.
 */
import { usageError } from '../../base/errors.ts'

/** How one sample is written. */
export type WavEncoding = 'pcm8' | 'pcm16' | 'pcm24' | 'pcm32' | 'float32' | 'float64' | 'mulaw' | 'alaw'

/** How samples are kept. */
export interface WavFormat {
  /** Frames per second. */
  readonly sampleRate: number
  readonly channels: number
  readonly encoding: WavEncoding
  /** Bytes of one sample of each channel. */
  readonly frameBytes: number
  /** What a decoded sample is multiplied by: more than 1 where samples stand at the low end of a wider container. */
  readonly scale: number
  /** What in the header was wrong and did not matter. */
  readonly warnings: readonly string[]
}

/** Reads numbers of a WAV file: little-endian, of RIFX big-endian. */
export interface Numbers {
  readonly isBig: boolean
  u16(bytes: Buffer, at: number): number
  u32(bytes: Buffer, at: number): number
}

/** Numbers in one of the two byte orders. */
export const numbersOf = (isBig: boolean): Numbers => ({
  isBig,
  u16: (bytes, at) => (isBig ? bytes.readUInt16BE(at) : bytes.readUInt16LE(at)),
  u32: (bytes, at) => (isBig ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at)),
})

/** A refusal that says how to make a WAV that is read here. */
export const wavRefusal = (path: string, state: string, hint = `ffmpeg -i "${path}" -ac 1 -ar 16000 y.wav`) =>
  usageError(`Cannot read "${path}": ${state}`, hint)

const pcmByBytes: readonly (WavEncoding | undefined)[] = [undefined, 'pcm8', 'pcm16', 'pcm24', 'pcm32']
const otherEncodings: Record<string, WavEncoding> = {
  '3/32': 'float32',
  '3/64': 'float64',
  '6/8': 'alaw',
  '7/8': 'mulaw',
}

/** Compressed sound in a WAV, by its tag. */
const compressed: Record<number, string> = {
  0x0002: 'Microsoft ADPCM',
  0x000a: 'Windows Media Audio Voice',
  0x0010: 'OKI ADPCM',
  0x0011: 'IMA ADPCM',
  0x0014: 'G.723 ADPCM',
  0x0016: 'G.721 ADPCM',
  0x0020: 'Yamaha ADPCM',
  0x0022: 'DSP Group TrueSpeech',
  0x0028: 'LPC-10',
  0x0031: 'GSM 6.10',
  0x0034: 'VoxWare',
  0x0040: 'G.721 ADPCM',
  0x0042: 'G.723.1',
  0x0045: 'G.726 ADPCM',
  0x0050: 'MPEG (Layer 1 or 2)',
  0x0055: 'MP3',
  0x0064: 'G.726 ADPCM',
  0x0065: 'G.722 ADPCM',
  0x0069: 'Xbox IMA ADPCM',
  0x0083: 'G.729',
  0x00ff: 'AAC',
  0x0160: 'Windows Media Audio 1',
  0x0161: 'Windows Media Audio 2',
  0x0162: 'Windows Media Audio Professional',
  0x0163: 'Windows Media Audio Lossless',
  0x0200: 'Creative ADPCM',
  0x0270: 'ATRAC3',
  0x028f: 'G.722 ADPCM',
  0x1600: 'AAC (ADTS)',
  0x1602: 'AAC (LATM)',
  0x1610: 'HE-AAC',
  0x2000: 'AC-3',
  0x2001: 'DTS',
  0x2048: 'Sonic',
  0x566f: 'Vorbis',
  0x674f: 'Vorbis',
  0x6750: 'Vorbis',
  0x6751: 'Vorbis',
  0x676f: 'Vorbis',
  0x6770: 'Vorbis',
  0x6771: 'Vorbis',
  0x704f: 'Opus',
  0xa106: 'AAC',
  0xa109: 'Speex',
  0xf1ac: 'FLAC',
}

/**
 * What a fmt chunk says.
 *
 * @param o.samples bytes of whole frames from all over the recording, to see how they stand in their containers
 * @throws RunbookError usage for compressed sound, for an absurd header, and for a format that is not known
 */
export function wavFormatOf(o: {
  readonly path: string
  readonly fmt: Buffer
  readonly numbers: Numbers
  samples(): Buffer
}): WavFormat {
  const { path, fmt, numbers } = o
  if (fmt.length < 16) throw wavRefusal(path, `its fmt chunk holds ${fmt.length} bytes, and 16 are the least`)
  const outerTag = numbers.u16(fmt, 0)
  const tag = outerTag === 0xfffe ? innerTagOf(fmt, path, numbers) : outerTag
  const [channels, frameBytes, bits] = [numbers.u16(fmt, 2), numbers.u16(fmt, 12), numbers.u16(fmt, 14)]
  const sampleRate = numbers.u32(fmt, 4)
  const name = compressed[tag]
  if (name !== undefined) throw wavRefusal(path, `its sound is compressed (${name}), which is not read here`)
  if (channels === 0) throw wavRefusal(path, 'its header says 0 channels')
  if (sampleRate < 1000 || sampleRate > 768_000) throw wavRefusal(path, `its header says ${sampleRate} Hz`)
  const other = otherEncodings[`${tag}/${bits}`]
  if (tag !== 1 && other === undefined)
    throw wavRefusal(path, `its samples are ${bits}-bit ${tagName(tag)}, which is not read here`)
  if (tag === 1 && (bits < 1 || bits > 32)) throw wavRefusal(path, `its samples are ${bits}-bit PCM`)
  const packed = Math.ceil(bits / 8)
  const asked = { channels, frameBytes, bits, packed }
  const { bytes, scale } = tag === 1 ? containerOf(asked, o.samples, numbers) : { bytes: packed, scale: 1 }
  const takes = channels * bytes
  return {
    sampleRate,
    channels,
    encoding: other ?? pcmByBytes[bytes]!,
    frameBytes: takes,
    scale,
    warnings:
      frameBytes === takes
        ? []
        : [`its header says ${frameBytes} bytes a frame; read as ${takes}, as its samples take`],
  }
}

const tagName = (tag: number) =>
  tag === 3 ? 'float' : tag === 6 ? 'A-law' : tag === 7 ? 'mu-law' : `format 0x${tag.toString(16)}`

/** WAVE_FORMAT_EXTENSIBLE keeps the tag in the first two bytes of a GUID. */
function innerTagOf(fmt: Buffer, path: string, numbers: Numbers): number {
  const guid = fmt.subarray(24, 40).toString('hex')
  if (guid.endsWith('000000001000800000aa00389b71')) return numbers.u16(fmt, 24)
  throw wavRefusal(path, `its extensible format "${guid}" is not one of sound samples`)
}

interface Asked {
  readonly channels: number
  readonly frameBytes: number
  readonly bits: number
  /** The bytes that the bits take. */
  readonly packed: number
}

/**
 * In how many bytes a PCM sample stands. The block align may say a wider container than the bits need; that is believed
 * only when the samples look so: the bits at its high end with zeros below, or at its low end with the sign above.
 */
function containerOf(o: Asked, samples: () => Buffer, { isBig }: Numbers): { bytes: number; scale: number } {
  const packed = { bytes: o.packed, scale: 1 }
  const wide = o.frameBytes / o.channels
  if (!Number.isInteger(wide) || wide <= o.packed || wide > 4) return packed
  const bytes = samples()
  const count = Math.floor(bytes.length / wide)
  let isHigh = count > 0
  let isLow = count > 0
  for (let i = 0; i < count; i++) {
    const value = isBig ? bytes.readIntBE(i * wide, wide) : bytes.readIntLE(i * wide, wide)
    if (value % 2 ** (8 * (wide - o.packed)) !== 0) isHigh = false
    if (value < -(2 ** (o.bits - 1)) || value >= 2 ** (o.bits - 1)) isLow = false
  }
  if (isHigh) return { bytes: wide, scale: 1 }
  return isLow ? { bytes: wide, scale: 2 ** (8 * wide - o.bits) } : packed
}
