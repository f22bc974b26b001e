/**
 * Who gets the next free slot of a session, and what is in the answer?
 *
 * Slots are opened when they are first needed, with the shapes of the first question. A question that finds none free
 * waits, and one
 * that others wait behind is answered with copies, so that its answer is not written over before it is read.
 */
import type { OrtSession } from '../../../ffi/onnxruntime/session.ts'
import type { OrtSlot } from '../../../ffi/onnxruntime/slot.ts'
import type { TensorData } from '../../formats/tensors/tensor.ts'
import { arrayOf, describe } from '../../formats/tensors/tensor.ts'
import { usageError } from '../../base/errors.ts'
import type { Feeds, Results } from '../backend.ts'

/** A slot, and its outputs as results once a run told their shapes. */
interface Place {
  readonly slot: OrtSlot
  results: Results | undefined
}

/** The slots of one session. */
export class SlotPool {
  readonly #session: OrtSession
  readonly #slots: number
  readonly #path: string
  readonly #free: Place[] = []
  readonly #waiting: (() => void)[] = []
  /** Shapes of the first question that has not failed, by input. */
  #shapes: Record<string, readonly number[]> | undefined
  #opened = 0

  /** @param o.slots how many questions may be under way at once */
  constructor(o: { session: OrtSession; slots: number; path: string }) {
    this.#session = o.session
    this.#slots = o.slots
    this.#path = o.path
  }

  /**
   * Answer on a worker thread, when a slot is free. Feeds are read at once or, when others are before, later. Errors:
   * usage; FfiError.
   */
  async ask(feeds: Feeds): Promise<Results> {
    this.#checkShapes(feeds)
    while (this.#free.length === 0 && this.#opened >= this.#slots)
      await new Promise<void>(resolve => this.#waiting.push(resolve))
    let place: Place | undefined
    try {
      place = this.#take(feeds)
      this.#fill(place, feeds)
      await place.slot.runAsync()
      const results = resultsOf(place)
      return this.#waiting.length > 0 ? copyOf(results) : results
    } finally {
      if (place) this.#putBack(place)
      this.#waiting.shift()?.()
    }
  }

  /** Answer on this thread. Errors: as `ask`; a plain error when every slot is busy. */
  askSync(feeds: Feeds): Results {
    this.#checkShapes(feeds)
    if (this.#free.length === 0 && this.#opened >= this.#slots)
      throw new Error(`every slot of the model "${this.#path}" is busy`)
    const place = this.#take(feeds)
    try {
      this.#fill(place, feeds)
      place.slot.run()
      return resultsOf(place)
    } finally {
      this.#putBack(place)
    }
  }

  #checkShapes(feeds: Feeds): void {
    for (const [name, feed] of Object.entries(feeds)) {
      if (!(feed.data instanceof arrayOf[feed.dtype])) {
        throw usageError(
          `Cannot feed ${feed.data.constructor.name} to "${name}" as ${feed.dtype}`,
          `give a ${arrayOf[feed.dtype].name}`,
        )
      }
      const fixed = this.#shapes?.[name]
      if (fixed === undefined || fixed.every((n, axis) => n === feed.shape[axis])) continue
      const state = `the first question fixed it at ${describe({ dtype: feed.dtype, shape: fixed })}`
      throw usageError(
        `Cannot feed ${describe(feed)} to "${name}" of "${this.#path}": ${state}`,
        'open the model again for another shape, or give --ort-driver node',
      )
    }
  }

  #take(feeds: Feeds): Place {
    // A question that waited may find that the first one failed, or that another fixed the shapes.
    this.#checkShapes(feeds)
    const free = this.#free.shift()
    if (free) return free
    const shapes =
      this.#shapes ?? Object.fromEntries(Object.entries(feeds).map(([name, feed]) => [name, [...feed.shape]]))
    const slot = this.#session.openSlot({ shapes })
    this.#shapes = shapes
    this.#opened++
    return { slot, results: undefined }
  }

  #fill({ slot }: Place, feeds: Feeds): void {
    for (const [name, { data }] of Object.entries(slot.inputs)) data.set(feeds[name]!.data as never)
  }

  /** A slot whose first run failed is let go of, so that another shape may be tried; one that has worked goes on. */
  #putBack(place: Place): void {
    if (place.results) {
      this.#free.push(place)
      return
    }
    this.#opened--
    if (this.#opened === 0) this.#shapes = undefined
    void place.slot.close()
  }
}

function resultsOf(place: Place): Results {
  const outputs = Object.entries(place.slot.outputs)
  return (place.results ??= Object.fromEntries(
    outputs.map(([name, { dtype, shape, data }]) => [name, { dtype, shape, data }]),
  ))
}

const copyOf = (results: Results): Results =>
  Object.fromEntries(
    Object.entries(results).map(([name, tensor]) => [name, { ...tensor, data: tensor.data.slice() as TensorData }]),
  )
