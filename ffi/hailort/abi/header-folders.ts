/** Lists the folders in which HailoRT's headers are looked for. */
import { dirname, join } from 'node:path'

/**
 * Folders of headers, best first: `HAILORT_INCLUDE` alone if it is set; else beside the library, then the usual ones.
 *
 * @param library path of the library, where one is known
 */
export function headerFolders(
  library: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): string[] {
  if (env.HAILORT_INCLUDE) return [env.HAILORT_INCLUDE]
  const beside = library ? [join(dirname(library), '../include')] : []
  return [...new Set([...beside, '/usr/include', '/usr/local/include'])]
}
