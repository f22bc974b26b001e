/**
 * Runs a training: from packages to speech, from speech to weights, and a comparison with PyTorch.
 *
 * Each step is a Python program of `lib/models/convtasnet/training`; here they get their arguments, and their progress
 * comes back as data.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { decodeNpy } from '../../../formats/tensors/npy.ts'
import { usageError } from '../../../base/errors.ts'
import { makeFolder, readFile } from '../../../host/files.ts'
import { readNdjson } from '../../../host/ndjson.ts'
import { programFolder, voicesContract, type NetworkName } from './contract.ts'
import { mustRun, type TorchPython } from './programs.ts'

/** Where a step works, until when, and with which Python. */
export interface Workshop {
  readonly folder: string
  readonly signal: AbortSignal
  readonly python: TorchPython
}

const program = (name: string): string => join(programFolder, `${name}.py`)

/** How much speech a voice has. */
export interface VoiceFacts {
  readonly voice: string
  readonly prompts: number
  /** Prompts that are kept back for validation and test. */
  readonly held: number
  readonly minutes: number
}

/**
 * Unpack the packages and write speech and mixtures into `data`; gives what each voice brings.
 * @throws RunbookError fail when a program fails
 */
export async function prepareData(
  packages: readonly { readonly name: string; readonly path: string }[],
  { folder, signal, python, data }: Workshop & { readonly data: string },
): Promise<VoiceFacts[]> {
  const unpacked = makeFolder(join(folder, 'unpacked'))
  for (const { name, path } of packages) {
    const command = ['dpkg-deb', '-x', path, makeFolder(join(unpacked, name))]
    await mustRun({ command, name: `dpkg-deb-${name}`, folder, signal })
  }
  rmSync(join(data, voicesName), { force: true })
  const command = [python.program, program('voices'), unpacked, makeFolder(data)]
  await mustRun({ command, name: 'voices', folder, signal })
  rmSync(unpacked, { recursive: true })
  return voicesIn(data)
}

/**
 * What each voice brings, of speech that was prepared before.
 * @throws RunbookError blocked when the folder holds none
 */
export const voicesIn = (data: string): VoiceFacts[] => readNdjson(join(data, voicesName)) as VoiceFacts[]

const voicesName = 'voices.ndjson'

/** One line of a training's curve. */
export interface CurvePoint {
  readonly step: number
  /** CPU seconds and seconds of the wall's clock since the start. */
  readonly cpu: number
  readonly wall: number
  /** The share of the budget that is spent, 0 to 1. */
  readonly spent: number
  /** The mean loss since the last line: the negative SI-SDR of the training crops, dB. */
  readonly loss: number
  /** SI-SDRi of the validation mixtures, mean and worst, dB. */
  readonly val: number
  readonly vmin: number
}

/** What a training left. */
export interface Trained {
  /** float16, which ships, and the float32 that it was rounded from. */
  readonly weights: string
  readonly float32: string
  /** The lines of the training, as NDJSON. */
  readonly log: string
  readonly curve: readonly CurvePoint[]
  readonly seed: number
  readonly steps: number
  readonly cpuSeconds: number
  readonly wallSeconds: number
}

/**
 * What a training left in a folder.
 * @throws RunbookError blocked when its log is absent, usage when it did not end
 */
export function trainedIn(folder: string): Trained {
  const log = join(folder, 'log.ndjson')
  const lines = readNdjson(log) as Readonly<Record<string, unknown>>[]
  const [begun, done] = [lines.findLast(line => 'config' in line), lines.findLast(line => 'done' in line)]
  if (begun === undefined || done === undefined) {
    throw usageError(`Cannot use the training in "${folder}": it did not end`, 'train again')
  }
  return {
    weights: join(folder, 'weights.safetensors'),
    float32: join(folder, 'weights-float32.safetensors'),
    log,
    curve: lines.filter(line => 'val' in line) as unknown as CurvePoint[],
    seed: Number(begun.seed),
    steps: Number(done.steps),
    cpuSeconds: Number(done.cpu_seconds),
    wallSeconds: Number(done.wall_seconds),
  }
}

/** What a training may spend. */
export interface Budget {
  readonly cpuSeconds: number
  readonly wallSeconds?: number | undefined
  readonly seed: number
  /** Seconds between two points of the curve. */
  readonly everySeconds: number
}

/**
 * Train a network until its budget is spent.
 * @throws RunbookError fail when the program fails, interrupted when it was stopped
 */
export async function trainNetwork(
  name: NetworkName,
  budget: Budget,
  o: Workshop & { readonly data: string; readonly onPoint: (point: CurvePoint) => void },
): Promise<Trained> {
  const { nFilters, bnChan, hidChan, skipChan, nBlocks, nRepeats, kernelSize } = voicesContract().networks[name]
  const out = makeFolder(join(o.folder, 'training'))
  const config = [nFilters, bnChan, hidChan, skipChan, nBlocks, nRepeats].join()
  const options = {
    data: o.data,
    out,
    config,
    kernel: kernelSize,
    seed: budget.seed,
    'cpu-seconds': budget.cpuSeconds,
    'every-seconds': budget.everySeconds,
    ...(budget.wallSeconds === undefined ? {} : { 'wall-seconds': budget.wallSeconds }),
  }
  const { python, folder, signal, onPoint } = o
  await mustRun({
    command: [python.program, program('train'), ...Object.entries(options).flatMap(([k, v]) => [`--${k}`, `${v}`])],
    name: 'train',
    folder,
    signal,
    onFacts: facts => void ('val' in facts && onPoint(facts as unknown as CurvePoint)),
  })
  return trainedIn(out)
}

/**
 * What PyTorch answers for the first mixtures of a set: the samples of `[count, 2, samples]`, one after the other.
 * @throws RunbookError fail when the program fails
 */
export async function pytorchAnswers(
  o: Workshop & { readonly weights: string; readonly mixtures: string; readonly count: number },
): Promise<Float32Array> {
  const out = join(o.folder, 'pytorch-answers.npy')
  const command = [o.python.program, program('answer'), o.weights, o.mixtures, `${o.count}`, out]
  await mustRun({ command, name: 'answer', folder: o.folder, signal: o.signal })
  return decodeNpy(readFile(out)).data as Float32Array
}
