/**
 * Shows a sound as a player in the page.
 *
 * A player with the sound inside the page, so that the report stays one file. A sound over 2 MB is linked instead; the
 * link works where the run folder is. The header is read only as far as the player and its caption need; see
 * `lib/formats/wav/index.ts`.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { basename, dirname, relative } from 'node:path'
import { fileError } from '../../host/files.ts'
import { dataUrl, escapeHtml, escapeMarkdown, relativeHref, sizeText, type Display } from './display.ts'
import { usageError } from '../../base/errors.ts'
import { sparkline } from './plot-text.ts'
import type { OutputRecord } from '../views/report.ts'

/** What a sound is called, and at which rate its samples play. */
export interface AudioOptions {
  readonly title?: string
  /** Hz; only for samples, because a WAV says it itself. */
  readonly sampleRate?: number
  /** The folder in which the report will stand, for links; that of the sound unless given. */
  readonly runFolder?: string
}

/** What a caption says of a sound. */
export interface Sound {
  readonly sampleRate: number
  readonly channels: number
  readonly encoding: string
  readonly durationS: number
  readonly bytes: number
  /** Up to 60 peaks between 0 and 1; null where the encoding is not pcm16 or float32, or the sound is not at hand. */
  readonly peaks: Float32Array | null
}

/** The largest sound that goes into the page, in bytes: about half a minute of 16-bit stereo at 32 kHz. */
const largestInside = 2_000_000

/**
 * A sound: the path or the bytes of a WAV file, or mono samples in [-1, 1] with their rate.
 *
 * @throws RunbookError blocked when the file is absent, usage when it is not a WAV file or when the rate of samples is
 *   not given
 */
export function audio(sound: string | Uint8Array | Float32Array, o: AudioOptions = {}): Display {
  const title = o.title ?? (typeof sound === 'string' ? basename(sound) : null)
  return { kind: 'audio', title, render: () => renderAudio(sound, title, o) }
}

function renderAudio(sound: string | Uint8Array | Float32Array, title: string | null, o: AudioOptions): OutputRecord {
  const link = typeof sound === 'string' ? relativeHref(relative(o.runFolder ?? dirname(sound), sound)) : null
  const { bytes, size } = bytesOf(sound, o.sampleRate)
  const facts = describeSound(bytes, size)
  const inside = size <= largestInside
  const where = inside || link === null ? '' : `; too large to be inside the report: see ${decodeURIComponent(link)}`
  const caption = `${captionOf(facts)}${where}`
  const text = facts.peaks ? `${sparkline(facts.peaks, { from: 0, to: 1 })}\n${caption}` : caption
  const label = escapeHtml(title ?? 'sound')
  const player = inside
    ? `<audio controls preload="metadata" aria-label="${label}" src="${dataUrl('audio/wav', bytes)}"></audio>`
    : link === null
      ? ''
      : `<p><a href="${link}">${label}</a></p>`
  const html = `<div class="audio">${player}<p class="note">${escapeHtml(caption)}</p></div>`
  const markdown =
    link === null ? null : `[${escapeMarkdown(title ?? link)}](${link}): ${escapeMarkdown(captionOf(facts))}`
  const record = { kind: 'audio', title, text, mime: { 'text/plain': text }, html, markdown } as const
  return link === null ? record : { ...record, path: decodeURIComponent(link) }
}

/** The bytes of a sound; of a file too large for the page only its beginning, which holds the header. */
function bytesOf(
  sound: string | Uint8Array | Float32Array,
  sampleRate: number | undefined,
): { bytes: Uint8Array; size: number } {
  if (typeof sound === 'string') return readBeginning(sound)
  if (!(sound instanceof Float32Array)) return { bytes: sound, size: sound.length }
  if (sampleRate === undefined)
    throw usageError('Cannot play samples: their rate is not given', 'give `sampleRate` in Hz')
  const bytes = wavFromSamples(sound, sampleRate)
  return { bytes, size: bytes.length }
}

function readBeginning(path: string): { bytes: Uint8Array; size: number } {
  let file: number | undefined
  try {
    file = openSync(path, 'r')
    const size = fstatSync(file).size
    const bytes = new Uint8Array(size <= largestInside ? size : 65_536)
    return { bytes: bytes.subarray(0, readSync(file, bytes, 0, bytes.length, 0)), size }
  } catch (thrown) {
    throw fileError('play', path, thrown)
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

/** Mono samples as a 16-bit WAV file; what is louder than 1 is clipped, NaN is silent. */
function wavFromSamples(samples: Float32Array, sampleRate: number): Uint8Array {
  const bytes = Buffer.alloc(44 + samples.length * 2)
  bytes.write('RIFF', 0, 'latin1')
  bytes.writeUInt32LE(bytes.length - 8, 4)
  bytes.write('WAVEfmt ', 8, 'latin1')
  bytes.writeUInt32LE(16, 16)
  bytes.writeUInt16LE(1, 20)
  bytes.writeUInt16LE(1, 22)
  bytes.writeUInt32LE(sampleRate, 24)
  bytes.writeUInt32LE(sampleRate * 2, 28)
  bytes.writeUInt16LE(2, 32)
  bytes.writeUInt16LE(16, 34)
  bytes.write('data', 36, 'latin1')
  bytes.writeUInt32LE(samples.length * 2, 40)
  samples.forEach((sample, i) =>
    bytes.writeInt16LE(Math.round(Math.max(-1, Math.min(1, sample || 0)) * 32_767), 44 + i * 2),
  )
  return bytes
}

const encodings: Readonly<Record<string, string>> = {
  '1/8': 'pcm8',
  '1/16': 'pcm16',
  '1/24': 'pcm24',
  '1/32': 'pcm32',
  '3/32': 'float32',
  '3/64': 'float64',
  '6/8': 'alaw',
  '7/8': 'mulaw',
}

/**
 * What a WAV file says of itself. `size` is that of the whole file, of which `bytes` may be the beginning.
 *
 * @throws RunbookError usage when it is no sound
 */
export function describeSound(bytes: Uint8Array, size: number = bytes.length): Sound {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const tag = (at: number) => String.fromCharCode(...bytes.subarray(at, at + 4))
  if (bytes.length < 12 || tag(0) !== 'RIFF' || tag(8) !== 'WAVE') {
    throw usageError('Cannot play the sound: it is not a WAV file', 'convert it (`ffmpeg -i in out.wav`)')
  }
  let format: { code: number; channels: number; sampleRate: number; bits: number; align: number } | undefined
  for (let at = 12; at + 8 <= bytes.length;) {
    const length = view.getUint32(at + 4, true)
    if (tag(at) === 'fmt ' && at + 24 <= bytes.length) format = formatAt(view, at + 8, length)
    if (tag(at) === 'data' && format) {
      const dataBytes = Math.min(length, size - at - 8)
      const { channels, sampleRate, align } = format
      const encoding = encodings[`${format.code}/${format.bits}`] ?? `format ${format.code}, ${format.bits} bits`
      const samples = bytes.subarray(at + 8, at + 8 + dataBytes)
      const peaks = samples.length < dataBytes ? null : peaksOf(samples, encoding)
      return { sampleRate, channels, encoding, durationS: dataBytes / align / sampleRate, bytes: size, peaks }
    }
    at += 8 + length + (length & 1)
  }
  throw usageError('Cannot play the sound: its header has no format or no data', 'write it again; it was cut short')
}

function formatAt(view: DataView, at: number, length: number) {
  const code = view.getUint16(at, true)
  const isExtensible = code === 0xfffe && length >= 26 && at + 26 <= view.byteLength
  const [channels, bits] = [view.getUint16(at + 2, true), view.getUint16(at + 14, true)]
  const align = view.getUint16(at + 12, true) || Math.max(1, (channels * bits) / 8)
  const sampleRate = view.getUint32(at + 4, true) || 1
  return { code: isExtensible ? view.getUint16(at + 24, true) : code, channels, sampleRate, bits, align }
}

function peaksOf(samples: Uint8Array, encoding: string): Float32Array | null {
  const width = encoding === 'pcm16' ? 2 : encoding === 'float32' ? 4 : 0
  const count = width === 0 ? 0 : Math.floor(samples.length / width)
  if (count === 0) return null
  const view = new DataView(samples.buffer, samples.byteOffset, samples.byteLength)
  const peaks = new Float32Array(Math.min(60, count))
  for (let i = 0; i < count; i++) {
    const size = Math.abs(width === 2 ? view.getInt16(i * 2, true) / 32_768 : view.getFloat32(i * 4, true))
    const column = Math.floor((i * peaks.length) / count)
    if (size > peaks[column]!) peaks[column] = size
  }
  return peaks
}

function captionOf(sound: Sound): string {
  const voices = sound.channels === 1 ? 'mono' : sound.channels === 2 ? 'stereo' : `${sound.channels} channels`
  const peak = sound.peaks?.reduce((a, b) => Math.max(a, b))
  const level = peak === undefined ? [] : [peak === 0 ? 'silent' : `peak ${(20 * Math.log10(peak)).toFixed(1)} dBFS`]
  const facts = [
    `${sound.durationS.toFixed(2)} s`,
    `${sound.sampleRate} Hz`,
    voices,
    sound.encoding,
    sizeText(sound.bytes),
  ]
  return [...facts, ...level].join(', ')
}
