/**
 * Opens a built engine and asks it once.
 */
import { RunbookError } from '../../../base/errors.ts'
import type { Tensor } from '../../../formats/tensors/tensor.ts'
import { sizeOf } from '../../../formats/tensors/tensor.ts'
import { arrayOf } from '../../../formats/tensors/tensor.ts'
import { openBackend } from '../../../infer/open.ts'
import type { Profile } from '../../../compile/trtexec/request.ts'

/** `ran`, or why it could not run here. */
export type EngineSmoke =
  | { readonly ran: true }
  | { readonly ran: false; readonly why: string; readonly isBlocked: boolean }

/** Feed zeros of the usual shapes. */
export async function smokeEngine(plan: string, profile: Profile): Promise<EngineSmoke> {
  try {
    await using model = await openBackend(plan, { backend: 'tensorrt' })
    const feeds = model.inputs.map(({ name, dtype, shape }) => {
      const dims = profile[name]?.[1] ?? shape.map(n => (typeof n === 'number' ? n : 1))
      return [name, { dtype, shape: dims, data: new arrayOf[dtype](sizeOf(dims)) } satisfies Tensor] as const
    })
    await model.infer(Object.fromEntries(feeds))
    return { ran: true }
  } catch (thrown) {
    if (!(thrown instanceof RunbookError)) throw thrown
    return { ran: false, why: thrown.message, isBlocked: thrown.exit === 'blocked' }
  }
}
