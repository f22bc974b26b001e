/**
 * Which questions can this machine answer, and what keeps it from the others?
 *
 * A question wants the facts that name its need. One that is broken is a failure, one that is missing is absent: the
 * same words
 * as in every verdict. Its command starts as it stands; `winner.hef` and `winner.plan` stand for a compiled model of
 * one's own.
 */
import type { Fact, Need } from './fact.ts'

export interface Question {
  readonly need: Need
  readonly words: string
  readonly command: string
}

const infer = 'npx tsx runbooks/monolithic-infer.ts'

/** In the order of the table. */
export const questions: readonly Question[] = [
  { need: 'main', words: 'author, quantise and run on this CPU', command: 'npx tsx runbooks/monolithic-sweep.ts' },
  { need: 'dfc', words: 'compile HEFs', command: 'npx tsx runbooks/monolithic-sweep.ts --toolchain dfc' },
  { need: 'hailo', words: 'run HEFs on a Hailo device', command: `${infer} --backend hailort --model winner.hef` },
  { need: 'nvidia', words: 'run plans on an NVIDIA GPU', command: `${infer} --backend tensorrt --model winner.plan` },
]

/**
 * The questions, with a model that was compiled here in place of `winner.hef`. @param hef as the user would type it,
 * or null
 */
export const questionsWith = (hef: string | null): Question[] =>
  questions.map(question =>
    hef === null ? question : { ...question, command: question.command.replace('winner.hef', () => hef) },
  )

export interface Judged extends Question {
  readonly status: 'pass' | 'fail' | 'blocked'
  /** The facts that are wanted and not ok; broken ones first. */
  readonly lacking: readonly Fact[]
}

/** One question against the facts. A question that no fact speaks of is blocked: nothing was looked at. */
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
