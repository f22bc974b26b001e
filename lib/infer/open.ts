/**
 * Opens a model on the runtime that its file asks for.
 *
 * The choice never falls back silently: a runtime that is absent is an operating error that says what to install. No
 * runtime is loaded before it is asked for.
 */
import { extname } from 'node:path'
import { usageError } from '../base/errors.ts'
import { fileKind, fileKindBytes } from '../formats/file-kind.ts'
import { readHead } from '../host/files.ts'
import type { Backend } from './backend.ts'
import type { BackendName, BackendOptions } from './options.ts'

const runtimeOf: Readonly<Record<string, Runtime>> = {
  '.onnx': 'ort',
  '.ort': 'ort',
  '.hef': 'hailort',
  '.plan': 'tensorrt',
  '.engine': 'tensorrt',
}

/**
 * Open a model.
 *
 * `.onnx` and `.ort` are ONNX Runtime's, `.hef` is HailoRT's, `.plan` and `.engine` are TensorRT's, unless
 * `options.backend` says who runs it.
 *
 * @example
 * ```ts
 * import { float32 } from './lib/formats/tensors/tensor.ts'
 * import { halves, modelFile } from './lib/testing/infer/fixtures.ts'
 *
 * await using model = await openBackend(modelFile(halves(2)), { ort: { slots: 2, threads: 1 } })
 * const { output } = await model.infer({ input: float32([1, 1, 1, 2], [2, 4]) })
 * assert.deepEqual([...output!.data], [1, 2, 1, 2])
 * ```
 *
 * @throws RunbookError usage for a file of the wrong kind, blocked when the file or the runtime is absent
 */
export async function openBackend(path: string, options: BackendOptions = {}): Promise<Backend> {
  const head = readHead(path, fileKindBytes)
  const runtime = runtimeFor(path, options.backend ?? 'auto')
  if (runtime !== 'null') refuseForeign({ path, head, runtime })
  const onDevice = runtime === 'hailort' || runtime === 'tensorrt'
  if (options.isolate ?? onDevice) {
    const { openIsolated } = await import('./isolate/parent.ts')
    return openIsolated(path, { ...options, backend: runtime })
  }
  return openHere[runtime](path, options)
}

type Runtime = Exclude<BackendName, 'auto'>

function runtimeFor(path: string, name: BackendName): Runtime {
  const ending = extname(path)
  const runtime = name === 'auto' ? runtimeOf[ending.toLowerCase()] : name
  if (runtime !== undefined) return runtime
  throw usageError(
    `Cannot tell who runs "${path}": the ending "${ending}" is unknown`,
    'give --backend ort, or a file that ends in .onnx, .ort, .hef or .plan',
  )
}

/** How each runtime is opened in this process. */
const openHere: Record<Runtime, (path: string, options: BackendOptions) => Promise<Backend>> = {
  async ort(path, { ort: { driver = 'c', ...options } = {} }) {
    if (driver === 'node') return (await import('./ort/node-package.ts')).openOrtNode(path, options)
    return (await import('./ort/c-api.ts')).openOrtC(path, options)
  },
  hailort: async (path, { hailort }) => (await import('./hailort/backend.ts')).openHailortBackend(path, hailort),
  tensorrt: async (path, { tensorrt }) => (await import('./tensorrt/backend.ts')).openTensorRtPlan(path, tensorrt),
  null: async (path, { hailort }) => (await import('./null.ts')).openNull(path, { group: hailort?.group }),
}

/** A file's own first bytes say more than its name. */
function refuseForeign({ path, head, runtime }: { path: string; head: Buffer; runtime: Runtime }): void {
  const kind = fileKind(head)
  const wanted = { hailort: 'hef', tensorrt: 'plan' }[runtime as string]
  if (wanted !== undefined && kind?.id !== wanted) {
    const begins = `it begins with ${JSON.stringify(head.subarray(0, 8).toString('latin1'))}`
    const title = runtime === 'hailort' ? 'HailoRT: it is not a HEF' : 'TensorRT: it is not a plan'
    const other = runtimeOf[extname(path).toLowerCase()]
    const byEnding =
      other !== undefined && other !== runtime
        ? `leave out --backend: ${extname(path)} is ${titles[other]}'s; or give a .${wanted}`
        : undefined
    throw usageError(
      `Cannot run "${path}" on ${title} (${kind?.name ?? begins})`,
      kind?.hint ?? byEnding ?? 'compile it again, or give another file',
    )
  }
  if (wanted === undefined && kind?.id === 'hef') {
    throw usageError(
      `Cannot run "${path}" on ONNX Runtime: it is a HEF, which only HailoRT runs`,
      'give --backend hailort, or the .onnx of the same rung',
    )
  }
  if (wanted === undefined && kind !== null && foreignToOnnx.has(kind.id)) {
    throw usageError(`Cannot run "${path}" on ONNX Runtime: it is ${kind.name}`, kind.hint)
  }
}

const titles: Readonly<Record<string, string>> = { ort: 'ONNX Runtime', hailort: 'HailoRT', tensorrt: 'TensorRT' }

const foreignToOnnx = new Set<string>(['plan', 'rtx', 'lfs', 'html', 'mock', 'json', 'tar', 'empty'])
