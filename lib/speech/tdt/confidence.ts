/**
 * Says how sure a decoder was: per evaluation of the joint, per token and per word, as NeMo computes it.
 *
 * The measure looks at the token outputs alone; durations have a measure of their own. All are 0 for a decoder that
 * knows nothing and 1 for one that is certain. Source:
 * NVIDIA-NeMo/NeMo@8cfedd72:nemo/collections/asr/parts/utils/asr_confidence_utils.py.
 */
import { usageError } from '../../base/errors.ts'
import type { TdtObserver } from './greedy.ts'
import type { TdtRules } from './rules.ts'

/** How confidence is measured. The contract's default is the entropy of Tsallis with alpha 0.33 and the exponential. */
export interface ConfidenceMethod {
  readonly name: 'entropy' | 'max_prob'
  readonly entropyType: 'tsallis' | 'gibbs' | 'renyi'
  readonly alpha: number
  readonly norm: 'lin' | 'exp'
}

/** How the confidences of several evaluations become one. */
export type Aggregation = 'min' | 'max' | 'mean' | 'prod'

/**
 * The confidence of one distribution, given as logits `[from, to)`.
 * @param classes of how many classes the least certain distribution would be; those of the logits by default
 * @throws RunbookError usage when alpha is not above 0
 */
export function confidenceOf(
  logits: ArrayLike<number>,
  from: number,
  to: number,
  method: ConfidenceMethod,
  classes: number = to - from,
): number {
  if (!(method.alpha > 0))
    throw usageError(`Cannot measure confidence with alpha ${method.alpha}`, 'give 0 < alpha <= 1')
  let top = -Infinity
  for (let i = from; i < to; i++) top = Math.max(top, logits[i]!)
  let total = 0
  for (let i = from; i < to; i++) total += Math.exp(logits[i]! - top)
  const shift = top + Math.log(total)
  if (method.name === 'max_prob') return maxProb(Math.exp(top - shift), classes, method.alpha)
  return byEntropy(logits, { from, to, shift, count: classes }, method)
}

function maxProb(p: number, count: number, alpha: number): number {
  if (alpha === 1) return (p * count - 1) / (count - 1)
  return (count ** alpha * p ** alpha - 1) / (count ** alpha - 1)
}

interface Distribution {
  readonly from: number
  readonly to: number
  readonly shift: number
  readonly count: number
}

function byEntropy(logits: ArrayLike<number>, d: Distribution, { entropyType, alpha, norm }: ConfidenceMethod): number {
  let [sum, plogp] = [0, 0]
  for (let i = d.from; i < d.to; i++) {
    const log = alpha * (logits[i]! - d.shift)
    const power = Math.exp(log)
    sum += power
    if (power > 0) plogp += power * log
  }
  const { count } = d
  const isShannon = alpha === 1
  if (isShannon || entropyType === 'gibbs') {
    const most = isShannon ? Math.log(count) : alpha * count ** (1 - alpha) * Math.log(count)
    return scaled(-plogp, most, norm)
  }
  if (entropyType === 'tsallis') {
    const most = (1 - count ** (1 - alpha)) / (1 - alpha)
    if (norm === 'lin') return 1 + (1 - sum) / (count ** (1 - alpha) - 1)
    return (Math.exp((1 - sum) / (1 - alpha)) - Math.exp(most)) / (1 - Math.exp(most))
  }
  if (norm === 'lin') return 1 - Math.log2(sum) / ((1 - alpha) * Math.log2(count))
  return (count * sum ** (1 / (alpha - 1)) - 1) / (count - 1)
}

const scaled = (entropy: number, most: number, norm: 'lin' | 'exp') =>
  norm === 'lin' ? 1 - entropy / most : (Math.exp(-entropy) - Math.exp(-most)) / (1 - Math.exp(-most))

/** One number of several; NaN of none. */
export function aggregated(values: readonly number[], how: Aggregation): number {
  if (values.length === 0) return NaN
  if (how === 'mean') return values.reduce((a, b) => a + b) / values.length
  if (how === 'prod') return values.reduce((a, b) => a * b)
  return values.reduce((a, b) => (how === 'min' ? Math.min(a, b) : Math.max(a, b)))
}

/** Settings of a recorder. */
export interface ConfidenceOptions {
  readonly method: ConfidenceMethod
  readonly aggregation: Aggregation
  /** Whether blanks that follow a token count with it. */
  readonly excludeBlank: boolean
  /** Whether the choice of the duration counts with that of the token. */
  readonly includeDuration: boolean
}

/** Watches a decoder and keeps the confidence of each token. Give `observe` to the decoder. */
export class ConfidenceRecorder {
  readonly #rules: TdtRules
  readonly #options: ConfidenceOptions
  readonly #frames: number[] = []
  readonly #tokens: number[][] = []
  readonly #all: number[] = []

  constructor(rules: TdtRules, options: ConfidenceOptions) {
    this.#rules = rules
    this.#options = options
  }

  readonly observe: TdtObserver = (frame, label, _, logits, at) => {
    const { vocabSize } = this.#rules
    const { method, excludeBlank, includeDuration, aggregation } = this.#options
    const split = at + vocabSize + 1
    const token = confidenceOf(logits, at, split, method)
    const value = includeDuration ? aggregated([token, this.#ofDuration(logits, split)], aggregation) : token
    this.#frames.push(frame)
    this.#all.push(value)
    if (label !== vocabSize) this.#tokens.push([value])
    else if (!excludeBlank) this.#tokens.at(-1)?.push(value)
  }

  /** NeMo scales the confidence of a duration as if it were chosen among as many classes as a token. */
  #ofDuration(logits: Float32Array, at: number): number {
    const { vocabSize, durations } = this.#rules
    return confidenceOf(logits, at, at + durations.length, this.#options.method, vocabSize + 1)
  }

  /** Each evaluation so far: its frame and its confidence. */
  evaluations(): { readonly frame: number; readonly confidence: number }[] {
    return this.#all.map((confidence, i) => ({ frame: this.#frames[i]!, confidence }))
  }

  /** The confidence of each token of the hypothesis. */
  tokens(): number[] {
    return this.#tokens.map(values => aggregated(values, this.#options.aggregation))
  }

  /** The confidence of spans of tokens, such as words. */
  spans(spans: readonly { readonly first: number; readonly last: number }[]): number[] {
    const tokens = this.tokens()
    return spans.map(({ first, last }) => aggregated(tokens.slice(first, last), this.#options.aggregation))
  }
}
