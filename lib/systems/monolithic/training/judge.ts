/**
 * Judges a training: how well the voices come apart, and what float16, tiling, int8 and the runtime take away.
 */
import type { Gate } from '../../../notebook/run/session.ts'
import { voicesContract, type NetworkName } from './contract.ts'
import type { Measured } from './measure.ts'

/**
 * Judge what was measured, and say whether all is well.
 * @param o.isSmoke a short training, whose bound is lower and whose worst mixture is not judged
 */
export function gateTraining(
  gate: Gate,
  { scores, losses, pytorchDifference }: Measured,
  { network, isSmoke }: { readonly network: NetworkName; readonly isSmoke: boolean },
): boolean {
  const { gates } = voicesContract()
  const { mean, worst } = scores.float16!
  const bound = isSmoke ? gates.smokeSiSdriDbMin : gates.meanSiSdriDbMin[network]
  const unit = { unit: 'dB' }
  return [
    gate('SI-SDRi of held-out prompts, mean', mean, { atLeast: bound }, unit),
    ...(isSmoke ? [] : [gate('worst mixture', worst, { atLeast: gates.worstSiSdriDbMin[network] }, unit)]),
    gate('lost by float16, worst mixture', losses.float16.worst, { atMost: gates.float16LossDbMax }, unit),
    gate('lost by tiling, worst mixture', losses.tiling.worst, { atMost: gates.tilingLossDbMax }, unit),
    gate('lost by int8, mean', losses.int8.mean, { atMost: gates.int8LossDbMax }, unit),
    gate('largest difference from PyTorch', pytorchDifference, { atMost: gates.pytorchDifferenceMax }),
  ].every(Boolean)
}
