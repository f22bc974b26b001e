/**
 * How does a ConvTasNet become a rung of a ladder?
 *
 * Its graph is authored, its weights are seeded or read, its calibration windows are cut to its input, and the names
 * that the
 * compiler must keep are written down. Nothing is made before the rung's turn comes.
 */
import { encodeModel } from '../../../formats/onnx/index.ts'
import { float32, type Tensor } from '../../../formats/tensors/tensor.ts'
import { convTasNetGraph } from '../../../models/convtasnet/graph.ts'
import { frameSignal } from '../../../signal/frames.ts'
import { runTag, type ConvTasNetOptions } from '../../../models/convtasnet/options.ts'
import { loadWeights, seededWeights } from '../../../models/convtasnet/weights.ts'
import { writeCalibration, type Calibration } from './calibration.ts'
import { modelScript } from '../../../compile/dfc/model-script.ts'
import type { LadderCase } from '../../../ladder/case.ts'

export interface CaseSetting {
  readonly calibration: Calibration
  readonly calibrationSamples: number
  readonly batchSize: number
  readonly quick: boolean
  /** More model-script commands. */
  readonly scriptExtra: string
  /** A weights file, or undefined for seeded weights. */
  readonly weights: string | undefined
}

/** A rung made from a ConvTasNet. `tag` names it when one `runTag` serves several rungs. */
export function convTasNetCase(options: ConvTasNetOptions, setting: CaseSetting, tag = runTag(options)): LadderCase {
  const { nFilters, bnChan, hidChan, skipChan, nBlocks, nRepeats, inputLen } = options
  return {
    tag,
    config: { nFilters, bnChan, hidChan, skipChan, nBlocks, nRepeats, inputLen },
    async prepare() {
      const weights =
        setting.weights === undefined ? seededWeights(options) : await loadWeights(setting.weights, options)
      const model = convTasNetGraph(options, weights)
      const samples = () =>
        setting.calibration.windows(inputLen, setting.calibrationSamples).map(window => feedOf(window, options))
      return {
        onnx: encodeModel(model),
        inputName: model.graph!.input[0]!.name,
        inputShape: feedOf(new Float32Array(inputLen), options).shape,
        endNodes: model.graph!.output.map(output => output.name),
        modelScript: modelScript({ ...setting, extra: setting.scriptExtra }),
        writeCalibration: (folder, layout) => writeCalibration(folder, { samples: samples(), layout }),
      }
    },
  }
}

/** A window as the graph takes it: float32[1, 1, 1, samples], or float32[1, kernel, 1, frames] for a framed encoder. */
export function feedOf(window: Float32Array, o: ConvTasNetOptions): Tensor {
  return o.encoderMode === 'framed'
    ? frameSignal(window, { kernel: o.kernelSize, stride: o.stride })
    : float32([1, 1, 1, window.length], window)
}
