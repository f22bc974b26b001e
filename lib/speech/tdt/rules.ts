/**
 * The rules of TDT decoding: what a logit stands for, and what keeps decoding from going round for ever.
 */
import { usageError } from '../../base/errors.ts'

/**
 * Which outputs of the joint are tokens and which are durations. Outputs 0..vocabSize−1 are pieces, output `vocabSize`
 * is blank, and the outputs behind it choose an element of `durations`.
 */
export interface TdtRules {
  readonly vocabSize: number
  /** Frames that each duration output moves on, by position; not the position itself. */
  readonly durations: readonly number[]
  /** Tokens that may stand on one frame before decoding moves on. */
  readonly maxSymbols: number
}

/** Numbers that the joint gives for one frame. */
export const jointWidth = ({ vocabSize, durations }: TdtRules): number => vocabSize + 1 + durations.length

/**
 * Give the rules back when decoding with them must end.
 * @throws RunbookError usage when there is no guard on tokens for one frame, or a duration is negative or no whole
 *   number
 */
export function checkRules(rules: TdtRules): TdtRules {
  const { vocabSize, durations, maxSymbols } = rules
  const refuse = (state: string) => usageError(`Cannot decode TDT: ${state}`, 'take the values from the contract')
  // CONTRACT: the number of tokens on one frame is bounded.
  // SOURCE: contracts/parakeet-tdt-0.6b-v3.contract.json#/decode/max_symbols
  // WHY: with no bound, a token of duration 0 that follows itself never lets decoding end.
  if (!(Number.isSafeInteger(maxSymbols) && maxSymbols >= 1)) throw refuse(`max_symbols is ${maxSymbols}`)
  if (!(Number.isSafeInteger(vocabSize) && vocabSize >= 1)) throw refuse(`the vocabulary has ${vocabSize} pieces`)
  if (durations.length === 0 || !durations.every(d => Number.isSafeInteger(d) && d >= 0))
    throw refuse(`the durations are [${durations.join(', ')}]`)
  return rules
}
