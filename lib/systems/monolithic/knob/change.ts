/**
 * One change of a search, as data: an input, a model-script command, a smaller size, or something outside.
 *
 * What the program needs to know of a change is in its fields; `changeText` renders it last, and nothing reads the
 * words back.
 */
import type { Counter } from '../../../failure/log-reading.ts'
import { runTag } from '../../../models/convtasnet/options.ts'
import { flagFromName } from '../../../notebook/inputs/argv.ts'
import type { CaseConfig } from '../search/summary.ts'
import { runbookCommand } from '../../../host/typescript.ts'

/** A size that a search can reduce. `bnSkip` is the bottleneck and the skip channels together. */
export type ReducedSize = 'hidChan' | 'bnSkip' | 'nFilters' | 'nBlocks' | 'inputLen'

/** One explicit change. */
export type Change =
  /** A rung compiled: nothing is to be changed. */
  | { readonly kind: 'none'; readonly config: CaseConfig }
  /** No case was attempted: run the same again. */
  | { readonly kind: 'again' }
  /** Nothing about the cases is at fault: take the finished ones over. */
  | { readonly kind: 'resume' }
  /** Another value of an input of the sweep. */
  | {
      readonly kind: 'input'
      readonly name: string
      readonly value: string | number | boolean
      readonly why?: string
    }
  /** A command for the compiler's model script. `mapperTimeoutS`: the time that it gives the mapper for a context. */
  | { readonly kind: 'script'; readonly command: string; readonly mapperTimeoutS?: number }
  /** A smaller size, because of a counter where one is over its limit. */
  | {
      readonly kind: 'reduce'
      readonly size: ReducedSize
      readonly from: number
      readonly to: number
      readonly counter?: Counter
    }
  /** Calibrate with a file of one's own. */
  | { readonly kind: 'calibrate'; readonly text: string }
  /** The plan's answer to mixed failures. */
  | { readonly kind: 'resolve'; readonly exceptionType: string }
  /** Ask another runbook. */
  | { readonly kind: 'runbook'; readonly path: string; readonly why: string; readonly flags?: string }
  /** Something outside: words for a person. */
  | { readonly kind: 'outside'; readonly text: string }

/** A change of one input of the sweep. */
export const inputChange = (name: string, value: string | number | boolean, why?: string): Change => ({
  kind: 'input',
  name,
  value,
  ...(why === undefined ? {} : { why }),
})

const sizeNames: Record<ReducedSize, string> = {
  hidChan: 'hid_chan',
  bnSkip: 'bn_chan/skip_chan together',
  nFilters: 'n_filters',
  nBlocks: 'n_blocks',
  inputLen: 'input_len',
}

/** A change in words, on one line. */
export function changeText(change: Change): string {
  switch (change.kind) {
    case 'none':
      return `none: ${runTag(change.config)} compiled`
    case 'again':
      return 'run the sweep again: no case was attempted'
    case 'resume':
      return 'go on with --resume'
    case 'input':
      return inputText(change)
    case 'script':
      return change.command
    case 'reduce': {
      const { size, from, to, counter } = change
      const because = counter ? ` (${counter.name} ${counter.used}/${counter.available})` : ''
      return `reduce ${sizeNames[size]}: ${from} -> ${to}${because}`
    }
    case 'resolve':
      return `resolve non-allocator failure first: ${change.exceptionType}`
    case 'runbook':
      return `${change.why}: ${runbookCommand(change.path)}${change.flags ? ` ${change.flags}` : ''}`
    case 'calibrate':
    case 'outside':
      return change.text
  }
}

function inputText({ name, value, why }: Extract<Change, { kind: 'input' }>): string {
  const flag = flagFromName(name)
  const words = typeof value === 'boolean' ? `--${value ? '' : 'no-'}${flag}` : `--${flag} ${value}`
  return why === undefined ? words : `${words}: ${why}`
}

/** What two equal changes have in common, whatever is said of them. */
export function changeKey(change: Change): string {
  switch (change.kind) {
    case 'input':
      return `input ${change.name} ${change.value}`
    case 'script':
      return `script ${change.command}`
    case 'reduce':
      return `reduce ${change.size} ${change.to}`
    default:
      return changeText(change)
  }
}

/**
 * How long a case may take, in minutes, for a change that gives the mapper, or the case, more time; null for any other.
 */
export function caseMinutesFor(change: Change): number | null {
  // WHY: the mapper spends its budget on each context, and parsing and quantising come before it.
  // SOURCE: lib/systems/monolithic/knob/next-knob.test.ts
  // CONTRACT: a case gets half an hour more than the mapper's budget.
  if (change.kind === 'script') {
    return change.mapperTimeoutS === undefined ? null : Math.ceil(change.mapperTimeoutS / 60) + 30
  }
  return change.kind === 'input' && change.name === 'caseTimeoutMin' ? Number(change.value) : null
}

/**
 * The rung with a size reduced.
 * @returns the whole configuration, reduced from `config`
 */
export function reducedConfig(config: CaseConfig, { size, to }: Extract<Change, { kind: 'reduce' }>): CaseConfig {
  return size === 'bnSkip' ? { ...config, bnChan: to, skipChan: to } : { ...config, [size]: to }
}
