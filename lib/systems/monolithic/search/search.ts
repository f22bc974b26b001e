/**
 * Opens what a search for a compiling graph needs before its first case: the toolchain, the calibration, the cache and
 * an earlier run, as the inputs (`search-inputs.ts`) say.
 */
import { dirname, join } from 'node:path'
import { readFile } from '../../../host/files.ts'
import { hostGpus } from '../../../host/gpus.ts'
import { monolithicContract } from '../contract.ts'
import { usageError } from '../../../base/errors.ts'
import { openCache } from '../../../ladder/cache.ts'
import { openCalibration } from './calibration.ts'
import { chooseToolchain } from '../../../compile/choose-toolchain.ts'
import type { Ladder } from '../../../ladder/ladder.ts'
import { resumeFolder } from '../../../ladder/select.ts'
import type { CaseSetting } from './convtasnet-case.ts'
import { reportTail } from './closing.ts'
import type { SearchValues } from './search-inputs.ts'
import type { Toolchain } from '../../../compile/toolchain.ts'

/** Everything that is open before the first case. */
export interface Search {
  readonly toolchain: Toolchain
  readonly version: string | null
  readonly setting: CaseSetting
  /** Behind every report line that is not about a device. */
  readonly tail: string
  /** What a ladder of these values is run with, but for its cases and its stopping. */
  readonly ladder: Pick<Ladder, 'timeLimitMs' | 'caseTimeoutMs' | 'folder' | 'resume' | 'run'>
}

/**
 * Find the toolchain and open what the search reads.
 * @param o.print gets who compiles and why, and where the calibration comes from
 * @throws RunbookError blocked and usage, as `chooseToolchain` and `openCalibration`
 */
export async function openSearch(
  values: SearchValues,
  o: { folder: string; signal: AbortSignal; print: (words: string) => void },
): Promise<Search> {
  const outDir = dirname(o.folder)
  const resume = resumeFolder(values.resume, outDir)
  const { toolchain, availability, why } = await chooseToolchain(values.toolchain, {
    program: values.dfc,
    hwArch: values.hwArch,
    trt: {
      way: values.builder,
      trtexec: values.trtexec,
      precision: values.precision,
      calibrationCache: values.calibCache,
    },
  })
  if (toolchain.name !== 'dfc' && values.modelScript !== undefined) {
    throw usageError(
      `Cannot use --model-script with the toolchain ${toolchain.name}: it takes no script`,
      'leave it out, or give --dfc PATH',
    )
  }
  const calibration = await openCalibration({ path: values.calibNpz, lengthPolicy: values.inputLengthPolicy })
  o.print(values.model === undefined ? `${why}\ncalibration: ${calibration.from}` : why)
  const { calibrationSamples, batchSize } = monolithicContract().quickOpt
  return {
    toolchain,
    version: availability.version,
    setting: {
      calibration,
      batchSize,
      quick: values.quickOpt,
      weights: values.weights,
      // WHY: a device wants a thousand samples for a good quantisation; the host gains nothing from more.
      // SOURCE: decision D-23
      // CONTRACT: without --quick-opt every window of the file is used, up to 1024.
      calibrationSamples: values.quickOpt ? calibrationSamples : 1024,
      scriptExtra: values.modelScript === undefined ? '' : readFile(values.modelScript).toString('utf8'),
    },
    tail: reportTail(toolchain.name),
    ladder: {
      timeLimitMs: values.timeLimitMin * 60_000,
      caseTimeoutMs: values.caseTimeoutMin * 60_000,
      folder: o.folder,
      resume,
      run: {
        toolchain,
        toolchainVersion: versionOf(toolchain, availability.version),
        hwArch: values.hwArch,
        signal: o.signal,
        cache: values.cache ? openCache(join(outDir, '.cache')) : null,
      },
    },
  }
}

/** What decides an outcome beside the files: the compiler, and the GPU that its quantiser trains on. */
function versionOf({ name }: Toolchain, version: string | null): string | null {
  const gpus = name === 'dfc' ? hostGpus() : []
  return gpus.length === 0 ? version : `${version} on ${gpus.join(', ')}`
}
