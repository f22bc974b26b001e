/**
 * How does a person try the next knob? With one command that changes that one thing.
 *
 * A knob is words for a report line; here it becomes a change of the runbook's inputs. A knob that is no input of ours
 * (another
 * compiler version, a host with a GPU) stays words.
 */
import { runTag } from '../../../models/convtasnet/options.ts'
import { flagFromName } from '../../../notebook/inputs/argv.ts'
import { shellWord } from '../../../base/text.ts'
import { commandWith } from '../../../notebook/inputs/command.ts'
import type { Inputs } from '../../../notebook/inputs/inputs.ts'
import type { Run } from '../../../notebook/run/session.ts'
import { bucketOf } from '../../../failure/buckets.ts'
import { searchInputs } from './search-inputs.ts'
import type { Knob } from './next-knob.ts'
import type { CaseConfig } from './summary.ts'

const sweep = 'runbooks/monolithic-sweep.ts'
const sizes: Record<string, readonly (keyof CaseConfig)[]> = {
  hid_chan: ['hidChan'],
  'bn_chan/skip_chan together': ['bnChan', 'skipChan'],
  n_filters: ['nFilters'],
  n_blocks: ['nBlocks'],
  input_len: ['inputLen'],
}

export interface KnobChange {
  /** Input name to its new value. */
  readonly inputs: Readonly<Record<string, unknown>>
  /** A model-script command to add, or null. */
  readonly script: string | null
}

/**
 * The change of inputs that tries a knob; null when it is none of ours. `config` is the rung that is reduced, where
 * one is.
 */
export function knobChange(change: string, config: CaseConfig | null): KnobChange | null {
  const flag = /^(?:[^-]*: )?--([a-z-]+) ([^\s:,]+)/.exec(change)
  if (flag) {
    const name = nameFromFlag(flag[1]!)
    return isTurned(name) ? { inputs: { [name]: flag[2]! }, script: null } : null
  }
  if (change.startsWith('QUICK_OPT=0')) return { inputs: { quickOpt: false }, script: null }
  const reduced = /^reduce ([a-z_/ ]+): \d+ -> (\d+)/.exec(change)
  if (reduced && config && sizes[reduced[1]!]) {
    const values = Object.fromEntries(sizes[reduced[1]!]!.map(name => [name, Number(reduced[2])]))
    return { inputs: { config: runTag({ ...config, ...values }) }, script: null }
  }
  const command = /^\w+\([^)]*\)/.exec(change)
  return command ? { inputs: {}, script: command[0] } : null
}

const nameFromFlag = (flag: string): string => flag.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())

/** Whether a knob may turn this input: one of a search, or the ladder, and not what only says where to begin. */
const isTurned = (name: string): boolean =>
  name === 'ladder' || (name !== 'resume' && Object.hasOwn(searchInputs(), name))

/**
 * The sweep's command with the knob turned; the knob's own words where it is no input of ours. The run gets the file
 * of a script
 * knob, with the earlier extra commands in it.
 *
 * What named a part of the old ladder goes when the ladder or the rung changes. An earlier run is taken over only
 * where nothing
 * about the cases changed: after a failure of the machine, or of a time limit.
 */
export function knobCommand(
  knob: Knob,
  o: {
    declared: Inputs
    inputs: Readonly<Record<string, unknown>>
    run: Pick<Run, 'shown' | 'ts' | 'write'>
    scriptExtra: string
  },
): string {
  const again = knob.bucket === 'aborted' ? { inputs: {}, script: null } : null
  const change = knobChange(knob.change, knob.config) ?? again
  if (change === null) return knob.change
  const script = change.script === null ? {} : { modelScript: `${o.run.shown}/next_knob.alls` }
  if (change.script !== null)
    o.run.write('next_knob.alls', `${o.scriptExtra.trimEnd()}\n${change.script}\n`.trimStart())
  const isOther = 'ladder' in change.inputs || 'config' in change.inputs
  const part = isOther ? { from: undefined, until: undefined, config: undefined } : {}
  const turned = Object.keys(change.inputs).filter(name => name !== 'caseTimeoutMin')
  const isSame =
    turned.length === 0 && change.script === null && knob.bucket !== null && bucketOf(knob.bucket).stage === 'any'
  return commandWith(sweep, {
    declared: o.declared,
    values: o.inputs,
    change: { ...part, resume: isSame ? o.run.ts : undefined, ...change.inputs, ...limits(knob, o.inputs), ...script },
  })
}

/** Both limits, raised where the knob needs more time; they are never lowered. */
function limits({ caseMinutes }: Knob, inputs: Readonly<Record<string, unknown>>): Record<string, number> {
  if (caseMinutes === null) return {}
  const raised = (name: string) => Math.max(caseMinutes, Number(inputs[name] ?? 0))
  return { caseTimeoutMin: raised('caseTimeoutMin'), timeLimitMin: raised('timeLimitMin') }
}

/** The sweep's command for a knob that some log asks for, by itself; null when it is no flag of the sweep. */
export function bareCommand(knob: string): string | null {
  const change = knobChange(knob, null)
  const [flag] = change === null || change.script !== null ? [] : Object.entries(change.inputs)
  if (!flag) return null
  const [name, value] = flag
  const words = value === false ? `--no-${flagFromName(name)}` : `--${flagFromName(name)} ${shellWord(String(value))}`
  return `npx tsx ${sweep} ${words}`
}
