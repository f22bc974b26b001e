/**
 * Greedy decoding as NeMo's older, sequential strategy does it, kept as the peer that label looping is told apart from.
 */
import { argmax } from '../../parity/argmax.ts'
import type { TdtNetworks } from '../../speech/tdt/loop.ts'
import type { TdtRules } from '../../speech/tdt/rules.ts'

/** What both strategies answer. */
export interface Decoded {
  readonly tokens: number[]
  readonly timestamps: number[]
  readonly durations: number[]
}

/**
 * Counts blanks against the guard, asks again about a frame at blank of duration 0, and moves on after a full guard.
 */
export function decodeSequential(rules: TdtRules, networks: TdtNetworks, frames: number): Decoded {
  const { vocabSize, durations, maxSymbols } = rules
  const out: Decoded = { tokens: [], timestamps: [], durations: [] }
  for (let t = 0; t < frames;) {
    let [symbols, asksAgain] = [0, true]
    while (asksAgain && symbols < maxSymbols) {
      const logits = networks.joint(t)
      const label = argmax(logits, 0, vocabSize + 1)
      const skip = durations[argmax(logits, vocabSize + 1, vocabSize + 1 + durations.length)]!
      if (label !== vocabSize) {
        out.tokens.push(label)
        out.timestamps.push(t)
        out.durations.push(skip)
        networks.predict(label)
      }
      symbols++
      t += skip
      asksAgain = skip === 0
    }
    if (symbols === maxSymbols) t++
  }
  return out
}
