/**
 * Where the files of the EdgeInfer system lie: `exports/`, `artifacts/`, `telemetry/` and `al/` under one folder.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { blockedError } from '../../base/errors.ts'
import { backendNames } from '../../infer/options.ts'
import { choice, file, text } from '../../notebook/run/runbook.ts'
import { edgeinferContract } from './contract.ts'
import { runbookCommand } from '../../host/typescript.ts'

/** The input that every runbook of the system has. */
export const homeInput = text({
  env: 'EDGEINFER_HOME',
  default: 'module_runs/edgeinfer',
  help: 'the folder that holds exports/, artifacts/, telemetry/ and al/',
})

/** The input of runbooks that ask one model. */
export const modelInput = file({
  env: 'HEF_PATH',
  optional: true,
  late: true,
  help: 'the model; default: the exported one of --home',
})

/** The input of runbooks that choose who runs the model. */
export const backendInput = choice(backendNames, {
  env: 'MODEL_BACKEND',
  default: 'auto',
  help: 'who runs it; auto goes by the file',
})

/** The command of another runbook of the system, on the same home. */
export const commandAt = (home: string, file: string, words: readonly (string | number)[] = []): string =>
  runbookCommand(file, home === homeInput.fallback ? words : ['--home', home, ...words])

/** One of the plan's folders under the home. */
export const homeFolder = (home: string, name: 'exports' | 'artifacts' | 'telemetry' | 'al'): string =>
  join(home, edgeinferContract().names.folders[name])

/**
 * The model to open unless one is named: the exported file of the form that ONNX Runtime runs fastest, or the compiled
 * HEF for a Hailo device.
 * @throws RunbookError blocked when it was not made yet
 */
export function defaultModel(home: string, backend: string): string {
  const { onnx } = edgeinferContract().names
  const isHailo = backend === 'hailort'
  const path = isHailo
    ? join(homeFolder(home, 'artifacts'), onnx.replace('.onnx', '.hef'))
    : join(homeFolder(home, 'exports'), onnx.replace('.onnx', '_nchw.onnx'))
  if (existsSync(path)) return path
  const maker = commandAt(home, isHailo ? 'runbooks/edgeinfer-compile.ts' : 'runbooks/edgeinfer-export.ts')
  throw blockedError(`Cannot open "${path}": it was not made yet`, `first: ${maker}`)
}
