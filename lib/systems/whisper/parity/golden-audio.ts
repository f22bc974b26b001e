/**
 * Makes the recording of a golden case from its recipe: pieces of files, silence, and seeded noise.
 */
import { join } from 'node:path'
import { usageError } from '../../../base/errors.ts'
import { sha256 } from '../../../host/digest.ts'
import { decodeAudio } from '../../../signal/decode-audio.ts'

/** One part of a recording, one after the other. */
interface Piece {
  readonly file?: string
  readonly samples?: number
  readonly zeros?: number
  readonly lcg?: { readonly seed: number; readonly a: number; readonly c: number; readonly samples: number }
}

/** How a recording is made, and the digest of its 16-bit samples. */
export interface GoldenAudio {
  readonly sample_rate: number
  readonly samples: number
  readonly pcm16le_sha256: string
  readonly recipe: readonly Piece[]
}

/**
 * The samples of a golden case, 16 kHz in -1…1.
 * @param folder the folder of the goldens; the files of the recipe lie in and beside it
 * @throws RunbookError blocked when a file is absent; usage when the samples are not those of the golden
 */
export async function goldenSamples(folder: string, audio: GoldenAudio): Promise<Float32Array> {
  const parts: Int16Array[] = []
  for (const piece of audio.recipe) parts.push(await pcmOf(folder, piece, audio.sample_rate))
  const pcm = new Int16Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    pcm.set(part, at)
    at += part.length
  }
  if (sha256(new Uint8Array(pcm.buffer)) !== audio.pcm16le_sha256) {
    throw usageError(`Cannot use the goldens in "${folder}": a recording has other samples`, 'copy the goldens again')
  }
  return Float32Array.from(pcm, value => value / 32_768)
}

async function pcmOf(folder: string, piece: Piece, sampleRate: number): Promise<Int16Array> {
  if (piece.zeros !== undefined) return new Int16Array(piece.zeros)
  if (piece.lcg !== undefined) return noise(piece.lcg)
  const name = piece.file!
  // Recordings of the data folder are named from its parent.
  const path = name.startsWith('data/') ? join(folder, '../..', name.slice('data/'.length)) : join(folder, name)
  const { samples } = await decodeAudio(path, { sampleRate, secondsMax: 600 })
  return Int16Array.from(samples.subarray(0, piece.samples), value => Math.round(value * 32_768))
}

function noise({ seed, a, c, samples }: NonNullable<Piece['lcg']>): Int16Array {
  let state = seed
  return Int16Array.from({ length: samples }, () => {
    state = (Math.imul(state, a) + c) >>> 0
    return Math.floor((((state >>> 16) - 32_768) * 3000) / 32_768)
  })
}
