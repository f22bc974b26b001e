/**
 * In which folders are HailoRT's headers looked for?
 *
 * Where `ffi/hailort/infer-model.ts` looks: `HAILORT_INCLUDE` alone if it is set; else beside the library that opened, or that
 * `HAILORT_LIB` names, before the usual ones.
 */
import { dirname, join } from 'node:path'
import type { Machine } from './machine.ts'

/** Folders of the machine, best first. */
export async function hailortIncludes(machine: Machine): Promise<string[]> {
  const { HAILORT_INCLUDE: include, HAILORT_LIB: named } = machine.env
  if (include) return [include]
  const probed = await machine.probe('hailort')
  const library = (probed.ok ? probed.found.path : undefined) ?? named
  const beside = library ? [join(dirname(library), '../include')] : []
  return [...new Set([...beside, '/usr/include', '/usr/local/include'])]
}
