/**
 * Turns a change into one command that a person can paste.
 *
 * A change that is no input of ours (another compiler version, a host with a GPU) has no command.
 */
import { bucketOf } from '../../../failure/buckets.ts'
import { runTag, sizesOf } from '../../../models/convtasnet/options.ts'
import { flagFromName } from '../../../notebook/inputs/argv.ts'
import { commandWith } from '../../../notebook/inputs/command.ts'
import type { Inputs } from '../../../notebook/inputs/inputs.ts'
import type { Run } from '../../../notebook/run/session.ts'
import { candidatesFor } from './candidates.ts'
import { changeText, reducedConfig, type Change } from './change.ts'
import { ladderConfigs } from '../contract.ts'
import type { Failure } from '../../../failure/classify.ts'
import type { Knob } from './next-knob.ts'
import type { CaseConfig } from '../search/summary.ts'
import { runbookCommand } from '../../../host/typescript.ts'

const sweep = 'runbooks/monolithic-sweep.ts'

/** The change of inputs that tries a change; null when it is none of ours. `config` is the rung that is reduced. */
function inputsOf(change: Change, config: CaseConfig | null): Readonly<Record<string, unknown>> | null {
  if (change.kind === 'input') return { [change.name]: change.value }
  if (change.kind === 'reduce') return config === null ? null : { config: runTag(reducedConfig(config, change)) }
  return change.kind === 'script' || change.kind === 'resume' ? {} : null
}

/** What a command is made from. */
export interface CommandSetting {
  readonly declared: Inputs
  readonly inputs: Readonly<Record<string, unknown>>
  readonly run: Pick<Run, 'shown' | 'ts' | 'write'>
  /** The model script's extra commands. */
  readonly scriptExtra: string
}

/**
 * The sweep's command with the knob turned; the change in words where it is no input of ours. The run gets the file of
 * a script change, with the earlier extra commands in it.
 *
 * What named a part of the old ladder goes when the ladder or the rung changes. An earlier run is taken over only where
 * nothing about the cases changed: after a failure of the machine, or of a time limit.
 */
export function knobCommand(knob: Knob, o: CommandSetting): string {
  const { change } = knob
  const turnedInputs = inputsOf(change, knob.config)
  if (turnedInputs === null) return changeText(change)
  const isScript = change.kind === 'script'
  const script = isScript ? { modelScript: `${o.run.shown}/next_knob.alls` } : {}
  if (isScript) o.run.write('next_knob.alls', `${o.scriptExtra.trimEnd()}\n${change.command}\n`.trimStart())
  const isOther = 'ladder' in turnedInputs || 'config' in turnedInputs
  const part = isOther ? { from: undefined, until: undefined, config: undefined } : {}
  const turned = Object.keys(turnedInputs).filter(name => name !== 'caseTimeoutMin')
  const isSame = turned.length === 0 && !isScript && knob.bucket !== null && bucketOf(knob.bucket).stage === 'any'
  return commandWith(sweep, {
    declared: o.declared,
    values: o.inputs,
    change: { ...part, resume: isSame ? o.run.ts : undefined, ...turnedInputs, ...limits(knob, o.inputs), ...script },
  })
}

/** Both limits, raised where the knob needs more time; they are never lowered. */
function limits({ caseMinutes }: Knob, inputs: Readonly<Record<string, unknown>>): Record<string, number> {
  if (caseMinutes === null) return {}
  const raised = (name: string) => Math.max(caseMinutes, Number(inputs[name] ?? 0))
  return { caseTimeoutMin: raised('caseTimeoutMin'), timeLimitMin: raised('timeLimitMin') }
}

/** The sweep's command for what a log by itself asks for; null when that is no input of the sweep. */
export function bareCommand(failure: Failure): string | null {
  const config = sizesOf(ladderConfigs('plan')[0]!)
  const [change] = candidatesFor({ failure, config })
  if (change?.kind !== 'input') return null
  const { name, value } = change
  const flag = flagFromName(name)
  return runbookCommand(sweep, value === false ? [`--no-${flag}`] : [`--${flag}`, String(value)])
}
