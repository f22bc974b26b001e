/**
 * Small integer models that a HEF of our own carries, so that a stand-in for the device can compute them.
 *
 * HailoRT skips protobuf fields that it does not know. `writeHef` puts these bytes into field 1000 of the outermost
 * message; a real device never sees them. All is uint8 in and out with int8 weights, as on the device, so parity runs
 * meet real quantisation.
 *
 * Little-endian, without padding between the parts:
 * ```
 *  0  char[4]  "RBM1"
 *  4  uint32   inputs     how many streams are fed, in the order of the group's inputs
 *  8  uint32   outputs    how many streams are given, in the order of the group's sorted outputs
 * 12  uint32   layers
 * then for each layer
 *     uint32   source, target                 tensors: the inputs are 0…, the outputs follow, hidden ones come after
 * those
 *     uint32   height, width                  of both tensors, which are uint8 in the order height, width, features
 *     uint32   sourceFeatures, targetFeatures
 *     uint32   taps                           odd: the width of the kernel, with (taps − 1)/2 source zero points
 * beyond each edge
 *     int32    sourceZeroPoint, targetZeroPoint
 *     int32    low, high                      the target is held between these; a ReLU has its zero point as low
 *     float32  multiplier[targetFeatures]     source scale × weight scale ÷ target scale
 *     float32  offset[targetFeatures]         bias ÷ target scale
 *     int8     weights[targetFeatures][taps][sourceFeatures]
 * ```
 * A target value is `clamp(floor(multiplier × sum + offset + targetZeroPoint + 0.5), low, high)` in float64 without
 * fused multiply-add, where `sum` is the int32 sum of weight × (source − sourceZeroPoint) over taps and features.
 * Layers run in order.
 */
import { usageError } from '../../base/errors.ts'

/**
 * One convolution along the width. With one tap it maps each pixel alone; with height and width 1 it is a dense layer.
 */
export interface HefModelLayer {
  readonly source: number
  readonly target: number
  readonly height: number
  readonly width: number
  readonly sourceFeatures: number
  readonly targetFeatures: number
  readonly taps: number
  readonly sourceZeroPoint: number
  readonly targetZeroPoint: number
  readonly low: number
  readonly high: number
  readonly multiplier: Float32Array
  readonly offset: Float32Array
  /** [targetFeatures][taps][sourceFeatures] */
  readonly weights: Int8Array
}

/** The layers between `inputs` and `outputs` streams. */
export interface HefModel {
  readonly inputs: number
  readonly outputs: number
  readonly layers: readonly HefModelLayer[]
}

/** The protobuf field of the outermost message that carries the bytes. */
export const hefModelField = 1000

const magic = Buffer.from('RBM1', 'latin1')
const layerHeadBytes = 44
/** A tensor of a stand-in stays below this many bytes. */
const tensorBytesMax = 2 ** 28

/**
 * The bytes of a model.
 *
 * @throws RunbookError usage when an array does not fit its layer
 */
export function encodeHefModel(model: HefModel): Uint8Array {
  checkModel(model)
  const head = Buffer.alloc(16)
  magic.copy(head)
  for (const [i, n] of [model.inputs, model.outputs, model.layers.length].entries()) head.writeUInt32LE(n, 4 + 4 * i)
  return new Uint8Array(Buffer.concat([head, ...model.layers.flatMap(encodeLayer)]))
}

function encodeLayer(layer: HefModelLayer): Uint8Array[] {
  const head = Buffer.alloc(layerHeadBytes)
  const counts = [
    layer.source,
    layer.target,
    layer.height,
    layer.width,
    layer.sourceFeatures,
    layer.targetFeatures,
    layer.taps,
  ]
  for (const [i, n] of counts.entries()) head.writeUInt32LE(n, 4 * i)
  const levels = [layer.sourceZeroPoint, layer.targetZeroPoint, layer.low, layer.high]
  for (const [i, n] of levels.entries()) head.writeInt32LE(n, 28 + 4 * i)
  return [
    head,
    ...[layer.multiplier, layer.offset, layer.weights].map(a => new Uint8Array(a.buffer, a.byteOffset, a.byteLength)),
  ]
}

/**
 * A model from its bytes.
 *
 * @throws RunbookError usage when they are cut short, have something behind the end, or contradict themselves
 */
export function decodeHefModel(bytes: Uint8Array): HefModel {
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  if (data.length < 16 || !data.subarray(0, 4).equals(magic)) throw refusal('it does not begin with "RBM1"')
  let at = 16
  const take = (length: number): Buffer => {
    if (at + length > data.length)
      throw refusal(`it ends at byte ${data.length}, and a layer reaches to ${at + length}`)
    at += length
    return data.subarray(at - length, at)
  }
  const layers = Array.from({ length: Math.min(data.readUInt32LE(12), data.length) }, () => decodeLayer(take))
  if (at !== data.length) throw refusal(`${data.length - at} bytes follow its last layer`)
  const model = { inputs: data.readUInt32LE(4), outputs: data.readUInt32LE(8), layers }
  checkModel(model)
  return model
}

function decodeLayer(take: (length: number) => Buffer): HefModelLayer {
  const head = take(layerHeadBytes)
  const count = (i: number) => head.readUInt32LE(4 * i)
  const level = (i: number) => head.readInt32LE(28 + 4 * i)
  const [sourceFeatures, targetFeatures, taps] = [count(4), count(5), count(6)]
  const floats = () => {
    const piece = take(4 * targetFeatures)
    return Float32Array.from({ length: targetFeatures }, (_, i) => piece.readFloatLE(4 * i))
  }
  return {
    source: count(0),
    target: count(1),
    height: count(2),
    width: count(3),
    sourceFeatures,
    targetFeatures,
    taps,
    sourceZeroPoint: level(0),
    targetZeroPoint: level(1),
    low: level(2),
    high: level(3),
    multiplier: floats(),
    offset: floats(),
    weights: new Int8Array(take(targetFeatures * taps * sourceFeatures)),
  }
}

const refusal = (state: string) =>
  usageError(`Cannot use the model inside a HEF: ${state}`, 'write the HEF again with writeHef()')

function checkModel({ inputs, outputs, layers }: HefModel): void {
  const sizes = new Map<number, number>()
  const fit = (tensor: number, bytes: number, i: number) => {
    const known = sizes.get(tensor) ?? bytes
    if (known !== bytes)
      throw refusal(`layer ${i} takes tensor ${tensor} for ${bytes} bytes, an earlier one for ${known}`)
    sizes.set(tensor, bytes)
  }
  const written = new Set(Array.from({ length: Math.min(inputs, 64) }, (_, i) => i))
  for (const [i, layer] of layers.entries()) {
    checkLayer(layer, i)
    const pixels = layer.height * layer.width
    if (!written.has(layer.source)) throw refusal(`layer ${i} reads tensor ${layer.source}, which nothing has written`)
    if (layer.target < inputs) throw refusal(`layer ${i} writes over input ${layer.target}`)
    fit(layer.source, pixels * layer.sourceFeatures, i)
    fit(layer.target, pixels * layer.targetFeatures, i)
    written.add(layer.target)
  }
  for (let output = inputs; output < inputs + Math.min(outputs, 64); output++) {
    if (!written.has(output)) throw refusal(`nothing writes output ${output - inputs}`)
  }
  const isCount = (n: number) => n >= 1 && n <= 16
  if (!isCount(inputs) || !isCount(outputs))
    throw refusal(`it has ${inputs} inputs and ${outputs} outputs, and may have 1 to 16 of each`)
}

function checkLayer(layer: HefModelLayer, i: number): void {
  const { sourceFeatures, targetFeatures, taps, multiplier, offset, weights, low, high } = layer
  const sizes = [sourceFeatures, targetFeatures].map(features => layer.height * layer.width * features)
  if (sizes.some(bytes => bytes < 1 || bytes >= tensorBytesMax)) throw refusal(`layer ${i} has an impossible shape`)
  if (taps % 2 !== 1) throw refusal(`layer ${i} has ${taps} taps, and only odd counts have a middle`)
  if (!(low >= 0 && low <= high && high <= 255)) throw refusal(`layer ${i} holds its values between ${low} and ${high}`)
  const wanted = [targetFeatures, targetFeatures, targetFeatures * taps * sourceFeatures]
  const given = [multiplier.length, offset.length, weights.length]
  if (wanted.some((n, k) => n !== given[k])) {
    throw refusal(`layer ${i} wants ${wanted.join(', ')} multipliers, offsets and weights, and has ${given.join(', ')}`)
  }
  const isFinite = multiplier.every(Number.isFinite) && offset.every(Number.isFinite)
  if (!isFinite) throw refusal(`layer ${i} has a multiplier or an offset that is no number`)
}

/**
 * What one frame of each input becomes: the arithmetic that a stand-in must repeat bit for bit.
 *
 * @throws RunbookError usage for a wrong frame
 */
export function runHefModel(model: HefModel, frames: readonly Uint8Array[]): Uint8Array[] {
  const tensors = new Map<number, Uint8Array>(frames.map((frame, i) => [i, frame]))
  for (const layer of model.layers) {
    const source = tensors.get(layer.source)
    const wanted = layer.height * layer.width * layer.sourceFeatures
    if (source?.length !== wanted)
      throw refusal(`tensor ${layer.source} has ${source?.length ?? 0} bytes, and the layer takes ${wanted}`)
    tensors.set(layer.target, runLayer(layer, source))
  }
  return Array.from({ length: model.outputs }, (_, i) => tensors.get(model.inputs + i)!)
}

function runLayer(layer: HefModelLayer, source: Uint8Array): Uint8Array {
  const { width, sourceFeatures, targetFeatures, taps, weights, multiplier, offset } = layer
  const target = new Uint8Array(layer.height * width * targetFeatures)
  const half = (taps - 1) / 2
  let out = 0
  for (let row = 0; row < layer.height; row++) {
    for (let x = 0; x < width; x++) {
      for (let o = 0; o < targetFeatures; o++) {
        let sum = 0
        for (let tap = Math.max(0, half - x); tap < Math.min(taps, width + half - x); tap++) {
          const from = (row * width + x + tap - half) * sourceFeatures
          const weight = (o * taps + tap) * sourceFeatures
          for (let i = 0; i < sourceFeatures; i++)
            sum = (sum + weights[weight + i]! * (source[from + i]! - layer.sourceZeroPoint)) | 0
        }
        const value = Math.floor(multiplier[o]! * sum + offset[o]! + layer.targetZeroPoint + 0.5)
        target[out++] = Math.min(layer.high, Math.max(layer.low, value))
      }
    }
  }
  return target
}

/** How bytes stand for numbers: real = (byte − zeroPoint) × scale. */
export interface Levels {
  readonly zeroPoint: number
  readonly scale: number
}

/**
 * A layer that quantises float weights per output feature, symmetric int8, as a compiler does.
 *
 * @param weights [targetFeatures][taps][sourceFeatures]; @param bias one number a target feature
 */
export function quantizedLayer(o: {
  source: number
  target: number
  height: number
  width: number
  taps?: number
  isRelu?: boolean
  weights: Float32Array
  bias: Float32Array
  from: Levels
  to: Levels
}): HefModelLayer {
  const taps = o.taps ?? 1
  const targetFeatures = o.bias.length
  const each = o.weights.length / targetFeatures
  const weights = new Int8Array(o.weights.length)
  const multiplier = new Float32Array(targetFeatures)
  for (let feature = 0; feature < targetFeatures; feature++) {
    const row = o.weights.subarray(feature * each, (feature + 1) * each)
    const weightScale = row.reduce((largest, w) => Math.max(largest, Math.abs(w)), 0) / 127 || 1
    for (const [i, w] of row.entries()) weights[feature * each + i] = Math.round(w / weightScale)
    multiplier[feature] = (o.from.scale * weightScale) / o.to.scale
  }
  return {
    source: o.source,
    target: o.target,
    height: o.height,
    width: o.width,
    sourceFeatures: each / taps,
    targetFeatures,
    taps,
    sourceZeroPoint: o.from.zeroPoint,
    targetZeroPoint: o.to.zeroPoint,
    low: o.isRelu ? o.to.zeroPoint : 0,
    high: 255,
    multiplier,
    offset: o.bias.map(b => b / o.to.scale),
    weights,
  }
}
