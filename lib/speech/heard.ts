/** Judges whether a transcription heard anything. */
import type { Gate } from '../notebook/run/session.ts'

/**
 * Judge the texts of some recordings: one with words is a pass, and none at all is no answer, because a model that is
 * broken says as little as one that is asked about silence.
 */
export function gateHeard(gate: Gate, texts: readonly string[]): void {
  const heard = texts.filter(text => /[\p{L}\p{N}]/u.test(text)).length
  if (heard > 0) gate('recordings with words', heard, { atLeast: 1 })
  else gate.blocked('recordings with words', 'nothing was heard: either nobody speaks, or the model is deaf')
}
