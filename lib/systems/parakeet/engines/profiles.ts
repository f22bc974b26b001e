/**
 * Says which components become engines, from which graphs, and between which shapes each must run.
 */
import { join } from 'node:path'
import { blockedError, usageError } from '../../../base/errors.ts'
import { isStronglyTyped } from '../../../compile/trtexec/command.ts'
import type { Profile } from '../../../compile/trtexec/request.ts'
import { makeFolder } from '../../../host/files.ts'
import type { ParakeetContract } from '../contract/read.ts'
import type { ModelMeta } from '../model/meta.ts'
import type { Precision } from '../parity/precisions.ts'

/** Components that become engines. */
export const engineComponents = ['encoder', 'encoder_streaming', 'predictor', 'joint'] as const
/** One of them. */
export type EngineComponent = (typeof engineComponents)[number]

/** The profile of a component, from the contract and the model's own sizes. */
export function profileOf(component: EngineComponent, meta: ModelMeta, { engines }: ParakeetContract): Profile {
  const { n_layers: layers, d_model: width } = meta.encoder
  const { pred_hidden: hidden, pred_rnn_layers: depth } = meta.predictor
  const bins = meta.features.n_mels
  const same = (...shape: number[]) => [shape, shape, shape] as const
  if (component === 'encoder') {
    const { frames_min: least, frames_opt: usual, frames_max: most } = engines.encoder
    return {
      audio_signal: [
        [1, bins, least],
        [1, bins, usual],
        [1, bins, most],
      ],
      length: same(1),
    }
  }
  if (component === 'encoder_streaming') {
    const { streaming } = meta
    if (streaming === null)
      throw usageError('Cannot profile "encoder_streaming": the meta has no schedule', 'export again')
    const most = streaming.chunk_size[1] + streaming.pre_encode_cache_size[1]
    // The last chunk of a stream may be as short as one frame.
    return {
      audio_signal: [
        [1, bins, 1],
        [1, bins, most],
        [1, bins, most],
      ],
      length: same(1),
      cache_last_channel: same(1, layers, streaming.cache_size, width),
      cache_last_time: same(1, layers, width, streaming.time_ctx),
      cache_last_channel_len: same(1),
    }
  }
  if (component === 'predictor') return { y: same(1, 1), h: same(depth, 1, hidden), c: same(depth, 1, hidden) }
  const most = engines.joint.frames_max
  return {
    encoder: [
      [1, 1, width],
      [1, 1, width],
      [1, most, width],
    ],
    g: same(1, 1, hidden),
  }
}

/**
 * Where the graphs of a precision come from. On TensorRT 11 and newer, a lower one needs graphs that were converted.
 */
export function onnxFolderFor(
  builder: { readonly major: number; readonly version: string },
  precision: Precision,
  { modelDir, halfDir }: { modelDir: string; halfDir: string | undefined },
): string {
  if (precision === 'fp32' || !isStronglyTyped(builder)) return modelDir
  if (halfDir !== undefined) return halfDir
  throw blockedError(
    `Cannot build ${precision} engines with TensorRT ${builder.version}: it takes the precision from the ONNX file`,
    'convert the graphs and give --half-dir',
  )
}

/** Where the plan of a component goes. */
export const planPath = (folder: string, component: EngineComponent): string =>
  join(makeFolder(folder), `${component}.plan`)
