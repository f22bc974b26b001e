/**
 * Beam search for TDT: several hypotheses side by side, each expanded at its own frame.
 *
 * Modified adaptive expansion: at a frame a hypothesis is extended by the best pairs of token and duration, within
 * `gamma` of its best one. Hypotheses that say the same and stand at the same frame are one, and their probabilities
 * add. Scores are log-probabilities of the token among tokens plus of the duration among durations. With a width of 1
 * it makes the choices of greedy decoding. Source: paper: Kim et al., Accelerating RNN Transducer Inference via
 * Adaptive Expansion Search (2020); TDT, 2304.06795.
 */
import { usageError } from '../../base/errors.ts'
import type { Boosting } from './boosting.ts'
import { checkRules, type TdtRules } from './rules.ts'

/** A predictor whose states are values, so that hypotheses may share and keep them. */
export interface BeamNetworks<State> {
  /** The state after blank, at the beginning. */
  begin(): Promise<State>
  /** The state after one more token. */
  predict(state: State, token: number): Promise<State>
  /** Logits of one frame against a state; read before the next call. */
  joint(state: State, frame: number): Promise<Float32Array>
}

/** How wide the search is. */
export interface BeamOptions {
  readonly width: number
  /** Pairs whose log-probability lies more than this below the best of a hypothesis are not tried. */
  readonly gamma?: number
  /** Phrases whose tokens are made likelier. */
  readonly boosting?: Boosting
}

/** One answer of a search. `timestamps` are the frames at which tokens begin. */
export interface BeamHypothesis {
  readonly tokens: readonly number[]
  readonly timestamps: readonly number[]
  readonly durations: readonly number[]
  readonly score: number
}

interface Open<State> extends BeamHypothesis {
  readonly state: State
  readonly frame: number
  /** Tokens on the present frame. */
  readonly onFrame: number
  readonly place: number
}

const gammaUsual = 2.3

/**
 * Search over `frames` encoder frames; the best hypothesis first, no two with the same tokens, and the first never less
 * likely than what a width of 1 finds.
 * @throws RunbookError usage when the width is no count, or a logit is not finite
 */
export async function beamSearch<State>(
  rules: TdtRules,
  networks: BeamNetworks<State>,
  frames: number,
  { width, gamma = gammaUsual, boosting }: BeamOptions,
): Promise<BeamHypothesis[]> {
  checkRules(rules)
  if (!(Number.isSafeInteger(width) && width >= 1))
    throw usageError(`Cannot search with a beam of ${width}`, 'give 1 or more')
  const search = (wide: number) => finished(frames, { rules, networks, width: wide, gamma, boosting })
  const found = await search(width)
  // What greedy decoding says may have been pruned on the way, where each step of it looked worse than others did.
  const all = width === 1 ? found : [...found, ...(await search(1))]
  const distinct = new Map(all.toSorted((a, b) => -byScore(a, b)).map(open => [open.tokens.join(' '), open]))
  return [...distinct.values()]
    .toSorted(byScore)
    .slice(0, width)
    .map(({ tokens, timestamps, durations, score }) => ({ tokens, timestamps, durations, score }))
}

/** The hypotheses of a search of one width that have heard every frame. */
async function finished<State>(frames: number, setting: Setting<State>): Promise<Open<State>[]> {
  const empty = { tokens: [], timestamps: [], durations: [], score: 0 }
  let beam: Open<State>[] = [{ ...empty, state: await setting.networks.begin(), frame: 0, onFrame: 0, place: 0 }]
  for (;;) {
    const behind = beam.filter(({ frame }) => frame < frames)
    if (behind.length === 0) return beam
    // Those furthest behind move first, so that hypotheses are compared at about the same frame.
    const first = Math.min(...behind.map(({ frame }) => frame))
    const next = beam.filter(({ frame }) => frame !== first)
    for (const open of behind.filter(({ frame }) => frame === first)) next.push(...(await expanded(open, setting)))
    // Behind the last frame it does not matter how far a jump reached.
    const clipped = next.map(open => (open.frame > frames ? { ...open, frame: frames } : open))
    beam = merged(clipped).toSorted(byScore).slice(0, setting.width)
  }
}

const byScore = (a: BeamHypothesis, b: BeamHypothesis) => b.score - a.score

interface Setting<State> {
  readonly rules: TdtRules
  readonly networks: BeamNetworks<State>
  readonly width: number
  readonly gamma: number
  readonly boosting: Boosting | undefined
}

async function expanded<State>(open: Open<State>, setting: Setting<State>): Promise<Open<State>[]> {
  const { rules, networks, width, gamma, boosting } = setting
  const { vocabSize, durations, maxSymbols } = rules
  const logits = await networks.joint(open.state, open.frame)
  const tokens = logProbabilities(logits, 0, vocabSize + 1)
  boosting?.add(tokens, open.place)
  const lengths = logProbabilities(logits, vocabSize + 1, vocabSize + 1 + durations.length)
  const pairs = best(tokens, width).flatMap(token =>
    best(lengths, width).map(index => ({ token, index, p: tokens[token]! + lengths[index]! })),
  )
  pairs.sort((a, b) => b.p - a.p || a.token - b.token || a.index - b.index)
  const kept = pairs.slice(0, width).filter(({ p }) => p >= pairs[0]!.p - gamma)
  return await Promise.all(
    kept.map(async ({ token, index, p }) => {
      const isBlank = token === vocabSize
      const duration = isBlank && durations[index] === 0 ? 1 : durations[index]!
      const score = open.score + p
      if (isBlank) return { ...open, score, frame: open.frame + duration, onFrame: 0 }
      const onFrame = open.onFrame + 1
      const isFull = duration === 0 && onFrame >= maxSymbols
      return {
        tokens: [...open.tokens, token],
        timestamps: [...open.timestamps, open.frame],
        durations: [...open.durations, duration],
        score,
        state: await networks.predict(open.state, token),
        frame: open.frame + (isFull ? 1 : duration),
        onFrame: duration === 0 && !isFull ? onFrame : 0,
        place: boosting?.next(open.place, token) ?? 0,
      }
    }),
  )
}

/** Log-softmax of some logits. Throws where one is not finite. */
function logProbabilities(logits: Float32Array, from: number, to: number): Float64Array {
  const part = Float64Array.from(logits.subarray(from, to))
  let top = -Infinity
  for (const value of part) {
    if (!Number.isFinite(value))
      throw usageError(`Cannot search: a logit is ${value}`, 'compare the model with its reference')
    if (value > top) top = value
  }
  const log = top + Math.log(part.reduce((sum, value) => sum + Math.exp(value - top), 0))
  return part.map(value => value - log)
}

/** The indices of the `count` largest, the lowest index first among equals. */
function best(values: Float64Array, count: number): number[] {
  const chosen: number[] = []
  for (let i = 0; i < values.length; i++) {
    if (chosen.length === count && values[i]! <= values[chosen.at(-1)!]!) continue
    let at = chosen.length
    while (at > 0 && values[chosen[at - 1]!]! < values[i]!) at--
    chosen.splice(at, 0, i)
    if (chosen.length > count) chosen.pop()
  }
  return chosen
}

/** Hypotheses of the same tokens at the same frame are one: the likelier stays, with both probabilities. */
function merged<State>(beam: readonly Open<State>[]): Open<State>[] {
  const byKey = new Map<string, Open<State>>()
  for (const open of beam) {
    const key = `${open.frame} ${open.tokens.join(' ')}`
    const other = byKey.get(key)
    if (other === undefined) {
      byKey.set(key, open)
      continue
    }
    const [high, low] = open.score > other.score ? [open, other] : [other, open]
    byKey.set(key, { ...high, score: high.score + Math.log1p(Math.exp(low.score - high.score)) })
  }
  return [...byKey.values()]
}
