/**
 * Brings log-mel spectrograms to the scale that a model was trained on.
 *
 * Whisper's kind: the loudest value of the recording sets a floor, and one line maps what is left to about -1 to 1.
 * NeMo's kind: each bin has mean 0 and deviation 1 over the frames that count.
 */
import type { MelSpectrogram } from './mel.ts'

/**
 * Whisper's scale, in place: nothing lies more than `range` below the loudest value; then (x + `shift`) / `scale`. The
 * loudest value is that of the whole spectrogram, so scale before cutting windows out of it.
 */
export function scaleToLoudest(
  { data }: MelSpectrogram,
  { range, shift, scale }: { range: number; shift: number; scale: number },
): void {
  let loudest = -Infinity
  for (let i = 0; i < data.length; i++) if (data[i]! > loudest) loudest = data[i]!
  const floor = loudest - range
  for (let i = 0; i < data.length; i++) data[i] = ((data[i]! < floor ? floor : data[i]!) + shift) / scale
}

/**
 * NeMo's `per_feature`, in place: each bin loses its mean over the first `validFrames` and is divided by its deviation
 * (with N - 1) plus `guard`; the frames behind are 0. One frame has no deviation: it becomes 0.
 */
export function normalisePerBin(
  { bins, frames, data }: MelSpectrogram,
  { validFrames, guard }: { validFrames: number; guard: number },
): void {
  const count = Math.min(frames, validFrames)
  for (let bin = 0; bin < bins; bin++) {
    const row = data.subarray(bin * frames, (bin + 1) * frames)
    let sum = 0
    for (let i = 0; i < count; i++) sum += row[i]!
    const mean = sum / count
    let squares = 0
    for (let i = 0; i < count; i++) squares += (row[i]! - mean) ** 2
    const deviation = count > 1 ? Math.sqrt(squares / (count - 1)) : 0
    for (let i = 0; i < count; i++) row[i] = (row[i]! - mean) / (deviation + guard)
    row.fill(0, count)
  }
}
