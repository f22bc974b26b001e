/**
 * Runs native code that may end the process in a child, for a test.
 *
 * A few lines of TypeScript in a process of their own, with the modules of the TensorRT room at hand. What they print
 * as JSON comes back; so does the signal, when there was one.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const ffi = join(import.meta.dirname, '../..')

/** How a child ended, and what it said. */
export interface ChildResult {
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  /** It had to be ended: it hung. */
  readonly timedOut: boolean
}

const modules = {
  'tensorrt/open.ts': 'openTensorRt',
  'tensorrt/runtime.ts': 'deserialize',
  'tensorrt/step.ts': 'createStep',
  'tensorrt/builder.ts': 'buildPlan',
  'cuda/cuda.ts': 'openCuda',
  'settled.ts': 'settled',
  'load.ts': 'koffi',
  'testing/tensorrt/standin.ts': 'tensorRtStandin, standinVersions',
  'testing/tensorrt/plan.ts': 'densePlan, planBytes',
}
const preamble = Object.entries(modules).map(
  ([path, names]) => `import { ${names} } from ${JSON.stringify(`file://${join(ffi, path)}`)}`,
)

/**
 * Run a program. It has `openTensorRt`, `deserialize`, `createStep`, `buildPlan`, `openCuda`, `settled`, `koffi`,
 * `tensorRtStandin`, `standinVersions`, `densePlan` and `planBytes`.
 *
 * @param options.flags for node, such as `--expose-gc`
 */
export function inChild(
  program: string,
  {
    env = {},
    flags = [],
    timeoutMs = 60_000,
  }: { env?: Readonly<Record<string, string>>; flags?: readonly string[]; timeoutMs?: number } = {},
): ChildResult {
  const argv = [...flags, '--import', 'tsx', '--input-type=module', '--eval', [...preamble, program].join('\n')]
  const { status, signal, stdout, stderr, error } = spawnSync(process.execPath, argv, {
    cwd: join(ffi, '..'),
    env: { ...process.env, ...env },
    encoding: 'utf8',
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  })
  return {
    exitCode: status,
    signal,
    stdout,
    stderr,
    timedOut: (error as NodeJS.ErrnoException | undefined)?.code === 'ETIMEDOUT',
  }
}
