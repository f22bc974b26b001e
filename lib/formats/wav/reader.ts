/**
 * Reads a WAV file piece by piece.
 *
 * Through one buffer of fixed size, however long the file is. What the header means is `header.ts`.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { fileError } from '../../host/files.ts'
import { wavRefusal } from './format.ts'
import { wavLayoutOf, type WavInfo, type WavLayout } from './header.ts'
import { sampleDecoder } from './samples.ts'

/** An open WAV file. */
export interface WavReader extends Disposable {
  readonly path: string
  readonly info: WavInfo
  /**
   * The next frames, at most `maxFrames`: one new array per channel, equally long; `[]` at the end.
   *
   * @throws RunbookError usage when a float sample is not finite or on another scale than [-1, 1], or when the file got
   *   shorter meanwhile
   */
  read(maxFrames: number): Float32Array[]
  /** Go back to the first frame. */
  rewind(): void
  /** Close the file. A second call does nothing. */
  close(): void
}

const bufferBytes = 1 << 16

/**
 * Open a WAV file.
 *
 * @throws RunbookError blocked when absent or unreadable; usage when it is not a sound WAV file (`wavLayoutOf`)
 */
export function openWav(path: string): WavReader {
  const fd = openRegular(path)
  try {
    const { size: fileBytes } = fstatSync(fd)
    const at = (position: number, length: number) => {
      const piece = Buffer.alloc(length)
      return piece.subarray(0, fill({ fd, path, piece, position }))
    }
    return readerOf(fd, path, wavLayoutOf({ path, fileBytes, at }))
  } catch (thrown) {
    closeSync(fd)
    throw thrown
  }
}

/**
 * Read a whole WAV file into memory: 4 bytes per frame and channel.
 *
 * @throws RunbookError as `openWav`
 */
export function readWav(path: string): { info: WavInfo; channels: Float32Array[] } {
  const wav = openWav(path)
  try {
    return { info: wav.info, channels: wav.read(wav.info.frames) }
  } finally {
    wav[Symbol.dispose]()
  }
}

/** Not a pipe, a folder or a device: a length must be known, and an open pipe without a writer would wait for ever. */
function openRegular(path: string): number {
  let fd: number
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (thrown) {
    throw fileError('read', path, thrown)
  }
  const stat = fstatSync(fd)
  if (stat.isFile()) return fd
  closeSync(fd)
  const what = stat.isDirectory() ? 'a folder' : 'a pipe or a device'
  throw wavRefusal(
    path,
    `it is ${what}, not a file`,
    stat.isDirectory() ? 'name a file inside it' : 'write it to a file first',
  )
}

/** Fill `piece` from `position`. Answers how many bytes there were: fewer only at the file's end. */
function fill({
  fd,
  path,
  piece,
  position,
}: {
  fd: number
  path: string
  piece: Uint8Array
  position: number
}): number {
  try {
    let filled = 0
    while (filled < piece.length) {
      const n = readSync(fd, piece, filled, piece.length - filled, position + filled)
      if (n === 0) break
      filled += n
    }
    return filled
  } catch (thrown) {
    throw fileError('read', path, thrown)
  }
}

function readerOf(fd: number, path: string, { info, dataAt, frameBytes, scale, isBig }: WavLayout): WavReader {
  const pieceFrames = Math.max(1, Math.floor(bufferBytes / frameBytes))
  const piece = new Uint8Array(pieceFrames * frameBytes)
  const decoded = sampleDecoder(info.encoding, piece.buffer, isBig)
  const sample: typeof decoded = scale === 1 ? decoded : i => decoded(i) * scale
  const isFloat = info.encoding.startsWith('float')
  let frame = 0
  let isOpen = true

  const readPiece = (channels: readonly Float32Array[], offset: number, frames: number): void => {
    const wanted = piece.subarray(0, frames * frameBytes)
    if (fill({ fd, path, piece: wanted, position: dataAt + frame * frameBytes }) < wanted.length) {
      throw wavRefusal(path, `it became shorter than its ${info.frames} frames`, 'wait until it is written whole')
    }
    for (const [c, channel] of channels.entries()) {
      for (let i = 0; i < frames; i++) channel[offset + i] = sample(i * info.channels + c)
      if (isFloat) refuseOdd({ path, channel, offset, frames, frame, c })
    }
    frame += frames
  }
  const read = (maxFrames: number): Float32Array[] => {
    if (!isOpen) throw new Error(`the reader of "${path}" is closed`)
    if (!Number.isSafeInteger(maxFrames) || maxFrames < 1)
      throw new RangeError(`read(${maxFrames}): expected at least 1 frame`)
    const frames = Math.min(maxFrames, info.frames - frame)
    if (frames === 0) return []
    const channels = Array.from({ length: info.channels }, () => new Float32Array(frames))
    for (let done = 0; done < frames; done += pieceFrames)
      readPiece(channels, done, Math.min(pieceFrames, frames - done))
    return channels
  }
  const close = () => {
    if (isOpen) closeSync(fd)
    isOpen = false
  }
  const rewind = () => {
    frame = 0
  }
  return { path, info, read, rewind, close, [Symbol.dispose]: close }
}

// WHY: float sound may lie a little beyond full scale; samples on the scale of integers lie thousands of times beyond.
// SOURCE: lib/formats/wav/reader.test.ts
// CONTRACT: 24 dB over full scale is no sound on a scale of [-1, 1].
const floatMax = 16

/**
 * One NaN would spread over a whole separation, and sound on an integer scale would be clipped away, so both are
 * refused where they come in.
 */
function refuseOdd(o: {
  path: string
  channel: Float32Array
  offset: number
  frames: number
  frame: number
  c: number
}): void {
  for (let i = 0; i < o.frames; i++) {
    const value = o.channel[o.offset + i]!
    if (!Number.isFinite(value)) throw wavRefusal(o.path, `sample ${o.frame + i} of channel ${o.c} is ${value}`)
    if (Math.abs(value) > floatMax) {
      throw wavRefusal(
        o.path,
        `sample ${o.frame + i} of channel ${o.c} is ${value.toFixed(1)}: float sound lies in [-1, 1], and this is ` +
          `on the scale of integers`,
        `ffmpeg -i "${o.path}" -af volume=1/32768 y.wav`,
      )
    }
  }
}
