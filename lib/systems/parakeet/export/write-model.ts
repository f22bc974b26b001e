/**
 * Writes a model folder: the ONNX graphs of one model, its vocabulary, and what it says of itself.
 *
 * Weights are read one at a time, and beyond a size they go into a file beside the graph as they are read: a model of
 * 2.4 GB is exported in a few hundred megabytes of memory.
 */
import { closeSync, openSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { fileError, makeFolder, writeFileAtomic } from '../../../host/files.ts'
import { sha256File } from '../../../host/digest.ts'
import { encodeModel, type ModelProto } from '../../../formats/onnx/index.ts'
import { bytesFromTensor } from '../../../formats/tensors/tensor-bytes.ts'
import type { TdtConfig } from '../../../models/tdt/config.ts'
import { authorEncoder, authorStreamingEncoder } from '../../../models/tdt/encoder.ts'
import { authorJoint, authorJointStep, authorPredictor, authorProjection } from '../../../models/tdt/decoder.ts'
import type { NetOptions, WeightSink, WeightSource } from '../../../models/tdt/net.ts'
import type { StreamSchedule } from '../../../models/tdt/schedule.ts'
import { authorPreprocessor } from '../../../models/tdt/preprocessor.ts'
import { melOptionsOf, streamMetaFrom, type FeatureMeta, type ModelMeta } from '../model/meta.ts'

/** A model to be exported. */
export interface ModelToWrite {
  readonly name: string
  readonly config: TdtConfig
  readonly weights: WeightSource
  /** Bytes of all weights: above `externalBytesMin` they go into files beside the graphs. */
  readonly weightBytes: number
  readonly source: Readonly<Record<string, unknown>>
  readonly features: FeatureMeta
  readonly parts: Omit<ModelMeta, 'model' | 'source' | 'features' | 'streaming' | 'artifacts'>
  readonly pieces: readonly string[]
  readonly tokenizer?: Uint8Array | undefined
  readonly schedule: StreamSchedule
}

/** The graphs of a model folder, in the order in which they are written. */
export const graphFiles = [
  'preprocessor.onnx',
  'encoder.onnx',
  'encoder_streaming.onnx',
  'predictor.onnx',
  'joint.onnx',
  'projection.onnx',
  'joint_step.onnx',
] as const
/** One of them. */
export type GraphFile = (typeof graphFiles)[number]

/** ONNX files end at 2 GiB; well below that, a file beside the graph is kinder to memory. */
const externalBytesMin = 2 ** 28

/**
 * Write the folder. Files are replaced one by one; the meta comes last, so that a folder with one is whole.
 * @param onFile told of each file when it is written
 * @throws RunbookError usage when a weight is absent or of another shape; blocked when the disk is full
 */
export function writeModelFolder(
  folder: string,
  model: ModelToWrite,
  onFile: (file: string) => void = () => {},
): ModelMeta {
  makeFolder(folder)
  const written: string[] = []
  for (const file of graphFiles) {
    written.push(...writeGraph(folder, file, model))
    onFile(file)
  }
  const vocab = [...model.pieces, '<blk>'].map((piece, id) => `${piece} ${id}\n`).join('')
  writeFileAtomic(join(folder, 'vocab.txt'), vocab)
  written.push('vocab.txt')
  if (model.tokenizer !== undefined) {
    writeFileAtomic(join(folder, 'tokenizer.model'), model.tokenizer)
    written.push('tokenizer.model')
  }
  const meta: ModelMeta = {
    model: model.name,
    source: model.source,
    features: model.features,
    ...model.parts,
    streaming: streamMetaFrom(model.schedule, model.config.encoder.convContext[0]),
    artifacts: Object.fromEntries(
      written.map(file => {
        const path = join(folder, file)
        return [file, { sha256: sha256File(path), bytes: statSync(path).size }]
      }),
    ),
  }
  writeFileAtomic(join(folder, 'model_meta.json'), `${JSON.stringify(meta, null, 2)}\n`)
  return meta
}

function writeGraph(folder: string, file: GraphFile, model: ModelToWrite): string[] {
  const data = `${file}.data`
  const isExternal = model.weightBytes >= externalBytesMin && file.startsWith('encoder')
  using sink = isExternal ? openSink(folder, data) : undefined
  const name = file.replace('.onnx', '')
  const options: NetOptions = { name, weights: model.weights, sink, metadata: metadataOf(model, file) }
  writeFileAtomic(join(folder, file), encodeModel(authorOf(file, model, options)))
  return isExternal ? [file, data] : [file]
}

function authorOf(file: GraphFile, { config, schedule, features }: ModelToWrite, options: NetOptions): ModelProto {
  const { encoder, decoder } = config
  switch (file) {
    case 'preprocessor.onnx':
      return authorPreprocessor(melOptionsOf({ features }), options)
    case 'encoder.onnx':
      return authorEncoder(encoder, options)
    case 'encoder_streaming.onnx':
      return authorStreamingEncoder(encoder, schedule, options)
    case 'predictor.onnx':
      return authorPredictor(decoder, options)
    case 'joint.onnx':
      return authorJoint(decoder, encoder.width, options)
    case 'projection.onnx':
      return authorProjection(decoder, encoder.width, options)
    case 'joint_step.onnx':
      return authorJointStep(decoder, options)
  }
}

const metadataOf = ({ name, parts, features }: ModelToWrite, file: string): Record<string, string> => ({
  model: name,
  component: file.replace('.onnx', ''),
  vocab_size: String(parts.tokenizer.vocab_size),
  durations: parts.decode.duration_values.join(','),
  subsampling_factor: String(parts.timebase.encoder_subsampling_factor),
  n_mels: String(features.n_mels),
})

/** Weights lie at multiples of this in their file, so that a runtime may map them. */
const alignment = 64

function openSink(folder: string, location: string): WeightSink & Disposable {
  const path = join(folder, location)
  const file = opened(path)
  let at = 0
  const write = (bytes: Uint8Array) => {
    try {
      for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done)
    } catch (thrown) {
      throw fileError('write', path, thrown)
    }
    at += bytes.length
  }
  return {
    location,
    append(tensor) {
      write(new Uint8Array((alignment - (at % alignment)) % alignment))
      const bytes = bytesFromTensor(tensor)
      const offset = at
      write(bytes)
      return { offset, length: bytes.length }
    },
    [Symbol.dispose]: () => closeSync(file),
  }
}

function opened(path: string): number {
  try {
    return openSync(path, 'w')
  } catch (thrown) {
    throw fileError('write', path, thrown)
  }
}
