/**
 * A model folder of plans that the stand-in of TensorRT runs: a network small enough to be computed by hand too.
 *
 * The encoder doubles the features. The predictor adds a row of a table to its state, and the joint adds both.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { planBytes, type PlanNetwork } from '../../../ffi/testing/tensorrt/plan.ts'
import type { TensorRtVersion } from '../../../ffi/tensorrt/abi/abi.ts'
import { parakeetContract } from '../../systems/parakeet/contract/read.ts'
import { syntheticModel } from '../../systems/parakeet/export/sources.ts'
import { writeModelFolder } from '../../systems/parakeet/export/write-model.ts'
import type { ModelMeta } from '../../systems/parakeet/model/meta.ts'

const [width, vocab, durations] = [128, 32, 5]
const outputs = vocab + 1 + durations

/** A table of numbers between −1 and 1, by a seed. */
const table = (count: number, seed: number) =>
  Array.from({ length: count }, (_, i) => Math.fround((1e4 * Math.sin(12.9898 * (i + 1) + 78.233 * seed)) % 1))

/** The numbers of the network. */
export const planWeights = { embed: table(width * (vocab + 1), 1), joint: table(width * outputs, 2), outputs, width }

const any = [
  [1, width, 1],
  [1, width, 64],
  [1, width, 400],
] as const
const one = [[1], [1], [1]] as const

/**
 * Write the plans of a version, with the meta of a seeded model of these sizes.
 * @param fault added to every logit of a duration and to the frames of the encoder, as a wrong engine may have it
 */
export function writePlanFolder(folder: string, version: TensorRtVersion, { fault = 0 } = {}): ModelMeta {
  const contract = parakeetContract()
  const meta = writeModelFolder(folder, syntheticModel('tiny', contract, 1))
  const own: ModelMeta = {
    ...meta,
    encoder: { ...meta.encoder, d_model: width },
    predictor: { pred_hidden: width, pred_rnn_layers: 1 },
    streaming: null,
  }
  writeFileSync(join(folder, 'model_meta.json'), JSON.stringify(own))
  // TensorRT 8 has no int64: its parser makes such inputs int32.
  const integers = version.major < 10 ? 'int32' : 'int64'
  const plans = { encoder: encoderPlan(fault, integers), predictor: predictorPlan(integers), joint: jointPlan(fault) }
  for (const [name, plan] of Object.entries(plans))
    writeFileSync(join(folder, `${name}.plan`), planBytes(plan, version))
  return own
}

type Integers = 'int32' | 'int64'

const encoderPlan = (fault: number, integers: Integers): PlanNetwork => ({
  tensors: [
    { name: 'audio_signal', role: 'input', shape: [1, width, -1] },
    { name: 'length', role: 'input', dtype: integers, shape: [1] },
    { name: 'table', role: 'inner', shape: [1, 1] },
    { name: 'outputs', role: 'output', shape: [1, width, -1] },
    { name: 'encoded_lengths', role: 'output', dtype: integers, shape: [1] },
  ],
  ops: [
    { kind: 'embed', from: 'length', to: 'table', rows: 1, cols: 1, weight: [fault] },
    { kind: 'addRow', from: 'audio_signal', and: 'table', to: 'outputs' },
    { kind: 'copy', from: 'length', to: 'encoded_lengths' },
  ],
  profiles: [{ audio_signal: any, length: one }],
})

const predictorPlan = (integers: Integers): PlanNetwork => ({
  tensors: [
    { name: 'y', role: 'input', dtype: integers, shape: [1, 1] },
    { name: 'h', role: 'input', shape: [1, 1, width] },
    { name: 'c', role: 'input', shape: [1, 1, width] },
    { name: 'row', role: 'inner', shape: [1, 1, width] },
    { name: 'g', role: 'output', shape: [1, 1, width] },
    { name: 'h_out', role: 'output', shape: [1, 1, width] },
    { name: 'c_out', role: 'output', shape: [1, 1, width] },
  ],
  ops: [
    { kind: 'embed', from: 'y', to: 'row', rows: vocab + 1, cols: width, weight: planWeights.embed },
    { kind: 'copy', from: 'row', to: 'h_out' },
    { kind: 'addRow', from: 'row', and: 'c', to: 'c_out' },
    { kind: 'addRow', from: 'row', and: 'h', to: 'g' },
  ],
})

const jointPlan = (fault: number): PlanNetwork => ({
  tensors: [
    { name: 'encoder', role: 'input', shape: [1, -1, width] },
    { name: 'g', role: 'input', shape: [1, 1, width] },
    { name: 'sum', role: 'inner', shape: [1, -1, width] },
    { name: 'logits', role: 'output', shape: [1, -1, outputs] },
  ],
  ops: [
    { kind: 'addRow', from: 'encoder', and: 'g', to: 'sum' },
    {
      kind: 'dense',
      from: 'sum',
      to: 'logits',
      rows: outputs,
      cols: width,
      weight: planWeights.joint,
      bias: Array.from({ length: outputs }, (_, i) => (i === vocab + 1 ? 1e4 * fault : 0)),
    },
  ],
  profiles: [
    {
      encoder: [
        [1, 1, width],
        [1, 1, width],
        [1, 16, width],
      ],
      g: [
        [1, 1, width],
        [1, 1, width],
        [1, 1, width],
      ],
    },
  ],
})
