/**
 * The service's view of an open Whisper pipeline.
 */
import type { Segment, Whisper } from '../pipeline.ts'
import type { TranscribedSegment, Transcriber } from './transcriber.ts'

/** An open pipeline as the service asks it. Disposing of it closes the pipeline. */
export function transcriberOf(whisper: Whisper): Transcriber {
  const { manifest, tokenizer, languages } = whisper
  const toService = (segment: Segment): TranscribedSegment => ({
    id: segment.id,
    seek: segment.seek,
    start: segment.start,
    end: segment.end,
    text: segment.text,
    tokens: segment.tokens,
    pieces: segment.tokens.flatMap((token, i) => {
      // Times and other special tokens are not text; a piece of a character alone is U+FFFD.
      if (token >= tokenizer.special.endOfText) return []
      return [{ text: tokenizer.decode([token]), logprob: segment.logProbabilities[i]! }]
    }),
    temperature: segment.temperature,
    avgLogprob: segment.avgLogprob,
    compressionRatio: segment.compressionRatio,
    noSpeechProb: segment.noSpeechProb,
    ...(segment.words && { words: segment.words.map(({ word, start, end }) => ({ word, start, end })) }),
  })
  return {
    title: `${manifest.name}, ${manifest.precision}, ${whisper.device}`,
    languages,
    canTranslate: languages.length > 1,
    async transcribe(samples, { task, language, prompt, temperatures, beamSize, words, signal, onSegment }) {
      const transcript = await whisper.transcribe(
        samples,
        { task, language, prompt, temperatures, beamSize, words },
        { signal, watch: onSegment ? { onSegment: segment => onSegment(toService(segment)) } : {} },
      )
      return {
        language: transcript.language,
        duration: transcript.duration,
        segments: transcript.segments.map(toService),
      }
    },
    [Symbol.asyncDispose]: async () => await whisper[Symbol.asyncDispose](),
  }
}
