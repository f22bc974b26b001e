/**
 * Authors the graphs of a Whisper from its weights, and writes them with their manifest.
 */
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { blockedError, usageError } from '../../base/errors.ts'
import { sha256File } from '../../host/digest.ts'
import { readJson } from '../../host/files.ts'
import { readCt2Model } from '../../formats/ct2/model-bin.ts'
import { writeModel } from '../../formats/onnx/index.ts'
import { readSafetensors } from '../../formats/tensors/safetensors.ts'
import { readTorch, stateDictOf } from '../../formats/torch/read.ts'
import { decoderGraph } from '../../models/whisper/decoder.ts'
import { dimsOf, type WhisperDims, type WhisperWeights } from '../../models/whisper/dims.ts'
import { encoderGraph } from '../../models/whisper/encoder.ts'
import { weightsFromCt2, weightsFromHuggingFace, weightsFromOpenAi } from '../../models/whisper/weights.ts'
import { readTokens } from '../../speech/tokens/read-tokens.ts'
import { WhisperTokenizer } from '../../speech/whisper/tokenizer.ts'
import { whisperContract } from './contract.ts'
import { writeManifest, type Manifest } from './manifest.ts'

/** The weights of a folder, and what was read. */
export interface FolderWeights {
  readonly path: string
  readonly layout: 'ct2' | 'huggingface' | 'openai'
  readonly weights: WhisperWeights
  readonly dims: WhisperDims
}

/**
 * The weights of a folder: `model.bin`, `model.safetensors`, or one `.pt`, the first that is there.
 * @throws RunbookError blocked when there is none; usage when they are damaged, or not those of one Whisper
 */
export function readWeights(folder: string): FolderWeights {
  const names = existsSync(folder) ? readdirSync(folder) : []
  const name =
    ['model.bin', 'model.safetensors'].find(each => names.includes(each)) ?? names.find(each => each.endsWith('.pt'))
  if (name === undefined) {
    throw blockedError(
      `Cannot read the weights of "${folder}": it holds no model.bin, model.safetensors or .pt`,
      'npx tsx runbooks/whisper-model.ts --name tiny.en',
    )
  }
  const path = join(folder, name)
  if (name === 'model.bin') return withDims(path, 'ct2', weightsFromCt2(readCt2Model(path), path))
  if (name === 'model.safetensors') {
    return withDims(path, 'huggingface', weightsFromHuggingFace(readSafetensors(path), path))
  }
  const saved = stateDictOf(readTorch(path), ['model_state_dict'], path)
  const tensors = new Map([...saved].map(([key, value]) => [key, value.tensor()]))
  return withDims(path, 'openai', weightsFromOpenAi(tensors))
}

const withDims = (path: string, layout: FolderWeights['layout'], weights: WhisperWeights): FolderWeights => ({
  path,
  layout,
  weights,
  dims: dimsOf(weights, path),
})

/** What is exported, and where to. */
export interface ExportOptions {
  /** The published name. */
  readonly name: string
  /** The folder of the weights. */
  readonly from: string
  readonly to: string
}

/**
 * Export form (a) in float32. The folder appears whole or not at all.
 * @throws RunbookError as `readWeights` and `readTokens`; usage when the tokenizer or the configuration is another
 *   model's; blocked when the disk is full
 */
export function exportCached({ name, from, to }: ExportOptions): Manifest {
  const { path, weights, dims } = readWeights(from)
  const known = whisperContract().models[name]
  const sizes = Object.keys(dims) as (keyof WhisperDims)[]
  if (known !== undefined && sizes.some(size => known.dims[size] !== dims[size])) {
    throw usageError(
      `Cannot export "${path}" as ${name}: its sizes are ${JSON.stringify(dims)}`,
      'give the weights of that model, or another --model',
    )
  }
  const tokens = readTokens(from)
  // Opened once here, so that a tokenizer of another model is refused before anything is written.
  void new WhisperTokenizer(tokens, dims.vocabulary)
  const { files } = whisperContract()
  return wholeFolder(to, folder => {
    writeModel(join(folder, files.encoder), encoderGraph(dims, weights))
    writeModel(join(folder, files.decoder), decoderGraph(dims, weights))
    copyFileSync(tokens.path, join(folder, basename(tokens.path)))
    return writeManifest(folder, {
      name,
      form: 'cached',
      precision: 'float32',
      dims,
      alignmentHeads: alignmentHeadsOf(from, { name, dims }),
      weights: sha256File(path),
    })
  })
}

/** From the model's configuration, else from the contract, else every head of the upper half of the layers. */
function alignmentHeadsOf(
  folder: string,
  { name, dims }: { name: string; dims: WhisperDims },
): Manifest['alignmentHeads'] {
  for (const file of ['config.json', 'generation_config.json']) {
    const path = join(folder, file)
    if (!existsSync(path)) continue
    const heads = (readJson(path) as { alignment_heads?: unknown }).alignment_heads
    if (Array.isArray(heads) && heads.length > 0) return heads as [number, number][]
  }
  const known = whisperContract().models[name]?.alignmentHeads
  if (known !== undefined) return known
  const from = Math.floor(dims.decoderLayers / 2)
  return Array.from({ length: dims.decoderLayers - from }, (_, i) =>
    Array.from({ length: dims.heads }, (_none, head) => [from + i, head] as const),
  ).flat()
}

/** Fills a folder beside the wanted one and puts it in place when it is whole. */
export function wholeFolder<T>(to: string, fill: (folder: string) => T): T {
  const draft = `${to}.draft-${process.pid}`
  mkdirSync(dirname(to), { recursive: true })
  rmSync(draft, { recursive: true, force: true })
  mkdirSync(draft)
  try {
    const result = fill(draft)
    rmSync(to, { recursive: true, force: true })
    renameSync(draft, to)
    return result
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}
