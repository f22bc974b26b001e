/**
 * Closes what a piece of work opened, when the work has ended.
 *
 * What `await using` does, for files that must also load where the runtime does not know that syntax (Node 22).
 */

/** Something with a method that closes it, or nothing. */
export type Closable = Partial<AsyncDisposable & Disposable> | null | undefined

/** Takes charge of a thing and gives it back. */
export type Own = <T extends Closable>(thing: T) => T

/**
 * What a piece of work has opened and must be closed after it.
 *
 * @example
 * ```ts
 * import assert from 'node:assert/strict'
 * import { Owned } from './lib/base/owned.ts'
 *
 * const said: string[] = []
 * const door = (name: string) => ({ [Symbol.dispose]: () => void said.push(`closes ${name}`) })
 * await new Owned().run(own => {
 *   own(door('first'))
 *   own(door('second'))
 * })
 * assert.deepEqual(said, ['closes second', 'closes first'])
 * ```
 */
export class Owned {
  readonly #things: Closable[] = []
  /** Take charge of a thing. */
  readonly own: Own = thing => {
    this.#things.push(thing)
    return thing
  }

  /**
   * Do the work, then close all that is owned, the last one first.
   *
   * @throws what the work throws, else the first error of closing; all are closed before
   */
  async run<T>(work: (own: Own) => T | Promise<T>): Promise<T> {
    let ended: { value: T } | null = null
    let failure: { error: unknown } | null = null
    try {
      ended = { value: await work(this.own) }
    } catch (error) {
      failure = { error }
    }
    for (const thing of this.#things.splice(0).toReversed()) {
      try {
        if (thing?.[Symbol.asyncDispose] === undefined) thing?.[Symbol.dispose]?.()
        else await thing[Symbol.asyncDispose]!()
      } catch (error) {
        failure ??= { error }
      }
    }
    if (failure !== null) throw failure.error
    return ended!.value
  }
}
