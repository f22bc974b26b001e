// To be replaced by the toolchain room's own file: host only, so that the sweep can be tried meanwhile.
import { hostToolchain } from './host-toolchain.ts'
import type { Availability, Toolchain } from './toolchain.ts'

export async function chooseToolchain(_wanted: 'auto' | 'dfc' | 'host', _o: { program?: string | undefined }): Promise<{ toolchain: Toolchain; availability: Availability; why: string }> {
  const toolchain = hostToolchain()
  return { toolchain, availability: await toolchain.available(), why: 'toolchain: host' }
}
