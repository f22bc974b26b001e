/**
 * Proves that ONNX Runtime's function table is the one that the bindings were written for.
 *
 * Asked before anything of value is called, and failing closed. First each address must lie in the library's own
 * executable memory; then harmless calls must answer as they do in every tested version. The last slot used is among
 * them, so that a table that was shifted anywhere is found.
 */
import { existsSync, realpathSync } from 'node:fs'
import { FfiError } from '../errors.ts'
import { MemoryMap } from '../memory-map.ts'
import { ort, type OrtFunctions, type Out, type Status } from './table.ts'

/** An error for a library that is there and must not be used. */
export const refused = (path: string, state: string): FfiError =>
  new FfiError(
    'refused',
    `Cannot use ONNX Runtime at "${path}": ${state}`,
    'unset ONNXRUNTIME_LIB to use the library of npm ci',
  )

/**
 * Whether every address is code of this library; not asked where the system does not tell (no /proc).
 *
 * @throws FfiError `refused`
 */
export function checkAddresses({
  path,
  addresses,
}: {
  path: string
  addresses: readonly { name: string; address: bigint }[]
}): void {
  const empty = addresses.find(({ address }) => !address)
  if (empty) throw refused(path, `its function table has no ${empty.name}`)
  const map = new MemoryMap()
  const real = existsSync(path) ? realpathSync(path) : path
  if (!map.hasCodeOf(real)) return
  const stray = addresses.find(({ address }) => map.codeAt(address) !== real)
  if (!stray) return
  const at = `0x${stray.address.toString(16)}`
  throw refused(path, `its function table is not as tested: ${stray.name} at ${at} is not code of this library`)
}

/**
 * Whether so many bytes may be read at an address: a table at a wild address would end the process.
 *
 * @throws FfiError `refused`
 */
export function checkReadable({
  path,
  address,
  bytes,
  what,
}: {
  path: string
  address: bigint
  bytes: number
  what: string
}): void {
  const map = new MemoryMap()
  if (!map.isKnown || map.isReadable(address, bytes)) return
  throw refused(path, `${what} is at 0x${address.toString(16)}, where there is no memory`)
}

/**
 * Harmless calls with known answers. Gives what the library says of how it was built.
 *
 * @throws FfiError `refused`, naming the call
 */
export function checkAnswers(functions: OrtFunctions, path: string): string {
  const buildInfo = functions.GetBuildInfoString()
  if (!buildInfo.startsWith('ORT Build Info'))
    throw refused(path, `GetBuildInfoString() answers ${JSON.stringify(buildInfo).slice(0, 80)}`)
  const words = 'rungbook canary'
  checkFailure({
    functions,
    path,
    call: 'CreateStatus',
    code: 7,
    words: /^rungbook canary$/,
    status: functions.CreateStatus(7, words),
  })
  const options: Out = [null]
  const status = functions.CreateSessionOptions(options)
  if (status !== null || options[0] === null) throw refused(path, 'CreateSessionOptions() gives no options')
  const failed = functions.SetSessionGraphOptimizationLevel(options[0], 12_345)
  const call = 'SetSessionGraphOptimizationLevel'
  checkFailure({ functions, path, call, code: ort.invalidArgument, words: /graph_optimization_level/, status: failed })
  functions.ReleaseSessionOptions(options[0])
  return buildInfo
}

interface Failure {
  readonly functions: OrtFunctions
  readonly path: string
  readonly call: string
  readonly code: number
  readonly words: RegExp
  readonly status: Status
}

/** A call that fails on purpose must give the code and the words that were asked for. */
function checkFailure(o: Failure): void {
  if (o.status === null) throw refused(o.path, `${o.call}() succeeds where it must fail`)
  const code = o.functions.GetErrorCode(o.status)
  const message = o.functions.GetErrorMessage(o.status)
  const isTested = code === o.code && o.words.test(message)
  if (!isTested)
    throw refused(
      o.path,
      `${o.call}() answers error ${code}, ${JSON.stringify(message).slice(0, 80)}, which is not as tested`,
    )
  o.functions.ReleaseStatus(o.status)
}
