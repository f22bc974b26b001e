/**
 * Declares what a person may set for a sweep, and makes the rungs from it.
 *
 * Apart from the sweep itself, so that `--help` loads none of it.
 */
import { convTasNetOptions, sizesFromTag, type ConvTasNetOptions } from '../../../models/convtasnet/options.ts'
import { choice, file, folder, text, toggle } from '../../../notebook/inputs/inputs.ts'
import { ladderConfigs, ladderNames, monolithicContract, type LadderName } from '../contract.ts'
import { givenInputs } from '../given/inputs.ts'
import { graphChange, searchInputs, type GraphValues } from './search-inputs.ts'

/** The inputs of a sweep, those of a search included. */
export function sweepInputs() {
  const { defaults } = monolithicContract()
  return {
    profile: choice(['focused', 'extended'], {
      env: 'PROFILE',
      default: defaults.profile,
      help: 'stop at the first success, or try every rung',
    }),
    ladder: choice(ladderNames, {
      default: defaults.ladder,
      help: 'trained networks and then the plan, the plan alone, or the width in time falling',
    }),
    config: text({ optional: true, help: 'one rung of your own by its run tag, instead of a ladder' }),
    from: text({ optional: true, help: 'the first rung to try, by number or tag' }),
    until: text({ optional: true, help: 'the last rung to try' }),
    knob: choice(['evidence', 'plan'], {
      default: defaults.knob,
      help: 'how the next change is chosen when nothing compiles',
    }),
    mixWav: file({
      env: 'MIX_WAV',
      optional: true,
      help: 'the recording to separate; default: from LIBRIMIX_ROOT, else a shipped one',
    }),
    librimixRoot: folder({
      env: 'LIBRIMIX_ROOT',
      optional: true,
      late: true,
      help: 'a LibriMix folder to pick a recording from',
    }),
    ...givenInputs(),
    compileOnly: toggle({ help: 'end behind the compiler: this machine has no device, and the model goes to one' }),
    board: text({ default: 'pi@raspberrypi.local', help: 'where --compile-only copies the model, as for ssh' }),
    printWeights: toggle({ help: 'only list the names and shapes that --weights takes for the first rung' }),
    ...searchInputs(),
  }
}

/**
 * The ladder's rungs in their order, or the one that `config` names.
 * @throws RunbookError usage for a tag that is none, or for sizes and modes that contradict each other
 */
export function rungsOf(inputs: GraphValues & { ladder: LadderName; config: string | undefined }): ConvTasNetOptions[] {
  const rungs = ladderConfigs(inputs.ladder, graphChange(inputs))
  return inputs.config === undefined ? rungs : [convTasNetOptions({ ...rungs[0]!, ...sizesFromTag(inputs.config) })]
}
