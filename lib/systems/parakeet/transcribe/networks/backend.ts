/**
 * Predictor and joint over any backend, plans included: our own pair of graphs, or NeMo's export of both in one.
 */
import { float32, type FloatTensor, type Tensor } from '../../../../formats/tensors/tensor.ts'
import type { Backend } from '../../../../infer/backend.ts'
import { openBackend } from '../../../../infer/open.ts'
import type { BackendOptions } from '../../../../infer/options.ts'
import type { TdtNetworksAsync } from '../../../../speech/tdt/loop.ts'
import type { ModelFolder } from '../../model/folder.ts'
import type { ModelMeta } from '../../model/meta.ts'
import { rowsOf, type ChunkNetworks } from '../networks.ts'

const int = (dtype: 'int32' | 'int64', shape: number[], value: number): Tensor =>
  dtype === 'int64'
    ? { dtype, shape, data: BigInt64Array.of(BigInt(value)) }
    : { dtype, shape, data: Int32Array.of(value) }
const kept = (tensor: Tensor): FloatTensor => float32(tensor.shape, Float32Array.from(tensor.data as Float32Array))

/** Predictor and joint on any backend, plans included. */
export async function openBackendNetworks(
  folder: ModelFolder,
  meta: ModelMeta,
  options: BackendOptions,
): Promise<ChunkNetworks> {
  const opened: Backend[] = []
  const open = async (path: string) => {
    opened.push(await openBackend(path, options))
    return opened.at(-1)!
  }
  const close = async () => {
    for (const model of opened) await model[Symbol.asyncDispose]()
  }
  try {
    const both = folder.files.get('decoder_joint')
    if (both !== undefined) return decoderJoint(await open(both), meta, close)
    const predictor = await open(folder.files.get('predictor')!)
    return separate(predictor, await open(folder.files.get('joint')!), meta, close)
  } catch (thrown) {
    await close()
    throw thrown
  }
}

const zeros = ({ predictor: { pred_rnn_layers: layers, pred_hidden: hidden } }: ModelMeta) =>
  float32([layers, 1, hidden], new Float32Array(layers * hidden))

function separate(predictor: Backend, joint: Backend, meta: ModelMeta, close: () => Promise<void>): ChunkNetworks {
  let [h, c, g, rows] = [zeros(meta), zeros(meta), float32([0], []), float32([0, 0], [])]
  const networks: TdtNetworksAsync = {
    async joint(frame) {
      const depth = rows.shape[1]!
      const encoder = float32([1, 1, depth], rows.data.subarray(frame * depth, (frame + 1) * depth))
      return (await joint.infer({ encoder, g })).logits!.data as Float32Array
    },
    async predict(token) {
      const results = await predictor.infer({ y: int('int64', [1, 1], token), h, c })
      ;[h, c, g] = [kept(results.h_out!), kept(results.c_out!), kept(results.g!)]
    },
  }
  return {
    async reset() {
      ;[h, c] = [zeros(meta), zeros(meta)]
      await networks.predict(meta.tokenizer.blank_id)
    },
    hear: async frames => void (rows = rowsOf(frames)),
    loop: { async: networks },
    [Symbol.asyncDispose]: close,
  }
}

/** NeMo's own export: the state moves on in the same run that gives the logits. */
function decoderJoint(model: Backend, meta: ModelMeta, close: () => Promise<void>): ChunkNetworks {
  const states = model.inputs.filter(({ name }) => name.startsWith('input_states')).map(({ name }) => name)
  const targets = model.inputs.find(({ name }) => name === 'targets')?.dtype === 'int64' ? 'int64' : 'int32'
  let rows = float32([0, 0], [])
  let [token, past] = [meta.tokenizer.blank_id, states.map(() => zeros(meta))]
  let next = past
  const joint = async (frame: number) => {
    const depth = rows.shape[1]!
    const results = await model.infer({
      encoder_outputs: float32([1, depth, 1], rows.data.subarray(frame * depth, (frame + 1) * depth)),
      targets: int(targets, [1, 1], token),
      target_length: int('int32', [1], 1),
      ...Object.fromEntries(states.map((name, i) => [name, past[i]!])),
    })
    next = states.map(name => kept(results[name.replace('input', 'output')]!))
    return results.outputs!.data as Float32Array
  }
  const predict = async (fed: number) => {
    past = next
    token = fed
  }
  return {
    async reset() {
      token = meta.tokenizer.blank_id
      past = next = states.map(() => zeros(meta))
    },
    hear: async frames => void (rows = rowsOf(frames)),
    loop: { async: { joint, predict } },
    [Symbol.asyncDispose]: close,
  }
}
