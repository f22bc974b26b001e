/**
 * Finds the files of a model folder: our own export, plans built from it, or the `onnx-asr` layout of Hugging Face.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { blockedError, usageError } from '../../../base/errors.ts'
import { piecesFromModel, piecesFromText, type Pieces } from '../../../speech/pieces.ts'
import { runbookCommand } from '../../../host/typescript.ts'

/** Components of a model, by what they do. */
export const components = [
  'encoder',
  'encoder_streaming',
  'predictor',
  'joint',
  'projection',
  'joint_step',
  'decoder_joint',
] as const
/** One of them. */
export type Component = (typeof components)[number]

/** A model folder: which file holds which component, and its vocabulary. */
export interface ModelFolder {
  readonly path: string
  readonly files: ReadonlyMap<Component, string>
  readonly layout: 'rungbook' | 'onnx-asr'
}

/** What `onnx-asr` calls its files; those that come first are taken. */
const foreignNames: Readonly<Record<string, Component>> = {
  'encoder-model.onnx': 'encoder',
  'encoder-model.int8.onnx': 'encoder',
  'decoder_joint-model.onnx': 'decoder_joint',
  'decoder_joint-model.int8.onnx': 'decoder_joint',
}

/**
 * The files of a folder. Plans stand before ONNX files where `prefer` says so.
 * @throws RunbookError blocked when the folder is absent; usage when it holds no encoder, or nothing to decode with
 */
export function readModelFolder(path: string, { prefer = '.onnx' }: { prefer?: '.onnx' | '.plan' } = {}): ModelFolder {
  if (!existsSync(path))
    throw blockedError(
      `Cannot open the model "${path}": there is no such folder`,
      `make one: ${runbookCommand('runbooks/parakeet-export.ts')} --synthetic tiny`,
    )
  const names = readdirSync(path)
  const files = new Map<Component, string>()
  for (const component of components) {
    const found = [prefer, prefer === '.onnx' ? '.plan' : '.onnx'].map(ending => `${component}${ending}`)
    const name = found.find(candidate => names.includes(candidate))
    if (name !== undefined) files.set(component, join(path, name))
  }
  const layout = files.size > 0 ? 'rungbook' : 'onnx-asr'
  for (const [name, component] of Object.entries(foreignNames))
    if (layout === 'onnx-asr' && names.includes(name) && !files.has(component)) files.set(component, join(path, name))
  const canDecode = files.has('decoder_joint') || (files.has('predictor') && files.has('joint'))
  if (files.has('encoder') && canDecode) return { path, files, layout }
  throw usageError(
    `Cannot open the model "${path}": it holds ${[...files.keys()].join(', ') || 'no model'}`,
    `export again: ${runbookCommand('runbooks/parakeet-export.ts')}`,
  )
}

/**
 * The pieces of a folder, from its tokenizer.model or its vocab.txt; null when it has neither.
 * @throws RunbookError usage when the file is no vocabulary
 */
export function findPieces(folder: string): Pieces | null {
  const [model, text] = ['tokenizer.model', 'vocab.txt'].map(name => join(folder, name)) as [string, string]
  if (existsSync(model)) return piecesFromModel(readFileSync(model), model)
  return existsSync(text) ? piecesFromText(readFileSync(text, 'utf8'), text) : null
}

/**
 * The pieces of a model.
 * @throws RunbookError blocked when its folder has none; usage when their number is not the model's
 */
export function readPieces(folder: string, vocabSize: number): Pieces {
  const pieces = findPieces(folder)
  if (pieces === null)
    throw blockedError(
      `Cannot read the words of "${folder}": there is no tokenizer.model and no vocab.txt`,
      `ls ${folder}`,
    )
  if (pieces.list.length === vocabSize) return pieces
  throw usageError(
    `Cannot read the words of "${folder}": it has ${pieces.list.length} pieces, and the model ${vocabSize}`,
    'give the vocabulary of this model',
  )
}
