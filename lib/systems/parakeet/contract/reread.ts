/**
 * Reads every value of the contract again from what a user has: a `.nemo`, an exported folder, a `model_meta.json`.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { usageError } from '../../../base/errors.ts'
import { configValue, type NemoFile } from '../../../formats/nemo/open.ts'
import { readModel } from '../../../formats/onnx/index.ts'
import { inspect, type Inspection } from '../../../onnx/inspect.ts'
import { readJson } from '../../../host/files.ts'
import { sha256, sha256File } from '../../../host/digest.ts'
import { findPieces, readModelFolder } from '../model/folder.ts'
import { contractLeaves, type Leaf } from './leaves.ts'
import type { ParakeetVersion } from './read.ts'

/** A value of the contract, and what a file says of it. */
export interface Reread {
  readonly pointer: string
  readonly contract: unknown
  readonly found: unknown
  readonly where: string
  readonly same: boolean
}

const compared = (pointer: string, contract: unknown, found: unknown, where: string): Reread => ({
  pointer,
  contract,
  found,
  where,
  // Exact, and of the same type: "8" is not 8, and 1 is not true.
  same: JSON.stringify(contract) === JSON.stringify(found),
})

/** NeMo's names for what the contract says in words of its own. */
const translations: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  '/decode/reference_algorithm': { greedy_batch: 'nemo_label_looping', greedy: 'nemo_sequential' },
}

/**
 * Every value that a `.nemo` states: its configuration by key, and its digests. A key that is absent is not compared.
 */
export function rereadNemo(nemo: NemoFile, version: ParakeetVersion): Reread[] {
  return contractLeaves(version).flatMap(({ pointer, value, source }) => {
    if (pointer === '/hashes/nemo_sha256')
      return [compared(pointer, value, sha256File(nemo.path), 'SHA-256 of the file')]
    if (pointer === '/hashes/model_config_sha256')
      return [compared(pointer, value, sha256(nemo.configText), 'SHA-256 of model_config.yaml')]
    if (source.kind !== 'nemo_config') return []
    const key = source.ref.split(' ')[0]!
    const stated = configValue(nemo.config, key)
    if (stated === undefined) return []
    const found = translations[pointer]?.[String(stated)] ?? stated
    return [compared(pointer, value, found, `model_config.yaml ${key}`)]
  })
}

/** Every value that a `model_meta.json` states under a name of the contract. */
export function rereadMeta(path: string, version: ParakeetVersion): Reread[] {
  const meta = readJson(path)
  const found = contractLeaves(version).flatMap(({ pointer, value }) => {
    const stated = valueAt(meta, pointer)
    return stated === undefined ? [] : [compared(pointer, value, stated, 'model_meta.json')]
  })
  if (found.length > 0) return found
  throw usageError(
    `Cannot compare "${path}": it states nothing under the names of the contract`,
    'give a meta of an export',
  )
}

function valueAt(root: unknown, pointer: string): unknown {
  return pointer
    .slice(1)
    .split('/')
    .reduce<unknown>((value, step) => {
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined
      return (value as Readonly<Record<string, unknown>>)[step]
    }, root)
}

/**
 * Every value that the shapes of exported graphs state, in our own layout or that of `onnx-asr`.
 * @throws RunbookError blocked when the folder is absent; usage when it holds no model
 */
export function rereadFolder(path: string, version: ParakeetVersion): Reread[] {
  const folder = readModelFolder(path)
  const leaf = new Map(contractLeaves(version).map(({ pointer, value }) => [pointer, value]))
  const shapes = new Map([...folder.files].map(([component, file]) => [component, inspect(readModel(file))]))
  const say = (pointer: string, found: unknown, where: string) =>
    found === undefined ? [] : [compared(pointer, leaf.get(pointer), found, where)]
  const rows = [
    ...say('/features/n_mels', dimOf(shapes.get('encoder'), 'inputs', 'audio_signal', 1), 'encoder audio_signal'),
    ...say('/encoder/d_model', dimOf(shapes.get('encoder'), 'outputs', 'outputs', 1), 'encoder outputs'),
    ...say('/predictor/pred_hidden', dimOf(shapes.get('predictor'), 'inputs', 'h', 2), 'predictor h'),
    ...say('/predictor/pred_rnn_layers', dimOf(shapes.get('predictor'), 'inputs', 'h', 0), 'predictor h'),
    ...say('/joint/joint_vocab_size', dimOf(shapes.get('joint'), 'outputs', 'logits', -1), 'joint logits'),
    ...say(
      '/joint/joint_vocab_size',
      dimOf(shapes.get('decoder_joint'), 'outputs', 'outputs', -1),
      'decoder_joint outputs',
    ),
    ...say(
      '/predictor/pred_hidden',
      dimOf(shapes.get('decoder_joint'), 'inputs', 'input_states_1', 2),
      'decoder_joint input_states_1',
    ),
    ...say(
      '/streaming/cache_size',
      dimOf(shapes.get('encoder_streaming'), 'inputs', 'cache_last_channel', 2),
      'cache_last_channel',
    ),
    ...say(
      '/streaming/time_ctx',
      dimOf(shapes.get('encoder_streaming'), 'inputs', 'cache_last_time', 3),
      'cache_last_time',
    ),
  ]
  const pieces = findPieces(path)
  if (pieces === null) return rows
  const wanted = leaf.get('/tokenizer/vocab_size')
  return [...rows, compared('/tokenizer/vocab_size', wanted, pieces.list.length, 'the vocabulary file')]
}

function dimOf(graph: Inspection | undefined, side: 'inputs' | 'outputs', name: string, axis: number): unknown {
  const dim = graph?.[side].find(port => port.name === name)?.shape?.at(axis)
  // A dimension that the graph leaves open is a name: it states nothing.
  return typeof dim === 'number' ? dim : undefined
}

/** Whether a folder holds a meta that can be compared. */
export const metaIn = (folder: string): string | undefined => {
  const path = join(folder, 'model_meta.json')
  return existsSync(path) ? path : undefined
}

/** A value that no file here could confirm, and what would. */
export interface Gap {
  readonly pointer: string
  readonly kind: string
  readonly followUp: string
}

const followUps: Readonly<Record<string, string>> = {
  nemo_config: 'give --nemo: the value is re-read from model_config.yaml',
  hf_config: "compare with the config.json of the model's page",
  export_meta: 'give --model-dir with a model_meta.json of the full model',
  code: 'read the cited line in the cited commit',
  decision: 'read the decision, and what validates it',
  plan: 'read the plan',
}

/** Leaves that nothing confirmed: every one but the derived, which are computed again, and those that were re-read. */
export function gapsOf(leaves: readonly Leaf[], found: readonly Reread[]): Gap[] {
  const confirmed = new Set(found.map(({ pointer }) => pointer))
  return leaves
    .filter(({ pointer, source }) => source.kind !== 'derived' && !confirmed.has(pointer))
    .map(({ pointer, source }) => ({
      pointer,
      kind: source.kind,
      followUp: followUps[source.kind] ?? 'see its source',
    }))
}
