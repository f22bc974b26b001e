/**
 * Rung R10: how many words of a manifest are wrong.
 */
import { existsSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { usageError } from '../../../../base/errors.ts'
import { readNdjson } from '../../../../host/ndjson.ts'
import { openMono } from '../../../../signal/mono-source.ts'
import { totalErrors, wordErrorRate, wordErrors, type WordErrors } from '../../../../speech/word-error.ts'
import type { ParakeetContract } from '../../contract/read.ts'
import { openModel } from '../../transcribe/model.ts'
import { transcribe } from '../../transcribe/offline.ts'
import { answered, type RungResult } from './result.ts'

/** One line of a manifest. */
export interface ManifestLine {
  readonly audio: string
  readonly text: string
}

/**
 * The lines of a NeMo manifest: JSON with `audio_filepath` and `text`, paths relative to the manifest.
 * @throws RunbookError blocked when it is absent; usage when a line is no entry, or recordings are missing
 */
export function readManifest(path: string): ManifestLine[] {
  const lines = readNdjson(path).map((value, i) => {
    const { audio_filepath: audio, text } = (value ?? {}) as Record<string, unknown>
    if (typeof audio !== 'string' || typeof text !== 'string')
      throw usageError(
        `Cannot read "${path}": line ${i + 1} lacks audio_filepath or text`,
        'write one JSON object a line',
      )
    return { audio: isAbsolute(audio) ? audio : join(dirname(path), audio), text }
  })
  const missing = lines.filter(({ audio }) => !existsSync(audio))
  if (missing.length === 0) return lines
  const state = `${missing.length} recordings are not there, the first is ${missing[0]!.audio}`
  throw usageError(`Cannot read "${path}": ${state}`, 'give a manifest whose recordings are there')
}

/** R10: the word error rate over a manifest. */
export async function rungManifest(
  folder: string,
  contract: ParakeetContract,
  manifest: string,
  { werMax, language, onDone }: { werMax: number; language: string; onDone?: (done: number, total: number) => void },
): Promise<RungResult> {
  const lines = readManifest(manifest)
  await using model = await openModel(folder, contract)
  const counts: WordErrors[] = []
  for (const { audio, text } of lines) {
    using sound = openMono(audio, model.meta.features.sample_rate_hz)
    const { text: heard } = await transcribe(model, contract, sound)
    counts.push(wordErrors(text, heard, language))
    onDone?.(counts.length, lines.length)
  }
  const rate = wordErrorRate(totalErrors(counts))
  return answered(
    { rung: 'R10', asks: 'how many words are wrong?', tolerance: `word error rate <= ${werMax}` },
    {
      compared: totalErrors(counts).words,
      firstDivergence: rate <= werMax ? '' : `word error rate ${rate.toFixed(4)}`,
      metrics: { wer: rate, recordings: lines.length },
    },
  )
}
