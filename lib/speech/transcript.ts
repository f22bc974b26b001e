/**
 * Writes what was said, with its times, as subtitles.
 *
 * Times are rounded to milliseconds as the reference implementation of Whisper rounds them, a half to the even
 * neighbour; an arrow in a text would end a cue's time line and becomes `->`.
 */

/** A stretch of speech with its times in seconds. */
export interface Cue {
  readonly start: number
  readonly end: number
  readonly text: string
}

/** Whole milliseconds of a time in seconds, never negative. */
export function millisecondsFromSeconds(seconds: number): number {
  const value = Math.max(0, seconds) * 1000
  const floor = Math.floor(value)
  if (value - floor !== 0.5) return Math.round(value)
  return floor % 2 === 0 ? floor : floor + 1
}

const padded = (value: number, digits: number) => String(value).padStart(digits, '0')

/** `HH:MM:SS,mmm`. */
export function srtTime(seconds: number): string {
  const { hours, rest, milliseconds } = parts(seconds)
  return `${padded(hours, 2)}:${rest},${milliseconds}`
}

/** `MM:SS.mmm`, with hours before it where there are any. */
export function vttTime(seconds: number): string {
  const { hours, rest, milliseconds } = parts(seconds)
  return `${hours > 0 ? `${padded(hours, 2)}:` : ''}${rest}.${milliseconds}`
}

function parts(seconds: number) {
  const all = millisecondsFromSeconds(seconds)
  const minutes = Math.floor(all / 60_000)
  return {
    hours: Math.floor(minutes / 60),
    rest: `${padded(minutes % 60, 2)}:${padded(Math.floor(all / 1000) % 60, 2)}`,
    milliseconds: padded(all % 1000, 3),
  }
}

const cueText = (text: string) => text.trim().replaceAll('-->', '->')

/**
 * SubRip: numbered cues, one empty line behind each. Empty for no cue.
 *
 * @example
 * ```ts
 * import assert from 'node:assert/strict'
 * import { srtFromCues } from './transcript.ts'
 *
 * const text = srtFromCues([{ start: 0, end: 1.5, text: ' Hello' }])
 * assert.equal(text, '1\n00:00:00,000 --> 00:00:01,500\nHello\n\n')
 * ```
 */
export const srtFromCues = (cues: readonly Cue[]): string =>
  cues.map((cue, i) => `${i + 1}\n${srtTime(cue.start)} --> ${srtTime(cue.end)}\n${cueText(cue.text)}\n\n`).join('')

/** WebVTT: its mark, then cues, one empty line behind each. */
export const vttFromCues = (cues: readonly Cue[]): string =>
  `WEBVTT\n\n${cues.map(cue => `${vttTime(cue.start)} --> ${vttTime(cue.end)}\n${cueText(cue.text)}\n\n`).join('')}`

/** The whole text of cues: as they follow each other, without white space around it. */
export const textFromCues = (cues: readonly Cue[]): string =>
  cues
    .map(({ text }) => text)
    .join('')
    .trim()
