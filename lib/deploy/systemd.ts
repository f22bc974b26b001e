/**
 * Unit files as data, and steps for a service: reloaded, enabled, running the newest program, healthy.
 *
 * In a root that is not live only what systemd can do offline is done (`systemctl --root=DIR enable`); the rest says
 * `not here`.
 */
import { setTimeout as wait } from 'node:timers/promises'
import { asError, blockedError } from '../base/errors.ts'
import { mustRun, type Target } from './target.ts'
import { differs, holds, notHere, type Finding, type Step, type StepContext } from './steps.ts'

/** A unit file: sections in order, each a list of directives; a directive may stand several times. */
export type Unit = Readonly<Record<string, readonly (readonly [directive: string, value: string])[]>>

/**
 * The text of a unit file.
 * @throws {RangeError} for a value with a line break, which would be a directive of its own
 *
 * @example
 * ```ts
 * import assert from 'node:assert/strict'
 * import { renderUnit } from './systemd.ts'
 *
 * const unit = renderUnit({ Service: [['Type', 'simple'], ['Restart', 'always']] })
 * assert.equal(unit, '[Service]\nType=simple\nRestart=always\n')
 * ```
 */
export function renderUnit(unit: Unit): string {
  const sections = Object.entries(unit).map(([name, directives]) => {
    const lines = directives.map(([directive, value]) => {
      if (/[\r\n]/.test(value)) throw new RangeError(`${directive} of [${name}] has a line break in its value`)
      return `${directive}=${value}`
    })
    return [`[${name}]`, ...lines].join('\n')
  })
  return `${sections.join('\n\n')}\n`
}

/** A quoted word for ExecStart and Environment: systemd splits at spaces, and reads `%` and `$`. */
export function unitWord(word: string): string {
  const escaped = word.replaceAll('%', '%%').replaceAll('$', '$$$$').replaceAll('\\', '\\\\').replaceAll('"', '\\"')
  return /^[\w@%+=:,./-]+$/.test(word) ? escaped : `"${escaped}"`
}

const hint = (unit: string) => `journalctl -u ${unit} -n 50 --no-pager`
const offline = (target: Target): string[] => (target.root === '/' || target.isLive ? [] : [`--root=${target.root}`])
const followed = (context: StepContext, names: readonly string[]) => names.some(name => context.changed.has(name))

/** The manager has read the unit files again after one of the named steps changed one. */
export const reloadStep = (target: Target, after: readonly string[]): Step => ({
  name: 'systemd reload',
  check(context) {
    if (!followed(context, after)) return holds('no unit changed')
    return target.isLive
      ? differs('units changed', 'systemctl daemon-reload')
      : notHere('this root has no running manager')
  },
  apply: async () => void (await mustRun(target, ['systemctl', 'daemon-reload'], 'systemctl status')),
  confirm: () => holds('reloaded'),
})

/** The unit starts with the machine, or does not. */
export function enabledStep(target: Target, unit: string, wanted = true): Step {
  const verb = wanted ? 'enable' : 'disable'
  return {
    name: `${unit} ${wanted ? 'enabled' : 'disabled'}`,
    async check() {
      const { stdout } = await target.run(['systemctl', ...offline(target), 'is-enabled', unit])
      const state = stdout.trim() || 'unknown'
      return (state === 'enabled') === wanted ? holds(state) : differs(state, `systemctl ${verb}`)
    },
    apply: async () => void (await mustRun(target, ['systemctl', ...offline(target), verb, unit], hint(unit))),
  }
}

/** The service runs, and was started after the last of the named steps changed something. */
export function runningStep(target: Target, unit: string, after: readonly string[]): Step {
  const isActive = async () => (await target.run(['systemctl', 'is-active', unit])).stdout.trim()
  return {
    name: `${unit} running`,
    async check(context) {
      if (!target.isLive) return notHere('this root has no running manager')
      const state = await isActive()
      if (state !== 'active') return differs(state || 'not known', 'systemctl restart')
      return followed(context, after) ? differs('running what was there before', 'systemctl restart') : holds('active')
    },
    apply: async () => void (await mustRun(target, ['systemctl', 'restart', unit], hint(unit))),
    async confirm(): Promise<Finding> {
      const state = await isActive()
      return state === 'active' ? holds('active') : differs(state, 'systemctl restart')
    },
  }
}

/** The service does not run, for removal. */
export function stoppedStep(target: Target, unit: string): Step {
  return {
    name: `${unit} stopped`,
    async check() {
      if (!target.isLive) return notHere('this root has no running manager')
      const state = (await target.run(['systemctl', 'is-active', unit])).stdout.trim()
      return state === 'active' || state === 'activating'
        ? differs(state, 'systemctl stop')
        : holds(state || 'not known')
    },
    apply: async () => void (await mustRun(target, ['systemctl', 'stop', unit], hint(unit))),
  }
}

/** An address that answers with 2xx within a time; looked at again and again until then. */
export function healthStep(target: Target, url: string, o: { unit: string; timeoutMs: number }): Step {
  const look = async (): Promise<string | null> => {
    try {
      const answer = await fetch(url, { signal: AbortSignal.timeout(2000) })
      return answer.ok ? null : `HTTP ${answer.status}`
    } catch (thrown) {
      return String((asError(thrown).cause as Error | undefined)?.message ?? asError(thrown).message)
    }
  }
  return {
    name: `${url} answers`,
    async check(context) {
      if (!target.isLive) return notHere('this root has no running service')
      const deadline = performance.now() + (context.dryRun ? 0 : o.timeoutMs)
      for (;;) {
        const problem = await look()
        if (problem === null) return holds('2xx')
        if (context.dryRun) return differs(problem, 'wait for it')
        if (performance.now() >= deadline) throw blockedError(`Cannot reach "${url}": ${problem}`, hint(o.unit))
        await wait(Math.min(500, o.timeoutMs))
      }
    },
    apply: () => {},
  }
}
