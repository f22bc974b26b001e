/**
 * Every signature, in the order in which they are tried.
 */
import type { Signature } from '../signature.ts'
import { compileSignatures } from './compiler/compile.ts'
import { driverSignatures } from './driver.ts'
import { environmentSignatures } from './environment.ts'
import { hailortSignatures } from './hailort.ts'
import { hostSignatures, lastSignatures } from './host.ts'
import { onnxruntimeSignatures } from './onnxruntime.ts'
import { optimizeSignatures } from './compiler/optimize.ts'
import { parseSignatures } from './compiler/parse.ts'
import { pythonSignatures } from './python.ts'
import { serviceSignatures } from './services.ts'
import { tensorrtNotices } from './tensorrt-notices.ts'
import { tensorrtSignatures } from './tensorrt.ts'

/** Signatures by the origin of the lines that hold them. */
export const families = {
  tensorrt: [...tensorrtSignatures, ...tensorrtNotices],
  host: hostSignatures,
  services: serviceSignatures,
  driver: driverSignatures,
  hailort: hailortSignatures,
  onnxruntime: onnxruntimeSignatures,
  python: pythonSignatures,
  environment: environmentSignatures,
  compiler: [...parseSignatures, ...optimizeSignatures, ...compileSignatures],
  last: lastSignatures,
} as const satisfies Record<string, readonly Signature[]>

/** Where a signature comes from. */
export type Family = keyof typeof families
