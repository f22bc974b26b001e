/**
 * Calls TensorRT's builder, as a program: which version is here, or build one engine.
 *
 *   library-stage.ts version
 *   library-stage.ts build <request.json>
 *
 * What the library says goes to standard output as trtexec prints it, for the same classifier.
 */
import { existsSync } from 'node:fs'
import { versionText } from '../../../ffi/tensorrt/abi/abi.ts'
import { buildPlan, type BuildOptions } from '../../../ffi/tensorrt/builder.ts'
import { openTensorRt } from '../../../ffi/tensorrt/open.ts'
import { openParser } from '../../../ffi/tensorrt/parser.ts'
import { asError, RunbookError, usageError } from '../../base/errors.ts'
import { readFile, readJson, writeFileAtomic } from '../../host/files.ts'
import { operatingError } from '../../infer/native-error.ts'
import { isStronglyTyped } from './command.ts'
import type { LibraryFacts, LibraryRefusal } from './library.ts'
import type { EngineRequest } from './request.ts'

function version(): LibraryFacts {
  const rt = openTensorRt({ env: process.env })
  openParser(rt)
  return { path: rt.library.path, version: versionText(rt.version), major: rt.version.major }
}

async function build(request: EngineRequest): Promise<void> {
  const rt = openTensorRt({ env: process.env })
  const letters = { 'internal error': 'E', error: 'E', warning: 'W', info: 'I', verbose: 'V' } as const
  rt.logger.onMessage = ({ severity, text }) => console.log(`[${letters[severity]}] [TRT] ${text}`)
  const { plan, timingCache, layers } = await buildPlan(
    rt,
    readFile(request.onnx),
    optionsOf(request, rt.version.major),
  )
  writeFileAtomic(request.plan, plan)
  if (timingCache !== null && request.timingCache !== undefined) writeFileAtomic(request.timingCache, timingCache)
  console.log(`[I] ${layers} layers, ${plan.length} bytes written to ${request.plan}`)
}

function optionsOf(request: EngineRequest, major: number): BuildOptions {
  const { precision, profile, timingCache, workspaceMiB, optimizationLevel, int8, onnx } = request
  if (typeof int8 === 'object') {
    throw usageError(
      `Cannot use the calibration cache "${int8.cache}": the library takes none from a file`,
      'leave out the calibration cache, or build with trtexec',
    )
  }
  const isTypeFlag = precision !== 'fp32' && !isStronglyTyped({ major })
  const ranges = Object.entries(profile).map(([name, [min, opt, max]]) => [name, { min, opt, max }] as const)
  return {
    path: onnx,
    clear: precision === 'fp32' || isStronglyTyped({ major }) ? ['TF32'] : [],
    set: isTypeFlag ? [precision.toUpperCase()] : [],
    profiles: ranges.length === 0 ? [] : [Object.fromEntries(ranges)],
    ...(workspaceMiB !== undefined && { workspaceBytes: workspaceMiB * 2 ** 20 }),
    ...(optimizationLevel !== undefined && { optimizationLevel }),
    ...(timingCache !== undefined && {
      timingCache: existsSync(timingCache) ? readFile(timingCache) : new Uint8Array(),
    }),
  }
}

const refusalOf = ({ exit, message, hint }: RunbookError): LibraryRefusal => ({ exit, message, hint })

if (import.meta.filename === process.argv[1]) {
  const [verb, path] = process.argv.slice(2)
  const request = verb === 'build' ? (readJson(path!) as EngineRequest) : null
  try {
    if (request === null) console.log(JSON.stringify(version()))
    else await build(request)
  } catch (thrown) {
    const error = operatingError(thrown)
    if (!(error instanceof RunbookError)) throw asError(error)
    if (request === null) console.log(JSON.stringify(refusalOf(error)))
    else {
      console.log(`[E] ${error.message}`)
      writeFileAtomic(`${request.plan}.refusal.json`, JSON.stringify(refusalOf(error)))
      process.exitCode = 1
    }
  }
}
