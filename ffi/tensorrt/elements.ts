/**
 * Says which tensors the bindings fill and read, and how many bytes an element has.
 *
 * Plain arrays in row order. Types that are smaller than a byte, those that node has no array for, padded layouts, and
 * tensors whose values decide shapes are refused by name.
 */
import { FfiError } from '../errors.ts'
import type { IoTensor } from './runtime.ts'

const sizes: Readonly<Record<string, number>> = {
  float32: 4,
  float16: 2,
  bfloat16: 2,
  int8: 1,
  uint8: 1,
  bool: 1,
  int32: 4,
  int64: 8,
}

/** Bytes of an element, or null for a type that the bindings do not hold (fp8, int4, fp4). */
export const elementBytes = (dtype: string): number | null => (Object.hasOwn(sizes, dtype) ? sizes[dtype]! : null)

/** @throws FfiError `refused` for a tensor that cannot be filled or read, with what to build instead */
export function mustBePlain({ name, mode, dtype, isShape, isLinear }: IoTensor): void {
  const refuse = (state: string, hint: string) =>
    new FfiError('refused', `Cannot bind the ${mode} "${name}": ${state}`, hint, {
      said: `the ${mode} "${name}" cannot be bound: ${state}`,
    })
  if (isShape) {
    throw refuse(
      'it is a shape tensor, whose values decide the shapes of others',
      'make its values constants of the ONNX file, and build the plan again',
    )
  }
  if (elementBytes(dtype) === null) {
    throw refuse(
      `its elements are ${dtype}, for which there is no array here`,
      `cast it in the ONNX file to one of ${Object.keys(sizes).join(', ')}, and build the plan again`,
    )
  }
  if (isLinear) return
  throw refuse(
    'its layout is padded or interleaved',
    'build the plan with linear inputs and outputs: trtexec --inputIOFormats=fp32:chw --outputIOFormats=fp32:chw',
  )
}
