/**
 * Makes sure that a graph has the precision that an engine of it is asked to have.
 *
 * Where no flag sets the precision, a builder makes a float32 engine of a float32 graph and says that all is well,
 * whatever the file is called. So the graph is looked at first.
 */
import { blockedError } from '../../base/errors.ts'
import { dataTypes, dtypeOf, readModel, type ModelProto } from '../../formats/onnx/index.ts'
import { isStronglyTyped } from './command.ts'
import type { EngineRequest } from './request.ts'

/**
 * Refuse a graph that would give an engine of another precision.
 * @throws RunbookError blocked with what the graph is
 */
export function mustBeOfPrecision(request: EngineRequest, tensorRt: { major: number; version: string }): void {
  const { precision, int8, onnx } = request
  if (precision === 'fp32') return
  const byGraph = precision === 'int8' ? int8 === 'graph' : isStronglyTyped(tensorRt)
  if (!byGraph || hasPrecision(readModel(onnx), precision)) return
  const state =
    precision === 'int8'
      ? 'it holds no QuantizeLinear and DequantizeLinear'
      : `TensorRT ${tensorRt.version} takes the precision from the ONNX file, and none of its tensors is ${precision}`
  const hint = precision === 'int8' ? 'quantise the graph first' : `convert the graph to ${precision} first`
  throw blockedError(`Cannot build ${precision} of "${onnx}": ${state}`, hint)
}

function hasPrecision({ graph }: ModelProto, precision: Exclude<EngineRequest['precision'], 'fp32'>): boolean {
  if (precision === 'int8') return graph.node.some(({ opType }) => opType === 'DequantizeLinear')
  const word = ({ fp16: 'float16', bf16: 'bfloat16' } as const)[precision]
  return (
    graph.initializer.some(({ dataType }) => dataType === dataTypes[word]) ||
    [...graph.input, ...graph.valueInfo].some(value => dtypeOf(value) === word)
  )
}
