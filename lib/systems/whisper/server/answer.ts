/**
 * Writes a transcription in each of the API's formats.
 */
import { srtFromCues, textFromCues, vttFromCues } from '../../../speech/transcript.ts'
import { languageNames } from '../../../speech/whisper/languages.ts'
import type { TranscribedSegment, Transcription } from './transcriber.ts'
import type { TranscriptionRequest } from './request.ts'

/** A body with its content type. */
export interface Answer {
  readonly contentType: string
  readonly body: string
}

const json = (value: unknown): Answer => ({ contentType: 'application/json', body: JSON.stringify(value) })
const plain = 'text/plain; charset=utf-8'

/** What a transcription costs, in the API's terms: whole seconds, rounded up. */
export const usageOf = ({ duration }: Transcription) => ({ type: 'duration', seconds: Math.ceil(duration) })

/** The text of a transcription, without white space around it. */
export const textOf = ({ segments }: Transcription): string => textFromCues(segments)

/** The answer that a request asks for. */
export function answerOf(transcription: Transcription, request: TranscriptionRequest): Answer {
  const { segments } = transcription
  switch (request.format) {
    case 'text':
      return { contentType: plain, body: `${textOf(transcription)}\n` }
    case 'srt':
      return { contentType: plain, body: srtFromCues(segments) }
    case 'vtt':
      return { contentType: 'text/vtt; charset=utf-8', body: vttFromCues(segments) }
    case 'verbose_json':
      return json(verbose(transcription, request))
    case 'json':
      return json({
        text: textOf(transcription),
        ...(request.withLogprobs && { logprobs: logprobsOf(segments) }),
        ...(request.task === 'transcribe' && { usage: usageOf(transcription) }),
      })
  }
}

/** Pieces of text with their log probabilities, as the API writes them. */
export const logprobsOf = (segments: readonly Pick<TranscribedSegment, 'pieces'>[]) =>
  segments
    .flatMap(segment => segment.pieces)
    .map(({ text, logprob }) => ({ token: text, logprob, bytes: [...Buffer.from(text, 'utf8')] }))

function verbose(transcription: Transcription, { task, granularities }: TranscriptionRequest) {
  const { segments, duration } = transcription
  // Given only words to show, the API leaves segments out; with neither named it shows segments.
  const words = segments.flatMap(segment => segment.words ?? [])
  return {
    task,
    language: languageNames.get(transcription.language) ?? transcription.language,
    duration,
    text: textOf(transcription),
    ...(granularities.has('segment') && {
      segments: segments.map(segment => ({
        id: segment.id,
        seek: segment.seek,
        start: segment.start,
        end: segment.end,
        text: segment.text,
        tokens: segment.tokens,
        temperature: segment.temperature,
        avg_logprob: segment.avgLogprob,
        compression_ratio: segment.compressionRatio,
        no_speech_prob: segment.noSpeechProb,
      })),
    }),
    ...(granularities.has('word') && {
      words: words.map(({ word, start, end }) => ({ word: word.trim(), start, end })),
    }),
    ...(task === 'transcribe' && { usage: usageOf(transcription) }),
  }
}
