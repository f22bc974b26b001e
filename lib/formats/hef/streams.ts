/**
 * Reads the streams that layers at the edge of the device make, and what about them HailoRT would die of.
 *
 * An edge layer is plain, a multiplexer of several (each of which the user sees), or planes of one picture (of which he
 * sees one). Layers between contexts and into memory are the device's own. NMS that was split over several layers is
 * put together again.
 */
import { defaultHostOrder, deviceOrderOf, type FormatOrder } from './arch.ts'
import type { Message } from './message.ts'
import type { Hazards } from './hazards.ts'
import type { HefNms, HefQuantization, HefShape, HefStream } from './types.ts'

/** A stream with the place where host operations may attach. */
export interface EdgeStream {
  readonly stream: HefStream
  readonly pad: number | null
}

/** What all layers of a core share, and where findings go. */
export interface CoreContext {
  readonly group: string
  /**
   * Those among which a layer names its own by its number; null where all layers are of one, which has the group's
   * name.
   */
  readonly networks: readonly string[] | null
  readonly isTransposed: boolean
  readonly hasScalePerFeature: boolean
  /** Layers of NMS that was split, by their names. */
  readonly fused: ReadonlyMap<string, Message>
  readonly hazards: Hazards
}

interface Edge {
  readonly direction: HefStream['direction']
  readonly network: string
  readonly contextIndex: number
}

/** The streams of a core's contexts, in the order of the file. */
export function streamsOf(contexts: readonly Message[], core: CoreContext): EdgeStream[] {
  const streams = contexts.flatMap((context, contextIndex) =>
    context
      .message(3)
      .messages(2)
      .flatMap(layer => {
        const isBoundary = layer.message(5).uint32(3) === 0
        if (!isBoundary) return []
        const network = `${core.group}/${networkOf(layer, core)}`
        const edge: Edge = { direction: layer.uint32(1) === 0 ? 'input' : 'output', network, contextIndex }
        const pad = layer.has(7) ? layer.uint32(7) : null
        return streamsOfLayer(layer, edge, core).map(stream => ({ stream, pad }))
      }),
  )
  const seen = new Set<string>()
  return streams.filter(({ stream: { name, direction } }) => {
    const isFirst = !seen.has(`${direction} ${name}`)
    seen.add(`${direction} ${name}`)
    return isFirst
  })
}

/** HailoRT keeps the number in a byte. */
function networkOf(layer: Message, { group, networks, hazards }: CoreContext): string {
  if (networks === null) return group
  const index = layer.uint32(6) & 0xff
  if (index >= networks.length)
    hazards.refuse(`a layer of its network group "${group}" is of network ${index}, and there are ${networks.length}`)
  return networks[index] ?? group
}

/** Of an edge layer: plain, multiplexer or planes, by its type. */
function streamsOfLayer(layer: Message, edge: Edge, core: CoreContext): HefStream[] {
  const type = layer.uint32(2)
  if (type === 1) return streamsOfMux(layer.message(4), edge, core)
  if (type === 2) return [streamOfPlanes(layer.message(8), edge, core)]
  return [streamOfInfo(layer.message(3), edge, core)]
}

function streamsOfMux(mux: Message, edge: Edge, core: CoreContext): HefStream[] {
  const name = mux.text(1)
  checkLayer(name, mux.message(2), core)
  const parts = mux.messages(5)
  const declared = mux.message(3).uint32(1)
  if (declared > parts.length)
    core.hazards.crash(`its multiplexer "${name}" names ${declared} parts and holds ${parts.length}`)
  const streamsOfPart = (part: Message) =>
    part.has(2) ? streamsOfMux(part.message(2), edge, core) : [streamOfInfo(part.message(1), edge, core)]
  return parts.slice(0, declared).flatMap(streamsOfPart)
}

const planeOrders: readonly FormatOrder[] = ['NV12', 'NV21', 'I420']

function streamOfPlanes(planes: Message, edge: Edge, core: CoreContext): HefStream {
  const name = planes.text(1)
  const parts = planes.messages(3).map(part => streamOfInfo(part.message(1), edge, core))
  if (parts.length === 0) core.hazards.crash(`its picture "${name}" has no planes`)
  const shape = { height: planes.uint32(4), width: planes.uint32(5), features: planes.uint32(6) }
  const order = planeOrders[planes.uint32(2)] ?? null
  return {
    ...edge,
    name,
    shape,
    paddedShape: shape,
    order,
    deviceOrder: order,
    dtype: parts[0]?.dtype ?? null,
    isTransposed: false,
    quantization: { zeroPoint: 0, scale: 0, min: 0, max: 0, perFeature: null },
    nms: null,
    originalNames: [],
  }
}

function streamOfInfo(info: Message, edge: Edge, core: CoreContext): HefStream {
  const name = info.text(1)
  const base = info.message(2)
  checkLayer(name, base, core)
  const nmsInfo = base.message(11).message(1)
  const fused = nmsInfo.flag(5) ? core.fused.get(nmsInfo.message(6).text(3)) : undefined
  const stream = fused === undefined ? plainStream(info, edge, core) : fusedStream(fused, plainStream(info, edge, core))
  checkScales(stream, core)
  return stream
}

function plainStream(info: Message, edge: Edge, core: CoreContext): HefStream {
  const base = info.message(2)
  const deviceOrder = deviceOrderOf(base.uint32(7))
  if (deviceOrder === null) core.hazards.refuse(`its layer "${info.text(1)}" has the unknown format ${base.uint32(7)}`)
  const nms = deviceOrder === 'HAILO_NMS_ON_CHIP' ? nmsOf(base.message(11).message(1)) : null
  const isTransposed = (core.isTransposed || info.flag(6)) && deviceOrder !== 'NC'
  const shape = { height: base.uint32(1), width: base.uint32(3), features: base.uint32(5) }
  return {
    name: info.text(1),
    ...edge,
    shape:
      nms !== null ? shapeOfNms(nms) : isTransposed ? { ...shape, height: shape.width, width: shape.height } : shape,
    paddedShape: { height: base.uint32(2), width: base.uint32(4), features: base.uint32(6) },
    order: deviceOrder && defaultHostOrder(deviceOrder),
    deviceOrder,
    dtype: nms !== null ? 'float32' : base.uint32(12) === 1 ? 'uint8' : base.uint32(12) === 2 ? 'uint16' : null,
    isTransposed,
    quantization: quantizationOf(info.message(3)),
    nms,
    originalNames: info.texts(5),
  }
}

/** The NMS layer that several defused ones stand for; the user reads it as one. */
function fusedStream(fused: Message, part: HefStream): HefStream {
  const nms = nmsOf(fused.message(3))
  return { ...part, name: fused.message(1).text(1), nms, shape: shapeOfNms(nms) }
}

function nmsOf(info: Message): HefNms {
  const chunks = info.uint64(7) || 1
  return {
    classes: info.uint64(2),
    maxBoxesPerClass: info.uint64(3) * chunks,
    where: 'device',
    boxSize: info.uint64(4),
    kind: null,
    scoreThreshold: null,
    iouThreshold: null,
  }
}

/** Five numbers a box: four edges and a score. */
export const shapeOfNms = (nms: HefNms): HefShape => ({ height: nms.classes, width: 5, features: nms.maxBoxesPerClass })

/** From a message of numeric information. */
export function quantizationOf(numeric: Message): HefQuantization {
  const [zeroPoints, scales] = [numeric.doubles(5), numeric.doubles(6)]
  return {
    zeroPoint: numeric.float(1),
    scale: numeric.float(2),
    min: numeric.float(3),
    max: numeric.float(4),
    perFeature: zeroPoints.length + scales.length === 0 ? null : { zeroPoints, scales },
  }
}

/** HailoRT keeps names in 128 bytes with the NUL. */
const nameBytesMax = 127

function checkLayer(name: string, base: Message, { hazards }: CoreContext): void {
  const nameBytes = Buffer.byteLength(name)
  if (base.messages(13).length === 0) hazards.crash(`its layer "${name}" has no buffer indices`)
  if (name === '') hazards.refuse('a layer has no name')
  if (nameBytes > nameBytesMax)
    hazards.refuse(`the name of its layer "${name.slice(0, 40)}…" has ${nameBytes} bytes, over 127`)
  if (base.flag(14))
    hazards.refuse(`its layer "${name}" wants the host to take the arg max, as very old compilers asked`)
  if (![1, 2].includes(base.uint32(12))) hazards.refuse(`its layer "${name}" has values of ${base.uint32(12)} bytes`)
}

/** HailoRT indexes the scales by feature when the file says so, whether they are there or not. */
function checkScales(
  { name, direction, shape, nms, quantization }: HefStream,
  { hazards, hasScalePerFeature }: CoreContext,
): void {
  if (!hasScalePerFeature) return
  const wanted = nms === null ? shape.features : 4
  const { zeroPoints = [], scales = [] } = quantization.perFeature ?? {}
  const lengths = [zeroPoints.length, scales.length]
  const message = `its ${direction} "${name}" has ${lengths.join(' zero points and ')} scales for ${wanted} features`
  if (direction === 'output') {
    const isEmpty = lengths.every(n => n === 0 || n === wanted)
    if (lengths.some(n => n !== wanted)) hazards.refuse(message, isEmpty ? [4] : [4, 5])
    return
  }
  // Version 5 takes the scale of all where there are none for each, and reads beyond the end where there are some.
  const isEmpty = lengths.every(n => n === 0 || n >= wanted)
  if (lengths.some(n => n < wanted)) hazards.crash(message, isEmpty ? [4] : [4, 5])
  const differs = [zeroPoints, scales].some(list =>
    list.slice(0, wanted).some(value => Math.fround(value) !== Math.fround(list[0]!)),
  )
  if (differs) hazards.refuse(`its input "${name}" has different scales for its features`)
}
