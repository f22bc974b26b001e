/**
 * Renders how a run ended in one line that a person, a shell and an agent can read.
 *
 *   PASS monolithic-sweep gates=4/4 run=module_runs/20260223_052929 next="npx tsx runbooks/monolithic-infer.ts"
 */
import { exitCodes, exitNameOf, RunbookError, type ExitName } from '../../base/errors.ts'
import type { GateRecord, Report, VerdictName } from '../views/report.ts'

const verdicts: Record<ExitName, VerdictName> = {
  pass: 'PASS',
  fail: 'FAIL',
  usage: 'USAGE',
  blocked: 'BLOCKED',
  bug: 'BUG',
  interrupted: 'INTERRUPTED',
}

/** What gates say together: one failure is a failure, one blocked gate or none at all is blocked. */
export function exitNameOfGates(gates: readonly GateRecord[]): 'pass' | 'fail' | 'blocked' {
  if (gates.some(gate => gate.status === 'fail')) return 'fail'
  return gates.length === 0 || gates.some(gate => gate.status === 'blocked') ? 'blocked' : 'pass'
}

/** Verdict and exit code: an error decides before the gates do. */
export function verdictOf(gates: readonly GateRecord[], error: unknown): { verdict: VerdictName; exit: number } {
  const name = error === undefined ? exitNameOfGates(gates) : exitNameOf(error)
  return { verdict: verdicts[name], exit: exitCodes[name] }
}

/** What to do next: what the runbook proposed for this verdict, else the error's hint. */
export function nextStep(
  verdict: VerdictName,
  proposed: Readonly<Record<string, string | undefined>>,
  error: unknown,
): string | null {
  const own = proposed[verdict.toLowerCase()]
  return own ?? (error instanceof RunbookError ? error.hint : null)
}

/** The verdict line. */
export function verdictLine(report: Pick<Report, 'verdict' | 'runbook' | 'gates' | 'run' | 'next' | 'marks'>): string {
  const passed = report.gates.filter(gate => gate.status === 'pass').length
  const next = report.next === null ? '' : ` next=${quoted(report.next)}`
  const marks = Object.entries(report.marks)
    .map(([name, value]) => ` ${name}=${/^[\w.:-]+$/.test(value) ? value : quoted(value)}`)
    .join('')
  return `${report.verdict} ${report.runbook} gates=${passed}/${report.gates.length}${marks} run=${report.run}${next}`
}

/** Always one line, with inner quotes escaped. */
const quoted = (words: string): string => JSON.stringify(words)
