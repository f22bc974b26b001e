/**
 * Hands the slots of a session to questions, and their outputs back as answers.
 *
 * Slots are opened when they are first needed, for the shapes of the question. A question that finds none free waits,
 * and one that others wait behind is answered with copies, so that its answer is not written over before it is read.
 */
import type { OrtSession } from '../../../ffi/onnxruntime/session.ts'
import type { OrtSlot } from '../../../ffi/onnxruntime/slot.ts'
import type { Tensor, TensorData } from '../../formats/tensors/tensor.ts'
import { arrayOf } from '../../formats/tensors/tensor.ts'
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
  #opened = 0

  /** @param o.slots how many questions may be under way at once */
  constructor(o: { session: OrtSession; slots: number; path: string }) {
    this.#session = o.session
    this.#slots = o.slots
    this.#path = o.path
  }

  /**
   * Answer on a worker thread, when a slot is free. Feeds are read at once or, when others are before, later.
   *
   * @throws RunbookError usage; FfiError
   */
  async ask(feeds: Feeds): Promise<Results> {
    this.#checkArrays(feeds)
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

  /**
   * Answer on this thread.
   *
   * @throws RunbookError as `ask`; Error when every slot is busy
   */
  askSync(feeds: Feeds): Results {
    this.#checkArrays(feeds)
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

  #checkArrays(feeds: Feeds): void {
    for (const [name, feed] of Object.entries(feeds)) {
      if (feed.data instanceof arrayOf[feed.dtype]) continue
      throw usageError(
        `Cannot feed ${feed.data.constructor.name} to "${name}" as ${feed.dtype}`,
        `give a ${arrayOf[feed.dtype].name}`,
      )
    }
  }

  /** A free slot of these shapes, or a new one; when all are open, one of another shape makes room. */
  #take(feeds: Feeds): Place {
    const fits = this.#free.findIndex(({ slot }) =>
      Object.entries(slot.inputs).every(([name, { shape }]) =>
        shape.every((n, axis) => n === feeds[name]!.shape[axis]),
      ),
    )
    if (fits >= 0) return this.#free.splice(fits, 1)[0]!
    if (this.#opened >= this.#slots) this.#drop(this.#free.shift()!)
    const shapes = Object.fromEntries(Object.entries(feeds).map(([name, feed]) => [name, feed.shape]))
    const slot = this.#session.openSlot({ shapes })
    this.#opened++
    return { slot, results: undefined }
  }

  #fill({ slot }: Place, feeds: Feeds): void {
    for (const [name, { data }] of Object.entries(slot.inputs)) data.set(feeds[name]!.data as never)
  }

  /** A slot whose first run failed is let go of; one that has worked goes on. */
  #putBack(place: Place): void {
    if (place.results) this.#free.push(place)
    else this.#drop(place)
  }

  #drop({ slot }: Place): void {
    this.#opened--
    void slot.close()
  }
}

/** The slot's outputs as results: the same objects as long as the slot writes to the same arrays. */
function resultsOf(place: Place): Results {
  const { outputs } = place.slot
  const known = place.results
  if (known && Object.keys(outputs).every(name => outputs[name]!.data === known[name]!.data)) return known
  return (place.results = Object.fromEntries(
    Object.entries(outputs).map(([name, { dtype, shape, data }]) => [name, { dtype, shape, data } as Tensor]),
  ))
}

const copyOf = (results: Results): Results =>
  Object.fromEntries(
    Object.entries(results).map(([name, tensor]) => [name, { ...tensor, data: tensor.data.slice() as TensorData }]),
  )
