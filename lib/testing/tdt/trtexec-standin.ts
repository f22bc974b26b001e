/**
 * Installs a stand-in for trtexec: it knows the flags of its version, and writes a plan's first bytes, or fails.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { densePlan, planBytes } from '../../../ffi/testing/tensorrt/plan.ts'

/** How the stand-in behaves. */
export interface TrtexecStandin {
  /** As the banner has it: `101600` for 10.16.0. */
  readonly version: string
  readonly flags: readonly string[]
  /** A component whose build fails, with what the log then says. */
  readonly fails?: { readonly component: string; readonly log: string; readonly exit: number }
  /** It ends well and writes no plan. */
  readonly writesNothing?: boolean
}

/** Write the program; gives its path. */
export function installTrtexec(folder: string, standin: TrtexecStandin): string {
  const path = join(folder, 'trtexec')
  const plan = Buffer.from(planBytes(densePlan(), { major: 10, minor: 16, patch: 0 })).toString('hex')
  const program = `#!/usr/bin/env node
const { writeFileSync } = require('node:fs')
const standin = ${JSON.stringify(standin)}
const plan = ${JSON.stringify(plan)}
console.log('&&&& RUNNING TensorRT.trtexec [TensorRT v' + standin.version + '] # trtexec')
const args = process.argv.slice(2)
if (args.includes('--help')) {
  for (const flag of standin.flags) console.log('  --' + flag + '  a flag')
  process.exit(0)
}
const unknown = args.find(arg => !standin.flags.includes(arg.replace(/^--/, '').split('=')[0]))
if (unknown) { console.error('[E] Unknown option: ' + unknown); process.exit(1) }
const value = name => args.find(arg => arg.startsWith('--' + name + '='))?.split('=')[1] ?? ''
const component = value('onnx').split('/').at(-1).replace('.onnx', '')
if (standin.fails && standin.fails.component === component) {
  console.error(standin.fails.log)
  process.exit(standin.fails.exit)
}
if (!standin.writesNothing) writeFileSync(value('saveEngine'), Buffer.from(plan, 'hex'))
console.log('&&&& PASSED TensorRT.trtexec')
`
  writeFileSync(path, program, { mode: 0o755 })
  return path
}

const flagsOfBoth = ['onnx', 'saveEngine', 'minShapes', 'optShapes', 'maxShapes', 'timingCacheFile', 'skipInference']
/** Flags of trtexec by major version of TensorRT, as far as they are used. */
export const trtexecFlags = {
  10: [...flagsOfBoth, 'noTF32', 'fp16', 'bf16', 'int8'],
  11: [...flagsOfBoth, 'noTF32'],
} as const
