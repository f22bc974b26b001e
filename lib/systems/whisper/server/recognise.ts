/**
 * Takes one recording from its file to its transcription: decoded, cut to its speech, recognised, and timed as it was.
 */
import { RunbookError } from '../../../base/errors.ts'
import type { Backend } from '../../../infer/backend.ts'
import { decodeAudio } from '../../../signal/decode-audio.ts'
import { detectSpeech, vadSampleRate } from '../../../speech/vad/detect.ts'
import { cutToSpeech, type SpeechOnly } from '../../../speech/vad/regions.ts'
import type { ServiceConfig } from '../service-config.ts'
import { apiError } from './errors.ts'
import type { TranscriptionRequest } from './request.ts'
import type { TranscribedSegment, Transcriber, Transcription } from './transcriber.ts'

/** Extensions that OpenAI's API names. */
const formats = ['flac', 'm4a', 'mp3', 'mp4', 'mpeg', 'mpga', 'oga', 'ogg', 'wav', 'webm']
const secondsMin = 0.1
/** A silence that long may be a pause between words. */
const usualVad = { minSilenceS: 2, padS: 0.4 }
const fallback = [0, 0.2, 0.4, 0.6, 0.8, 1]

/** What one request is recognised with. */
export interface RecogniseOptions {
  readonly request: TranscriptionRequest
  readonly config: ServiceConfig['transcription']
  /** Silero's network; speech is found by energy without it. */
  readonly silero?: Backend | undefined
  readonly signal: AbortSignal
  readonly onSegment?: (segment: TranscribedSegment) => void
}

/**
 * Decode a request's file.
 * @returns mono samples at 16 kHz
 * @throws {Problem} 400 in OpenAI's words, for what is no sound, too short or too long; 503 without ffmpeg
 */
export async function decodeUpload(
  path: string,
  o: { secondsMax: number; signal: AbortSignal },
): Promise<Float32Array> {
  try {
    const { samples, seconds } = await decodeAudio(path, { sampleRate: vadSampleRate, ...o })
    if (seconds >= secondsMin) return samples
  } catch (thrown) {
    throw refusalOf(thrown, o.secondsMax)
  }
  throw tooShort()
}

const tooShort = () =>
  apiError(`Audio file is too short. Minimum audio length is ${secondsMin} seconds.`, {
    param: 'file',
    code: 'audio_too_short',
  })

function refusalOf(thrown: unknown, secondsMax: number): unknown {
  if (!(thrown instanceof RunbookError)) return thrown
  switch (thrown.code) {
    case 'audio_empty':
      return tooShort()
    case 'audio_too_long':
      return apiError(`Audio file is too long. Maximum audio length is ${secondsMax} seconds.`, {
        param: 'file',
        code: 'audio_too_long',
      })
    case 'audio_unsupported':
    case 'audio_timeout':
      return apiError(`Invalid file format. Supported formats: [${formats.map(name => `'${name}'`).join(', ')}]`, {
        param: 'file',
        cause: thrown,
      })
    case 'ffmpeg_absent':
      return apiError('This service decodes only PCM WAV: ffmpeg is not installed', {
        status: 503,
        type: 'server_error',
      })
  }
  return thrown
}

/**
 * Recognise decoded samples.
 * @throws {Problem} 400 for a language or a task that the model does not have; the signal's reason once it is aborted
 */
export async function recognise(
  transcriber: Transcriber,
  samples: Float32Array,
  { request, config, silero, signal, onSegment }: RecogniseOptions,
): Promise<Transcription> {
  checkAgainst(transcriber, request)
  const duration = samples.length / vadSampleRate
  const speech = await speechOf(samples, { request, config, silero, signal })
  const language = languageFor(transcriber, request)
  if (speech?.samples.length === 0) return { language: language ?? 'en', duration, segments: [] }
  const back = (segment: TranscribedSegment) => (speech ? inOriginalTime(segment, speech) : segment)
  const { temperature = config.temperature } = request
  const transcription = await transcriber.transcribe(speech?.samples ?? samples, {
    task: request.task,
    language,
    prompt: request.prompt,
    temperatures: temperature === 0 ? fallback : [temperature],
    beamSize: config.beam_size,
    words: request.granularities.has('word'),
    signal,
    ...(onSegment && { onSegment: segment => onSegment(back(segment)) }),
  })
  return { ...transcription, duration, segments: transcription.segments.map(back) }
}

function checkAgainst({ languages, canTranslate, title }: Transcriber, { language, task }: TranscriptionRequest): void {
  if (task === 'translate' && !canTranslate) {
    throw apiError(`${title} is an English model and cannot translate`, { param: 'model' })
  }
  if (task === 'transcribe' && language !== null && !languages.includes(language)) {
    throw apiError(`Language '${language}' is not supported by ${title}.`, { param: 'language' })
  }
}

/** Translation listens to any language; the configured one would be wrong there. */
const languageFor = ({ languages }: Transcriber, { language, task }: TranscriptionRequest): string | null => {
  if (languages.length === 1) return languages[0]!
  return task === 'translate' ? null : language
}

async function speechOf(
  samples: Float32Array,
  { request, config, silero, signal }: Pick<RecogniseOptions, 'request' | 'config' | 'silero' | 'signal'>,
): Promise<SpeechOnly | null> {
  if (!config.vad_filter && request.chunking === null) return null
  const options = { ...usualVad, ...request.chunking, signal }
  const regions = await detectSpeech(samples, silero ? { ...options, silero } : options)
  return cutToSpeech(samples, regions, vadSampleRate)
}

function inOriginalTime(segment: TranscribedSegment, { originalSeconds }: SpeechOnly): TranscribedSegment {
  const timed = <T extends { start: number; end: number }>(it: T): T => ({
    ...it,
    start: originalSeconds(it.start, 'start'),
    end: originalSeconds(it.end, 'end'),
  })
  return { ...timed(segment), ...(segment.words && { words: segment.words.map(timed) }) }
}
