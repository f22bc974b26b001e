/**
 * The rungs that a compiler is offered: the exported forms of one encoder, most wanted first, with real windows.
 */
import { resolve } from 'node:path'
import { float32 } from '../../../formats/tensors/tensor.ts'
import type { Toolchain } from '../../../compile/toolchain.ts'
import type { LadderCase } from '../../../ladder/types.ts'
import { tcnEndNodes, tcnFeed, tcnInput, tcnInputShape, tcnLatent, tcnLogits } from '../../../models/tcn/graph.ts'
import type { TcnForm } from '../../../models/tcn/graph.ts'
import { seededRandom } from '../../../base/random.ts'
import { edgeinferContract } from '../contract.ts'
import { startsEvery, windowsOf, type DataSet } from '../data/recording.ts'
import type { ExportConfig } from '../export/config.ts'
import { standardise } from '../window/layout.ts'

/** What describes a rung: the form of the graph, and its file. */
export interface FormConfig {
  readonly form: TcnForm
  readonly file: string
}

/** Conv2d first, for that is what Hailo's parser knows best; then the exporter's form, then the plain one. */
const order: readonly TcnForm[] = ['nchw', 'sliced', 'causal']

/** `count` standardised windows of the training recordings, drawn from all of their starts by the contract's seed. */
export function calibrationWindows(data: DataSet, count: number): Float32Array[] {
  const train = data.recordings.filter(({ split }) => split === 'train')
  const all = windowsOf(train, startsEvery(0.1))
  const { seed } = edgeinferContract().model
  return seededRandom(seed)
    .shuffled(all)
    .slice(0, count)
    .map(({ window }) => standardise(window))
}

/** One rung for each exported form. */
export function formCases(
  folder: string,
  config: ExportConfig,
  o: { windows: readonly Float32Array[]; toolchain: Toolchain['name'] },
): LadderCase<FormConfig>[] {
  const exported = config.files.filter(({ stage }) => stage === 'exported')
  return order.flatMap(form => {
    const entry = exported.find(file => file.form === form)
    if (entry === undefined) return []
    // Hailo's graph ends at the two linear layers; behind them only axes of one are dropped.
    const cutsEnd = o.toolchain === 'dfc' && form === 'nchw'
    return [
      {
        tag: `tcn_encoder_${form}`,
        config: { form, file: entry.file },
        prepare: () => ({
          onnx: resolve(folder, entry.file),
          inputs: [{ name: tcnInput, shape: tcnInputShape(form) }],
          outputs: cutsEnd ? tcnEndNodes.map(node => `${node}_out`) : [tcnLatent, tcnLogits],
          modelScript: '',
          description: { normalization: config.normalization, channel_order: config.input.channel_order, form },
          samples: () => o.windows.map(window => ({ [tcnInput]: float32(tcnInputShape(form), tcnFeed(form, window)) })),
        }),
      },
    ]
  })
}
