/**
 * Turns weights of a stock ConvTasNet, with norms over the whole recording, into a model that is compiled as a given
 * one.
 */
import { readPlainEntry, readTensors } from '../../../models/weights-file.ts'
import { encodeModel } from '../../../formats/onnx/index.ts'
import { writeFileAtomic } from '../../../host/files.ts'
import type { SampleSource } from '../../../ladder/sample-source.ts'
import { float32 } from '../../../formats/tensors/tensor.ts'
import { sizesFromTag } from '../../../models/convtasnet/options.ts'
import { stockGraph } from '../../../models/convtasnet/stock/graph.ts'
import { isStock, stockNetwork, type StockSaid } from '../../../models/convtasnet/stock/network.ts'
import type { Calibration } from '../search/calibration.ts'

/** What a person says that decides the network. */
export interface StockValues {
  readonly weights: string | undefined
  readonly config: string | undefined
  readonly maskAct: string | undefined
  readonly sampleRate: number | undefined
}

/** The model that was authored. */
export interface StockModel {
  readonly path: string
  /** What a person must know, a sentence each. */
  readonly notes: readonly string[]
}

/** Samples of the window where nobody says: two seconds at 8 kHz, one at 16. */
const usualSamples = 16_000

/**
 * Author the network of `--weights` into a file; null where the weights are those of a rung.
 * @throws RunbookError as `readTensors` and `stockNetwork`
 */
export async function stockModel(values: StockValues, to: string): Promise<StockModel | null> {
  if (values.weights === undefined) return null
  const have = await readTensors(values.weights)
  if (!isStock(have)) return null
  const args = await readPlainEntry(values.weights, 'model_args')
  const sizes = values.config === undefined ? undefined : sizesFromTag(values.config)
  const network = stockNetwork(have, saidBy(args, { ...values, nBlocks: sizes?.nBlocks }), values.weights)
  const { stride } = network.sizes
  const inputLen = Math.max(1, Math.round((sizes?.inputLen ?? usualSamples) / stride)) * stride
  const sampleRate = values.sampleRate ?? numberIn(args, 'sample_rate')
  writeFileAtomic(to, encodeModel(stockGraph(network, { inputLen, sampleRate })))
  const { family, blocks } = network
  return {
    path: to,
    notes: [
      `${family}: ${blocks.length} blocks, ${network.sizes.nSrc} sources, a window of ${inputLen} samples`,
      'its norms are over the whole window: it equals the trained network on recordings of that length, and tiles of ' +
        'a longer one are not joined',
      ...network.assumed.map(words => `assumed: ${words}`),
    ],
  }
}

type Args = Readonly<Record<string, unknown>>

const numberIn = (args: Args, key: string): number | undefined =>
  typeof args[key] === 'number' ? args[key] : undefined
const textIn = (args: Args, key: string): string | undefined => (typeof args[key] === 'string' ? args[key] : undefined)

function saidBy(args: Args, o: StockValues & { readonly nBlocks: number | undefined }): StockSaid {
  return {
    nBlocks: o.nBlocks ?? numberIn(args, 'n_blocks'),
    maskAct: o.maskAct ?? textIn(args, 'mask_act'),
    normType: textIn(args, 'norm_type'),
    stride: numberIn(args, 'stride'),
    causal: args.causal === true,
  }
}

/** The windows of a search's own calibration, for a model that takes one row of sound. */
export const soundSource = (calibration: Calibration): SampleSource => ({
  from: calibration.from,
  isRandom: false,
  samples: ([input], count) => {
    const { name, shape } = input!
    return calibration.windows(shape.at(-1)!, count).map(window => ({ [name]: float32(shape, window) }))
  },
})
