/**
 * Which TensorRT wrote this plan, read before any library is asked?
 *
 * The first 28 bytes say it. A library of another version refuses the plan in words that differ from version to version, and only
 * after the GPU was woken. What follows the header is the library's own affair, so neither the GPU that the plan was built for nor
 * whether it was built to be version compatible can be read here.
 * Layout: `printPlanVersion` in `samples/common/sampleEngines.cpp` of TensorRT 8.6 to 11.1.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { fileError } from '../host/files.ts'
import { usageError } from '../notebook/errors.ts'
import { fileKind, fileKindBytes } from './file-kind.ts'

export interface PlanVersion {
  readonly major: number
  readonly minor: number
  readonly patch: number
  /** The build number's lowest byte; 0 where a library does not tell its own. */
  readonly build: number
}

export interface PlanHeader {
  readonly path: string
  readonly version: PlanVersion
  readonly fileBytes: number
}

/** What stands against running a plan. `message` is the state of a sentence. */
export interface PlanProblem {
  readonly level: 'error' | 'warning'
  readonly message: string
  readonly hint: string
}

/** "ftrt" in the file, read as a little-endian number. */
export const planMagic = 0x74727466
export const planHeaderBytes = 28
const again = 'copy it again in binary mode, and compare its sha256sum with the original\'s'
const rebuild = 'build it again with the TensorRT that shall run it: trtexec --onnx=… --saveEngine=…'

/** The header of a file. Errors: blocked when absent; usage when it is no plan (said what instead) or cut short. */
export function readPlanHeader(path: string): PlanHeader {
  try {
    const fd = openSync(path, 'r')
    try {
      const head = Buffer.alloc(fileKindBytes)
      return decodePlanHeader(head.subarray(0, readSync(fd, head, 0, head.length, 0)), { fileBytes: fstatSync(fd).size, name: path })
    } finally {
      closeSync(fd)
    }
  } catch (thrown) {
    throw fileError('read', path, thrown)
  }
}

/** A header from the first bytes of a file. Errors: usage, as `readPlanHeader`; `o.name` stands in messages. */
export function decodePlanHeader(head: Uint8Array, o: { fileBytes: number; name: string }): PlanHeader {
  const data = Buffer.from(head.buffer, head.byteOffset, head.length)
  if (data.length < 4 || data.readUInt32LE(0) !== planMagic) throw notPlan(data, o.name)
  const refuse = (state: string, hint: string) => usageError(`Cannot read "${o.name}": ${state}`, hint)
  if (data.length < planHeaderBytes) {
    throw refuse(`it is truncated: the header of a plan takes ${planHeaderBytes} bytes, and the file has ${o.fileBytes}`, again)
  }
  const serialization = data.readUInt32LE(4)
  if (serialization !== 0) throw refuse(`its serialization has version ${serialization}, and the known one is 0`, rebuild)
  const [major = 0, minor = 0, patch = 0, build = 0] = data.subarray(24, 28)
  // Plans from before 8.6 have other bytes there, as have damaged ones.
  if (major < 8) throw refuse(`its version reads ${major}.${minor}.${patch}: it is damaged, or was written before TensorRT 8.6`, rebuild)
  if (o.fileBytes === planHeaderBytes) throw refuse('it ends with its header', again)
  return { path: o.name, version: { major, minor, patch, build }, fileBytes: o.fileBytes }
}

/** The 28 bytes of a header: for tests and for stand-ins of the library. */
export function encodePlanHeader({ major, minor, patch, build }: PlanVersion): Uint8Array {
  const data = Buffer.alloc(planHeaderBytes)
  data.writeUInt32LE(planMagic, 0)
  data.set([major, minor, patch, build], 24)
  return new Uint8Array(data)
}

/** `10.13.3`. */
export const planVersionText = ({ major, minor, patch }: PlanVersion): string => `${major}.${minor}.${patch}`

/**
 * A version from the number that `getInferLibVersion` gives: 8601 is 8.6.1, 101300 is 10.13.0. The build is not in it.
 * Source: `NvInferVersion.h`, which widened the fields at 10.
 */
export function planVersionFromNumber(number: number): PlanVersion {
  const [unit, step] = number >= 100_000 ? [10_000, 100] : [1000, 100]
  return { major: Math.floor(number / unit), minor: Math.floor((number % unit) / step), patch: number % step, build: 0 }
}

/** Whether a library can run the plan; empty when the versions are one. A patch apart counts as another version, as TensorRT has it. */
export function preflightPlan({ version }: PlanHeader, library: PlanVersion): readonly PlanProblem[] {
  const order = version.major - library.major || version.minor - library.minor || version.patch - library.patch
  if (order === 0) return []
  const both = `it was built with TensorRT ${planVersionText(version)}, and the library is ${planVersionText(library)}`
  if (order > 0) return [{ level: 'error', message: both, hint: `${rebuild}, or install TensorRT ${planVersionText(version)}` }]
  return [{ level: 'warning', message: `${both}: it runs only if it was built with --versionCompatible`, hint: rebuild }]
}

function notPlan(head: Buffer, name: string) {
  const kind = fileKind(head)
  const begins = `it begins with ${head.subarray(0, 4).toString('hex')}, and a plan with 66747274`
  const what = kind === null ? begins : kind.id === 'empty' ? 'it is empty' : `it is ${kind.name}`
  return usageError(`Cannot read "${name}" as a TensorRT plan: ${what}`, kind?.hint ?? rebuild)
}
