/**
 * Names the component at fault where the end of a chain of three differs: two feeders and a joiner.
 *
 * The joiner of the reference is asked about all four pairs of feeders, and the candidate's joiner about the
 * reference's pair. Whatever pair brings the difference names the component.
 */

/** What a swap compares: each feeder's output and the joiner, of the reference and of the candidate. */
export interface SwapSides<Feed, Answer> {
  readonly reference: { readonly left: Feed; readonly right: Feed; join(left: Feed, right: Feed): Promise<Answer> }
  readonly candidate: { readonly left: Feed; readonly right: Feed; join(left: Feed, right: Feed): Promise<Answer> }
  /** Whether an answer is the reference's own. */
  isSame(answer: Answer, reference: Answer): boolean
}

/** The verdict of a swap: each pair, and the components that changed the answer by themselves. */
export interface Swap {
  readonly guilty: readonly ('left' | 'right' | 'join')[]
  readonly pairs: readonly {
    readonly left: Side
    readonly right: Side
    readonly join: Side
    readonly isSame: boolean
  }[]
}

/** Whose component was used. */
export type Side = 'reference' | 'candidate'

/** Try every pair of feeders on the reference's joiner, and the candidate's joiner on the reference's feeders. */
export async function fourWaySwap<Feed, Answer>(sides: SwapSides<Feed, Answer>): Promise<Swap> {
  const { reference, candidate, isSame } = sides
  const truth = await reference.join(reference.left, reference.right)
  const feeds = { reference, candidate }
  const plan = [
    ['reference', 'reference', 'reference'],
    ['candidate', 'reference', 'reference'],
    ['reference', 'candidate', 'reference'],
    ['candidate', 'candidate', 'reference'],
    ['reference', 'reference', 'candidate'],
  ] as const
  const pairs: Swap['pairs'][number][] = []
  for (const [left, right, join] of plan) {
    const answer = await feeds[join].join(feeds[left].left, feeds[right].right)
    pairs.push({ left, right, join, isSame: isSame(answer, truth) })
  }
  const changed = [!pairs[1]!.isSame && 'left', !pairs[2]!.isSame && 'right', !pairs[4]!.isSame && 'join'] as const
  return { guilty: changed.filter(name => name !== false), pairs }
}
