/** Reads an ONNX model as the stand-in's parser does: nodes by name, shapes with channels last. */
import { readFileSync } from 'node:fs'
import { decodeModel, dimsOf, type ModelProto } from '../../formats/onnx/index.ts'
import { End } from './end.ts'

/** The model of a file. */
export function readOnnx(path: string): ModelProto {
  try {
    return decodeModel(readFileSync(path))
  } catch (thrown) {
    throw new End(
      1,
      `google.protobuf.message.DecodeError: Error parsing message (${(thrown as Error).message.slice(0, 60)})`,
    )
  }
}

/** A start may be an input; an end is the name of a node, and the name of its value is not found. */
export function checkNode(model: ModelProto, name: string, start: string): void {
  const isInput = name === start && model.graph.input.some(input => input.name === name)
  if (isInput || model.graph.node.some(node => node.name === name)) return
  throw new End(1, `ValueError: '${name}' is not in list\n[error] Translation failed`)
}

/** The graph's own output, channels last, with the height that a Squeeze may have taken away. */
export function outputShapeFrom(model: ModelProto): number[] {
  const dims = dimsOf(model.graph.output[0]!).map(Number)
  const [n = 1, c = 1, h = 1, w = 1] = dims.length === 3 ? [dims[0], dims[1], 1, dims[2]] : dims
  return [n, h, w, c]
}

/** The input's shape as the HAR has it: channels last. */
export function inputShapeFrom(model: ModelProto, flag: string, start: string): number[] {
  const input = model.graph.input.find(({ name }) => name === start)
  const dims = (input?.type?.tensorType?.shape?.dim ?? []).map(dim => Number(dim.dimValue ?? 0))
  const given = JSON.parse(flag.replace(/^[^[]*=/, '')) as number[]
  if (given.join() !== dims.join()) {
    throw new End(
      1,
      `UnsupportedModelError in op ${start}: unsupported input shape [${given}], the model has [${dims}]`,
    )
  }
  const [batch = 1, channels = 1, height = 1, width = 1] = given
  return [batch, height, width, channels]
}
