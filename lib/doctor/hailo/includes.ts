/**
 * In which folders are HailoRT's headers looked for?
 *
 * Where `ffi/hailort/infer-model.ts` looks, for the library that opened, or that `HAILORT_LIB` names.
 */
import type { Machine } from '../machine.ts'

/** Folders of the machine, best first. */
export async function hailortIncludes(machine: Machine): Promise<string[]> {
  const { headerFolders } = await import('../../../ffi/hailort/infer-model.ts')
  const probed = await machine.probe('hailort')
  return headerFolders((probed.ok ? probed.found.path : undefined) ?? machine.env.HAILORT_LIB, machine.env)
}
