/**
 * What do the runbooks that search for a compiling graph have in common? Their inputs, and what those open.
 *
 * The names of variables are the plan's; limits and defaults are the contract's.
 */
import { dirname, join, relative } from 'node:path'
import { readFile } from '../host/files.ts'
import { monolithicContract } from '../models/convtasnet/ladder-configs.ts'
import { decoderModes } from '../models/convtasnet/options.ts'
import { choice, file, number, text, toggle } from '../notebook/inputs.ts'
import { openCache } from './cache.ts'
import { openCalibration, type Calibration } from './calibration.ts'
import { chooseToolchain } from './choose-toolchain.ts'
import { resumeFolder, type Ladder } from './ladder.ts'
import type { CaseSetting } from './convtasnet-case.ts'
import type { Toolchain } from './toolchain.ts'

/** The inputs of a search; a runbook adds its own. */
export function searchInputs() {
  const { defaults, limits } = monolithicContract()
  return {
    toolchain: choice(['auto', 'dfc', 'host'], { env: 'TOOLCHAIN', default: 'auto', help: 'who compiles; auto takes dfc when it is found, else host' }),
    dfc: text({ optional: true, help: 'the hailo program of the Dataflow Compiler, or the virtualenv that holds it' }),
    hwArch: text({ env: 'HW_ARCH', default: defaults.hwArch, help: 'the device to compile for' }),
    calibNpz: file({ env: 'CALIB_NPZ', optional: true, help: 'calibration windows (.npz or .npy); default: the shipped recordings' }),
    inputLengthPolicy: choice(['error', 'crop'], { default: defaults.inputLengthPolicy as 'error' | 'crop', help: 'what happens to calibration windows that are wider than the network' }),
    quickOpt: toggle({ env: 'QUICK_OPT', default: defaults.quickOpt, help: 'few calibration samples and no fine-tuning while searching' }),
    modelScript: file({ optional: true, help: 'more model-script commands (.alls) for the Dataflow Compiler' }),
    decoder: choice(decoderModes, { default: 'polyphase', help: 'the decoder; conv1x1_head answers at the latent rate, not at the audio rate' }),
    weights: file({ optional: true, help: 'weights by name (.safetensors or .npz); default: seeded, untrained' }),
    timeLimitMin: number({ env: 'TIME_LIMIT_MIN', default: limits.timeLimitMin, min: 0.01, unit: 'minutes', help: 'time for the whole search' }),
    caseTimeoutMin: number({ env: 'CASE_TIMEOUT_MIN', default: limits.caseTimeoutMin, min: 0.001, unit: 'minutes', help: 'hard time limit for one case' }),
    resume: text({ optional: true, help: 'an earlier run whose finished cases are taken over' }),
    cache: toggle({ default: true, help: 'take an identical case from an earlier run' }),
  }
}

/** What `searchInputs` gives. */
export interface SearchValues {
  readonly toolchain: 'auto' | 'dfc' | 'host'
  readonly dfc: string | undefined
  readonly hwArch: string
  readonly calibNpz: string | undefined
  readonly inputLengthPolicy: 'error' | 'crop'
  readonly quickOpt: boolean
  readonly modelScript: string | undefined
  readonly weights: string | undefined
  readonly timeLimitMin: number
  readonly caseTimeoutMin: number
  readonly resume: string | undefined
  readonly cache: boolean
}

export interface Search {
  readonly toolchain: Toolchain
  readonly version: string | null
  /** One line: who compiles, and why. */
  readonly why: string
  readonly calibration: Calibration
  readonly setting: CaseSetting
  /** Behind every report line that is not about a device. */
  readonly mark: string
  /** What a ladder of these values is run with, but for its cases and its stopping. */
  readonly ladder: Pick<Ladder, 'timeLimitMs' | 'caseTimeoutMs' | 'folder' | 'resume' | 'run'>
}

/** Find the toolchain and open what the search reads. Errors: blocked and usage, as `chooseToolchain` and `openCalibration`. */
export async function openSearch(values: SearchValues, o: { folder: string; signal: AbortSignal }): Promise<Search> {
  const outDir = dirname(o.folder)
  const resume = resumeFolder(values.resume, outDir)
  const { toolchain, availability, why } = await chooseToolchain(values.toolchain, { program: values.dfc })
  const calibration = await openCalibration({ path: values.calibNpz, lengthPolicy: values.inputLengthPolicy })
  const { calibrationSamples, batchSize } = monolithicContract().quickOpt
  return {
    toolchain, version: availability.version, why, calibration,
    setting: {
      calibration, batchSize, quick: values.quickOpt, weights: values.weights,
      // WHY: a device wants a thousand samples for a good quantisation; the host has nothing to gain from more than it is given.
      // SOURCE: decision D-23
      // CONTRACT: without --quick-opt every window of the file is used, up to 1024.
      calibrationSamples: values.quickOpt ? calibrationSamples : 1024,
      scriptExtra: values.modelScript === undefined ? '' : readFile(values.modelScript).toString('utf8'),
    },
    mark: toolchain.name === 'host' ? ' ; toolchain=host' : '',
    ladder: {
      timeLimitMs: values.timeLimitMin * 60_000,
      caseTimeoutMs: values.caseTimeoutMin * 60_000,
      folder: o.folder,
      resume,
      run: {
        toolchain, hwArch: values.hwArch, signal: o.signal,
        cache: values.cache ? openCache(join(outDir, '.cache'), { name: toolchain.name, version: availability.version }) : null,
      },
    },
  }
}

/** A path as a person would type it. */
export const shownPath = (path: string): string => {
  const inside = relative(process.cwd(), path)
  return inside.startsWith('..') ? path : inside
}
