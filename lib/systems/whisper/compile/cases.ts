/**
 * The rungs that a compiler is offered: encoder and decoder of one model in fixed lengths, the longest first.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { float32 } from '../../../formats/tensors/tensor.ts'
import { encodeModel } from '../../../formats/onnx/index.ts'
import type { Feeds } from '../../../infer/backend.ts'
import type { LadderCase } from '../../../ladder/types.ts'
import type { WhisperDims, WhisperWeights } from '../../../models/whisper/dims.ts'
import { fixedDecoderGraph, fixedEncoderGraph, partsOf, type FixedLengths } from '../../../models/whisper/fixed.ts'
import { whisperContract } from '../contract.ts'

/** Which half, at which lengths. */
export interface RungConfig extends FixedLengths {
  readonly half: 'encoder' | 'decoder'
}

/** The weights of a model, and how it is called in tags. */
export interface RungModel {
  readonly name: string
  readonly dims: WhisperDims
  readonly weights: WhisperWeights
}

/** Feeds to calibrate with. */
export interface Calibration {
  readonly encoder: (lengths: FixedLengths) => readonly Feeds[]
  readonly decoder: (lengths: FixedLengths) => readonly Feeds[]
}

/** The lengths that are tried, the most wanted first: Hailo's own for this model, then shorter ones. */
export function rungLengths(name: string): FixedLengths[] {
  const { fixed, audio, mel } = whisperContract()
  const framesPerSecond = audio.sampleRateHz / mel.hopSamples
  const sequence = fixed.sequence[name] ?? Math.min(...Object.values(fixed.sequence))
  const seconds = [...new Set(Object.values(fixed.chunkSeconds))].toSorted((a, b) => b - a)
  return seconds.map(each => ({ chunkFrames: each * framesPerSecond, sequence, parts: fixed.parts }))
}

const tagOf = (name: string, { half, chunkFrames, sequence }: RungConfig) =>
  half === 'encoder' ? `${name}-encoder-${chunkFrames / 100}s` : `${name}-decoder-${chunkFrames / 100}s-seq-${sequence}`

/** The commands for Hailo's compiler that its own Whispers were made with. */
const modelScript = (): string => readFileSync(join(import.meta.dirname, 'whisper.alls'), 'utf8')

/** Encoders of every length. */
export function encoderCases({ name, dims, weights }: RungModel, calibration: Calibration): LadderCase<RungConfig>[] {
  return rungLengths(name).map(lengths => {
    const config: RungConfig = { ...lengths, half: 'encoder' }
    return {
      tag: tagOf(name, config),
      config,
      prepare: () => ({
        onnx: encodeModel(fixedEncoderGraph(dims, weights, lengths)),
        inputs: [{ name: 'mel', shape: [1, dims.mels, 1, lengths.chunkFrames] }],
        outputs: ['hidden'],
        modelScript: modelScript(),
        samples: () => calibration.encoder(lengths),
      }),
    }
  })
}

/** The decoder for chunks of one length: the longest sequence first, then half of it. */
export function decoderCases(
  { name, dims, weights }: RungModel,
  longest: FixedLengths,
  calibration: Calibration,
): LadderCase<RungConfig>[] {
  return [longest.sequence, longest.sequence / 2].map(sequence => {
    const lengths = { ...longest, sequence }
    const config: RungConfig = { ...lengths, half: 'decoder' }
    return {
      tag: tagOf(name, config),
      config,
      prepare: () => ({
        onnx: encodeModel(fixedDecoderGraph(dims, weights, lengths)),
        inputs: [
          { name: 'hidden', shape: [1, lengths.chunkFrames / 2, dims.width] },
          { name: 'embeddings', shape: [1, sequence, dims.width] },
        ],
        outputs: partsOf(dims.vocabulary, lengths.parts).map((_, i) => `logits_${i}`),
        modelScript: modelScript(),
        samples: () => calibration.decoder(lengths),
      }),
    }
  })
}

/** A feed of the encoder: one chunk. */
export const encoderFeed = (mel: Float32Array, { mels }: WhisperDims): Feeds => ({
  mel: float32([1, mels, 1, mel.length / mels], mel),
})
