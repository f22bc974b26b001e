/**
 * Makes mono samples at one rate of any recording: PCM WAV in this process, everything else through ffmpeg.
 *
 * ffmpeg gets a file and never a stream (the index of an MP4 may stand at its end), reads only containers of sound and
 * film and only that one file (a playlist inside could name others), and is bounded in time, memory and output. Nothing
 * stays behind, however it ends.
 */
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exitNameOf, hasCode, RunbookError } from '../base/errors.ts'
import { exec } from '../host/exec.ts'
import { findProgram } from '../host/program.ts'
import { openMono } from './mono-source.ts'

/** Why a recording cannot be used, as the `code` of the error. */
export type AudioErrorCode = 'audio_unsupported' | 'audio_empty' | 'audio_too_long' | 'audio_timeout' | 'ffmpeg_absent'

/** Bounds of one decoding. */
export interface DecodeOptions {
  readonly sampleRate: number
  /** Longer recordings are refused. */
  readonly secondsMax: number
  /** How long ffmpeg may take, ms; 60 000 unless told. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** Mono sound in memory. */
export interface DecodedAudio {
  /** In −1…1, `sampleRate` a second. */
  readonly samples: Float32Array
  readonly seconds: number
  /** Who decoded it: `wav` or `ffmpeg`. */
  readonly by: 'wav' | 'ffmpeg'
}

/** Containers that ffmpeg may open; none of them names other files. */
const containers = 'aac,ac3,aiff,amr,asf,au,avi,caf,flac,matroska,mov,mp3,mpeg,mpegts,ogg,w64,wav,webm'
const memoryBytesMax = 2 ** 31

/**
 * Decode a file.
 * @throws {RunbookError} usage with an {@linkcode AudioErrorCode}: no sound in it, not decodable, longer than
 *   `secondsMax`; blocked with `ffmpeg_absent`; blocked when the file is absent; interrupted when the signal aborts
 *
 * @example
 * ```ts
 * import assert from 'node:assert/strict'
 * import { decodeAudio } from './decode-audio.ts'
 *
 * await assert.rejects(decodeAudio('/no/such.wav', { sampleRate: 16000, secondsMax: 30 }), { exit: 'blocked' })
 * ```
 */
export async function decodeAudio(path: string, o: DecodeOptions): Promise<DecodedAudio> {
  const known = readWav(path, o)
  if (known !== null) return known
  if (statSync(path).size === 0)
    throw refuse('audio_unsupported', `Cannot decode "${path}": it is empty`, 'record it again')
  return throughFfmpeg(path, o)
}

const refuse = (code: AudioErrorCode, message: string, hint: string, cause?: unknown) =>
  new RunbookError(code === 'ffmpeg_absent' ? 'blocked' : 'usage', message, hint, { code, cause })

/** The samples of a PCM WAV, or null for what our reader does not read. */
function readWav(path: string, { sampleRate, secondsMax }: DecodeOptions): DecodedAudio | null {
  try {
    using source = openMono(path, sampleRate)
    if (source.totalSamples > secondsMax * sampleRate) throw tooLong(path, source.totalSamples / sampleRate, secondsMax)
    const samples = Float32Array.from(source.read(source.totalSamples))
    return { samples, seconds: samples.length / sampleRate, by: 'wav' }
  } catch (thrown) {
    if (exitNameOf(thrown) === 'usage' && !hasCode(thrown, 'audio_too_long')) return null
    throw thrown
  }
}

const tooLong = (path: string, seconds: number, most: number) =>
  refuse(
    'audio_too_long',
    `Cannot use "${path}": it lasts ${seconds.toFixed(1)} s of at most ${most} s`,
    'split the recording',
  )

async function throughFfmpeg(path: string, o: DecodeOptions): Promise<DecodedAudio> {
  const folder = mkdtempSync(join(tmpdir(), 'decode-'))
  try {
    const raw = join(folder, 'samples.f32')
    const log = join(folder, 'ffmpeg.log')
    const result = await exec(commandFor(path, raw, o), {
      logFile: log,
      timeoutMs: o.timeoutMs ?? 60_000,
      ...(o.signal && { signal: o.signal }),
    })
    if (o.signal?.aborted)
      throw new RunbookError('interrupted', `Cannot decode "${path}": it was cancelled`, 'try again')
    if (result.timedOut)
      throw refuse('audio_timeout', `Cannot decode "${path}": ffmpeg took too long`, `ffmpeg -i "${path}" out.wav`)
    if (result.exitCode !== 0)
      throw refuse('audio_unsupported', `Cannot decode "${path}": ${lastLine(log)}`, `ffprobe "${path}"`)
    return samplesOf(path, raw, o)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function commandFor(path: string, raw: string, { sampleRate, secondsMax }: DecodeOptions): string[] {
  const ffmpeg = program('ffmpeg')
  if (ffmpeg === null) {
    throw refuse(
      'ffmpeg_absent',
      `Cannot decode "${path}": it is no PCM WAV, and ffmpeg is not on PATH`,
      'sudo apt install ffmpeg',
    )
  }
  const prlimit = program('prlimit')
  const input =
    `-nostdin -hide_banner -loglevel error -threads 1 -protocol_whitelist file -format_whitelist ` + `${containers}`
  // One second more than is allowed tells a longer recording from one that just fits.
  const output = `-map 0:a:0 -vn -sn -dn -t ${secondsMax + 1} -ac 1 -ar ${sampleRate} -f f32le -y`
  const limits = prlimit === null ? [] : [prlimit, `--as=${memoryBytesMax}`]
  return [...limits, ffmpeg, ...input.split(' '), '-i', `file:${path}`, ...output.split(' '), raw]
}

function program(name: string): string | null {
  try {
    return findProgram(name)
  } catch {
    return null
  }
}

function samplesOf(path: string, raw: string, { sampleRate, secondsMax }: DecodeOptions): DecodedAudio {
  const bytes = statSync(raw).size
  if (bytes < 4) throw refuse('audio_empty', `Cannot use "${path}": there is no sound in it`, `ffprobe "${path}"`)
  const seconds = bytes / 4 / sampleRate
  if (seconds > secondsMax) throw tooLong(path, seconds, secondsMax)
  const samples = new Float32Array(Uint8Array.from(readFileSync(raw)).buffer, 0, Math.floor(bytes / 4))
  const broken = samples.findIndex(value => !Number.isFinite(value))
  if (broken >= 0)
    throw refuse('audio_unsupported', `Cannot use "${path}": sample ${broken} is not a number`, `ffprobe "${path}"`)
  return { samples, seconds, by: 'ffmpeg' }
}

/** What ffmpeg said last, without the file's path before it. */
function lastLine(log: string): string {
  const lines = readFileSync(log, 'utf8')
    .split('\n')
    .filter(line => line.trim() !== '')
  return (lines.at(-1) ?? 'ffmpeg said nothing').replace(/^file:.*?: /, '').trim()
}
