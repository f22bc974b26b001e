/**
 * Makes phrases likelier during a beam search: names and words that a model seldom heard.
 *
 * The phrases form a tree of tokens. A hypothesis stands at a place in it; tokens that lead on from there, or that
 * begin a phrase, gain `bonus`. A phrase that breaks off falls back to the longest beginning that still fits.
 */
import { usageError } from '../../base/errors.ts'

interface Place {
  readonly next: Map<number, number>
  fall: number
}

/** A set of phrases to boost. */
export class Boosting {
  readonly #places: Place[] = [{ next: new Map(), fall: 0 }]
  readonly #bonus: number

  /**
   * @param phrases as tokens
   * @param bonus added to the log-probability of each token that goes on with a phrase
   * @throws RunbookError usage when a phrase is empty, or the bonus is not finite
   */
  constructor(phrases: readonly (readonly number[])[], bonus: number) {
    if (!Number.isFinite(bonus)) throw usageError(`Cannot boost by ${bonus}`, 'give a number, such as 1.5')
    this.#bonus = bonus
    for (const phrase of phrases) {
      if (phrase.length === 0) throw usageError('Cannot boost a phrase without tokens', 'leave it out')
      let at = 0
      for (const token of phrase) at = this.#child(at, token)
    }
    this.#link()
  }

  /** Add the bonus to the tokens that go on from a place. */
  add(logProbabilities: Float64Array, place: number): void {
    const seen = new Set<number>()
    for (let at = place; ; at = this.#places[at]!.fall) {
      for (const token of this.#places[at]!.next.keys()) seen.add(token)
      if (at === 0) break
    }
    for (const token of seen) if (token < logProbabilities.length) logProbabilities[token]! += this.#bonus
  }

  /** The place after one more token. */
  next(place: number, token: number): number {
    for (let at = place; ; at = this.#places[at]!.fall) {
      const child = this.#places[at]!.next.get(token)
      if (child !== undefined) return child
      if (at === 0) return 0
    }
  }

  #child(at: number, token: number): number {
    const known = this.#places[at]!.next.get(token)
    if (known !== undefined) return known
    this.#places.push({ next: new Map(), fall: 0 })
    this.#places[at]!.next.set(token, this.#places.length - 1)
    return this.#places.length - 1
  }

  /** Where a phrase that breaks off goes on: breadth first, as Aho and Corasick link their automaton. */
  #link(): void {
    const pending = [...this.#places[0]!.next.values()]
    for (let i = 0; i < pending.length; i++) {
      const at = this.#places[pending[i]!]!
      for (const [token, child] of at.next) {
        this.#places[child]!.fall = this.next(at.fall, token)
        pending.push(child)
      }
    }
  }
}
