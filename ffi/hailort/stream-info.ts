/**
 * Describes a stream of a model, as HailoRT tells it.
 *
 * The union in the C struct is read by `format.order`: detections have classes and boxes, everything else has height,
 * width and features. A quantisation of zero says that each feature has its own, and is never divided by.
 */
import { enumName } from './abi/table.ts'
import type { Version } from './abi/profiles.ts'

/** real = (byte − zeroPoint) × scale */
export interface Quantisation {
  readonly zeroPoint: number
  readonly scale: number
  readonly min: number
  readonly max: number
}

/** One stream of a HEF. */
export interface StreamInfo {
  readonly name: string
  /** `group/network` */
  readonly network: string
  readonly isInput: boolean
  /** `NHWC`, `NC`, `FCR`, `HAILO_NMS_BY_CLASS`, … */
  readonly order: string
  /** Element type on the device: `UINT8`, `UINT16`, `FLOAT32`. */
  readonly type: string
  /** Absent for detections. */
  readonly image?: { readonly height: number; readonly width: number; readonly features: number }
  /** Present for detections. */
  readonly nms?: { readonly classes: number; readonly boxesPerClass: number; readonly boxesTotal: number }
  /** null when each feature has its own. */
  readonly quantisation: Quantisation | null
}

/** `hailo_quant_info_t` */
export interface RawQuantInfo {
  qp_zp: number
  qp_scale: number
  limvals_min: number
  limvals_max: number
}

interface RawNmsShape {
  number_of_classes: number
  max_bboxes_per_class?: number
  max_bboxes_total?: number
  /** 4.20 alone: a union of the two above. */
  boxes?: { max_bboxes_per_class: number }
}

/** `hailo_vstream_info_t` as koffi decodes it. */
export interface RawVStreamInfo {
  name: string
  network_name: string
  direction: number
  format: { type: number; order: number; flags: number }
  shape: { image: { height: number; width: number; features: number }; nms: RawNmsShape }
  quant_info: RawQuantInfo
}

/**
 * Orders in which a stream holds detections instead of a picture: before 4.20 one, then with masks, on chip, by class,
 * by score.
 */
const nmsOrders: readonly number[] = [9, 20, 21, 22, 23]
const orderByScore = 23

/** Whether a `hailo_format_order_t` is one of detections. */
export const isNmsOrder = (order: number): boolean => nmsOrders.includes(order)

/** A stream from the struct that the library filled. */
export function streamInfoFrom(raw: RawVStreamInfo, version: Version): StreamInfo {
  return {
    name: raw.name,
    network: raw.network_name,
    isInput: raw.direction === 0,
    order: enumName('hailo_format_order_t', raw.format.order, version),
    type: enumName('hailo_format_type_t', raw.format.type, version),
    ...(isNmsOrder(raw.format.order)
      ? { nms: nmsFrom(raw.shape.nms, raw.format.order) }
      : { image: { ...raw.shape.image } }),
    quantisation: quantisationFrom(raw.quant_info),
  }
}

function nmsFrom(shape: RawNmsShape, order: number): NonNullable<StreamInfo['nms']> {
  const either = shape.boxes?.max_bboxes_per_class
  const isTotal = order === orderByScore
  return {
    classes: shape.number_of_classes,
    boxesPerClass: isTotal && either !== undefined ? 0 : (either ?? shape.max_bboxes_per_class ?? 0),
    boxesTotal: isTotal ? (either ?? shape.max_bboxes_total ?? 0) : (shape.max_bboxes_total ?? 0),
  }
}

/** null for a scale of zero. */
export function quantisationFrom(raw: RawQuantInfo): Quantisation | null {
  return raw.qp_scale === 0
    ? null
    : { zeroPoint: raw.qp_zp, scale: raw.qp_scale, min: raw.limvals_min, max: raw.limvals_max }
}

/** `net/input_layer1 NHWC 1x16000x1` */
export function describeStream({ name, order, image, nms }: StreamInfo): string {
  const boxes = nms?.boxesPerClass || nms?.boxesTotal
  const shape = image ? `${image.height}x${image.width}x${image.features}` : `${nms?.classes} classes of ${boxes} boxes`
  return `${name} ${order} ${shape}`
}
