/**
 * Says which native libraries open here, and whether they fit each other.
 *
 * Each was opened in a child process. Not found anywhere is `missing`; found and not usable (another architecture, a
 * version that the bindings refuse, a crash) is `broken`, and so is a library that a variable names and that does not
 * open.
 */
import type { LibrarySearch } from '../../../ffi/errors.ts'
import type { Machine } from '../machine.ts'
import { broken, missing, ok, type Fact, type Need } from '../fact.ts'
import type { Found, Probed, Subject } from './probe.ts'

interface Library {
  readonly name: string
  readonly subject: Subject
  readonly env: string
  readonly needs: readonly Need[]
  /** What installs it, in case the bindings did not say. */
  readonly install: string
}

const libraries = {
  onnxruntime: {
    name: 'ONNX Runtime',
    subject: 'onnxruntime',
    env: 'ONNXRUNTIME_LIB',
    needs: ['main'],
    install: 'npm ci',
  },
  hailort: {
    name: 'HailoRT',
    subject: 'hailort',
    env: 'HAILORT_LIB',
    needs: ['hailo'],
    install: 'sudo apt install hailo-all',
  },
  cuda: {
    name: 'CUDA runtime',
    subject: 'cuda',
    env: 'CUDART_LIB',
    needs: ['nvidia'],
    install: 'sudo apt install cuda-cudart-12-8',
  },
  tensorrt: {
    name: 'TensorRT',
    subject: 'tensorrt',
    env: 'TENSORRT_LIB',
    needs: ['nvidia'],
    install: 'sudo apt install tensorrt',
  },
} as const satisfies Record<string, Library>

/** ONNX Runtime's C library: the one in the package, unless a variable names another. */
export async function onnxRuntimeFact(machine: Machine): Promise<Fact> {
  return libraryFact(machine, libraries.onnxruntime)
}

/** HailoRT, and its version; broken for one that the bindings refuse. */
export async function hailortFact(machine: Machine): Promise<Fact> {
  return libraryFact(machine, libraries.hailort)
}

/** A driver serves every CUDA runtime of its own major, and older ones. */
export async function cudaFact(machine: Machine): Promise<Fact> {
  return libraryFact(machine, libraries.cuda, ({ version = '', driverVersion = '0.0' }) => {
    const [runtime, driver] = [version, driverVersion].map(text => Number.parseInt(text, 10))
    // A runtime that does not tell its version is not judged: that of 11.8 does not without a driver.
    if (driver === 0 || !(runtime! > driver!)) return null
    return {
      state: `the driver serves CUDA ${driverVersion}`,
      fix:
        `install ${driverFor(runtime!)}, or CUDA ${driver}: sudo apt install ` +
        `cuda-cudart-${driverVersion.split('.').join('-')}`,
    }
  })
}

/** The first driver for Linux that serves a major version of CUDA, by NVIDIA's release notes. */
const firstDrivers: Readonly<Record<number, string>> = { 11: '450.80', 12: '525.60', 13: '580.65' }
/** The first driver of NVIDIA's that serves a major version of CUDA, in words. */
export const driverFor = (cuda: number): string => {
  const first = firstDrivers[cuda]
  return first === undefined ? 'a newer NVIDIA driver' : `NVIDIA's driver ${first} or newer`
}

/** TensorRT, and whether plans can be built with it. */
export async function tensorRtFact(machine: Machine): Promise<Fact> {
  return libraryFact(machine, libraries.tensorrt)
}

type Judge = (found: Found) => { state: string; fix: string } | null

async function libraryFact(
  machine: Machine,
  { name, subject, env, needs, install }: Library,
  judge?: Judge,
): Promise<Fact> {
  const probed = await machine.probe(subject)
  const named = machine.env[env]
  if (!probed.ok) return failureFact({ name, env, needs, install }, probed, named)
  const { version, path, words } = probed.found
  const place = path === undefined ? '' : ` (${path})`
  const where = [
    `${version === undefined || version === 'unknown' ? 'of unknown version' : version}${place}`,
    ...(words ? [words] : []),
    ...(named ? [`by ${env}`] : []),
  ].join(', ')
  const problem = judge?.(probed.found)
  return problem ? broken(name, `${where}, but ${problem.state}`, problem.fix, needs) : ok(name, where, needs)
}

/** What a failed opening says: absent everywhere, or there and wrong. */
function failureFact(o: Omit<Library, 'subject'>, probed: Probed & { ok: false }, named: string | undefined): Fact {
  const { search } = probed
  const [head] = probed.message.split('\n')
  const afterCrash = `reinstall it (${o.install}), or name another: export ${o.env}=/path/to/it`
  const hint = probed.hint ?? (probed.kind === 'crash' ? afterCrash : o.install)
  if (search !== undefined && search.broken === null && !named) {
    return missing(o.name, `not found in ${search.places} places`, pasteable(search), o.needs)
  }
  const state = search?.broken ?? (named && search ? `${o.env} names "${named}": ${search.tried[0]}` : head!)
  const unset = `unset ${o.env} # or name a library that opens: export ${o.env}=/path/to/it`
  return broken(o.name, state, named ? unset : hint, o.needs)
}

/** A command with the alternative as its comment: `sudo apt install x # or say where it is: export …`. */
function pasteable({ install, elsewhere }: LibrarySearch): string {
  const [, command, note] = /^(sudo [^,;]+)(?:, (.+))?$/.exec(install) ?? []
  return command === undefined
    ? `${install}; or ${elsewhere}`
    : `${command} # ${note ? `${note}; ` : ''}or ${elsewhere}`
}
