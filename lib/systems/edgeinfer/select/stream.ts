/**
 * Chooses windows to label while they pass: about a share of them, the most uncertain ones.
 */

/** By how much one choice raises the threshold, as a share of the largest uncertainty that there is. */
const stepShare = 0.05

/**
 * A threshold on the uncertainty of what is offered. It rises after each choice and falls after each refusal, so that
 * the share is kept on a stream that changes.
 */
export class StreamSelector {
  readonly #share: number
  readonly #step: number
  #threshold = 0

  /** @param o.share of the stream to choose, 0 to 1; `o.range` the largest uncertainty that there is */
  constructor({ share, range }: { share: number; range: number }) {
    this.#share = share
    this.#step = stepShare * range
  }

  /** Whether to keep this one for labelling. With a share of 0 none is, with 1 all are. */
  offer(uncertainty: number): boolean {
    const isChosen = this.#share > 0 && uncertainty >= this.#threshold
    this.#threshold = Math.max(0, this.#threshold + this.#step * ((isChosen ? 1 : 0) - this.#share))
    return isChosen
  }
}
