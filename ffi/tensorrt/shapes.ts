/**
 * Sets the shapes of a context's inputs, and reads those that follow from them.
 *
 * While two inputs disagree in an axis that they share, TensorRT has no shape for what follows from both. So inputs are
 * set together, and outputs are read after the last of them.
 */
import { FfiError } from '../errors.ts'
import { dimsBytes } from './dims.ts'
import { elementBytes } from './elements.ts'
import type { Engine, IoTensor } from './runtime.ts'
import type { NativeObject } from './abi/vtable.ts'

/** A context, its engine, and the profile that it runs. */
export interface ShapedContext {
  readonly engine: Engine
  readonly context: NativeObject
  /** Which of the plan's profiles is in force. */
  readonly profile: number
}

/** A shape and the bytes that a tensor of it takes. */
export interface Extent {
  readonly shape: readonly number[]
  readonly bytes: number
}

/** By input. */
export type Shapes = Readonly<Record<string, readonly number[]>>

/**
 * Set inputs, one after the other.
 *
 * @throws FfiError `usage` for the first shape that is outside the profile, naming both
 */
export function setInputShapes({ engine, context, profile }: ShapedContext, shapes: Shapes): void {
  for (const [name, shape] of Object.entries(shapes)) {
    if (context.flag('setInputShape', name, dimsBytes(shape, engine.rt.abi.dims))) continue
    const range = engine.tensors.find(tensor => tensor.name === name)?.profiles[profile]
    const takes = range ? `it takes [${range.min.join(', ')}] to [${range.max.join(', ')}]` : 'the engine refuses it'
    throw new FfiError(
      'usage',
      `Cannot give "${name}" the shape [${shape.join(', ')}]: ${takes}`,
      'feed a shape within the profile, or build with a wider one',
      { said: `"${name}" cannot have the shape [${shape.join(', ')}]: ${takes}` },
    )
  }
}

/** What a tensor takes now; null where TensorRT cannot tell its shape. */
export function extentNow({ context }: ShapedContext, { name, dtype }: IoTensor): Extent | null {
  const shape = context.shape('getTensorShape', name)
  if (!shape || shape.some(n => n < 0)) return null
  return { shape, bytes: shape.reduce((product, n) => product * n, elementBytes(dtype) ?? 0) }
}

/** A tensor with buffers. `host` is as long as its largest shape takes. */
interface SizedTensor {
  readonly info: IoTensor
  readonly host: Uint8Array
  shape: Extent['shape']
  bytes: Extent['bytes']
}

/**
 * Set inputs and read all that follows from them; after an error all is as it was.
 *
 * @throws FfiError `usage`, `refused`
 */
export function changeShapes(where: ShapedContext, tensors: readonly SizedTensor[], shapes: Shapes): void {
  const inputs = tensors.filter(({ info }) => info.mode === 'input')
  const before: Shapes = Object.fromEntries(inputs.map(({ info, shape }) => [info.name, shape]))
  const stranger = Object.keys(shapes).find(name => !Object.hasOwn(before, name))
  if (stranger !== undefined) {
    throw new FfiError(
      'usage',
      `Cannot shape "${stranger}": the inputs are ${Object.keys(before).join(', ')}`,
      'check the name',
      { said: `its inputs are ${Object.keys(before).join(', ')}, and "${stranger}" was given` },
    )
  }
  try {
    setInputShapes(where, shapes)
    const extents = tensors.map(tensor => extentWithin(where, tensor, { ...before, ...shapes }))
    for (const [i, tensor] of tensors.entries()) Object.assign(tensor, extents[i])
  } catch (thrown) {
    setInputShapes(where, before)
    throw thrown
  }
}

function extentWithin(where: ShapedContext, { info, host }: SizedTensor, shapes: Shapes): Extent {
  const extent = extentNow(where, info)
  if (!extent) {
    throw new FfiError(
      'usage',
      `Cannot give ${shapesText(shapes)}: TensorRT finds no shape for "${info.name}"`,
      'give inputs that share an axis the same extent in it',
      { said: `TensorRT finds no shape for "${info.name}" with ${shapesText(shapes)}` },
    )
  }
  if (extent.bytes <= host.length) return extent
  throw new FfiError(
    'refused',
    `Cannot give ${shapesText(shapes)}: "${info.name}" then takes ${extent.bytes} bytes, and ${host.length} ` +
      `at the profile's largest`,
    'build a plan whose outputs do not grow while its inputs shrink',
    {
      said:
        `with ${shapesText(shapes)} "${info.name}" takes ${extent.bytes} bytes, and ${host.length} at the ` +
        `profile's largest`,
    },
  )
}

/** `"x" [2, 3] and "y" [4, 3]` */
export const shapesText = (shapes: Shapes): string =>
  Object.entries(shapes)
    .map(([name, shape]) => `"${name}" [${shape.join(', ')}]`)
    .join(' and ')
