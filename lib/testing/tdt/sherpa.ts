/**
 * Runs sherpa-onnx-node, another decoder for the same models, as a peer.
 */
import type { SherpaFiles } from './sherpa-model.ts'

/** What sherpa-onnx answers: pieces as text, seconds. */
export interface SherpaAnswer {
  readonly tokens: readonly string[]
  readonly timestamps: readonly number[]
  readonly durations: readonly number[]
}

/** A recognizer of sherpa-onnx. */
export interface Sherpa {
  decode(samples: Float32Array): SherpaAnswer
}

interface Recognizer {
  createStream(): { acceptWaveform(wave: { sampleRate: number; samples: Float32Array }): void }
  decode(stream: unknown): void
  getResult(stream: unknown): SherpaAnswer
}

/** Load the package and open a model on one thread. */
export async function openSherpa(files: SherpaFiles): Promise<Sherpa> {
  const { default: sherpa } = (await import('sherpa-onnx-node' as string)) as {
    default: { OfflineRecognizer: new (config: object) => Recognizer }
  }
  const recognizer = new sherpa.OfflineRecognizer({
    featConfig: { sampleRate: 16000, featureDim: 128 },
    modelConfig: {
      transducer: { encoder: files.encoder, decoder: files.decoder, joiner: files.joiner },
      tokens: files.tokens,
      numThreads: 1,
      provider: 'cpu',
      modelType: 'nemo_transducer',
      debug: 0,
    },
  })
  return {
    decode(samples) {
      const stream = recognizer.createStream()
      stream.acceptWaveform({ sampleRate: 16000, samples })
      recognizer.decode(stream)
      const { tokens, timestamps, durations } = recognizer.getResult(stream)
      return { tokens, timestamps, durations }
    },
  }
}
