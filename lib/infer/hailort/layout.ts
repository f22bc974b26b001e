/**
 * Turns arrays of an ONNX model into Hailo frames, and back.
 *
 * Models are written batch, channels, height, width; a Hailo device counts height, width, features. `[1, 1, 1, T]` is H
 * = 1, W = T, C = 1, and needs no copy. Which way a stream lies is said by its order; detections become rows of a fixed
 * number.
 */
import type { StreamInfo } from '../../../ffi/hailort/stream-info.ts'
import { usageError } from '../../base/errors.ts'

/** How one stream is seen from outside, and how its frames are turned. Both ways fill the whole of the second array. */
export interface StreamLayout {
  /** As ONNX has it: `[1, C, H, W]`, `[1, C]`, or for detections `[1, boxes, 6]`. */
  readonly shape: readonly number[]
  /** Values in one frame of the stream, which for detections is not the product of `shape`. */
  readonly frameValues: number
  /** Whether both lie alike, so that nothing need be turned. */
  readonly isPlain: boolean
  frameFromTensor(tensor: Float32Array, frame: Float32Array): void
  tensorFromFrame(frame: Float32Array, tensor: Float32Array): void
}

/**
 * The layout of a stream.
 *
 * @throws RunbookError usage for an order that no model of ours has (camera formats, masks, padded features)
 */
export function layoutOfStream(info: StreamInfo): StreamLayout {
  if (info.nms) return detections(info)
  const { height, width, features } = info.image!
  switch (info.order) {
    case 'NHWC':
    case 'RGB888':
    // FCR has the memory order of NHWC; only the device pads its features.
    case 'FCR':
      return image({ shape: [1, features, height, width], rows: features, columns: height * width })
    case 'NHCW':
      return rowWise({ height, width, features })
    case 'NCHW':
      return plain([1, features, height, width])
    case 'NHW':
      return plain([1, 1, height, width])
    case 'NC':
      return plain([1, features])
    default:
      throw usageError(
        `Cannot use the stream "${info.name}": its order is ${info.order}, which is turned into no array here`,
        'compile the model with an output in NHWC, NHCW, FCR, NC, NHW or NMS by class',
      )
  }
}

const copy = (from: Float32Array, to: Float32Array) => to.set(from)

function plain(shape: readonly number[]): StreamLayout {
  return {
    shape,
    frameValues: shape.reduce((product, n) => product * n, 1),
    isPlain: true,
    frameFromTensor: copy,
    tensorFromFrame: copy,
  }
}

/** `rows` × `columns` outside, `columns` × `rows` in the frame. */
function image({ shape, rows, columns }: { shape: readonly number[]; rows: number; columns: number }): StreamLayout {
  if (rows === 1 || columns === 1) return plain(shape)
  return {
    shape,
    frameValues: rows * columns,
    isPlain: false,
    frameFromTensor: (tensor, frame) => transpose(tensor, frame, { rows, columns }),
    tensorFromFrame: (frame, tensor) => transpose(frame, tensor, { rows: columns, columns: rows }),
  }
}

/** `from` is rows × columns, `to` becomes columns × rows. */
function transpose(from: Float32Array, to: Float32Array, { rows, columns }: { rows: number; columns: number }): void {
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) to[column * rows + row] = from[at++]!
  }
}

/** The frame goes height, features, width. */
function rowWise({ height, width, features }: { height: number; width: number; features: number }): StreamLayout {
  if (height === 1 || features === 1) return plain([1, features, height, width])
  const move = (from: Float32Array, to: Float32Array, isToFrame: boolean) => {
    for (let c = 0; c < features; c++) {
      for (let h = 0; h < height; h++) {
        const [inTensor, inFrame] = [(c * height + h) * width, (h * features + c) * width]
        const [source, target] = isToFrame ? [inTensor, inFrame] : [inFrame, inTensor]
        for (let w = 0; w < width; w++) to[target + w] = from[source + w]!
      }
    }
  }
  return {
    shape: [1, features, height, width],
    frameValues: height * width * features,
    isPlain: false,
    frameFromTensor: (tensor, frame) => move(tensor, frame, true),
    tensorFromFrame: (frame, tensor) => move(frame, tensor, false),
  }
}

/** Class, y_min, x_min, y_max, x_max, score. */
const rowValues = 6

/**
 * By class, packed: for each class a count and that many boxes of five. Outside they are rows of six, the class first;
 * rows that hold no box are zero, with the class −1.
 */
function detections(info: StreamInfo): StreamLayout {
  const { classes, boxesPerClass } = info.nms!
  if (info.order !== 'HAILO_NMS' && info.order !== 'HAILO_NMS_BY_CLASS') {
    throw usageError(
      `Cannot use the stream "${info.name}": its detections come as ${info.order}`,
      'compile the model with NMS by class',
    )
  }
  const frameValues = classes * (1 + 5 * boxesPerClass)
  return {
    shape: [1, classes * boxesPerClass, rowValues],
    frameValues,
    isPlain: false,
    frameFromTensor: () => {
      throw usageError(`Cannot feed "${info.name}": it holds detections, which only come out`, 'choose another stream')
    },
    tensorFromFrame: (frame, tensor) => {
      let [at, row] = [0, 0]
      for (let k = 0; k < classes; k++) {
        // A count beyond what the format allows would read past the frame.
        const boxes = Math.min(boxesPerClass, Math.max(0, Math.trunc(frame[at++] ?? 0)))
        for (let box = 0; box < boxes; box++, row++, at += 5) {
          tensor[row * rowValues] = k
          tensor.set(frame.subarray(at, at + 5), row * rowValues + 1)
        }
      }
      for (; row < classes * boxesPerClass; row++)
        tensor.fill(0, row * rowValues, (row + 1) * rowValues).fill(-1, row * rowValues, row * rowValues + 1)
    },
  }
}
