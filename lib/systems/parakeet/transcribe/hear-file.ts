/**
 * Hears a WAV file with an open model, at once or in pieces.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { blockedError } from '../../../base/errors.ts'
import { openMono } from '../../../signal/mono-source.ts'
import type { ParakeetContract } from '../contract/read.ts'
import { syntheticModel } from '../export/sources.ts'
import { writeModelFolder } from '../export/write-model.ts'
import { isMadeToStream, streamCaveat } from '../model/meta.ts'
import type { OpenModel } from './model.ts'
import { transcribe } from './offline.ts'
import { streamSource } from './stream-source.ts'
import type { Transcript } from './transcript.ts'

/**
 * A recording that ships with the project.
 *
 * @throws RunbookError blocked when it is absent
 */
export function shippedRecording(): string {
  const path = join(import.meta.dirname, '../../../../contracts/recordings/s1/ivrvoice-festvox-1.wav')
  if (existsSync(path)) return path
  throw blockedError(
    `Cannot transcribe "${path}": it is not there`,
    'give one of your own: --wav of parakeet-transcribe and parakeet-parity',
  )
}

/** Write a tiny seeded model, one that was made to stream where the run streams; gives its folder. */
export function seedModel(folder: string, { stream }: { stream: boolean }, contract: ParakeetContract): string {
  writeModelFolder(folder, syntheticModel(stream ? 'tiny-streaming' : 'tiny', contract, 1))
  return folder
}

/** What hearing a file gave. `rtf` is seconds of work for a second of sound. */
export interface HeardFile {
  readonly transcript: Transcript
  readonly latenciesMs: readonly number[]
  readonly rtf: number
  readonly seconds: number
  /** What a reader of the words must know; empty when nothing. */
  readonly caveat: string
}

/**
 * Hear a file.
 * @throws RunbookError blocked when it is absent; usage when it is no WAV; as the runtime does
 */
export async function hearFile(
  model: OpenModel,
  contract: ParakeetContract,
  wav: string,
  o: {
    stream: boolean
    pieceMs: number
    onText?: (text: string) => void
    onProgress?: (done: number, total: number) => void
  },
): Promise<HeardFile> {
  const rate = model.meta.features.sample_rate_hz
  using sound = openMono(wav, rate)
  const seconds = sound.totalSamples / rate
  o.onText?.(`${seconds} s; mixdown: ${sound.mixdown}; rate: ${sound.resampling}`)
  const caveat = o.stream && !isMadeToStream(model.meta) ? streamCaveat : ''
  if (caveat !== '') o.onText?.(`caution: ${caveat}`)
  const onProgress = (done: number) => o.onProgress?.(done, sound.totalSamples)
  const startedMs = performance.now()
  const result = o.stream
    ? await streamSource(model, contract, sound, {
        pieceMs: o.pieceMs,
        onProgress,
        ...(o.onText && { onText: o.onText }),
      })
    : { transcript: await transcribe(model, contract, sound, { onProgress }), latenciesMs: [] }
  return { ...result, caveat, seconds, rtf: (performance.now() - startedMs) / 1000 / Math.max(seconds, 1e-9) }
}
