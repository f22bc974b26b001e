/**
 * Opens ONNX Runtime's C functions in this process, and reads their statuses.
 *
 * Opens the library, asks it for a function table, declares the functions by slot, and proves the slots with canaries
 * before anyone else may call. Sessions and tensors are in the files beside this one.
 */
import { switchOffOrtTelemetry } from '../../lib/host/onnxruntime-node.ts'
import { FfiError } from '../errors.ts'
import { bind, koffi, openLibrary, type NativeFunction, type OpenedLibrary } from '../load.ts'
import { checkAddresses, checkAnswers, checkReadable, refused } from './canary.ts'
import { ortLibrary } from './library.ts'
import { traced } from '../trace.ts'
import {
  apiBase,
  errorNames,
  opaqueTypes,
  ortTable,
  type OrtFunctions,
  type Out,
  type Pointer,
  type Status,
} from './table.ts'

/** Versions of the table that are tested. A newer library still grants these; an older one is refused. */
export const apiVersions = { oldest: 16, newest: 30 } as const

/** The functions of one library, of a version that both sides know. */
export interface OrtApi {
  /** Version of the library: `1.30.0`. */
  readonly version: string
  /** Version of the function table that the library granted. */
  readonly apiVersion: number
  /** What the library says of how it was built. */
  readonly buildInfo: string
  readonly path: string
  readonly functions: OrtFunctions
}

/** Which library, and which version of its table. */
export interface ApiOptions {
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Ask for no newer table than this; by default the newest that is tested. */
  readonly apiVersion?: number
}

/**
 * With the library's handle: koffi closes a library that nobody holds, and functions found by address do not hold it.
 */
const opened = new Map<string, { api: OrtApi; library: OpenedLibrary }>()

/**
 * The C API of ONNX Runtime; opened once for each library and version, and never unloaded, since its threads outlive
 * its sessions.
 *
 * @throws FfiError `absent` when there is no library or it is another library; `refused` when its version or its
 *   answers are not as tested
 */
export function openApi(options: ApiOptions = {}): OrtApi {
  switchOffOrtTelemetry()
  const library = openLibrary(ortLibrary(), options)
  const asked = options.apiVersion ?? apiVersions.newest
  const key = `${asked} ${library.path}`
  const known = opened.get(key)
  if (known) return known.api
  const base = baseOf(library)
  const version = base.GetVersionString()
  const apiVersion = apiVersionOf({ version, asked, path: library.path })
  const table = base.GetApi(apiVersion)
  if (table === null) throw refused(library.path, `version ${version} does not grant C API ${apiVersion}`)
  const what = `the table of C API ${apiVersion}`
  const functions = functionsAt<OrtFunctions>({ path: library.path, address: table, what, table: ortTable })
  const buildInfo = checkAnswers(functions, library.path)
  const api: OrtApi = { version, apiVersion, buildInfo, path: library.path, functions }
  opened.set(key, { api, library })
  return api
}

/**
 * The newest table that both sides know. A library of version 1.N grants 1 to N; it is not asked beyond that, because
 * it would write a complaint to stderr.
 */
export function apiVersionOf({ version, asked, path }: { version: string; asked: number; path: string }): number {
  const minor = Number(/^1\.(\d+)\./.exec(version)?.[1] ?? Number.NaN)
  if (Number.isNaN(minor)) throw refused(path, `it is version ${JSON.stringify(version)}, and only 1.x is known here`)
  if (minor < apiVersions.oldest)
    throw refused(path, `it is version ${version}, and the oldest that is tested is 1.${apiVersions.oldest}`)
  if (!Number.isInteger(asked) || asked < apiVersions.oldest || asked > apiVersions.newest) {
    const range = `${apiVersions.oldest} to ${apiVersions.newest}`
    throw new FfiError(
      'usage',
      `Cannot ask ONNX Runtime for C API ${asked}: ${range} are tested`,
      'leave the version out',
    )
  }
  return Math.min(minor, asked)
}

interface ApiBase {
  GetApi(version: number): Pointer | null
  GetVersionString(): string
}

function baseOf(library: OpenedLibrary): ApiBase {
  const { OrtGetApiBase } = bind<{ OrtGetApiBase: NativeFunction<[], Pointer | null> }>(library, {
    OrtGetApiBase: { prototype: 'const void *OrtGetApiBase(void)' },
  })
  const base = OrtGetApiBase()
  if (base === null) throw refused(library.path, 'OrtGetApiBase() gives nothing')
  return functionsAt<ApiBase>({ path: library.path, address: base, what: 'OrtApiBase', table: apiBase })
}

interface FunctionTable {
  readonly path: string
  readonly address: Pointer
  /** As an error names it. */
  readonly what: string
  readonly table: Readonly<Record<string, { readonly slot: number; readonly prototype: string }>>
}

/**
 * The functions of a table of pointers, none of which is called before every one was seen to be the library's own code.
 */
function functionsAt<T>({ path, address, what, table }: FunctionTable): T {
  const entries = Object.entries(table)
  const count = 1 + Math.max(...entries.map(([, { slot }]) => slot))
  checkReadable({ path, address, bytes: count * pointerBytes, what })
  const pointers = koffi().decode(address, 'void *', count) as (Pointer | null)[]
  checkAddresses({ path, addresses: entries.map(([name, { slot }]) => ({ name, address: pointers[slot] ?? 0n })) })
  return Object.fromEntries(
    entries.map(([name, { slot, prototype }]) => [name, traced(name, callable(pointers[slot]!, prototype))]),
  ) as T
}

const pointerBytes = 8

const prototypes = new Map<string, unknown>()

/**
 * A function pointer as a function. koffi's type names are global, so opaque types are declared once and prototypes
 * have no name.
 */
function callable(address: Pointer, prototype: string): unknown {
  const native = koffi()
  if (prototypes.size === 0) for (const name of opaqueTypes) native.opaque(name)
  const anonymous = prototype.replace(/\w+\(/, '(').replace('(void)', '()')
  const type = (prototypes.get(prototype) ?? native.proto(anonymous)) as ReturnType<typeof native.proto>
  prototypes.set(prototype, type)
  return native.decode(address, type)
}

/** What every session of a runtime shares. The pointers are valid until the runtime is closed. */
export interface Shared {
  readonly api: OrtApi
  readonly env: Pointer
  /** The default allocator, which is the library's own and is not released. */
  readonly allocator: Pointer
  /** "Memory of the CPU". */
  readonly memory: Pointer
}

/** What was being done when a call failed. */
export interface Attempt {
  /** Name of the C function. */
  readonly call: string
  /** What the caller wanted, to follow "Cannot": `open "model.onnx"`. */
  readonly act: string
  readonly hint?: string
}

/**
 * Read a status and release it.
 *
 * @throws FfiError `status` that names the call, the error code and the library's own words
 */
export function checkStatus(functions: OrtFunctions, status: Status, attempt: Attempt): void {
  if (status === null) return
  const code = functions.GetErrorCode(status)
  const message = functions.GetErrorMessage(status).replaceAll(/\s+/g, ' ').trim()
  functions.ReleaseStatus(status)
  const name = errorNames[code] ?? `error ${code}`
  const said = `${attempt.call}() answers ${name}: ${message}`
  throw new FfiError('status', `Cannot ${attempt.act}: ${said}`, attempt.hint ?? 'check the model', { said })
}

/**
 * Call a function whose last argument is where it writes one pointer.
 *
 * @throws FfiError as `checkStatus`
 */
export function created(api: OrtApi, attempt: Attempt, call: (out: Out) => Status): Pointer {
  const out: Out = [null]
  checkStatus(api.functions, call(out), attempt)
  if (out[0] !== null) return out[0]
  throw new FfiError(
    'status',
    `Cannot ${attempt.act}: ${attempt.call}() succeeds and gives nothing`,
    'check the library',
  )
}
