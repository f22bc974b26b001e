/**
 * Installs a stand-in for trtexec: it knows the flags of its version, and writes a plan of that version, or fails.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { densePlan, planBytes, type PlanNetwork } from '../../../ffi/testing/tensorrt/plan.ts'
import { versionFromNumber } from '../../../ffi/tensorrt/abi/abi.ts'

/** How the stand-in behaves. */
export interface TrtexecStandin {
  /** As the banner has it: `101600` for 10.16.0; empty for a program that does not say. */
  readonly version: string
  readonly flags: readonly string[]
  /** A model (its file's name without the ending) whose build fails, with what the log then says. */
  readonly fails?: { readonly component: string; readonly log: string; readonly exit: number }
  /** It ends well and writes no plan. */
  readonly writesNothing?: boolean
  /** It writes a plan of this version instead of its own. */
  readonly planVersion?: string
  /** What its plans compute, where the stand-in of TensorRT runs them. */
  readonly network?: PlanNetwork
  /** It hangs when it is asked to build. */
  readonly hangs?: boolean
}

/** Write the program; gives its path. */
export function installTrtexec(folder: string, standin: TrtexecStandin): string {
  const path = join(folder, 'trtexec')
  const written = versionFromNumber(Number(standin.planVersion ?? (standin.version || '101600')))
  const plan = Buffer.from(planBytes(standin.network ?? densePlan(), written)).toString('hex')
  const program = `#!/usr/bin/env node
const { writeFileSync } = require('node:fs')
const standin = ${JSON.stringify({ ...standin, network: undefined })}
const plan = ${JSON.stringify(plan)}
const args = process.argv.slice(2)
const banner = standin.version && '[TensorRT v' + standin.version + '] '
console.log('&&&& RUNNING TensorRT.trtexec ' + banner + '# trtexec ' + args.join(' '))
if (args.includes('--help')) {
  for (const flag of standin.flags) console.log('  --' + flag + '                  a flag (--nothing is another)')
  process.exit(0)
}
const failed = (...lines) => {
  for (const line of lines) console.error(line)
  console.log('&&&& FAILED TensorRT.trtexec ' + banner + '# trtexec ' + args.join(' '))
}
const unknown = args.find(arg => !standin.flags.includes(arg.replace(/^--/, '').split('=')[0]))
if (unknown) { failed('[E] Unknown option: ' + unknown); process.exit(1) }
const value = name => args.find(arg => arg.startsWith('--' + name + '='))?.split('=')[1] ?? ''
const component = value('onnx').split('/').at(-1).replace(/[.].*/, '')
if (standin.hangs) setInterval(() => {}, 1000)
else if (standin.fails && standin.fails.component === component) {
  failed(standin.fails.log)
  process.exitCode = standin.fails.exit
} else {
  if (!standin.writesNothing) writeFileSync(value('saveEngine'), Buffer.from(plan, 'hex'))
  if (value('timingCacheFile')) writeFileSync(value('timingCacheFile'), 'timings')
  console.log('&&&& PASSED TensorRT.trtexec ' + banner + '# trtexec ' + args.join(' '))
}
`
  writeFileSync(path, program, { mode: 0o755 })
  return path
}

const flagsOfAll = [
  'onnx',
  'saveEngine',
  'minShapes',
  'optShapes',
  'maxShapes',
  'memPoolSize',
  'timingCacheFile',
  'builderOptimizationLevel',
  'skipInference',
  'noTF32',
]
/**
 * Flags of trtexec by major version of TensorRT, as far as they are used. From `samples/common/sampleOptions.cpp` of
 * each.
 */
export const trtexecFlags = {
  8: [...flagsOfAll, 'fp16', 'int8', 'calib', 'best'],
  10: [...flagsOfAll, 'fp16', 'bf16', 'int8', 'calib', 'best', 'stronglyTyped'],
  11: flagsOfAll,
} as const
