/**
 * Transcribes recordings in files, and scores them where a transcript lies beside.
 */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { basename, extname, join } from 'node:path'
import { blockedError } from '../../base/errors.ts'
import { readFile } from '../../host/files.ts'
import { plot } from '../../notebook/display/plot.ts'
import { table } from '../../notebook/display/show.ts'
import type { Display } from '../../notebook/display/show.ts'
import { decodeAudio } from '../../signal/decode-audio.ts'
import { wordErrors, type WordErrors } from '../../speech/word-error.ts'
import { whisperContract } from './contract.ts'
import type { Transcriber } from './model.ts'
import type { PipelineOptions, PipelineWatcher, Transcript } from './pipeline.ts'

const sound = new Set('wav mp3 flac ogg oga opus m4a mp4 webm aac wma aiff'.split(' ').map(name => `.${name}`))

/**
 * The recordings that paths stand for: files as they are, and the sound files of folders.
 * @throws RunbookError blocked when a path is absent, or a folder holds no recording
 */
export function recordingsOf(paths: readonly string[]): string[] {
  return paths.flatMap(path => {
    const stat = statSync(path, { throwIfNoEntry: false })
    if (stat === undefined) throw blockedError(`Cannot transcribe "${path}": there is no such file`, 'check the path')
    if (!stat.isDirectory()) return [path]
    const found = readdirSync(path)
      .filter(name => sound.has(extname(name).toLowerCase()))
      .toSorted()
    if (found.length > 0) return found.map(name => join(path, name))
    throw blockedError(
      `Cannot transcribe "${path}": the folder holds no recording`,
      'give a WAV, MP3, FLAC, OGG or M4A',
    )
  })
}

/** The transcript beside a recording, in a `.txt` of the same name; undefined when there is none. */
function saidIn(path: string): string | undefined {
  const beside = path.slice(0, -extname(path).length) + '.txt'
  return existsSync(beside) ? readFile(beside).toString('utf8').trim() : undefined
}

/** A recording and what was said in it. */
export interface TranscribedFile {
  readonly path: string
  readonly samples: Float32Array
  readonly transcript: Transcript
  /** Against the transcript beside it, where there is one. */
  readonly errors: WordErrors | undefined
  /** Seconds of work for each second of sound, decoding of the file included. */
  readonly rtf: number
}

/**
 * Transcribe one file.
 * @throws RunbookError as `decodeAudio` and `Whisper.transcribe`
 */
export async function transcribeFile(
  whisper: Transcriber,
  path: string,
  options: PipelineOptions,
  { signal, watch, secondsMax }: { signal: AbortSignal; watch?: PipelineWatcher; secondsMax: number },
): Promise<TranscribedFile> {
  const startedMs = performance.now()
  const sampleRate = whisperContract().audio.sampleRateHz
  const { samples, seconds } = await decodeAudio(path, { sampleRate, secondsMax, signal })
  const transcript = await whisper.transcribe(samples, options, { signal, ...(watch && { watch }) })
  const said = saidIn(path)
  return {
    path,
    samples,
    transcript,
    errors: said === undefined ? undefined : wordErrors(said, transcript.text, transcript.language),
    rtf: (performance.now() - startedMs) / 1000 / seconds,
  }
}

/** `00:01:02.34`, as a person reads a time. */
export function clock(seconds: number): string {
  const hundredths = Math.round(seconds * 100)
  const pair = (value: number) => String(value).padStart(2, '0')
  const whole = Math.floor(hundredths / 100)
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60]
  return `${pair(hours)}:${pair(minutes)}:${pair(whole % 60)}.${pair(hundredths % 100)}`
}

/** Segments as a table, and the sound with its words under it. */
export function showTranscript({ path, samples, transcript }: TranscribedFile): Display[] {
  const rows = transcript.segments.map(
    ({ start, end, text, avgLogprob, noSpeechProb, compressionRatio, temperature }) => ({
      start: clock(start),
      end: clock(end),
      text: text.trim(),
      avg_logprob: avgLogprob,
      no_speech_prob: noSpeechProb,
      compression_ratio: compressionRatio,
      temperature,
    }),
  )
  return [table(rows, { title: `segments of ${basename(path)}` }), waveform(samples, transcript)]
}

const peaksShown = 600

/** The outline of the sound, and under it each word (or segment) where it was said. */
function waveform(samples: Float32Array, { duration, words, segments }: Transcript): Display {
  const width = Math.max(1, Math.ceil(samples.length / peaksShown))
  const peaks = Array.from({ length: Math.ceil(samples.length / width) }, (_, i) => {
    let peak = 0
    for (let k = i * width; k < Math.min(samples.length, (i + 1) * width); k++)
      peak = Math.max(peak, Math.abs(samples[k]!))
    return { time: (i * width * duration) / samples.length, above: peak, below: -peak }
  })
  const spoken = (words ?? segments.map(({ start, end, text }) => ({ start, end, word: text }))).map((each, i) => ({
    time: (each.start + Math.min(each.end, duration)) / 2,
    level: -1.15 - 0.2 * (i % 3),
    word: each.word.trim(),
  }))
  const time = { field: 'time', type: 'quantitative', title: 'seconds', scale: { domain: [0, duration] } }
  return plot(
    {
      width: 900,
      height: 220,
      layer: [
        {
          data: { values: peaks },
          mark: { type: 'area', opacity: 0.7 },
          encoding: {
            x: time,
            y: { field: 'above', type: 'quantitative', title: 'level', scale: { domain: [-1.7, 1] } },
            y2: { field: 'below' },
          },
        },
        {
          data: { values: spoken },
          mark: { type: 'text', fontSize: 10 },
          encoding: { x: time, y: { field: 'level', type: 'quantitative' }, text: { field: 'word' } },
        },
      ],
    },
    { title: 'the sound, and when each word was said' },
  )
}
