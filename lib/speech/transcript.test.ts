import assert from 'node:assert/strict'
import test from 'node:test'
import { millisecondsFromSeconds, srtFromCues, srtTime, textFromCues, vttFromCues, vttTime } from './transcript.ts'

const vectors = [
  [0, '00:00:00,000', '00:00.000'],
  [1, '00:00:01,000', '00:01.000'],
  [1.234, '00:00:01,234', '00:01.234'],
  [59.9995, '00:01:00,000', '01:00.000'],
  [60, '00:01:00,000', '01:00.000'],
  [61.234, '00:01:01,234', '01:01.234'],
  [3599.9999, '01:00:00,000', '01:00:00.000'],
  [3600, '01:00:00,000', '01:00:00.000'],
  [3601.234, '01:00:01,234', '01:00:01.234'],
  [23_423.4234, '06:30:23,423', '06:30:23.423'],
  [360_000, '100:00:00,000', '100:00:00.000'],
] as const

test('srtTime() and vttTime() write every vector', () => {
  for (const [seconds, srt, vtt] of vectors) assert.deepEqual([srtTime(seconds), vttTime(seconds)], [srt, vtt])
})

test('millisecondsFromSeconds() rounds a half to the even neighbour, and takes no negative time', () => {
  assert.deepEqual([0.0005, 0.0015, 0.0025, -1].map(millisecondsFromSeconds), [0, 2, 2, 0])
})

test('srtFromCues() and vttFromCues() keep an arrow and white space out of the cue', () => {
  const cues = [
    { start: 0, end: 1, text: ' a --> b ' },
    { start: 1, end: 2.5, text: ' c' },
  ]
  assert.equal(srtFromCues(cues), '1\n00:00:00,000 --> 00:00:01,000\na -> b\n\n2\n00:00:01,000 --> 00:00:02,500\nc\n\n')
  assert.equal(vttFromCues(cues), 'WEBVTT\n\n00:00.000 --> 00:01.000\na -> b\n\n00:01.000 --> 00:02.500\nc\n\n')
  assert.equal(textFromCues(cues), 'a --> b  c')
})

test('srtFromCues() and vttFromCues() are empty but valid when nothing was said', () => {
  assert.equal(srtFromCues([]), '')
  assert.equal(vttFromCues([]), 'WEBVTT\n\n')
})
