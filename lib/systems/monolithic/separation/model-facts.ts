/**
 * Reads in one place what a model's shapes do not say: its sample rate, its kernel and stride, its halo.
 *
 * Our own ONNX files, and the JSON that stands beside a compiled file, say all of it. Other files may say their rate in
 * their metadata. What the person says counts where the file is silent; where both speak they must agree.
 */
import { existsSync } from 'node:fs'
import { extname } from 'node:path'
import { usageError } from '../../../base/errors.ts'
import { readModel, type ModelProto } from '../../../formats/onnx/index.ts'
import { readJson } from '../../../host/files.ts'
import { optionsFromModel } from '../../../models/convtasnet/graph.ts'
import { convTasNetOptions, haloFrames, type ConvTasNetOptions } from '../../../models/convtasnet/options.ts'
import { monolithicContract } from '../contract.ts'
import type { Layout } from './model.ts'

/** What a person may say of a model. */
export interface SaidOfModel {
  readonly sampleRate?: number | undefined
  /** The encoder's kernel, in samples. */
  readonly kernel?: number | undefined
  /** The step from one frame to the next, in samples. */
  readonly stride?: number | undefined
  /** Frames dropped at a window's edge. */
  readonly haloFrames?: number | undefined
}

/** What is known of a model before it is opened. */
export interface ModelFacts {
  readonly sampleRate: number
  /** Undefined where nobody says: the shapes then tell. */
  readonly layout: Layout | undefined
  /** Undefined where nobody says: it is then measured. */
  readonly haloFrames: number | undefined
  /** What was assumed because nobody says it, in words. */
  readonly assumed: readonly string[]
}

/** The file that says of a compiled model what its format cannot carry. */
export const sidecarOf = (modelPath: string): string => `${modelPath}.json`

/** Metadata keys under which exporters write the sample rate. */
const rateKeys = ['sample_rate', 'sampling_rate', 'samplerate', 'sample_rate_hz']

interface FileSays {
  readonly options: ConvTasNetOptions | null
  readonly sampleRate: number | undefined
}

/**
 * Everything that file and person say of a model.
 * @throws RunbookError usage when they contradict each other, or when metadata is malformed; blocked when the file is
 *   absent
 */
export function modelFacts(path: string, said: SaidOfModel = {}): ModelFacts {
  const { options, sampleRate } = fileSays(path)
  const agreed = (name: string, have: number | undefined, want: number | undefined) => {
    if (have === undefined || want === undefined || have === want) return have ?? want
    throw usageError(`Cannot run "${path}" with --${name} ${want}: the model says ${have}`, `leave out --${name}`)
  }
  const rate = agreed('sample-rate', sampleRate, said.sampleRate)
  const kernel = agreed('kernel', options?.kernelSize, said.kernel)
  const stride = agreed('stride', options?.stride, said.stride)
  const usualRate = monolithicContract().model.sampleRateHz
  return {
    sampleRate: rate ?? usualRate,
    layout: layoutOf(kernel, stride),
    haloFrames: said.haloFrames ?? (options ? haloFrames(options) : undefined),
    assumed: rate === undefined ? [`the model takes ${usualRate} Hz: nothing says its rate`] : [],
  }
}

/** One of the two tells the other. */
function layoutOf(kernel: number | undefined, stride: number | undefined): Layout | undefined {
  if (kernel === undefined && stride === undefined) return undefined
  const layout = { kernel: kernel ?? 2 * stride!, stride: stride ?? kernel! / 2 }
  if (layout.kernel === 2 * layout.stride) return layout
  throw usageError(
    `Cannot frame sound with a kernel of ${layout.kernel} and a stride of ${layout.stride}: ` +
      'two frames must cover each sample',
    `give monolithic-infer --stride ${layout.kernel / 2}`,
  )
}

function fileSays(path: string): FileSays {
  const sidecar = sidecarOf(path)
  if (existsSync(sidecar)) {
    const { convtasnet } = readJson(sidecar) as { convtasnet?: object }
    const options = convtasnet === undefined ? null : convTasNetOptions(convtasnet)
    return { options, sampleRate: options?.sampleRate }
  }
  if (extname(path).toLowerCase() !== '.onnx') return { options: null, sampleRate: undefined }
  return modelSays(readModel(path))
}

function modelSays(model: ModelProto): FileSays {
  const entry = model.metadataProps.find(({ key }) => rateKeys.includes(key.toLowerCase()))
  const rate = entry === undefined ? undefined : Number(entry.value)
  if (rate === undefined || (Number.isSafeInteger(rate) && rate > 0)) {
    const options = optionsFromModel(model)
    return { options, sampleRate: rate ?? options?.sampleRate }
  }
  throw usageError(
    `Cannot use the model's metadata "${entry!.key}": "${entry!.value}" is no sample rate`,
    'export the model with a whole number of Hz',
  )
}
