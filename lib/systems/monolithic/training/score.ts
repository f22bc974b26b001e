/**
 * Scores how well exported weights separate: as one window, tiled as a rung runs, and in int8.
 *
 * The graphs are authored by the project and run on ONNX Runtime, so what is measured is what ships. SI-SDRi is that of
 * `lib/signal/metrics.ts`: the mean over both voices, in the better order.
 */
import { join } from 'node:path'
import { encodeModel } from '../../../formats/onnx/index.ts'
import { decodeNpy } from '../../../formats/tensors/npy.ts'
import { readFile, writeFileAtomic } from '../../../host/files.ts'
import type { Backend } from '../../../infer/backend.ts'
import { openOrtNode } from '../../../infer/ort/node-package.ts'
import { convTasNetGraph } from '../../../models/convtasnet/graph.ts'
import { haloFrames, type ConvTasNetOptions } from '../../../models/convtasnet/options.ts'
import { loadWeights } from '../../../models/convtasnet/weights.ts'
import { inspect } from '../../../onnx/inspect.ts'
import { calibrate } from '../../../onnx/quantize/calibrate.ts'
import { quantizeQdq } from '../../../onnx/quantize/quantize.ts'
import { SeparationScore } from '../../../signal/metrics.ts'
import { feedOf } from '../search/convtasnet-case.ts'
import { separationModel } from '../separation/model.ts'
import { separate } from '../separation/separate.ts'

/** Two clean voices of one length; the mixture is their sum. */
export interface CleanPair {
  readonly voices: readonly [Float32Array, Float32Array]
  readonly mixture: Float32Array
}

/**
 * The mixtures of a set, as `voices.py` wrote them: float32 [mixtures, 2, samples].
 * @throws RunbookError blocked when the file is absent, usage when it is no such array
 */
export function readMixtures(path: string): CleanPair[] {
  const { shape, data } = decodeNpy(readFile(path), path)
  const [count = 0, , samples = 0] = shape
  const values = data as Float32Array
  return Array.from({ length: count }, (_, i) => {
    const voice = (v: number) => values.subarray((2 * i + v) * samples, (2 * i + v + 1) * samples)
    const voices = [voice(0), voice(1)] as const
    return { voices, mixture: voices[0].map((value, n) => value + voices[1][n]!) }
  })
}

/** Sizes of a graph. */
export interface GraphFacts {
  readonly parameters: number
  /** Multiplications and additions for one second of sound, in millions. */
  readonly mmacPerS: number
}

/** A model that is open, with what tiling needs. */
interface OpenModel extends AsyncDisposable {
  readonly backend: Backend
  readonly options: ConvTasNetOptions
}

async function openGraph(bytes: Uint8Array, path: string, options: ConvTasNetOptions): Promise<OpenModel> {
  writeFileAtomic(path, bytes)
  const backend = await openOrtNode(path)
  return { backend, options, [Symbol.asyncDispose]: () => backend[Symbol.asyncDispose]() }
}

/** Sources of one mixture. */
async function sourcesOf({ backend, options }: OpenModel, mixture: Float32Array): Promise<Float32Array[]> {
  const layout = { kernel: options.kernelSize, stride: options.stride }
  const found = [0, 1].map(() => new Float32Array(mixture.length))
  let [at, read] = [0, 0]
  await separate({
    backend,
    model: separationModel(backend, { layout }),
    haloFrames: haloFrames(options),
    source: {
      totalSamples: mixture.length,
      read: count => mixture.subarray(read, (read += count)),
    },
    signal: new AbortController().signal,
    onBlock(mix, sources) {
      for (const [s, samples] of sources.entries()) found[s]!.set(samples, at)
      at += mix.length
    },
  })
  return found
}

/** SI-SDRi of each mixture in dB, and what the model answered. */
async function scored(
  model: OpenModel,
  pairs: readonly CleanPair[],
  onAnswer: (sources: readonly Float32Array[], i: number) => void = () => {},
): Promise<number[]> {
  const found: number[] = []
  for (const [i, { voices, mixture }] of pairs.entries()) {
    const sources = await sourcesOf(model, mixture)
    onAnswer(sources, i)
    const score = new SeparationScore(2)
    score.push(mixture, sources, voices)
    found.push(score.result().siSdriDb)
  }
  return found
}

/** What a weights file is measured with. */
export interface ScoreJob {
  readonly weights: string
  /** The rung's graph: windows of `inputLen` samples. */
  readonly options: ConvTasNetOptions
  /** Where graphs are written. */
  readonly folder: string
  readonly mixtures: readonly CleanPair[]
}

/** A float graph of the weights, whose windows have `inputLen` samples. */
async function openFloat({ weights, options, folder }: Omit<ScoreJob, 'mixtures'>, inputLen: number) {
  const sized = { ...options, inputLen }
  const model = convTasNetGraph(sized, await loadWeights(weights, sized))
  return openGraph(encodeModel(model), join(folder, `float-${inputLen}.onnx`), sized)
}

/**
 * SI-SDRi of each mixture as one window, in dB.
 * @param o.onAnswer gets the two sources of each mixture
 * @throws RunbookError as `loadWeights` and `openOrtNode`
 */
export async function scoreWhole(
  job: ScoreJob,
  o: { onAnswer?: (sources: readonly Float32Array[], i: number) => void } = {},
): Promise<number[]> {
  await using model = await openFloat(job, job.mixtures[0]!.mixture.length)
  return await scored(model, job.mixtures, o.onAnswer)
}

/** SI-SDRi of each mixture in windows of the rung, joined where their halos end, in dB. */
export async function scoreTiled(job: ScoreJob): Promise<number[]> {
  await using model = await openFloat(job, job.options.inputLen)
  return await scored(model, job.mixtures)
}

/**
 * SI-SDRi of each mixture by the int8 graph, tiled, in dB.
 * @param o.calibration mixtures that are cut into windows, the first of each before the second of any
 * @param o.windows how many windows calibrate, at most
 * @throws RunbookError those of `loadWeights`, `calibrate` and `openOrtNode`
 */
export async function scoreInt8(
  job: ScoreJob,
  o: { calibration: readonly CleanPair[]; windows: number },
): Promise<number[]> {
  const { options, folder, weights } = job
  const { inputLen } = options
  const model = convTasNetGraph(options, await loadWeights(weights, options))
  const each = Math.floor(o.calibration[0]!.mixture.length / inputLen)
  const cuts = Array.from({ length: each }, (_, i) =>
    o.calibration.map(({ mixture }) => mixture.slice(i * inputLen, (i + 1) * inputLen)),
  )
  const feeds = cuts.flat().slice(0, o.windows)
  const ranges = await calibrate(
    model,
    feeds.map(window => ({ input: feedOf(window, options) })),
  )
  await using open = await openGraph(encodeModel(quantizeQdq(model, ranges)), join(folder, 'int8.onnx'), options)
  return await scored(open, job.mixtures)
}

/** Parameters and work of the rung's graph. */
export async function graphFacts({ weights, options }: Omit<ScoreJob, 'mixtures'>): Promise<GraphFacts> {
  const facts = inspect(convTasNetGraph(options, await loadWeights(weights, options)))
  return { parameters: facts.parameters, mmacPerS: (facts.macs / 1e6 / options.inputLen) * 16_000 }
}

/** Mean, median and worst of some values. */
export interface Spread {
  readonly mean: number
  readonly median: number
  readonly worst: number
}

/** NaN of no values, so that nothing passes a gate. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const half = sorted.length / 2
  const median = (sorted[Math.ceil(half) - 1]! + sorted[Math.floor(half)]!) / 2
  return { mean: values.reduce((sum, value) => sum + value, 0) / values.length, median, worst: sorted[0] ?? Number.NaN }
}

/** How much each mixture lost from one list to the other, in dB; negative where it gained. */
export const losses = (from: readonly number[], to: readonly number[]): number[] =>
  from.map((value, i) => value - to[i]!)
