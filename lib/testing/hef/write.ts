/**
 * Writes a small HEF, whole and sealed, without the vendor's compiler.
 *
 * For tests and for stand-ins of the device. It holds what HailoRT reads before it touches a device: architecture,
 * versions, groups, streams. It holds no instructions for a device, so no device runs it. `model` may carry arithmetic
 * that a stand-in can compute (`model.ts`). The result is the same for the same description.
 */
import { usageError } from '../../base/errors.ts'
import { hasLayouts, versionIn, type DeviceArch, type FormatOrder } from '../../formats/hef/arch.ts'
import { digestOf } from '../../formats/hef/checksum.ts'
import type { HefVersion } from '../../formats/hef/header.ts'
import { encodeHefHeader, formatOf, hefHeaderBytes, hwArchOf } from './header.ts'
import { encodeHefModel, hefModelField, type HefModel } from './model.ts'
import { written } from './message.ts'
import { hefExtensions, type HefQuantization, type HefShape } from '../../formats/hef/types.ts'
import type { Pieces } from '../../formats/protobuf.ts'

export * from './model.ts'

/** A stream at the edge of the device. */
export interface StreamDescription {
  readonly name: string
  readonly shape: HefShape
  /** As it crosses to the device; the shape itself when left out. */
  readonly paddedShape?: HefShape
  /** How it lies on the device: NHWC when left out. */
  readonly order?: FormatOrder
  readonly dtype?: 'uint8' | 'uint16'
  /** Zero point 0 and scale 1 when left out. */
  readonly quantization?: Partial<HefQuantization>
  /** NMS on the device; the order is then HAILO_NMS_ON_CHIP. */
  readonly nms?: { readonly classes: number; readonly maxBoxesPerClass: number; readonly boxSize?: number }
  readonly originalNames?: readonly string[]
  readonly contextIndex?: number
  /** False leaves out what HailoRT cannot do without: for tests of the preflight. */
  readonly hasBufferIndices?: boolean
}

/** One network group of a HEF. */
export interface GroupDescription {
  readonly name: string
  /** One of the group's own name when left out. All streams belong to the first. */
  readonly networks?: readonly string[]
  readonly contexts?: number
  readonly bottleneckFps?: number
  readonly latencyMs?: number
  readonly operations?: number
  readonly inputs: readonly StreamDescription[]
  /** In the order in which HailoRT shall list them. */
  readonly outputs: readonly StreamDescription[]
}

/** What a HEF shall say. What is left out is what an ordinary one for a Hailo-8 says. */
export interface HefDescription {
  readonly groups: readonly GroupDescription[]
  /** 0 when left out: the header that every HailoRT reads. */
  readonly version?: HefVersion
  readonly arch?: DeviceArch | 'hailo8r'
  /** The number in the file, where it shall be another than the architecture's usual one. */
  readonly hwArch?: number
  /** 3.27.0 when left out. */
  readonly sdkVersion?: string
  readonly compiledAt?: Date
  /** Numbers of further extensions; what the description needs is put in by itself. */
  readonly extensions?: readonly number[]
  /** False leaves out the extension without which HailoRT 4.21 and later refuse a file. */
  readonly hasPeriphExtension?: boolean
  readonly model?: HefModel
  /** The device's configuration words, in versions 1 to 3, and what follows them in version 3. */
  readonly ccws?: Uint8Array
  readonly additional?: Uint8Array
  /** Zeros in front of the configuration words, in version 3. */
  readonly paddingBytes?: number
  /**
   * Whether the description has a seal of its own, in version 3, as compilers from 5.0 on have it: true when left out.
   */
  readonly hasProtoDigest?: boolean
}

/**
 * The bytes of a HEF.
 *
 * @throws RunbookError usage when the header version cannot hold what is asked, a layer's order is none of the
 *   device's, or the model is not sound
 */
export function writeHef(description: HefDescription): Uint8Array {
  const { version = 0, paddingBytes = 0, ccws = none, additional = none } = description
  const refuse = (parts: string) =>
    usageError(`Cannot write a HEF of version ${version}: its header has no room for ${parts}`, 'use version 3')
  if (version === 0 && ccws.length > 0) throw refuse('configuration words')
  if (version < 3 && paddingBytes + additional.length > 0) throw refuse('padding or additional information')
  const proto = topMessage(description).join()
  const body = [proto, new Uint8Array(paddingBytes), ccws, additional]
  const header = encodeHefHeader({
    version,
    protoBytes: proto.length,
    ccwsBytes: paddingBytes + ccws.length,
    paddingBytes,
    additionalBytes: additional.length,
    digest: digestOf(version === 0 ? 'md5' : version === 1 ? 'crc32' : 'xxh3-64', ...body),
    protoDigest: version === 3 && description.hasProtoDigest !== false ? digestOf('xxh3-64', proto) : null,
  })
  return new Uint8Array(Buffer.concat([header, ...body]))
}

const none = new Uint8Array(0)

/** Where the description of a file begins: what a test needs to damage it. */
export const protoStart = (version: HefVersion): number => hefHeaderBytes(version)

function topMessage(description: HefDescription): Pieces {
  const { groups, arch = 'hailo8', sdkVersion = '3.27.0', compiledAt, extensions = [], model } = description
  const sdk = versionIn(sdkVersion)
  const needed = [
    ...(description.hasPeriphExtension === false ? [] : [hefExtensions.periphInLibrary]),
    ...(groups.some(group => (group.contexts ?? 1) > 1) ? [hefExtensions.multiContext] : []),
    ...extensions,
  ]
  const hwArch = description.hwArch ?? hwArchOf[arch]
  return written({
    1: written({
      1: hwArch,
      2: compiledAt?.getTime(),
      3: sdkVersion,
      4: 4,
      5: sdk === null || sdk.major < 5 ? undefined : written({ 1: sdk.major, 2: sdk.minor, 3: sdk.revision }),
    }),
    2: groups.map(group => groupMessage(group, hwArch)),
    5: needed.map(index => written({ 1: index, 2: extensionNames[index] ?? `EXTENSION_${index}` })),
    6: [
      ...(groups.some(group => group.networks)
        ? [written({ 1: hefExtensions.multiNetwork, 2: 'MULTI_NETWORK_VARIABLE_BATCH_SIZE' })]
        : []),
      written({ 1: hefExtensions.hwPadding, 2: 'HW_PADDING' }),
    ],
    [hefModelField]: model && encodeHefModel(model),
  })
}

const extensionNames: Readonly<Record<number, string>> = {
  [hefExtensions.multiContext]: 'IS_MULTI_CONTEXTS',
  [hefExtensions.scalePerFeature]: 'OUTPUT_SCALE_PER_FEATURE',
  [hefExtensions.periphInLibrary]: 'PERIPH_CALCULATION_IN_HAILORT',
  [hefExtensions.strictVersion]: 'STRICT_RUNTIME_VERSIONING',
}

/**
 * Architectures with layouts have the group once more inside itself; the outer one stays for readers that look no
 * further.
 */
function groupMessage(group: GroupDescription, hwArch: number): Pieces {
  const plain = groupFields(group)
  if (!hasLayouts(hwArch)) return written(plain)
  return written({ ...plain, 7: [written({ 1: written(plain), 2: written({ 1: 1 }) })] })
}

function groupFields(group: GroupDescription) {
  const contexts = group.contexts ?? 1
  const sorted = group.outputs.map(({ name }) => name)
  return {
    1: written({
      1: group.name,
      4: { double: group.bottleneckFps ?? 0 },
      5: 1,
      6: { double: (group.latencyMs ?? 0) / 1000 },
      7: [written({})],
      8: group.operations,
    }),
    2: written({}),
    3: Array.from({ length: contexts }, (_, index) =>
      contextMessage(group, index, index === contexts - 1 ? sorted : []),
    ),
    4: sorted,
    6: group.networks ?? [group.name],
  }
}

function contextMessage(group: GroupDescription, index: number, sorted: readonly string[]): Pieces {
  const layers = [...group.inputs, ...group.outputs].flatMap((stream, i) => {
    const direction = i < group.inputs.length ? 0 : 1
    return (stream.contextIndex ?? 0) === index ? [layerMessage(stream, { direction, index: i, context: index })] : []
  })
  return written({ 1: index, 3: written({ 1: `context_${index}`, 2: layers, 5: sorted }) })
}

function layerMessage(stream: StreamDescription, at: { direction: 0 | 1; index: number; context: number }): Pieces {
  const { name, quantization: q = {} } = stream
  return written({
    1: at.direction,
    3: written({
      1: name,
      2: baseMessage(stream, at.index),
      3: written({
        1: { float: q.zeroPoint ?? 0 },
        2: { float: q.scale ?? 1 },
        3: { float: q.min ?? 0 },
        4: { float: q.max ?? 255 },
        5: { doubles: q.perFeature?.zeroPoints ?? [] },
        6: { doubles: q.perFeature?.scales ?? [] },
      }),
      5: stream.originalNames ?? [],
    }),
    5: written({ 1: at.context, 2: `context_${at.context}` }),
  })
}

function baseMessage(stream: StreamDescription, index: number): Pieces {
  const { shape, paddedShape: padded = shape, nms } = stream
  const order = nms === undefined ? (stream.order ?? 'NHWC') : 'HAILO_NMS_ON_CHIP'
  const format = formatOf(order)
  if (format === null) {
    throw usageError(
      `Cannot write the stream "${stream.name}": a device has no order ${order}`,
      'give NHWC, NHCW, NC, NHW, FCR or F8CR',
    )
  }
  const dataBytes = stream.dtype === 'uint16' ? 2 : 1
  return written({
    1: shape.height,
    2: padded.height,
    3: shape.width,
    4: padded.width,
    5: shape.features,
    6: padded.features,
    7: format,
    8: index,
    ...buffersOf(padded, dataBytes),
    11: nms && written({ 1: written({ 2: nms.classes, 3: nms.maxBoxesPerClass, 4: nms.boxSize ?? 5, 7: 1 }) }),
    12: dataBytes,
    13: stream.hasBufferIndices === false ? undefined : [written({ 1: index })],
    15: 65_536,
  })
}

/** A row is a buffer; a row that is too long for HailoRT's 16 bits is cut into equal parts. */
function buffersOf({ height, width, features }: HefShape, dataBytes: number): { 9: number; 10: number } {
  const row = width * features * dataBytes
  let parts = Math.max(1, Math.ceil(row / 0xffff))
  while (parts < row && row % parts !== 0) parts++
  return { 9: row / parts, 10: Math.min(0xffff, height * parts) }
}
