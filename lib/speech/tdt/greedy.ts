/**
 * Greedy TDT decoding by label looping, as NeMo's default strategy does it, one joint evaluation at a time.
 *
 * The machine owns no network. It says which frame to ask the joint about, takes the logits, and says what to do next:
 * ask again, feed the predictor first, or stop. So one implementation serves a synchronous loop, an asynchronous one, a
 * batched joint and a test's table; and a stream carries on where it stopped, jumps over chunks included.
 *
 * @example two frames: token 1 for one frame, then blank
 * ```ts
 * const greedy = new GreedyTdt({ vocabSize: 2, durations: [0, 1], maxSymbols: 10 })
 * greedy.begin(2)                                    // 'joint', about frame 0
 * greedy.step(Float32Array.of(0, 9, 0, 0, 9))        // 'predict' token 1, then ask about frame 1
 * greedy.step(Float32Array.of(0, 0, 9, 0, 9))        // 'done'
 * greedy.tokens.toArray()                            // [1]
 * ```
 */
import { usageError } from '../../base/errors.ts'
import { IntList } from './int-list.ts'
import { checkRules, jointWidth, type TdtRules } from './rules.ts'

/** What to do next: ask the joint about `frame`, feed the predictor `token` and then ask, or wait for more frames. */
export type TdtAction = 'joint' | 'predict' | 'predict-done' | 'done'

/** One evaluation of the joint, as an observer sees it. `frame` counts from the beginning of the stream. */
export type TdtObserver = (
  frame: number,
  label: number,
  durationIndex: number,
  logits: Float32Array,
  at: number,
) => void

/** Decodes a stream of encoder frames that come in chunks. */
export class GreedyTdt {
  readonly rules: TdtRules
  /** The hypothesis so far: pieces, the frames at which they begin (from the stream's start), and frames they last. */
  readonly tokens = new IntList()
  readonly timestamps = new IntList()
  readonly durations = new IntList()
  /** Sum of the raw logits of the emitted tokens. */
  score = 0
  /** How often the joint was asked. */
  evaluations = 0
  /** The frame to ask about, from the beginning of the chunk. */
  frame = 0
  /** The last emitted token; blank until there is one. */
  lastToken: number
  #frames = 0
  #offset = 0
  #carry = 0
  #lastFrame = -1
  #onFrame = 0
  readonly #width: number
  readonly #observer: TdtObserver | undefined

  /** @throws RunbookError usage when decoding by the rules need not end */
  constructor(rules: TdtRules, { observer }: { observer?: TdtObserver } = {}) {
    this.rules = checkRules(rules)
    this.lastToken = rules.vocabSize
    this.#width = jointWidth(rules)
    this.#observer = observer
  }

  /** Frames by which the last jump reached beyond the frames seen so far; they are skipped in the next chunk. */
  get timeJump(): number {
    return this.#carry
  }

  /** Frames of all chunks so far. */
  get decodedFrames(): number {
    return this.#offset + this.#frames
  }

  /** Forget everything, for the next recording. */
  reset(): void {
    this.tokens.clear()
    this.timestamps.clear()
    this.durations.clear()
    this.score = 0
    this.evaluations = 0
    this.frame = 0
    this.lastToken = this.rules.vocabSize
    this.#frames = this.#offset = this.#carry = this.#onFrame = 0
    this.#lastFrame = -1
  }

  /**
   * Begin the next chunk of the stream.
   * @param frames how many encoder frames it has; 0 is a chunk too
   * @throws RunbookError usage when `frames` is no count
   */
  begin(frames: number): TdtAction {
    if (!(Number.isSafeInteger(frames) && frames >= 0))
      throw usageError(`Cannot decode "${frames}" frames: it is no count`, 'give the length of the encoder output')
    this.#offset += this.#frames
    this.#frames = frames
    // CONTRACT: a jump beyond the end of a chunk goes on in the next one.
    // SOURCE: decision D-300
    // WHY: a chunk that begins at frame 0 again hears frames that were skipped, and repeats their words.
    this.frame = this.#carry
    this.#lastFrame = -1
    this.#onFrame = 0
    return this.#pause()
  }

  /**
   * Take the joint's answer about `frame`.
   * @param logits token outputs, blank, duration outputs, from index `at`
   * @throws RunbookError usage when there are too few, or one is not finite
   */
  step(logits: Float32Array, at = 0): TdtAction {
    const { vocabSize, durations, maxSymbols } = this.rules
    if (logits.length < at + this.#width) throw tooFew(logits.length - at, this.#width)
    const label = argmaxFinite(logits, at, at + vocabSize + 1)
    const index = argmaxFinite(logits, at + vocabSize + 1, at + this.#width)
    const asked = this.frame
    this.evaluations++
    if (this.#observer !== undefined) this.#observer(this.#offset + asked, label, index, logits, at)
    const isBlank = label === vocabSize
    // CONTRACT: a blank of duration 0 moves on by one frame.
    // SOURCE: contracts/parakeet-tdt-0.6b-v3.contract.json#/decode/blank_duration_zero_policy
    // WHY: asking again about the same frame with the same state gives the same answer for ever.
    const duration = isBlank && durations[index] === 0 ? 1 : durations[index]!
    this.frame = asked + duration
    if (isBlank) return this.#pause()
    this.tokens.push(label)
    this.timestamps.push(this.#offset + asked)
    this.durations.push(duration)
    this.score += logits[at + label]!
    this.lastToken = label
    this.#onFrame = asked === this.#lastFrame ? this.#onFrame + 1 : 1
    this.#lastFrame = asked
    if (this.frame === asked && this.#onFrame >= maxSymbols) this.frame++
    return this.#pause() === 'done' ? 'predict-done' : 'predict'
  }

  #pause(): TdtAction {
    if (this.frame < this.#frames) return 'joint'
    this.#carry = this.frame - this.#frames
    return 'done'
  }
}

/** Index of the largest of `values[from..to)` from `from`, the lowest of equals. Throws where one is not finite. */
function argmaxFinite(values: Float32Array, from: number, to: number): number {
  let best = values[from]!
  let least = best
  let index = from
  if (best !== best) throw notFinite(0, best)
  for (let i = from + 1; i < to; i++) {
    const value = values[i]!
    if (value <= best) {
      if (value < least) least = value
    } else {
      // Larger, or NaN: a NaN is not less than or equal to anything, so it comes here.
      if (value !== value) throw notFinite(i - from, value)
      best = value
      index = i
    }
  }
  if (!(least > -Infinity && best < Infinity)) throw notFinite(index - from, least > -Infinity ? best : least)
  return index - from
}

const notFinite = (output: number, value: number) =>
  usageError(
    `Cannot decode the joint's output ${output}: it is ${value}`,
    'compare the model with its reference, component by component',
  )

const tooFew = (have: number, want: number) =>
  usageError(
    `Cannot decode ${have} logits: the vocabulary, blank and the durations take ${want}`,
    'compare the width of the joint with the contract',
  )
