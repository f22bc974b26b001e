/**
 * Authors the graphs of a Whisper from its weights, and writes them with their manifest.
 */
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { blockedError, usageError } from '../../base/errors.ts'
import { sha256File } from '../../host/digest.ts'
import { readJson, writeFileAtomic } from '../../host/files.ts'
import { readCt2Model } from '../../formats/ct2/model-bin.ts'
import { readModel, writeModel } from '../../formats/onnx/index.ts'
import { encodeNpy } from '../../formats/tensors/npy.ts'
import { readSafetensors } from '../../formats/tensors/safetensors.ts'
import { readTorch, stateDictOf } from '../../formats/torch/read.ts'
import { decoderGraph } from '../../models/whisper/decoder.ts'
import { dimsOf, type WhisperDims, type WhisperWeights } from '../../models/whisper/dims.ts'
import { encoderGraph } from '../../models/whisper/encoder.ts'
import { fixedDecoderGraph, fixedEncoderGraph } from '../../models/whisper/fixed.ts'
import { weightsFromCt2, weightsFromHuggingFace, weightsFromOpenAi } from '../../models/whisper/weights.ts'
import { readTokens } from '../../speech/tokens/read-tokens.ts'
import { WhisperTokenizer } from '../../speech/whisper/tokenizer.ts'
import { checkModel } from '../../onnx/check/check.ts'
import { namedModel, whisperContract } from './contract.ts'
import { writeManifest, type Manifest } from './manifest.ts'
import type { Whisper } from './pipeline.ts'
import { exportFolder, missingFiles, storeFolder, weightsFolder } from './store.ts'
import { runbookCommand } from '../../host/typescript.ts'

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
      runbookCommand('runbooks/whisper-model.ts', ['--name', 'tiny.en']),
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
  readonly precision: Manifest['precision']
}

/**
 * Export form (a). The folder appears whole or not at all.
 * @throws RunbookError as `readWeights` and `readTokens`; usage when the tokenizer or the configuration is another
 *   model's; blocked when the disk is full
 */
export function exportCached({ name, from, to, precision }: ExportOptions): Manifest {
  const { path, weights, dims } = readWeights(from)
  const known = whisperContract().models[name]
  const sizes = Object.keys(dims) as (keyof WhisperDims)[]
  if (known !== undefined && sizes.some(size => known.dims[size] !== dims[size])) {
    throw usageError(
      `Cannot export "${path}" as ${name}: its sizes are ${JSON.stringify(dims)}`,
      'give the weights of that model, or another name',
    )
  }
  const tokens = readTokens(from)
  // Opened once here, so that a tokenizer of another model is refused before anything is written.
  void new WhisperTokenizer(tokens, dims.vocabulary)
  const { files } = whisperContract()
  return wholeFolder(to, folder => {
    writeModel(join(folder, files.encoder), encoderGraph(dims, weights, precision))
    writeModel(join(folder, files.decoder), decoderGraph(dims, weights, precision))
    copyFileSync(tokens.path, join(folder, basename(tokens.path)))
    return writeManifest(folder, {
      name,
      form: 'cached',
      precision,
      dims,
      alignmentHeads: alignmentHeadsOf(from, { name, dims }),
      weights: sha256File(path),
    })
  })
}

/** What was exported, and what the checker says of it. */
export interface Exported {
  readonly folder: string
  readonly manifest: Manifest
  readonly problems: readonly string[]
  readonly graphs: readonly {
    readonly graph: string
    readonly nodes: number
    readonly weights: number
    readonly bytes: number
  }[]
}

/**
 * Export a model of the store, or the weights of a folder, and check the graphs.
 * @throws RunbookError as `exportCached`; usage for an unknown name; blocked when the model is not installed
 */
export function exportModel(o: {
  readonly model: string
  readonly form?: Manifest['form']
  readonly precision?: Manifest['precision'] | undefined
  readonly models?: string | undefined
  readonly from?: string | undefined
  readonly to?: string | undefined
}): Exported {
  const named = namedModel(o.model)
  const store = o.models ?? storeFolder()
  const form = o.form ?? 'cached'
  const precision = form === 'fixed' ? 'float32' : (o.precision ?? named.precision)
  const missing = o.from === undefined ? missingFiles(store, named) : []
  if (missing.length > 0) {
    throw blockedError(
      `Cannot export "${o.model}": ${missing.join(', ')} is not in ${weightsFolder(store, named.published)}`,
      runbookCommand('runbooks/whisper-model.ts', ['--name', o.model]),
    )
  }
  const folder = o.to ?? exportFolder(store, { published: named.published, form, precision })
  const from = o.from ?? weightsFolder(store, named.published)
  const one = { name: named.published, from, to: folder }
  const manifest = form === 'fixed' ? exportFixed(one) : exportCached({ ...one, precision })
  const models = [manifest.encoder.path, manifest.decoder.path].map(path => ({
    path,
    model: readModel(join(folder, path)),
  }))
  return {
    folder,
    manifest,
    problems: models.flatMap(({ path, model }) => checkModel(model).problems.map(problem => `${path}: ${problem}`)),
    graphs: models.map(({ path, model: { graph } }) => ({
      graph: path,
      nodes: graph.node.length,
      weights: graph.initializer.length,
      bytes: statSync(join(folder, path)).size,
    })),
  }
}

/** What a network says of a tone: numbers that are NaN or infinite, and whether its cache changes what it says. */
export async function selfTest({
  network,
  tokenizer,
}: Whisper): Promise<{ oddNumbers: number; cacheDifference: number }> {
  const mel = Float32Array.from({ length: network.mels * network.windowFrames }, (_, i) => Math.sin(i / 7))
  await network.listen(mel)
  const tokens = [...tokenizer.sequence({ language: 'en', task: 'transcribe' }), tokenizer.special.noTimestamps, 11, 13]
  const { logits } = await network.attend(tokens, network.alignmentHeads)
  network.start()
  let cacheDifference = 0
  for (const [i, token] of tokens.entries()) {
    const own = await network.append([[token]])
    for (let k = 0; k < own.length; k++) {
      cacheDifference = Math.max(cacheDifference, Math.abs(own[k]! - logits[i * own.length + k]!))
    }
  }
  return { oddNumbers: logits.filter(value => !Number.isFinite(value)).length, cacheDifference }
}

/**
 * Export form (b), with the lengths of Hailo's own files. The folder appears whole or not at all.
 * @throws RunbookError as `exportCached`; usage for a model whose lengths the contract does not know
 */
export function exportFixed({ name, from, to }: Omit<ExportOptions, 'precision'>): Manifest {
  const { files, fixed, audio, mel } = whisperContract()
  const chunkSeconds = fixed.chunkSeconds[name]
  const sequence = fixed.sequence[name]
  if (chunkSeconds === undefined || sequence === undefined) {
    const known = Object.keys(fixed.chunkSeconds).join(', ')
    throw usageError(`Cannot export ${name} in fixed lengths: none are known for it`, `one of ${known}`)
  }
  const { path, weights, dims } = readWeights(from)
  const tokens = readTokens(from)
  void new WhisperTokenizer(tokens, dims.vocabulary)
  const chunkFrames = (chunkSeconds * audio.sampleRateHz) / mel.hopSamples
  const lengths = { chunkFrames, sequence, parts: fixed.parts }
  return wholeFolder(to, folder => {
    writeModel(join(folder, files.encoder), fixedEncoderGraph(dims, weights, lengths))
    writeModel(join(folder, files.decoder), fixedDecoderGraph(dims, weights, lengths))
    writeFileAtomic(join(folder, files.embeddings), encodeNpy(weights.get('decoder.token_embedding.weight')!))
    copyFileSync(tokens.path, join(folder, basename(tokens.path)))
    return writeManifest(folder, {
      name,
      form: 'fixed',
      precision: 'float32',
      dims,
      alignmentHeads: [],
      weights: sha256File(path),
      fixed: { chunkSeconds, sequence, embeddings: files.embeddings },
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
