/**
 * Real speech to calibrate with: chunks of recordings, what the encoder makes of them, and what was said in them.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { float32 } from '../../../formats/tensors/tensor.ts'
import { writeModel } from '../../../formats/onnx/index.ts'
import type { Feeds } from '../../../infer/backend.ts'
import { openOrtC } from '../../../infer/ort/c-api.ts'
import { fixedEncoderGraph, type FixedLengths } from '../../../models/whisper/fixed.ts'
import { decodeAudio } from '../../../signal/decode-audio.ts'
import { readTokens } from '../../../speech/tokens/read-tokens.ts'
import { WhisperTokenizer } from '../../../speech/whisper/tokenizer.ts'
import type { Features } from '../../../speech/whisper/transcribe.ts'
import { whisperContract } from '../contract.ts'
import { featuresOf, whisperFrontEnd } from '../features.ts'
import { encoderFeed, type Calibration, type RungModel } from './cases.ts'

/** A recording and the words in it. */
export interface SpokenRecording {
  readonly path: string
  readonly text: string
}

/** What is said in the recordings that ship, by their files, as `contracts/recordings/README.md` has it. */
const shipped: readonly (readonly [file: string, text: string])[] = [
  ['s1/ivrvoice-festvox-1.wav', 'Добро пожаловать в голосовую почту! Для начала прослушайте инструкцию'],
  ['s1/ivrvoice-festvox-2.wav', 'До свидания! Благодарим за пробную эксплуатацию программы'],
  ['s2/ivrvoice-festvox-1.wav', 'Слабая зыбь, пробегала по морю, и волны океана сливались'],
  ['s2/ivrvoice-festvox-2.wav', 'Она смотрела вокруг, и ей, хотелось, чтобы под ней, развёрзлась, земля.'],
]

/** The recordings that ship with the project. */
export const shippedRecordings = (): SpokenRecording[] =>
  shipped.map(([file, text]) => ({ path: join(import.meta.dirname, '../../../../contracts/recordings', file), text }))

/**
 * Calibration from recordings: every chunk of each, and the first words said in it.
 * @param folder of the tokenizer
 * @throws RunbookError as `decodeAudio` and `readTokens`
 */
export async function calibrationFrom(
  { dims, weights }: RungModel,
  folder: string,
  recordings: readonly SpokenRecording[],
): Promise<Calibration> {
  const tokenizer = new WhisperTokenizer(readTokens(folder), dims.vocabulary)
  const { audio } = whisperContract()
  const front = whisperFrontEnd(dims.mels)
  const sounds: { features: Features; tokens: number[] }[] = []
  for (const { path, text } of recordings) {
    const { samples } = await decodeAudio(path, { sampleRate: audio.sampleRateHz, secondsMax: 600 })
    sounds.push({ features: featuresOf(front, samples), tokens: tokenizer.encode(` ${text}`) })
  }
  const chunksOf = ({ chunkFrames }: FixedLengths) =>
    sounds.flatMap(({ features: { data, frames, contentFrames }, tokens }) =>
      Array.from({ length: Math.ceil(contentFrames / chunkFrames) }, (_, i) => {
        const mel = new Float32Array(dims.mels * chunkFrames)
        for (let bin = 0; bin < dims.mels; bin++) {
          const from = bin * frames + i * chunkFrames
          mel.set(data.subarray(from, from + chunkFrames), bin * chunkFrames)
        }
        return { mel, tokens: tokens.slice(i * 8) }
      }),
    )
  const hidden = new Map<number, Float32Array[]>()
  for (const chunkFrames of new Set(
    Object.values(whisperContract().fixed.chunkSeconds).map(seconds => seconds * 100),
  )) {
    const lengths = { chunkFrames, sequence: 2, parts: 1 }
    const feeds = chunksOf(lengths).map(({ mel }) => encoderFeed(mel, dims))
    hidden.set(chunkFrames, await statesOf(fixedEncoderGraph(dims, weights, lengths), feeds))
  }
  const table = weights.get('decoder.token_embedding.weight')!.data
  const embedded = (tokens: readonly number[], sequence: number) => {
    const question = [...tokenizer.sequence({ language: 'en', task: 'transcribe' }), ...tokens].slice(0, sequence)
    const rows = new Float32Array(sequence * dims.width)
    for (let i = 0; i < sequence; i++) {
      const token = question[i] ?? 0
      rows.set(table.subarray(token * dims.width, (token + 1) * dims.width), i * dims.width)
    }
    return rows
  }
  return {
    encoder: lengths => chunksOf(lengths).map(({ mel }) => encoderFeed(mel, dims)),
    decoder: lengths =>
      chunksOf(lengths).map(({ tokens }, i) => ({
        hidden: float32([1, lengths.chunkFrames / 2, dims.width], hidden.get(lengths.chunkFrames)![i]!),
        embeddings: float32([1, lengths.sequence, dims.width], embedded(tokens, lengths.sequence)),
      })),
  }
}

async function statesOf(model: Parameters<typeof writeModel>[1], feeds: readonly Feeds[]): Promise<Float32Array[]> {
  const folder = mkdtempSync(join(tmpdir(), 'states-'))
  try {
    writeModel(join(folder, 'encoder.onnx'), model)
    await using encoder = await openOrtC(join(folder, 'encoder.onnx'))
    const states = []
    for (const feed of feeds) states.push(Float32Array.from((await encoder.infer(feed)).hidden!.data as Float32Array))
    return states
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
