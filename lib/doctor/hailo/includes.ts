/**
 * Lists the folders of a machine in which HailoRT's headers are looked for.
 *
 * Where the bindings look, for the library that opened, or that `HAILORT_LIB` names.
 */
import type { Machine } from '../machine.ts'

/** Folders of the machine, best first. */
export async function hailortIncludes(machine: Machine): Promise<string[]> {
  const { headerFolders } = await import('../../../ffi/hailort/abi/header-folders.ts')
  const probed = await machine.probe('hailort')
  return headerFolders((probed.ok ? probed.found.path : undefined) ?? machine.env.HAILORT_LIB, machine.env)
}
