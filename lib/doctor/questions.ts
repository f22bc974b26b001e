/**
 * Judges which questions a machine can answer, and what keeps it from the others.
 *
 * A question wants the facts that name its need. One that is broken is a failure, one that is missing is absent: the
 * same words as in every verdict. The commands are the runbook's own.
 */
import type { Fact, Need } from './fact.ts'

/** Something that a machine may be able to do. */
export interface Question {
  /** Which facts it wants. */
  readonly need: Need
  readonly words: string
  /** What answers it, ready to be pasted. */
  readonly command: string
}

const words: Readonly<Record<Need, string>> = {
  main: 'author, quantise and run on this CPU',
  dfc: 'compile HEFs',
  hailo: 'run HEFs on a Hailo device',
  nvidia: 'run plans on an NVIDIA GPU',
}

/** A question for each need, in the order of the table. @param commands what answers each */
export const questionsOf = (commands: Readonly<Record<Need, string>>): Question[] =>
  (Object.keys(words) as Need[]).map(need => ({ need, words: words[need], command: commands[need] }))

/** A question and its answer. */
export interface Judged extends Question {
  readonly status: 'pass' | 'fail' | 'blocked'
  /** The facts that are wanted and not ok; broken ones first. */
  readonly lacking: readonly Fact[]
}

/**
 * One question against the facts. A question that no fact speaks of is blocked: nothing was looked at.
 *
 * @example
 * ```ts
 * import { missing } from './lib/doctor/fact.ts'
 *
 * const question = { need: 'dfc', words: 'compile HEFs', command: 'npx tsx runbooks/monolithic-sweep.ts' } as const
 * const fact = missing('hailo', 'not on PATH', 'activate its virtualenv', ['dfc'])
 * assert.equal(judge(question, [fact]).status, 'blocked')
 * ```
 */
export function judge(question: Question, facts: readonly Fact[]): Judged {
  const wanted = facts.filter(({ needs }) => needs.includes(question.need))
  const withStatus = (status: Fact['status']) => wanted.filter(fact => fact.status === status)
  const lacking = [...withStatus('broken'), ...withStatus('missing')]
  const isWhole = lacking.length === 0 && wanted.length > 0
  return { ...question, status: withStatus('broken').length > 0 ? 'fail' : isWhole ? 'pass' : 'blocked', lacking }
}

/** One line for a question: `no   run HEFs on a Hailo device: Hailo board missing`. */
export function questionLine({ status, words, command, lacking }: Judged): string {
  if (status === 'pass') return `yes  ${words}: ${command}`
  return `no   ${words}: ${lacking.map(fact => `${fact.name} ${fact.status}`).join(', ') || 'nothing was looked at'}`
}

/** The facts that stand against any of these questions: what is broken anywhere, and what they lack. */
export const factsAgainst = (facts: readonly Fact[], wanted: readonly Judged[]): readonly Fact[] =>
  facts.filter(
    ({ status, needs }) =>
      status === 'broken' || (status === 'missing' && wanted.some(({ need }) => needs.includes(need))),
  )
