/**
 * Makes a rung of a ladder from a ConvTasNet.
 *
 * Its graph is authored, its weights are seeded or read, its calibration windows are cut to its input, and the names
 * that the compiler must keep are written down. Nothing is made before the rung's turn comes.
 */
import { modelScript } from '../../../compile/dfc/model-script.ts'
import { encodeModel, type ModelProto } from '../../../formats/onnx/index.ts'
import { float32, type Tensor } from '../../../formats/tensors/tensor.ts'
import type { LadderCase, PreparedCase } from '../../../ladder/types.ts'
import { convTasNetGraph } from '../../../models/convtasnet/graph.ts'
import { runTag, sizesOf, type ConvTasNetOptions } from '../../../models/convtasnet/options.ts'
import { loadWeights, seededWeights } from '../../../models/convtasnet/weights.ts'
import { trainedWeights } from '../training/contract.ts'
import { inspect } from '../../../onnx/inspect.ts'
import { frameSignal } from '../../../signal/frames.ts'
import type { Calibration } from './calibration.ts'
import type { CaseConfig } from './summary.ts'

/** What every rung of a search is prepared with. */
export interface CaseSetting {
  readonly calibration: Calibration
  readonly calibrationSamples: number
  readonly batchSize: number
  readonly quick: boolean
  /** More model-script commands. */
  readonly scriptExtra: string
  /** A weights file; undefined for the trained weights that ship, and seeded ones where there are none. */
  readonly weights: string | undefined
}

/** A rung whose graph is in memory. */
export interface ConvTasNetCase extends LadderCase<CaseConfig> {
  prepare(): Promise<PreparedCase & { readonly onnx: Uint8Array }>
}

/**
 * A rung made from a ConvTasNet.
 * @param o.tag names it when one `runTag` serves several rungs
 * @param o.cut what to keep of the graph, for a part of it; the whole by default
 * @throws by `prepare`: usage for weights that do not fit, blocked for a file that is absent
 */
export function convTasNetCase(
  options: ConvTasNetOptions,
  setting: CaseSetting,
  o: { tag?: string; cut?: (whole: ModelProto) => ModelProto } = {},
): ConvTasNetCase {
  const { tag = runTag(options), cut = whole => whole } = o
  return {
    tag,
    config: sizesOf(options),
    async prepare() {
      const path = setting.weights ?? trainedWeights(options)?.path
      const weights = path === undefined ? seededWeights(options) : await loadWeights(path, options)
      const model = cut(convTasNetGraph(options, weights))
      const name = model.graph!.input[0]!.name
      const { parameters, macs, weightBytes, peakActivationBytes } = inspect(model)
      return {
        onnx: encodeModel(model),
        inputs: [{ name, shape: feedOf(new Float32Array(options.inputLen), options).shape }],
        outputs: model.graph!.output.map(output => output.name),
        modelScript: modelScript({ ...setting, extra: setting.scriptExtra }),
        description: { convtasnet: options },
        facts: { parameters, macs, weightBytes, peakActivationBytes },
        samples: () =>
          setting.calibration
            .windows(options.inputLen, setting.calibrationSamples)
            .map(window => ({ [name]: feedOf(window, options) })),
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
