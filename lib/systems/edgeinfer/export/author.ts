/**
 * Authors the model files of an encoder: trains the motif head, writes three forms, locks them, and writes the card.
 */
import { join } from 'node:path'
import { encodeModel } from '../../../formats/onnx/index.ts'
import { float32 } from '../../../formats/tensors/tensor.ts'
import { sha256File } from '../../../host/digest.ts'
import { makeFolder, readFile, writeFileAtomic } from '../../../host/files.ts'
import { openBackend } from '../../../infer/open.ts'
import {
  tcnFeed,
  tcnForms,
  tcnGraph,
  tcnInput,
  tcnInputShape,
  tcnLatent,
  tcnLogits,
} from '../../../models/tcn/graph.ts'
import type { TcnForm } from '../../../models/tcn/graph.ts'
import { seededTcnWeights, tcnWeightsFrom, type MotifHead, type TcnWeights } from '../../../models/tcn/weights.ts'
import { edgeinferContract, shippedFile } from '../contract.ts'
import { startsEvery, windowsOf, type DataSet, type LabelledWindow } from '../data/recording.ts'
import { baselineFeatures, labelOf, regressionAccuracy, trainMotifs, type TrainedMotifs } from '../motifs/train.ts'
import { softmaxInPlace } from '../motifs/softmax.ts'
import { apiContract } from '../sidecar/interface/documents.ts'
import { standardise } from '../window/layout.ts'
import { writeExportConfig, type ExportConfig } from './config.ts'
import { readGolden, writeReferenceGolden } from './golden.ts'

const contract = edgeinferContract()

// CONTRACT: windows for training and scoring begin every 0.76 s of a recording
// SOURCE: decision D-221
// WHY: the three seconds of a UCI HAR recording that the accuracy of the card is told for
const hopSeconds = 0.76

/** Weights and what they are called in evidence. */
export interface Donor {
  readonly weights: TcnWeights
  /** `shipped`, `seeded`, or the donor's path. */
  readonly name: string
  readonly sha256: string
  readonly isShipped: boolean
}

/**
 * Weights by word: `shipped`, `seeded`, or a path.
 * @throws RunbookError as `tcnWeightsFrom`
 */
export async function openDonor(word: string, note?: (line: string) => void): Promise<Donor> {
  if (word === 'seeded') {
    const weights = seededTcnWeights(contract.model.seed)
    const sha256 = '0'.repeat(64)
    return { weights, name: `seeded ${contract.model.seed}`, sha256, isShipped: false }
  }
  const path = word === 'shipped' ? shippedFile('weights') : word
  const weights = await tcnWeightsFrom(path, word === 'shipped' || note === undefined ? {} : { note })
  return { weights, name: word, sha256: sha256File(path), isShipped: word === 'shipped' }
}

/** The windows of a data set for training and scoring, a few seconds of each recording. */
export const windowsForTraining = ({ recordings }: DataSet): LabelledWindow[] =>
  windowsOf(recordings, startsEvery(hopSeconds))

/** Latents of raw windows, computed by ONNX Runtime from a graph written into `folder`. */
export async function latentsOf(
  weights: TcnWeights,
  windows: readonly Float32Array[],
  o: { folder: string; onDone?: (done: number, total: number) => void },
): Promise<Float32Array[]> {
  const size = contract.model.latentSize
  const none: MotifHead = { weight: float32([1, size], new Float32Array(size)), bias: float32([1], [0]) }
  const path = join(o.folder, 'encoder_only.onnx')
  writeFileAtomic(path, encodeModel(tcnGraph('nchw', weights, none)))
  await using model = await openBackend(path, {
    ort: { slots: 2, threads: 1, interOpThreads: 1, allowSpinning: false },
  })
  const latents: Float32Array[] = Array.from({ length: windows.length })
  let next = 0
  let done = 0
  const worker = async () => {
    while (next < windows.length) {
      const i = next++
      const data = tcnFeed('nchw', standardise(windows[i]!))
      const results = await model.infer({ [tcnInput]: float32(tcnInputShape('nchw'), data) })
      latents[i] = Float32Array.from(results[tcnLatent]!.data as Float32Array)
      o.onDone?.(++done, windows.length)
    }
  }
  await Promise.all([worker(), worker()])
  return latents
}

/** How well the motifs name activities, and what twelve numbers reach. Shares of windows, or null without labels. */
export interface MotifScores {
  readonly trainAccuracy: number
  readonly testAccuracy: number
  readonly baselineAccuracy: number
  readonly trainWindows: number
  readonly testWindows: number
}

/** Train the head on the training windows, and score it on the others. */
export function trainAndScore(
  windows: readonly LabelledWindow[],
  latents: readonly Float32Array[],
  labels: readonly string[],
): { trained: TrainedMotifs; scores: MotifScores | null } {
  const part = (split: LabelledWindow['split']) => {
    const at = windows.map((_, i) => i).filter(i => windows[i]!.split === split)
    return {
      latents: at.map(i => latents[i]!),
      labels: at.map(i => windows[i]!.label),
      raw: at.map(i => windows[i]!.window),
    }
  }
  const [train, test] = [part('train'), part('test')]
  const trained = trainMotifs(train, { labels, count: contract.model.motifs, seed: contract.model.seed })
  if (labels.length === 0 || test.latents.length === 0) return { trained, scores: null }
  const accuracy = ({ latents, labels }: typeof train) =>
    latents.filter((latent, i) => labelOf(scoresOf(trained.head, latent), trained.motifs) === labels[i]).length /
    latents.length
  const baseline = (of: typeof train) => ({ latents: of.raw.map(baselineFeatures), labels: of.labels })
  const scores: MotifScores = {
    trainAccuracy: accuracy(train),
    testAccuracy: accuracy(test),
    baselineAccuracy: regressionAccuracy(baseline(train), baseline(test), labels.length),
    trainWindows: train.latents.length,
    testWindows: test.latents.length,
  }
  return { trained, scores }
}

/** Motif scores of a latent, by plain arithmetic. */
export function scoresOf({ weight, bias }: MotifHead, latent: Float32Array): Float64Array {
  const logits = Float64Array.from(bias.data, (start, k) =>
    latent.reduce((sum, value, j) => sum + weight.data[k * latent.length + j]! * value, start),
  )
  return softmaxInPlace(logits)
}

/** The file name of a form: the plan's name is the form that takes a window as it is. */
export const fileOfForm = (form: TcnForm): string =>
  form === 'causal' ? contract.names.onnx : contract.names.onnx.replace('.onnx', `_${form}.onnx`)

/** What was written. */
export interface Exported {
  readonly config: ExportConfig
  readonly configPath: string
  readonly goldenPath: string
}

/**
 * Write the three forms, the golden windows and the configuration that locks them into `folder`, and the interface of
 * the sidecar for those who write its clients.
 */
export async function writeExport(
  folder: string,
  o: { donor: Donor; trained: TrainedMotifs; labels: readonly string[] },
): Promise<Exported> {
  makeFolder(folder)
  const { model, normalization, names } = contract
  for (const form of tcnForms) {
    const graph = tcnGraph(form, o.donor.weights, o.trained.head)
    writeFileAtomic(join(folder, fileOfForm(form)), encodeModel(graph))
  }
  writeFileAtomic(join(folder, names.apiContract), apiContract())
  const goldenPath = join(folder, names.golden)
  const shipped = shippedFile('golden')
  if (o.donor.isShipped) writeFileAtomic(goldenPath, readFile(shipped))
  else {
    const windows = (await readGolden(shipped)).map(({ window }) => window)
    await writeReferenceGolden(goldenPath, { windows, weights: o.donor.weights })
  }
  const config: ExportConfig = {
    version: 1,
    model: { name: names.onnx.replace('.onnx', ''), weights: o.donor.name, weights_sha256: o.donor.sha256 },
    input: {
      name: tcnInput,
      rate_hz: model.rateHz,
      samples: model.windowSamples,
      channel_order: [...model.channelOrder],
      units: [...model.units],
    },
    normalization: { method: normalization.method, mean: [...normalization.mean], std: [...normalization.std] },
    outputs: {
      [tcnLatent]: model.latentSize,
      [tcnLogits]: o.trained.motifs.length,
      motif_scores: `softmax of ${tcnLogits}, on the host`,
    },
    motifs: o.trained.motifs.map(({ name, label }) => ({ name, label })),
    labels: [...o.labels],
    golden: {
      file: names.golden,
      sha256: sha256File(goldenPath),
      reference: o.donor.isShipped ? 'PyTorch 1.13, float32' : 'plain loops, float64',
    },
    files: tcnForms.map(form => ({
      file: fileOfForm(form),
      sha256: sha256File(join(folder, fileOfForm(form))),
      form,
      stage: 'exported',
      toolchain: 'rungbook',
    })),
  }
  return { config, goldenPath, configPath: await writeExportConfig(folder, config) }
}

/** The card of an export, as Markdown. */
export function cardOf(exported: Exported, scores: MotifScores | null, data: DataSet): string {
  const { config } = exported
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`
  const measured =
    scores === null
      ? ['No labels: motifs are clusters of latents, and nothing is claimed of what they mean.']
      : [
          `- train: ${percent(scores.trainAccuracy)} of ${scores.trainWindows} windows`,
          `- test: ${percent(scores.testAccuracy)} of ${scores.testWindows} windows, from other recordings`,
          `- twelve numbers (mean and deviation of six channels): ${percent(scores.baselineAccuracy)}`,
        ]
  const rows = config.input.channel_order.map((name, c) => {
    const { mean, std } = config.normalization
    return `| ${name} | ${config.input.units[c]} | ${mean[c]} | ${std[c]} |`
  })
  return [
    `# ${config.model.name}`,
    '',
    `Weights: ${config.model.weights} (sha256 ${config.model.weights_sha256}). ` +
      `Golden latents: ${config.golden.reference}.`,
    '',
    `One window is ${config.input.samples} samples at ${config.input.rate_hz} Hz, row by row.`,
    '',
    '| channel | unit | mean | deviation |',
    '|---|---|---|---|',
    ...rows,
    '',
    `## Activities from motif scores (${data.from})`,
    '',
    ...measured,
    '',
    `Motifs: ${config.motifs.map(({ name }) => name).join(', ')}.`,
    '',
  ].join('\n')
}
