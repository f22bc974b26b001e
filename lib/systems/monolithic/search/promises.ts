/**
 * Says what the weights of a rung promise of its sources.
 *
 * Seeded weights have learnt nothing, but are made so that the sources add up to the mixture. Trained ones separate the
 * voices of the recordings that ship, and promise nothing of other voices. Of somebody's own weights nothing is known.
 */
import { isMixtureConsistent } from '../../../models/convtasnet/weights.ts'
import type { ConvTasNetOptions } from '../../../models/convtasnet/options.ts'
import { monolithicContract } from '../contract.ts'
import type { Recording } from '../pick-recording.ts'
import { trainedWeights, voicesContract } from '../training/contract.ts'

/** The bounds that a separation must keep, in dB; null where the weights promise nothing. */
export interface Promises {
  readonly mixtureDbMin: number | null
  readonly siSdriDbMin: number | null
}

/**
 * What must hold of the winner's sources.
 * @param o.weights somebody's own weights file
 */
export function promisesOf(
  rung: ConvTasNetOptions,
  o: { weights: string | undefined; recording: Recording },
): Promises {
  if (o.weights !== undefined) return { mixtureDbMin: null, siSdriDbMin: null }
  const trained = trainedWeights(rung)
  if (trained === null) {
    return {
      mixtureDbMin: isMixtureConsistent(rung) ? monolithicContract().gates.mixtureSnrDbMinInt8 : null,
      siSdriDbMin: null,
    }
  }
  const isKnown = o.recording.from === 'shipped' && o.recording.references !== null
  return { mixtureDbMin: null, siSdriDbMin: isKnown ? voicesContract().gates.worstSiSdriDbMin[trained.network] : null }
}
