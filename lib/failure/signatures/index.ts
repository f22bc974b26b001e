/**
 * Every signature, in the order in which they are tried.
 */
import type { Signature } from '../signature.ts'
import { compileSignatures } from './compile.ts'
import { driverSignatures } from './driver.ts'
import { environmentSignatures } from './environment.ts'
import { hailortSignatures } from './hailort.ts'
import { hostSignatures, lastSignatures } from './host.ts'
import { onnxruntimeSignatures } from './onnxruntime.ts'
import { optimizeSignatures } from './optimize.ts'
import { parseSignatures } from './parse.ts'
import { tensorrtNotices } from './tensorrt-notices.ts'
import { tensorrtSignatures } from './tensorrt.ts'

/** Signatures by the origin of the lines that hold them. */
export const families = {
  tensorrt: [...tensorrtSignatures, ...tensorrtNotices],
  host: hostSignatures,
  driver: driverSignatures,
  hailort: hailortSignatures,
  onnxruntime: onnxruntimeSignatures,
  environment: environmentSignatures,
  compiler: [...parseSignatures, ...optimizeSignatures, ...compileSignatures],
  last: lastSignatures,
} as const satisfies Record<string, readonly Signature[]>

/** Where a signature comes from. */
export type Family = keyof typeof families
