/** Collects the environment variables that a run depends on, so that its command can name them. */
import type { InputRecord } from '../views/report.ts'
import { secretMark } from './inputs.ts'

/** They name native libraries, of which a runbook's inputs say nothing. */
const libraryVariables = [
  'HAILORT_LIB',
  'HAILO_ABI',
  'TENSORRT_LIB',
  'TENSORRT_PARSER_LIB',
  'CUDART_LIB',
  'ONNXRUNTIME_LIB',
]

/** The variables of a command that shall ask the same again, such as `HEF_PATH`; secrets stay in the environment. */
export function variablesOf(
  inputs: readonly InputRecord[],
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const read = inputs.flatMap(({ env: name, from, value }) =>
    from === 'env' && name !== null && value !== secretMark ? [name] : [],
  )
  const set = [...read, ...libraryVariables].flatMap(name => (env[name] ? [[name, env[name]] as const] : []))
  return Object.fromEntries(set)
}
