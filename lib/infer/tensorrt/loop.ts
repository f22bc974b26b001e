/**
 * Hot loops on TensorRT: a plan at fixed shapes, whose pinned memory is written and read in place.
 *
 * A run copies to the device, computes, copies back and waits. JavaScript makes nothing in it.
 */
import { usageError } from '../../base/errors.ts'
import type { Dtype, TensorData } from '../../formats/tensors/tensor.ts'
import { closePlanStep, failureOf, openPlanStep, pinnedOf } from './backend.ts'
import type { TensorRtOptions } from './types.ts'

/** A plan in a loop. Arrays hold the shapes' elements from their beginning on, and die with the plan. */
export interface PlanLoop extends AsyncDisposable {
  readonly device: string
  /** The element type of an input. @throws RunbookError usage when there is no such input */
  dtypeOf(name: string): Dtype
  /** What the next run reads. @throws RunbookError usage when there is no such input, or none of this type */
  input<T extends TensorData>(name: string, type: new (...given: never[]) => T): T
  /** What the last run wrote. @throws RunbookError as `input` */
  output<T extends TensorData>(name: string, type: new (...given: never[]) => T): T
  /** Compute. @throws RunbookError fail when TensorRT or CUDA cannot */
  run(): void
}

/**
 * Open a plan for a loop, at these shapes of its inputs with open dimensions.
 * @throws RunbookError as `openTensorRtPlan`; usage for shapes outside the profile
 */
export async function openPlanLoop(
  path: string,
  shapes: Readonly<Record<string, readonly number[]>>,
  options: TensorRtOptions = {},
): Promise<PlanLoop> {
  const opened = await openPlanStep(path, options)
  const { step } = opened
  try {
    step.setShapes(shapes)
  } catch (thrown) {
    await closePlanStep(opened)
    throw failureOf(thrown, path)
  }
  const find = (side: 'inputs' | 'outputs', name: string) => {
    const tensor = step[side].find(({ info }) => info.name === name)
    if (tensor !== undefined) return tensor
    const known = step[side].map(({ info }) => info.name).join(', ')
    throw usageError(`Cannot run "${path}": it has no ${side.slice(0, -1)} "${name}"`, `its ${side} are ${known}`)
  }
  const arrayAt = <T extends TensorData>(
    side: 'inputs' | 'outputs',
    name: string,
    type: new (...given: never[]) => T,
  ): T => {
    const tensor = find(side, name)
    const pinned = pinnedOf(tensor)
    if (pinned instanceof type) return pinned
    throw usageError(
      `Cannot run "${path}" in a loop: "${name}" is ${tensor.info.dtype}, and ${type.name} is wanted`,
      'build the engine from a graph whose inputs and outputs are float32',
    )
  }
  return {
    device: opened.device,
    dtypeOf: name => find('inputs', name).info.dtype as Dtype,
    input: (name, type) => arrayAt('inputs', name, type),
    output: (name, type) => arrayAt('outputs', name, type),
    run() {
      try {
        step.run()
      } catch (thrown) {
        throw failureOf(thrown, path)
      }
    },
    [Symbol.asyncDispose]: () => closePlanStep(opened),
  }
}
