/**
 * Chooses tokens one after the other: the likeliest, or at random by their probability.
 *
 * Source: GreedyDecoder and MaximumLikelihoodRanker of openai/whisper, decoding.py.
 */
import { RunbookError } from '../../base/errors.ts'
import { argmax, logSumExp, type Filter } from './filters.ts'
import type { WhisperNetwork } from './network.ts'

/** A sequence of tokens, and each one's natural log probability; that of the end stands last where it was reached. */
export interface Hypothesis {
  readonly tokens: readonly number[]
  readonly logProbabilities: readonly number[]
}

/** What a search goes by; the network has listened and was given all tokens before `first`. */
export interface Search {
  readonly network: WhisperNetwork
  readonly filter: Filter
  readonly endOfText: number
  /** Logits of the first token. The search writes to it. */
  readonly first: Float32Array
  /** How many tokens may be said. */
  readonly most: number
  readonly signal?: AbortSignal | undefined
}

/** The sum of log probabilities. */
export const sumOf = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

/** How sure a hypothesis is: its log probability for each token. */
export const sureness = ({ tokens, logProbabilities }: Hypothesis): number =>
  sumOf(logProbabilities) / Math.max(1, tokens.length)

/** The surest one, the first of equals. */
export const surest = <H extends Hypothesis>(hypotheses: readonly H[]): H =>
  hypotheses.reduce((best, other) => (sureness(other) > sureness(best) ? other : best))

/**
 * The likeliest token at each step.
 *
 * @throws the signal's reason once it is aborted
 */
export const greedy = (search: Search): Promise<Hypothesis> => drawn(search, 1, argmax)

/**
 * The surest of `count` sequences, drawn side by side.
 *
 * @throws the signal's reason once it is aborted
 */
export const sampled = (
  search: Search,
  { count, temperature, random }: { count: number; temperature: number; random: () => number },
): Promise<Hypothesis> => drawn(search, count, logits => sample(logits, temperature, random))

async function drawn(search: Search, count: number, pick: (logits: Float32Array) => number): Promise<Hypothesis> {
  const { network, filter, endOfText, most, first, signal } = search
  const drafts = Array.from({ length: count }, () => ({
    tokens: [] as number[],
    logProbabilities: [] as number[],
    ended: false,
  }))
  if (count > 1) network.choose(drafts.map(() => 0))
  let logits = first
  for (let length = 0; length < most; length++) {
    signal?.throwIfAborted()
    const chosen = drafts.map((draft, i) => {
      if (draft.ended) return endOfText
      // The first logits are everybody's; each needs its own copy, because filters write to it.
      const own = length === 0 ? first.slice() : logits.subarray(i * first.length, (i + 1) * first.length)
      filter(own, draft.tokens)
      const token = pick(own)
      if (token < 0) throw noToken()
      draft.logProbabilities.push(own[token]! - logSumExp(own))
      if (token === endOfText) draft.ended = true
      else draft.tokens.push(token)
      return token
    })
    if (length + 1 === most || drafts.every(({ ended }) => ended)) break
    logits = await network.append(chosen.map(token => [token]))
  }
  return surest(drafts)
}

/** A token at random, by its probability at a temperature. */
function sample(logits: Float32Array, temperature: number, random: () => number): number {
  const scaled = logits.map(logit => logit / temperature)
  const total = logSumExp(scaled)
  let rest = random()
  let last = -1
  for (let i = 0; i < scaled.length; i++) {
    const share = Math.exp(scaled[i]! - total)
    if (!(share > 0)) continue
    last = i
    rest -= share
    if (rest < 0) break
  }
  return last
}

const noToken = () =>
  new RunbookError(
    'fail',
    'Cannot choose a token: no logit of the network is a number that may be chosen',
    'export the model again, and compare it with its weights',
  )
