/**
 * Makes the meta of a folder in the layout of `onnx-asr`, which states little: sizes from its graphs, words from its
 * vocabulary, and everything else from the contract.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { usageError } from '../../../base/errors.ts'
import { readModel } from '../../../formats/onnx/index.ts'
import { readJson } from '../../../host/files.ts'
import { inspect, type Inspection } from '../../../onnx/inspect.ts'
import type { ParakeetContract } from '../contract/read.ts'
import { findPieces, type ModelFolder } from './folder.ts'
import type { ModelMeta } from './meta.ts'

/**
 * The meta of a folder that has none.
 * @throws RunbookError usage when its graphs and its vocabulary leave another number of durations than the contract's
 */
export function foreignMeta(folder: ModelFolder, contract: ParakeetContract): ModelMeta {
  const configPath = join(folder.path, 'config.json')
  const config = existsSync(configPath) ? (readJson(configPath) as Record<string, unknown>) : {}
  const [encoder, joint] = (['encoder', 'decoder_joint'] as const).map(name => {
    const file = folder.files.get(name)
    return file?.endsWith('.onnx') ? inspect(readModel(file)) : undefined
  })
  const stated = (key: string, usual: number) => (typeof config[key] === 'number' ? config[key] : usual)
  const { features, timebase, tokenizer, predictor, decode } = contract
  const bins = dimOf(encoder, 'inputs', 'audio_signal', 1) ?? stated('features_size', features.n_mels)
  const vocab = findPieces(folder.path)?.list.length ?? tokenizer.vocab_size
  const outputs = dimOf(joint, 'outputs', 'outputs', -1) ?? contract.joint.joint_vocab_size
  const durations = decode.duration_values
  if (outputs !== vocab + 1 + durations.length)
    throw usageError(
      `Cannot use "${folder.path}": its joint gives ${outputs} numbers, and ${vocab} pieces, blank and ` +
        `${durations.length} durations take ${vocab + 1 + durations.length}`,
      'give the vocab.txt of this model, or export its .nemo',
    )
  const factor = stated('subsampling_factor', timebase.encoder_subsampling_factor)
  const frameMs = timebase.encoder_frame_shift_ms / timebase.encoder_subsampling_factor
  return {
    model: 'onnx-asr',
    source: config,
    features: { ...features, n_mels: bins },
    timebase: { encoder_subsampling_factor: factor, encoder_frame_shift_ms: factor * frameMs },
    encoder: { ...contract.encoder, d_model: dimOf(encoder, 'outputs', 'outputs', 1) ?? contract.encoder.d_model },
    tokenizer: { vocab_size: vocab, blank_id: vocab },
    predictor: {
      pred_rnn_layers: dimOf(joint, 'inputs', 'input_states_1', 0) ?? predictor.pred_rnn_layers,
      pred_hidden: dimOf(joint, 'inputs', 'input_states_1', 2) ?? predictor.pred_hidden,
    },
    joint: { ...contract.joint, joint_vocab_size: outputs },
    decode: { duration_values: durations, max_symbols: stated('max_tokens_per_step', decode.max_symbols) },
    streaming: null,
    artifacts: {},
  }
}

/** A size that a graph states; undefined where it leaves it open. */
function dimOf(graph: Inspection | undefined, side: 'inputs' | 'outputs', name: string, axis: number) {
  const dim = graph?.[side].find(port => port.name === name)?.shape?.at(axis)
  return typeof dim === 'number' && dim > 0 ? dim : undefined
}
