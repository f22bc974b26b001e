/**
 * How is each package and library loaded, and what does it say of itself?
 *
 * Called in a child process only (`probe-child.ts`). Nothing runs a model or takes a device for itself; a Hailo device is asked
 * who it is. TensorRT is only asked for its version: its slots are proven when a runtime is made.
 */
import { dirname } from 'node:path'
import type { Found, HailoAnswer, Subject } from './probe.ts'

/** Load one. Errors: whatever loading throws; `FfiError` from the bindings. */
export const load: Readonly<Record<Subject, () => Promise<Found>>> = {
  async tsx() {
    await import('tsx/esm/api')
    return {}
  },
  async zx() {
    const { $ } = await import('zx/core')
    return { words: $.quote === undefined ? 'found no bash' : '' }
  },
  async koffi() {
    const { koffi } = await import('../../ffi/load.ts')
    return { version: koffi().version }
  },
  async 'onnxruntime-node'() {
    const { listSupportedBackends } = await import('onnxruntime-node')
    return { words: listSupportedBackends().map(({ name }) => name).join(', ') }
  },
  async onnxruntime() {
    const { openApi } = await import('../../ffi/onnxruntime/api.ts')
    const { version, apiVersion, path } = openApi()
    return { version, path, words: `C API ${apiVersion}` }
  },
  hailort,
  cuda,
  tensorrt,
}

async function hailort(): Promise<Found> {
  const { openHailort } = await import('../../ffi/hailort/library.ts')
  const { scan } = await import('../../ffi/hailort/device.ts')
  const { isTested, versionText } = await import('../../ffi/hailort/profiles.ts')
  const opened = openHailort()
  const devices: HailoAnswer[] = []
  for (const id of scan(opened)) devices.push(await identify(opened, id))
  const words = `ABI profile ${opened.structs.profile}${isTested(opened.version) ? '' : ', never tested (HAILO_ABI=force)'}`
  return { version: versionText(opened.version), path: opened.library.path, words, devices }
}

type Hailort = Awaited<ReturnType<typeof import('../../ffi/hailort/library.ts')['openHailort']>>

async function identify(opened: Hailort, id: string): Promise<HailoAnswer> {
  const { Device } = await import('../../ffi/hailort/device.ts')
  const { versionText } = await import('../../ffi/hailort/profiles.ts')
  try {
    await using device = await Device.open(opened, id)
    const { architecture, firmware } = device.identify()
    return { id, architecture, firmware: versionText(firmware) }
  } catch (thrown) {
    const { message, hint } = thrown as { message: string; hint?: string }
    return { id, error: message, ...(hint !== undefined && { hint }) }
  }
}

async function cuda(): Promise<Found> {
  const { openCuda } = await import('../../ffi/cuda/cuda.ts')
  const { library, runtimeVersion, driverVersion } = openCuda()
  return { version: runtimeVersion, path: library.path, driverVersion }
}

async function tensorrt(): Promise<Found> {
  const { openTensorRt, parserSpec } = await import('../../ffi/tensorrt/open.ts')
  const { versionText } = await import('../../ffi/tensorrt/abi.ts')
  const { hasSymbol, openLibrary } = await import('../../ffi/load.ts')
  const { library, version, abi } = openTensorRt()
  const hasParser = () => {
    try {
      return dirname(openLibrary(parserSpec(library.path, version.major)).path) !== ''
    } catch {
      return false
    }
  }
  const parser = hasParser() ? 'with builder and ONNX parser' : 'no ONNX parser'
  const builder = hasSymbol(library, 'createInferBuilder_INTERNAL') ? parser : 'no builder'
  const slots = `slots of ${version.major}.x${abi.isVerified ? '' : ' (minor not compared)'}`
  return { version: versionText(version), path: library.path, words: `${slots}, ${builder}` }
}
