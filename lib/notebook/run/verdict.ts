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

/** What a runbook proposed, by verdict. */
export interface Proposed {
  readonly next: Readonly<Record<string, string | undefined>>
  readonly hint: Readonly<Record<string, string | undefined>>
}

/**
 * What to do next. The command is what the runbook proposed for this verdict, else its help after wrong usage, else the
 * same command again when something outside was absent or somebody stopped it. The hint is what the runbook or the
 * error says.
 */
export function nextStep(
  report: Pick<Report, 'verdict' | 'command'>,
  o: { proposed: Proposed; error: unknown; help: string },
): { next: string | null; hint: string | null } {
  const name = report.verdict!.toLowerCase()
  const again = name === 'interrupted' || (name === 'blocked' && o.error !== undefined) ? report.command : null
  return {
    next: o.proposed.next[name] ?? (name === 'usage' ? o.help : again),
    hint: o.proposed.hint[name] ?? (o.error instanceof RunbookError && name !== 'interrupted' ? o.error.hint : null),
  }
}

/** The verdict line. */
export function verdictLine(
  report: Pick<Report, 'verdict' | 'runbook' | 'gates' | 'run' | 'next' | 'hint' | 'marks'>,
): string {
  const passed = report.gates.filter(gate => gate.status === 'pass').length
  const words = (['next', 'hint'] as const)
    .map(name => (report[name] === null ? '' : ` ${name}=${quoted(report[name])}`))
    .join('')
  const marks = Object.entries(report.marks)
    .map(([name, value]) => ` ${name}=${/^[\w.:-]+$/.test(value) ? value : quoted(value)}`)
    .join('')
  return `${report.verdict} ${report.runbook} gates=${passed}/${report.gates.length}${marks} run=${report.run}${words}`
}

/** Always one line, with inner quotes escaped. */
const quoted = (words: string): string => JSON.stringify(words)
