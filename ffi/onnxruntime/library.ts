/**
 * Finds ONNX Runtime's shared library.
 *
 * The one that the `onnxruntime-node` package carries, so that both drivers run the same build; `ONNXRUNTIME_LIB`
 * overrides it.
 */
import { existsSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { LibrarySpec } from '../load.ts'

/**
 * What to look for. The package's own library is first; a system's library is taken only where the package has none for
 * this machine.
 */
export function ortLibrary(): LibrarySpec {
  return {
    title: 'ONNX Runtime',
    env: 'ONNXRUNTIME_LIB',
    names: [...bundledLibraries(), 'libonnxruntime.so.1', 'libonnxruntime.so'],
    folders: ['/usr/local/lib', '/usr/lib', '/opt/onnxruntime/lib'],
    install: 'npm ci: onnxruntime-node carries it',
  }
}

/** Paths of the libraries in the package for this system and architecture; none when the package is not installed. */
export function bundledLibraries(system: string = process.platform, arch: string = process.arch): string[] {
  const bin = join(packageFolder() ?? '', 'bin')
  if (!existsSync(bin)) return []
  const folders = readdirSync(bin)
    .toSorted()
    .toReversed()
    .map(napi => join(bin, napi, system, arch))
    .filter(folder => existsSync(folder))
  const isLibrary = (name: string) => /^libonnxruntime\.(so|.*dylib)/.test(name)
  return folders.flatMap(folder =>
    readdirSync(folder)
      .filter(isLibrary)
      .map(name => join(folder, name)),
  )
}

function packageFolder(): string | undefined {
  try {
    return dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'))
  } catch {
    return undefined
  }
}
