/**
 * Writes a WAV file piece by piece; no reader ever sees half of one.
 *
 * Into a sibling, piece by piece; closing fills in the lengths and renames it over the target. The header comes from
 * the wavefile package; the samples do not, because wavefile wants them all at once and takes seconds over a minute of
 * sound.
 */
import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { fileError, makeFolder } from '../../host/files.ts'
import { usageError } from '../../base/errors.ts'
import { sampleBytes, sampleEncoder } from './samples.ts'

/** What the header of a new file says. */
export interface WavWriterOptions {
  /** Frames per second. */
  readonly sampleRate: number
  readonly channels: number
  readonly encoding: 'pcm16' | 'float32' | 'mulaw'
}

/** A WAV file in the making. Disposing of it before `close` leaves nothing behind; so does an error. */
export interface WavWriter extends Disposable {
  /** How many samples lay beyond full scale and were clipped. float32 keeps them and counts none. */
  readonly clippedSamples: number
  /**
   * Add frames: one array per channel, equally long.
   *
   * @throws RunbookError usage for a sample that is not finite, or over 4 GiB; blocked when the disk is full
   */
  append(channels: readonly Float32Array[]): void
  /**
   * Put the finished file in its place. After an error, or a second time, nothing.
   *
   * @throws RunbookError usage when it holds no frame
   */
  close(): void
}

const bufferBytes = 1 << 16
const maxRiffBytes = 0xffff_ffff
const bitDepthOf = { pcm16: '16', float32: '32f', mulaw: '8m' } as const
let writers = 0

/**
 * Begin a WAV file; its folder is created.
 *
 * @throws RunbookError usage for impossible options, blocked when it cannot be written
 */
export function createWav(path: string, options: WavWriterOptions): WavWriter {
  const header = headerOf(path, options)
  makeFolder(dirname(path))
  const sibling = `${path}.${process.pid}-${++writers}.tmp`
  try {
    return writerOf({ path, sibling, fd: openSync(sibling, 'w'), header, options })
  } catch (thrown) {
    throw fileError('write', path, thrown)
  }
}

/**
 * Write a whole WAV file, pcm16 unless asked otherwise.
 *
 * @throws RunbookError as `createWav` and its writer
 * @example
 * ```ts
 * import { mkdtempSync } from 'node:fs'
 * import { tmpdir } from 'node:os'
 * import { join } from 'node:path'
 * import { readWav } from './lib/formats/wav/index.ts'
 *
 * const path = join(mkdtempSync(join(tmpdir(), 'example-')), 'tone.wav')
 * const tone = Float32Array.from({ length: 8000 }, (_, i) => 0.5 * Math.sin((2 * Math.PI * 440 * i) / 8000))
 * writeWav(path, [tone], { sampleRate: 8000 })
 * assert.equal(readWav(path).info.frames, 8000)
 * ```
 */
export function writeWav(
  path: string,
  channels: readonly Float32Array[],
  o: { sampleRate: number; encoding?: WavWriterOptions['encoding'] },
): void {
  const { sampleRate, encoding = 'pcm16' } = o
  const wav = createWav(path, { sampleRate, channels: channels.length, encoding })
  try {
    wav.append(channels)
    wav.close()
  } finally {
    wav[Symbol.dispose]()
  }
}

const refusal = (path: string, state: string, hint: string) => usageError(`Cannot write "${path}": ${state}`, hint)

/** A header with its lengths still 0. */
function headerOf(path: string, { sampleRate, channels, encoding }: WavWriterOptions): Buffer {
  const frameBytes = channels * sampleBytes[encoding]
  if (!Number.isInteger(channels) || channels < 1 || frameBytes > 0xffff) {
    throw refusal(path, `a WAV file cannot have ${channels} channels`, 'give one array per channel')
  }
  if (!Number.isInteger(sampleRate) || sampleRate < 1 || sampleRate * frameBytes > 0xffff_ffff) {
    throw refusal(path, `a WAV file cannot have ${sampleRate} Hz`, 'give a whole number of Hz, 16000 for example')
  }
  const { WaveFile } = createRequire(import.meta.url)('wavefile') as typeof import('wavefile')
  const wav = new WaveFile()
  wav.fromScratch(channels, sampleRate, bitDepthOf[encoding], [])
  return Buffer.from(wav.toBuffer())
}

interface Making {
  readonly path: string
  readonly sibling: string
  readonly fd: number
  readonly header: Buffer
  readonly options: WavWriterOptions
}

function writerOf({ path, sibling, fd, header, options: { channels: width, encoding } }: Making): WavWriter {
  const frameBytes = width * sampleBytes[encoding]
  const pieceFrames = Math.max(1, Math.floor(bufferBytes / frameBytes))
  const piece = new Uint8Array(pieceFrames * frameBytes)
  const encode = sampleEncoder(encoding, piece.buffer)
  let frames = 0
  let clippedSamples = 0
  let isOpen = true

  const discard = () => {
    if (!isOpen) return
    isOpen = false
    closeSync(fd)
    rmSync(sibling, { force: true })
  }
  /** Run a step; when it fails, nothing of the file stays. */
  const orDiscard = (step: () => void): void => {
    try {
      step()
    } catch (thrown) {
      discard()
      throw fileError('write', path, thrown)
    }
  }
  const storePiece = (channels: readonly Float32Array[], from: number, count: number): void => {
    for (const [c, channel] of channels.entries()) {
      for (let i = 0; i < count; i++) {
        const value = channel[from + i]!
        if (!Number.isFinite(value))
          throw refusal(path, `sample ${frames + i} of channel ${c} is ${value}`, 'mend the signal')
        if (encoding !== 'float32' && (value > 1 || value < -1)) clippedSamples++
        encode(i * width + c, value)
      }
    }
    writeAll(fd, piece.subarray(0, count * frameBytes), header.length + frames * frameBytes)
    frames += count
  }
  const append = (channels: readonly Float32Array[]): void => {
    if (!isOpen) throw new Error(`the writer of "${path}" is closed`)
    orDiscard(() => {
      const count = framesOf(path, channels, width)
      const bytes = header.length + (frames + count) * frameBytes
      if (bytes > maxRiffBytes)
        throw refusal(path, `${bytes} bytes are more than the 4 GiB of a WAV file`, 'write several files')
      for (let done = 0; done < count; done += pieceFrames)
        storePiece(channels, done, Math.min(pieceFrames, count - done))
    })
  }
  const close = (): void => {
    if (!isOpen) return
    orDiscard(() => {
      if (frames === 0) throw refusal(path, 'it would hold no sample', 'give it a signal')
      const dataBytes = frames * frameBytes
      writeAll(fd, new Uint8Array(dataBytes & 1), header.length + dataBytes)
      writeAll(fd, withLengths(header, frames, dataBytes), 0)
      renameSync(sibling, path)
    })
    isOpen = false
    closeSync(fd)
  }
  return {
    get clippedSamples() {
      return clippedSamples
    },
    append,
    close,
    [Symbol.dispose]: discard,
  }
}

function framesOf(path: string, channels: readonly Float32Array[], width: number): number {
  if (channels.length !== width) {
    throw refusal(path, `${channels.length} channels were given to a file of ${width}`, 'give one array per channel')
  }
  const lengths = new Set(channels.map(channel => channel.length))
  if (lengths.size > 1)
    throw refusal(path, `its channels have ${[...lengths].join(' and ')} samples`, 'give them one length')
  return channels[0]!.length
}

/**
 * The header with its lengths filled in: of the whole, of the samples, and of the frames where there is a fact chunk.
 */
function withLengths(header: Buffer, frames: number, dataBytes: number): Buffer {
  const filled = Buffer.from(header)
  const fact = filled.indexOf('fact', 12, 'latin1')
  filled.writeUInt32LE(header.length - 8 + dataBytes + (dataBytes & 1), 4)
  if (fact > 0) filled.writeUInt32LE(frames, fact + 8)
  filled.writeUInt32LE(dataBytes, header.length - 4)
  return filled
}

/** A write may take a part of what it is given. */
function writeAll(fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done, bytes.length - done, position + done)
}
