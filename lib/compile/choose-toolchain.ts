/**
 * Chooses who compiles on this machine, and says why.
 *
 * `auto` takes the Dataflow Compiler when it is found, else the host, and says so in one line. A compiler that somebody
 * named and that cannot be used is never replaced by the host.
 */
import { blockedError } from '../base/errors.ts'
import type { DfcOptions } from './dfc/program.ts'
import { dfcToolchain, hwArchFrom } from './dfc/toolchain.ts'
import { hostToolchain } from './host/toolchain.ts'
import type { Availability, Toolchain, ToolchainName } from './toolchain.ts'
import { trtexecToolchain, type TrtOptions } from './trtexec/toolchain.ts'

/** The toolchain that was chosen, and why. */
export interface ToolchainChoice {
  readonly toolchain: Toolchain
  readonly availability: Availability
  /** One line for a person: which, where, and why not the other. */
  readonly why: string
}

/** Where compilers are, and for what they will compile. */
export interface ChoiceOptions extends DfcOptions {
  /** Checked, when given, before anything is asked. */
  readonly hwArch?: string | undefined
  /** How `trtexec` builds engines. */
  readonly trt?: TrtOptions | undefined
}

/**
 * Choose a toolchain.
 * @param o where the Dataflow Compiler is, and for which device it will compile
 * @throws RunbookError blocked when `dfc` or `trtexec` is wanted, or a program is named, and it cannot be used; usage
 *   for an unknown device
 */
export async function chooseToolchain(wanted: ToolchainName, o: ChoiceOptions = {}): Promise<ToolchainChoice> {
  if (o.hwArch !== undefined) hwArchFrom(o.hwArch)
  if (wanted === 'host') return host('as asked')
  if (wanted === 'trtexec') return tensorRt(o.trt)
  const toolchain = dfcToolchain(o)
  const availability = await toolchain.available()
  const { found, version, where } = availability
  if (found) return { toolchain, availability, why: `toolchain: dfc ${version} (${where})` }
  if (wanted === 'dfc' || o.program !== undefined) throw blockedError(availability.why, availability.hint)
  return host(`no Dataflow Compiler: ${availability.why}`)
}

async function tensorRt(o: TrtOptions | undefined): Promise<ToolchainChoice> {
  const toolchain = trtexecToolchain(o)
  const availability = await toolchain.available()
  const { found, version, where, why, hint } = availability
  if (!found) throw blockedError(why, hint)
  return { toolchain, availability, why: `toolchain: TensorRT ${version} (${where})` }
}

async function host(because: string): Promise<ToolchainChoice> {
  const toolchain = hostToolchain()
  const availability = await toolchain.available()
  const what = `host, onnxruntime-node ${availability.version}`
  const why = `toolchain: ${what} (${because}); it proves nothing about allocation on a device`
  return { toolchain, availability, why: why.replaceAll(/\s+/g, ' ') }
}
