/**
 * Mixes several channels into one: their mean, sample for sample, so that what is alike in all channels keeps its
 * level.
 *
 * Weights, panning laws and surround layouts are left out.
 */
import { usageError } from '../base/errors.ts'

/**
 * One channel, as long as each of `channels`: their mean. A single channel comes back as it is, not copied.
 *
 * @throws RunbookError usage when there is no channel, or when their lengths differ
 */
export function mixdown(channels: readonly Float32Array[]): Float32Array {
  const [first] = channels
  if (first === undefined)
    throw usageError('Cannot mix down "the recording": it has no channel', 'check it (`ffprobe FILE`)')
  const odd = channels.find(channel => channel.length !== first.length)
  if (odd) {
    throw usageError(
      `Cannot mix down "the recording": its channels have ${first.length} and ${odd.length} samples`,
      'check it (`ffprobe FILE`)',
    )
  }
  if (channels.length === 1) return first
  const mono = new Float32Array(first.length)
  for (let i = 0; i < mono.length; i++) {
    let sum = 0
    for (const channel of channels) sum += channel[i]!
    mono[i] = sum / channels.length
  }
  return mono
}
