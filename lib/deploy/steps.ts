/**
 * Changes a machine in steps that look first and act only where something differs.
 *
 * A step says what it found. If that is not what it wants it acts, and then looks again: a step whose second look still
 * differs has failed, whatever its commands said. A second run of the same steps therefore changes nothing.
 */
import { asError, RunbookError } from '../base/errors.ts'

/**
 * What a look found: nothing to do, something that people should know, something to change, or nothing that can be done
 * on this machine.
 */
export type Finding =
  | { readonly state: 'ok'; readonly found: string }
  | { readonly state: 'warning'; readonly found: string }
  | { readonly state: 'differs'; readonly found: string; readonly change: string }
  | { readonly state: 'not here'; readonly found: string }

/** What the steps before have done, so that a step can follow them: a service restarts after its program changed. */
export interface StepContext {
  /** Names of the steps that changed something, or would change it in a dry run. */
  readonly changed: ReadonlySet<string>
  readonly dryRun: boolean
}

/** One thing about a machine that should be so. */
export interface Step {
  /** Unique among the steps of one list, such as `folder /var/lib/hailo-whisper`. */
  readonly name: string
  /** Look, and change nothing. */
  check(context: StepContext): Finding | Promise<Finding>
  /** Make it so. Called only after a check that said `differs`. */
  apply(context: StepContext): void | Promise<void>
  /** The look after the change. `check` when absent; an action without a trace, such as a reload, needs its own. */
  confirm?(context: StepContext): Finding | Promise<Finding>
}

/** How one step ended. `not here`: this machine cannot do it, such as starting a service in another root. */
export type StepStatus = 'ok' | 'warning' | 'changed' | 'would change' | 'failed' | 'not here' | 'not reached'

/** A step's outcome, as a row of a report. */
export interface StepResult {
  readonly name: string
  readonly status: StepStatus
  readonly detail: string
  /** What helps, where the step failed. */
  readonly hint: string
  /** The error that ended the step, for the exit code of the whole; null where none did. */
  readonly error: Error | null
}

/** How a list of steps is taken. */
export interface ApplyOptions {
  /** Look at every step and change nothing. */
  readonly dryRun?: boolean
  /** Look at every step, also after one that failed: for audits. Without it the first failure ends the list. */
  readonly keepGoing?: boolean
  readonly onResult?: (result: StepResult) => void
}

/**
 * Take steps in order, and tell how each ended. Never throws for a step's own failure.
 *
 * @example
 * ```ts
 * import assert from 'node:assert/strict'
 * import { applySteps, type Step } from './steps.ts'
 *
 * let lamp = false
 * const on: Step = {
 *   name: 'lamp on',
 *   check: () => (lamp ? { state: 'ok', found: 'on' } : { state: 'differs', found: 'off', change: 'switch it on' }),
 *   apply: () => void (lamp = true),
 * }
 * assert.deepEqual((await applySteps([on])).map(step => step.status), ['changed'])
 * assert.deepEqual((await applySteps([on])).map(step => step.status), ['ok'])
 * ```
 */
export async function applySteps(steps: readonly Step[], options: ApplyOptions = {}): Promise<StepResult[]> {
  const { dryRun = false, keepGoing = dryRun, onResult } = options
  const names = steps.map(step => step.name)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw new RangeError(`two steps are called "${twice}"`)
  const changed = new Set<string>()
  const results: StepResult[] = []
  for (const step of steps) {
    const isOver = !keepGoing && results.some(result => result.status === 'failed')
    const result = isOver ? notReached(step) : await take(step, { changed, dryRun })
    if (result.status === 'changed' || result.status === 'would change') changed.add(step.name)
    results.push(result)
    onResult?.(result)
  }
  return results
}

const notReached = ({ name }: Step): StepResult => ({
  name,
  status: 'not reached',
  detail: 'a step before it failed',
  hint: '',
  error: null,
})

async function take(step: Step, context: StepContext): Promise<StepResult> {
  const end = (status: StepStatus, detail: string): StepResult => ({
    name: step.name,
    status,
    detail,
    hint: '',
    error: null,
  })
  try {
    const before = await step.check(context)
    if (before.state !== 'differs') return end(before.state, before.found)
    if (context.dryRun) return end('would change', `${before.found}: ${before.change}`)
    await step.apply(context)
    const after = await (step.confirm ?? step.check).call(step, context)
    return after.state === 'differs'
      ? end('failed', `${before.change} was done, and it is still ${after.found}`)
      : end('changed', before.change)
  } catch (thrown) {
    const error = asError(thrown)
    return { ...end('failed', error.message), hint: error instanceof RunbookError ? error.hint : '', error }
  }
}

/** How many steps ended in each way. */
export function countSteps(results: readonly StepResult[]): Record<StepStatus, number> {
  const counts = { ok: 0, warning: 0, changed: 0, 'would change': 0, failed: 0, 'not here': 0, 'not reached': 0 }
  for (const { status } of results) counts[status]++
  return counts
}

/** The finding of a step that holds. */
export const holds = (found: string): Finding => ({ state: 'ok', found })

/** The finding of a step that changes nothing, and that people should read. */
export const warns = (found: string): Finding => ({ state: 'warning', found })

/** The finding of a step that has something to change. */
export const differs = (found: string, change: string): Finding => ({ state: 'differs', found, change })

/** The finding of a step that this machine cannot take, with the reason. */
export const notHere = (found: string): Finding => ({ state: 'not here', found })
