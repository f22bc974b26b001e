/**
 * Keeps the likeliest hypotheses side by side until enough of them have ended.
 *
 * Source: BeamSearchDecoder of openai/whisper, decoding.py, with a patience of 1.
 */
import { logSumExp } from './filters.ts'
import { surest, type Hypothesis, type Search } from './search.ts'

interface Branch extends Hypothesis {
  readonly score: number
  /** The sequence that it goes on from. */
  readonly source: number
}

/**
 * The surest of `size` hypotheses.
 *
 * @throws the signal's reason once it is aborted
 */
export async function beamSearch(search: Search, size: number): Promise<Hypothesis> {
  const { network, filter, endOfText, most, signal } = search
  const ended: Branch[] = []
  let live: Branch[] = [{ tokens: [], logProbabilities: [], score: 0, source: 0 }]
  let logits = search.first
  for (let length = 0; length < most; length++) {
    signal?.throwIfAborted()
    const width = logits.length / live.length
    const candidates = live.flatMap((branch, i) => {
      const own = logits.subarray(i * width, (i + 1) * width)
      filter(own, branch.tokens)
      return grown({ ...branch, source: i }, own, size + 1)
    })
    const next: Branch[] = []
    const newlyEnded: Branch[] = []
    for (const branch of candidates.toSorted((a, b) => b.score - a.score)) {
      if (branch.tokens.at(-1) === endOfText) newlyEnded.push({ ...branch, tokens: branch.tokens.slice(0, -1) })
      else next.push(branch)
      if (next.length === size) break
    }
    ended.push(...newlyEnded.slice(0, size - ended.length))
    live = next
    if (ended.length >= size || live.length === 0 || length + 1 >= most) break
    network.choose(live.map(({ source }) => source))
    logits = await network.append(live.map(({ tokens }) => [tokens.at(-1)!]))
  }
  const unfinished = live.toSorted((a, b) => b.score - a.score)
  const all = [...ended, ...unfinished.slice(0, Math.max(0, size - ended.length))]
  return surest(all)
}

/** The `count` likeliest continuations of a branch. */
function grown(branch: Branch, logits: Float32Array, count: number): Branch[] {
  const total = logSumExp(logits)
  return likeliest(logits, count).map(token => {
    const logProbability = logits[token]! - total
    return {
      tokens: [...branch.tokens, token],
      logProbabilities: [...branch.logProbabilities, logProbability],
      score: branch.score + logProbability,
      source: branch.source,
    }
  })
}

/** Where the `count` largest logits stand, the largest first; fewer when the others are -Infinity. */
function likeliest(logits: Float32Array, count: number): number[] {
  const found: number[] = []
  for (let i = 0; i < logits.length; i++) {
    const value = logits[i]!
    if (value === -Infinity || Number.isNaN(value)) continue
    if (found.length === count && value <= logits[found.at(-1)!]!) continue
    let at = found.length
    while (at > 0 && logits[found[at - 1]!]! < value) at--
    found.splice(at, 0, i)
    if (found.length > count) found.pop()
  }
  return found
}
