/**
 * Loads each package and library, and asks what it says of itself.
 *
 * Called in a child process only (`probe-child.ts`). Nothing runs a model or takes a device for itself; a Hailo device
 * is asked who it is. TensorRT is only asked for its version: its slots are proven when a runtime is made.
 */
import type { FfiError } from '../../../ffi/errors.ts'
import type { TensorRt } from '../../../ffi/tensorrt/open.ts'
import type { Found, HailoAnswer, Subject } from './probe.ts'
import { onnxruntimeNode } from '../../host/onnxruntime-node.ts'

/**
 * Load one.
 *
 * @throws FfiError from the bindings; Error as loading throws it
 */
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
    const { koffi } = await import('../../../ffi/load.ts')
    return { version: koffi().version }
  },
  async 'onnxruntime-node'() {
    const { listSupportedBackends } = await onnxruntimeNode()
    return {
      words: listSupportedBackends()
        .map(({ name }) => name)
        .join(', '),
    }
  },
  async onnxruntime() {
    const { openApi } = await import('../../../ffi/onnxruntime/api.ts')
    const { version, apiVersion, path } = openApi()
    return { version, path, words: `C API ${apiVersion}` }
  },
  hailort,
  cuda,
  tensorrt,
}

async function hailort(): Promise<Found> {
  const { openHailort } = await import('../../../ffi/hailort/library.ts')
  const { scan } = await import('../../../ffi/hailort/device.ts')
  const { versionText } = await import('../../../ffi/hailort/abi/profiles.ts')
  const opened = openHailort()
  const { profile, from, header } = opened.shape
  const how = { table: '', header: `, as ${header} says`, force: ', never tested (HAILO_ABI=force)' }[from]
  const words = `ABI profile ${profile}${how}`
  const found: Found = { version: versionText(opened.version), path: opened.library.path, words, shapeFrom: from }
  try {
    const devices: HailoAnswer[] = []
    for (const id of scan(opened)) devices.push(await identify(opened, id))
    return { ...found, devices }
  } catch (thrown) {
    const { kind, message, hint } = thrown as FfiError
    if (kind === undefined) throw thrown
    return { ...found, scanFailure: { kind, message, hint } }
  }
}

type Hailort = Awaited<ReturnType<(typeof import('../../../ffi/hailort/library.ts'))['openHailort']>>

async function identify(opened: Hailort, id: string): Promise<HailoAnswer> {
  const { Device } = await import('../../../ffi/hailort/device.ts')
  const { versionText } = await import('../../../ffi/hailort/abi/profiles.ts')
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
  const { openCuda } = await import('../../../ffi/cuda/cuda.ts')
  const { library, runtimeVersion, driverVersion } = openCuda()
  return { version: runtimeVersion, path: library.path, driverVersion }
}

async function tensorrt(): Promise<Found> {
  const { openTensorRt } = await import('../../../ffi/tensorrt/open.ts')
  const { versionText } = await import('../../../ffi/tensorrt/abi/abi.ts')
  const { hasSymbol } = await import('../../../ffi/load.ts')
  const opened = openTensorRt()
  const { library, version, abi } = opened
  const builder = hasSymbol(library, 'createInferBuilder_INTERNAL') ? await parserWords(opened) : 'no builder'
  const slots = `slots of ${version.major}.x${abi.isVerified ? '' : ' (minor not compared)'}`
  return { version: versionText(version), path: library.path, words: `${slots}, ${builder}` }
}

/** Whether plans can be built of ONNX here; where the parser is there and does not open, why. */
async function parserWords(opened: TensorRt): Promise<string> {
  const { openParser } = await import('../../../ffi/tensorrt/parser.ts')
  try {
    openParser(opened)
    return 'with builder and ONNX parser'
  } catch (thrown) {
    const { kind, search, hint } = thrown as FfiError
    if (kind === undefined) throw thrown
    const telling = search?.broken ?? null
    return telling === null
      ? 'no ONNX parser'
      : `with builder, and an ONNX parser that does not open: ${telling} (${hint})`
  }
}
