/**
 * What a labelled recording is, and how windows are cut from it.
 *
 * A window is one second at 100 Hz. A recording at another rate is interpolated linearly: sample k of the window is the
 * signal at `start + k / 100` seconds. Windows of one recording always stay in its split.
 */
import { edgeinferContract } from '../contract.ts'
import { windowChannels, windowSamples, windowSize } from '../window/layout.ts'

/** Which part of the data a recording belongs to. */
export type Split = 'train' | 'test'

/** A stretch of signal with one label. */
export interface Recording {
  /** Row-major [samples, channels]; 6 channels (no magnetometer) or 9. m/s², rad/s, µT. */
  readonly signal: Float32Array
  readonly channels: 6 | 9
  readonly rateHz: number
  /** Index into the labels of its data set; -1 without one. */
  readonly label: number
  readonly split: Split
  /** What it is called in messages and manifests. */
  readonly name: string
}

/** A data set that was read. */
export interface DataSet {
  readonly recordings: readonly Recording[]
  /** Names of the labels; empty where there are none. */
  readonly labels: readonly string[]
  /** Where it came from, for the evidence. */
  readonly from: string
}

/** One window and what is known of it. */
export interface LabelledWindow {
  /** Row-major [100, 9], raw units; channels that the recording lacks are zero. */
  readonly window: Float32Array
  readonly label: number
  readonly split: Split
  /** `<recording>@<start in seconds>`. */
  readonly name: string
}

const { rateHz } = edgeinferContract().model

/** Seconds that a window spans, from its first sample to its last. */
const span = (windowSamples - 1) / rateHz

/** How long a recording lasts, in seconds, from its first sample to its last. */
const lengthOf = ({ signal, channels, rateHz: own }: Recording) => (signal.length / channels - 1) / own

/** Whether a window that begins at `start` seconds fits. */
const fits = (recording: Recording, start: number) => start + span <= lengthOf(recording) + 1e-9

/** The window [100, 9] that begins at `start` seconds. It must fit. */
export function windowAt(recording: Recording, start: number): Float32Array {
  const { signal, channels, rateHz: own } = recording
  const window = new Float32Array(windowSize)
  const last = signal.length / channels - 1
  for (let k = 0; k < windowSamples; k++) {
    const at = (start + k / rateHz) * own
    const left = Math.min(last, Math.floor(at + 1e-9))
    const share = Math.max(0, at - left)
    const right = Math.min(last, left + 1)
    for (let c = 0; c < channels; c++) {
      const a = signal[left * channels + c]!
      window[k * windowChannels + c] = a + share * (signal[right * channels + c]! - a)
    }
  }
  return window
}

/** Windows of every recording at the given starts (those that fit), in order. */
export function windowsOf(
  recordings: readonly Recording[],
  starts: (recording: Recording) => readonly number[],
): LabelledWindow[] {
  return recordings.flatMap(recording =>
    starts(recording)
      .filter(start => fits(recording, start))
      .map(start => ({
        window: windowAt(recording, start),
        label: recording.label,
        split: recording.split,
        name: `${recording.name}@${Number(start.toFixed(3))}`,
      })),
  )
}

/** Starts every `hop` seconds, as many as fit. */
export const startsEvery =
  (hop: number) =>
  (recording: Recording): number[] =>
    Array.from({ length: Math.max(0, Math.floor((lengthOf(recording) - span + 1e-9) / hop) + 1) }, (_, i) => i * hop)
