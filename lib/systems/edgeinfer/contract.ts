/**
 * Reads the contract of the EdgeInfer sidecar, typed, and the files that it names.
 */
import { join } from 'node:path'
import { readContract, type ContractMark } from '../../contract/contract.ts'
import { blockedError } from '../../base/errors.ts'
import { sha256File } from '../../host/digest.ts'

/** A file of `contracts/edgeinfer`. */
interface ShippedFile {
  readonly path: string
  readonly sha256: string
}

/** The contract's values; each one's source stands in the JSON. */
export interface EdgeinferContract extends ContractMark {
  readonly model: {
    readonly windowSamples: number
    readonly channels: number
    readonly latentSize: number
    readonly motifs: number
    readonly rateHz: number
    readonly channelOrder: readonly string[]
    readonly units: readonly string[]
    readonly seed: number
  }
  readonly normalization: Normalization
  readonly range: {
    readonly accelerationMax: number
    readonly gyroscopeMax: number
    readonly magnetometerMax: number
  }
  readonly files: { readonly weights: ShippedFile; readonly windows: ShippedFile; readonly golden: ShippedFile }
  readonly names: {
    readonly onnx: string
    readonly exportConfig: string
    readonly apiContract: string
    readonly compilerConfig: string
    readonly golden: string
    readonly folders: {
      readonly exports: string
      readonly artifacts: string
      readonly telemetry: string
      readonly al: string
    }
  }
  readonly service: {
    readonly name: string
    readonly host: string
    readonly port: number
    readonly deadlineMs: number
    readonly queueMax: number
    readonly bodyBytesMax: number
    readonly drainMs: number
    readonly version: string
    readonly slowBodyMs: number
    readonly slowHeadersMs: number
  }
  readonly gates: {
    readonly exportCosineMin: number
    readonly compiledCosineMin: number
    readonly maxAbsMax: number
    readonly activeDimensionsMin: number
    readonly formsMaxAbs: number
    readonly latencyP95MsMax: number
    readonly windowsPerSecondMin: number
    readonly successMin: number
    readonly accuracyMin: number
    readonly limitShareMin: number
    readonly plainRatioMin: number
    readonly peerRatioMin: number
    readonly rssGrowthMbMax: number
    readonly coldStartMsMax: number
  }
  readonly load: {
    readonly windows: number
    readonly ratePerSecond: number
    readonly stressRatesPerSecond: readonly number[]
  }
  readonly calibration: { readonly windows: number }
  readonly telemetry: {
    readonly groupMs: number
    readonly groupBytes: number
    readonly segmentBytes: number
    readonly segmentSeconds: number
    readonly keepDays: number
    readonly keepBytes: number
    readonly rawWindows: number
  }
  readonly selection: {
    readonly labelsStart: number
    readonly labelsStep: number
    readonly labelsMax: number
    readonly seeds: number
    readonly streamShare: number
  }
}

/** How a window is standardised: `(x - mean) / std` by channel, in float32. */
export interface Normalization {
  readonly method: string
  readonly mean: readonly number[]
  readonly std: readonly number[]
}

let known: EdgeinferContract | undefined

/**
 * The contract, read once.
 *
 * @throws RunbookError as `readContract`
 */
export const edgeinferContract = (): EdgeinferContract =>
  (known ??= readContract<Omit<EdgeinferContract, keyof ContractMark>>('edgeinfer') as EdgeinferContract)

const shippedFolder = join(import.meta.dirname, '../../../contracts/edgeinfer')

/**
 * The path of a shipped file, after its digest was compared.
 * @throws RunbookError blocked when it is absent or another file
 */
export function shippedFile(name: keyof EdgeinferContract['files']): string {
  const { path, sha256 } = edgeinferContract().files[name]
  const whole = join(shippedFolder, path)
  if (sha256File(whole) === sha256) return whole
  throw blockedError(`Cannot use "${whole}": it is not the file of the contract`, 'restore it: git checkout contracts')
}
