/**
 * Opens the ONNX parser that belongs to an open TensorRT.
 *
 * It lies beside libnvinfer. It may need TensorRT's plugins, which lie there too, in a folder where the loader need not
 * look: so they are opened first. They need cuBLAS and cuDNN in their turn, which no package of TensorRT has.
 */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { FfiError } from '../errors.ts'
import { openLibrary, type OpenedLibrary } from '../load.ts'
import { parserSpec, type TensorRt } from './open.ts'

/**
 * Open the parser. Nothing of it is called.
 *
 * @throws FfiError `absent`, with the loader's reason for each file that is there, and with the library that it lacks
 */
export function openParser({
  library: { path },
  version: { major },
  env,
}: Pick<TensorRt, 'version' | 'env'> & { readonly library: Pick<OpenedLibrary, 'path'> }): OpenedLibrary {
  const trouble = pluginTrouble(join(dirname(path), `libnvinfer_plugin.so.${major}`))
  try {
    return openLibrary(parserSpec(path, major), { env })
  } catch (thrown) {
    if (!(thrown instanceof FfiError)) throw thrown
    const { search } = thrown
    const message = [thrown.message, ...trouble.map(line => `  ${line}`)].join('\n')
    throw new FfiError('absent', message, needed(trouble) ?? needed(search?.tried ?? []) ?? thrown.hint, {
      ...(search && { search: { ...search, broken: search.broken ?? trouble[0] ?? null } }),
    })
  }
}

/** Open the plugins, if they are there. Gives a line for each thing that is wrong with them. */
function pluginTrouble(path: string): string[] {
  if (!existsSync(path)) return []
  try {
    openLibrary({ title: "TensorRT's plugins", env: '', names: [path], folders: [], install: '' }, { env: {} })
    return []
  } catch (thrown) {
    if (!(thrown instanceof FfiError)) throw thrown
    return [...(thrown.search?.tried ?? [])]
  }
}

/** What mends a file that is there and needs a library that is not; the loader's own words tell which. */
function needed(tried: readonly string[]): string | undefined {
  const lacking = /: (lib(?!nvonnxparser)[^\s:,]+): cannot open shared object file/.exec(tried.join('\n'))?.[1]
  return lacking && `install ${lacking}, or put its folder on LD_LIBRARY_PATH`
}
