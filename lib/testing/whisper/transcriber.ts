/**
 * A stand-in for an open Whisper model: it hears how long a sound is, and nothing else.
 *
 * Each whole second of sound becomes a segment `second <n>`, so that an answer that was not heard cannot look right. It
 * obeys the signal, one recording at a time, and tells what it was asked.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { TranscribedSegment, Transcriber, TranscriberOptions } from '../../systems/whisper/server/transcriber.ts'

/** What a stand-in does, and what it saw. */
export interface HeardTranscriber extends Transcriber {
  readonly asked: TranscriberOptions[]
  /** How many recordings were under way at once, at most. */
  readonly mostAtOnce: number
}

/** @param o.perSegmentMs how long a segment takes */
export function standInTranscriber(o: { languages?: string[]; perSegmentMs?: number } = {}): HeardTranscriber {
  const asked: TranscriberOptions[] = []
  const languages = o.languages ?? ['en', 'de', 'es']
  let running = 0
  let mostAtOnce = 0
  return {
    title: 'stand-in, cpu',
    languages,
    canTranslate: languages.length > 1,
    asked,
    get mostAtOnce() {
      return mostAtOnce
    },
    async transcribe(samples, options) {
      asked.push(options)
      mostAtOnce = Math.max(mostAtOnce, ++running)
      try {
        const segments: TranscribedSegment[] = []
        for (let i = 0; i < Math.floor(samples.length / 16_000 + 0.01); i++) {
          options.signal?.throwIfAborted()
          await sleep(o.perSegmentMs ?? 0)
          const segment = segmentOf(i, options)
          segments.push(segment)
          options.onSegment?.(segment)
        }
        return { language: options.language ?? 'de', duration: samples.length / 16_000, segments }
      } finally {
        running--
      }
    },
    async [Symbol.asyncDispose]() {},
  }
}

function segmentOf(i: number, { words, temperatures }: TranscriberOptions): TranscribedSegment {
  return {
    id: i,
    seek: 100 * i,
    start: i,
    end: i + 1,
    text: ` second ${i}`,
    tokens: [100 + i, 7],
    pieces: [
      { text: ' second', logprob: -0.1 },
      { text: ` ${i}`, logprob: -0.2 },
    ],
    temperature: temperatures[0]!,
    avgLogprob: -0.15,
    compressionRatio: 1.1,
    noSpeechProb: 0.01,
    ...(words && {
      words: [
        { word: ' second', start: i, end: i + 0.5 },
        { word: ` ${i}`, start: i + 0.5, end: i + 1 },
      ],
    }),
  }
}
