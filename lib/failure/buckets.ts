/**
 * Lists the kinds of failure: what each means, and what to try next.
 *
 * The kinds of every origin in one table: bucket to meaning, next step, stage, and whether it says that the network
 * does not fit. How a log is recognised is in `signatures/`.
 */
import type { Bucket } from './bucket.ts'
import { compilerBuckets } from './buckets/compiler.ts'
import { cudaBuckets } from './buckets/cuda.ts'
import { deviceBuckets } from './buckets/device.ts'
import { hailortBuckets } from './buckets/hailort.ts'
import { hostBuckets } from './buckets/host.ts'
import { onnxBuckets } from './buckets/onnx.ts'
import { pythonBuckets } from './buckets/python.ts'
import { serviceBuckets } from './buckets/services.ts'
import { tensorrtBuckets } from './buckets/tensorrt.ts'

/** Every bucket that a log can be put in, `unknown` included. */
export const buckets: Readonly<Record<string, Bucket>> = {
  ...compilerBuckets,
  ...hostBuckets,
  ...deviceBuckets,
  ...hailortBuckets,
  ...onnxBuckets,
  ...cudaBuckets,
  ...tensorrtBuckets,
  ...serviceBuckets,
  ...pythonBuckets,
}

/** What is known of a bucket; a name that is in no table reads as `unknown`. */
export const bucketOf = (name: string): Bucket => (Object.hasOwn(buckets, name) ? buckets[name]! : buckets.unknown!)
