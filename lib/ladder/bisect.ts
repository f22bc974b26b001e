/**
 * Finds the first that fails with as few questions as possible.
 *
 * For things that stand in an order in which everything behind a failure fails too: prefixes of a network, widths that
 * grow. What a question costs, and what counts as an answer, is the caller's.
 */

/**
 * The smallest `i` in [0, n) for which `passes(i)` is false, or null when all pass (and when n is 0).
 *
 * The last is asked first, so that "all pass" costs one question; then halves. At most ceil(log2(n)) + 1 questions,
 * none twice.
 *
 * It takes monotony for granted: when `i` fails, so does every `j > i`. Where that does not hold, what it gives is
 * still a boundary, and asked: `i` fails, and `i - 1` passes or `i` is 0. It need not be the smallest, and null then
 * means only that the last passes. Nothing here notices; whoever must know climbs in order.
 *
 * @throws RangeError when `n` is no count; whatever `passes` throws
 * @example
 * ```ts
 * const largestThatFits = 6
 * assert.equal(await firstFailing(10, i => i <= largestThatFits), 7)
 * ```
 */
export async function firstFailing(
  n: number,
  passes: (i: number) => boolean | Promise<boolean>,
): Promise<number | null> {
  if (!Number.isSafeInteger(n) || n < 0) throw new RangeError(`cannot bisect ${n} cases`)
  if (n === 0 || (await passes(n - 1))) return null
  let [low, high] = [0, n - 1]
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (await passes(middle)) low = middle + 1
    else high = middle
  }
  return high
}
