/**
 * Finds the outputs that HailoRT itself computes on the host, out of streams of the device.
 *
 * Newer compilers leave NMS, softmax and arg max to the library. Such an operation eats streams of the device, joined
 * by pads, and the user reads its output instead of theirs. Anchors and strides are left out: HailoRT reads them from
 * the file.
 */
import { formatOrders } from './arch.ts'
import type { Message } from './message.ts'
import { quantizationOf, shapeOfNms, type EdgeStream } from './streams.ts'
import type { Hazards } from './hazards.ts'
import type { HefNms, HefShape, HefStream } from './types.ts'

const nmsKinds: readonly (readonly [field: number, kind: string])[] = [
  [7, 'yolov5'],
  [8, 'yolox'],
  [9, 'ssd'],
  [10, 'iou'],
  [11, 'yolov5_seg'],
  [12, 'yolov8'],
]

/** The outputs that the user reads: those of the host's operations in place of the streams that they eat. */
export function outputsAfterHost(group: Message, outputs: readonly EdgeStream[], hazards: Hazards): HefStream[] {
  const sourceOf = new Map(group.messages(9).map(edge => [edge.uint32(2), edge.uint32(1)]))
  const streamOf = new Map(outputs.map(output => [output.pad, output]))
  const eaten = new Set<EdgeStream>()
  const made: HefStream[] = []
  for (const op of group.messages(8)) {
    if (!op.has(5) && !op.has(6)) continue
    const eats = op.messages(2).map(pad => streamOf.get(sourceOf.get(pad.uint32(1)) ?? null))
    const [output] = op.messages(3)
    if (output === undefined || eats.length === 0) {
      hazards.crash(`its host operation "${op.text(1)}" has no ${output === undefined ? 'output' : 'input'}`)
    } else if (eats.some(input => (input?.pad ?? null) === null)) {
      hazards.refuse(`its host operation "${op.text(1)}" is joined to no stream of the device`)
    } else {
      const found = eats as EdgeStream[]
      for (const input of found) eaten.add(input)
      made.push(
        op.has(5) ? streamOfNms(op.message(5), output, found) : streamOfLogits(op.message(6), output, found[0]!.stream),
      )
    }
  }
  return [...outputs.filter(output => !eaten.has(output)).map(({ stream }) => stream), ...made]
}

function streamOfNms(op: Message, pad: Message, eats: readonly EdgeStream[]): HefStream {
  const kind = nmsKinds.find(([field]) => op.has(field)) ?? [0, 'unknown']
  const nms: HefNms = {
    classes: Math.max(0, op.uint32(4) - (op.flag(5) ? 1 : 0)),
    maxBoxesPerClass: op.uint32(3),
    where: 'host',
    boxSize: null,
    kind: kind[1],
    scoreThreshold: op.double(1),
    iouThreshold: op.double(2),
  }
  const isBoxesOnly = op.flag(13)
  const shape = isBoxesOnly ? shapeOfBoxes(op, kind, eats) : shapeOfNms(nms)
  const order = kind[1] === 'yolov5_seg' ? 'HAILO_NMS_WITH_BYTE_MASK' : isBoxesOnly ? 'NHWC' : 'HAILO_NMS_BY_CLASS'
  return {
    ...eats[0]!.stream,
    name: pad.text(2),
    shape,
    paddedShape: shape,
    order,
    deviceOrder: null,
    dtype: 'float32',
    isTransposed: false,
    // HailoRT reports scale 1 here, since there is nothing to scale.
    quantization: { zeroPoint: 0, scale: 1, min: 0, max: 0, perFeature: null },
    nms: isBoxesOnly ? null : nms,
    originalNames: [],
  }
}

/** Boxes decoded and not suppressed: a row for each proposal, with the box and each class's score. */
function shapeOfBoxes(op: Message, [field, kind]: readonly [number, string], eats: readonly EdgeStream[]): HefShape {
  const pixels = ({ stream }: EdgeStream) => stream.shape.height * stream.shape.width
  if (kind === 'yolov8')
    return { height: 1, width: eats.reduce((sum, input) => sum + pixels(input), 0) / 2, features: 4 + op.uint32(4) }
  // Anchors of one stride are paired with the stream whose pad they name.
  const decoders = op.message(field).messages(4)
  const proposals = decoders.map(decoder => {
    const stream = eats.find(({ pad }) => pad === decoder.uint32(5))
    return stream === undefined ? 0 : pixels(stream) * decoder.count(2)
  })
  return { height: 1, width: proposals.reduce((sum, n) => sum + n, 0), features: 5 + op.uint32(4) }
}

function streamOfLogits(op: Message, pad: Message, eats: HefStream): HefStream {
  const isArgmax = op.uint32(1) === 0
  const shape = isArgmax ? { ...eats.shape, features: 1 } : eats.shape
  const order = formatOrders[pad.uint32(3)] ?? null
  const dtype = ([null, 'uint8', 'uint16', 'float32'] as const)[pad.uint32(8)] ?? null
  const quantization = quantizationOf(pad.message(5))
  return { ...eats, name: pad.text(2), shape, paddedShape: shape, order, deviceOrder: null, dtype, quantization }
}
