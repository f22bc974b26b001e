/**
 * How does a person try the next knob? With one command that changes that one thing.
 *
 * A knob is words for a report line; here it becomes a change of the runbook's inputs. A knob that is no input of ours (another
 * compiler version, a host with a GPU) stays words.
 */
import { runTag } from '../models/convtasnet/options.ts'
import { commandWith } from '../notebook/command.ts'
import type { Inputs } from '../notebook/inputs.ts'
import type { Run } from '../notebook/session.ts'
import type { CaseResult } from './case.ts'
import type { CaseConfig, Knob } from './next-knob.ts'

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

/** The change of inputs that tries a knob; null when it is none of ours. `last` is the rung that failed last. */
export function knobChange(change: string, last: CaseConfig | undefined): KnobChange | null {
  const flag = /^(?:[^-]*: )?--([a-z-]+) ([^\s:,]+)/.exec(change)
  if (flag) return { inputs: { [nameFromFlag(flag[1]!)]: flag[2]! }, script: null }
  if (change.startsWith('QUICK_OPT=0')) return { inputs: { quickOpt: false }, script: null }
  const reduced = /^reduce ([a-z_/ ]+): \d+ -> (\d+)/.exec(change)
  if (reduced && last && sizes[reduced[1]!]) {
    const values = Object.fromEntries(sizes[reduced[1]!]!.map(name => [name, Number(reduced[2])]))
    return { inputs: { config: runTag({ ...last, ...values }), from: undefined, until: undefined }, script: null }
  }
  const command = /^\w+\([^)]*\)/.exec(change)
  return command ? { inputs: {}, script: command[0] } : null
}

const nameFromFlag = (flag: string): string => flag.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())

/** The sweep's command with the knob turned; the knob's own words where it is no input of ours. A script knob is written to the run. */
export function knobCommand(knob: Knob, o: {
  results: readonly CaseResult[]; declared: Inputs; inputs: Readonly<Record<string, unknown>>; run: Run; scriptExtra: string
}): string {
  const last = o.results.findLast(result => result.status === 'failed')?.config
  const change = knobChange(knob.change, last)
  if (change === null) return knob.change
  const script = change.script === null ? {} : { modelScript: `${o.run.shown}/next_knob.alls` }
  if (change.script !== null) o.run.write('next_knob.alls', `${o.scriptExtra.trimEnd()}\n${change.script}\n`.trimStart())
  return commandWith('runbooks/monolithic-sweep.ts', { declared: o.declared, values: o.inputs, change: { ...change.inputs, ...script } })
}
