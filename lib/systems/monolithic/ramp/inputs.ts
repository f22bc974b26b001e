/**
 * Declares what a person may set for a prefix ramp, beside what every search takes.
 *
 * Apart from the ramp itself, so that `--help` loads none of it.
 */
import { ladderNames, monolithicContract, type LadderName } from '../contract.ts'
import { choice, number } from '../../../notebook/inputs/inputs.ts'
import { givenInputs } from '../given/inputs.ts'
import { searchInputs, type GraphValues } from '../search/search-inputs.ts'

/** What may grow, in the order in which it is tried. */
export const rampAxes = ['truncate', 'blocks', 'repeats', 'end-nodes'] as const
/** One of `rampAxes`. */
export type RampAxis = (typeof rampAxes)[number]

// CONTRACT: without other flags a ramp climbs a rung's channels with this many blocks and repeats.
// SOURCE: decision D-54
// WHY: the plan's rungs have two blocks and one repeat, too few to climb; the second repeat is the first that meets
// small dilations behind large ones, and a third meets nothing new.
/** Blocks and repeats of the network that is climbed, without other flags. */
export const rampDefaults = { nBlocks: 4, nRepeats: 2 } as const

/** The inputs of a ramp, those of a search included. */
export function rampInputs() {
  const { defaults } = monolithicContract()
  return {
    by: choice(['prefixes', ...rampAxes], {
      default: 'prefixes',
      help: 'what grows; prefixes: truncate, then blocks, then repeats',
    }),
    search: choice(['linear', 'bisect'], {
      default: 'linear',
      help: 'ask in order, or by halves; a --model is asked by halves unless the profile is extended',
    }),
    profile: choice(['focused', 'extended'], {
      env: 'PROFILE',
      default: defaults.profile,
      help: 'stop at the boundary, or ask every stage (linear: every case)',
    }),
    ladder: choice(ladderNames, { default: defaults.ladder, help: 'the ladder that the rung is taken from' }),
    rung: number({ integer: true, min: 1, default: 1, help: 'the rung whose channels are kept, 1 for the first' }),
    nBlocks: number({ integer: true, min: 1, default: rampDefaults.nBlocks, help: 'blocks of the whole network' }),
    nRepeats: number({ integer: true, min: 1, default: rampDefaults.nRepeats, help: 'repeats of the whole network' }),
    ...givenInputs(),
    ...searchInputs(),
  }
}

/** What decides the prefixes. */
export interface RampValues extends GraphValues {
  readonly by: 'prefixes' | RampAxis
  readonly ladder: LadderName
  readonly rung: number
  readonly nBlocks: number
  readonly nRepeats: number
}
