/**
 * Opens a Whisper of fixed lengths, as HEFs or as the same shapes on ONNX Runtime, and transcribes recordings.
 */
import { join } from 'node:path'
import { usageError } from '../../base/errors.ts'
import { readFile } from '../../host/files.ts'
import { decodeNpy } from '../../formats/tensors/npy.ts'
import type { FloatTensor } from '../../formats/tensors/tensor.ts'
import type { BackendOptions } from '../../infer/options.ts'
import { readTokens } from '../../speech/tokens/read-tokens.ts'
import { transcribeFixed } from '../../speech/whisper/fixed.ts'
import { languageNames } from '../../speech/whisper/languages.ts'
import { WhisperTokenizer } from '../../speech/whisper/tokenizer.ts'
import { whisperContract } from './contract.ts'
import { featuresOf } from './features.ts'
import { readManifest } from './manifest.ts'
import { openFixedNetwork, type FixedBackendNetwork } from './network/fixed.ts'
import { OpenedWhisper } from './network/opened.ts'
import type { PipelineOptions, PipelineWatcher, Transcript } from './pipeline.ts'
import { runbookCommand } from '../../host/typescript.ts'

/** How a model of fixed lengths is opened. */
export interface FixedOpenOptions {
  /** HEFs in place of the folder's own graphs. */
  readonly encoder?: string | undefined
  readonly decoder?: string | undefined
  /** Whether the decoder leaves the positions to the host, as older HEFs do. */
  readonly hostAddsPositions?: boolean
  readonly backend?: BackendOptions
}

/**
 * Open a folder that `whisper-export.ts --form fixed` wrote.
 * @throws RunbookError blocked when a file or the runtime is absent; usage when files do not fit together
 */
export async function openFixedWhisper(folder: string, o: FixedOpenOptions = {}): Promise<FixedWhisper> {
  const manifest = readManifest(folder)
  if (manifest.fixed === undefined) {
    throw usageError(
      `Cannot open "${folder}" in fixed lengths: it is of the form ${manifest.form}`,
      runbookCommand('runbooks/whisper-export.ts', ['--form', 'fixed']),
    )
  }
  const path = join(folder, manifest.fixed.embeddings)
  const embeddings = decodeNpy(readFile(path), path) as FloatTensor
  const network = await openFixedNetwork({
    encoder: o.encoder ?? join(folder, manifest.encoder.path),
    decoder: o.decoder ?? join(folder, manifest.decoder.path),
    embeddings,
    mels: manifest.dims.mels,
    ...(o.backend && { backend: o.backend }),
  })
  return new FixedWhisper(manifest, new WhisperTokenizer(readTokens(folder), manifest.dims.vocabulary), network)
}

/** A Whisper of fixed lengths that is open. */
export class FixedWhisper extends OpenedWhisper<FixedBackendNetwork> {
  /**
   * Transcribe mono samples at 16 kHz, in -1…1. Of the options, language, task, timestamps and suppress count; times of
   * words need a decoder that shows its attention, and this one does not.
   * @throws RunbookError usage for a recording that is too short, an unknown language, or times of words; the signal's
   *   reason when it is aborted
   */
  async transcribe(
    samples: Float32Array,
    options: PipelineOptions = {},
    { signal, watch = {} }: { signal?: AbortSignal | undefined; watch?: PipelineWatcher } = {},
  ): Promise<Transcript> {
    if (options.words) {
      throw usageError(
        'Cannot time words: the decoder of fixed lengths shows no attention',
        'leave the times of words out: whisper-transcribe without --words',
      )
    }
    const { audio, decoding, fixed } = whisperContract()
    const language = options.language ? this.languageOf(options.language) : undefined
    return this.turns.take(async () => {
      signal?.throwIfAborted()
      const duration = samples.length / audio.sampleRateHz
      const answer = await transcribeFixed(
        this,
        featuresOf(this.front, samples),
        {
          language,
          task: options.task ?? 'transcribe',
          timestamps: options.timestamps ?? true,
          suppress: options.suppress ?? 'default',
          suppressBlank: true,
          maxInitialTimestamp: Math.round(decoding.maxInitialTimestampS / 0.02),
          penalty: {
            factor: fixed.repetitionPenalty,
            window: fixed.repetitionWindow,
            excluded: fixed.repetitionExcluded,
          },
          signal,
        },
        {
          ...(watch.onSegment && { onSegment: watch.onSegment }),
          onProgress: frames => watch.onProgress?.(Math.min(duration, frames / 100), duration),
        },
      )
      return {
        text: this.tokenizer.decode(answer.segments.flatMap(({ tokens }) => tokens)).trim(),
        segments: answer.segments,
        words: undefined,
        language: answer.language,
        languageName: languageNames.get(answer.language)!,
        languages: undefined,
        duration,
      }
    })
  }
}

/** What exported graphs of fixed lengths say of a tone: numbers that are NaN or infinite, and how many logits. */
export async function selfTestFixed(folder: string): Promise<{ oddNumbers: number; logits: number; device: string }> {
  await using whisper = await openFixedWhisper(folder, { backend: { ort: { threads: 1 } } })
  const { network, tokenizer, device } = whisper
  await network.listen(Float32Array.from({ length: network.mels * network.chunkFrames }, (_, i) => Math.sin(i / 7)))
  const question = tokenizer.sequence({ language: 'en', task: 'transcribe' })
  const [logits] = await network.ask(question, [question.length - 1])
  return { oddNumbers: logits!.filter(value => !Number.isFinite(value)).length, logits: logits!.length, device }
}
