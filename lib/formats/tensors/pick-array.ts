/**
 * Picks the array of a file that holds the data.
 *
 * A `.npy` file holds one, whatever its name's capitals are. Of a `.npz` archive it is the array of a given name, or
 * the only one of floats; where several could be meant, all are named and none is taken.
 */
import { hasCode, RunbookError, usageError } from '../../base/errors.ts'
import { readFile } from '../../host/files.ts'
import { decodeNpy } from './npy.ts'
import { decodeNpz, type NpzEntry } from './npz.ts'
import { describe, type Tensor } from './tensor.ts'

/**
 * The array that a file gives.
 *
 * @param path a `.npy` or `.npz` file, told apart by what is in it
 * @param preferred name of the array that is taken where the archive has it
 * @throws RunbookError blocked when the file is absent; usage when it is damaged, or holds no array of floats or
 *   several
 */
export function pickArray(path: string, preferred: string): Tensor {
  const bytes = readFile(path)
  if (bytes.toString('latin1', 0, 6) === '\x93NUMPY' || /\.npy$/i.test(path)) return decodeNpy(bytes, path)
  const entries = decodeNpz(bytes, path)
  const named = entries.get(preferred)
  if (named) return named.tensor()
  const seen = [...entries.values()].map(entry => ({ name: entry.name, ...readEntry(entry) }))
  const floats = seen.filter(({ tensor }) => tensor?.dtype.includes('float'))
  if (floats.length === 1) return floats[0]!.tensor!
  const list = seen.map(({ name, tensor, why }) => `${name} (${tensor ? describe(tensor) : why})`).join(', ')
  const state = seen.length === 0 ? 'it holds no array' : `which of its arrays is meant? It holds ${list}`
  throw usageError(
    `Cannot read "${path}": ${state}`,
    `save the float32 array as "${preferred}": np.savez(path, ${preferred}=x)`,
  )
}

/** An array, or why it is none. */
function readEntry(entry: NpzEntry): { tensor: Tensor | null; why: string } {
  try {
    return { tensor: entry.tensor(), why: '' }
  } catch (thrown) {
    if (!(thrown instanceof RunbookError)) throw thrown
    return { tensor: null, why: hasCode(thrown, 'pickled') ? 'pickled' : 'not numeric' }
  }
}
