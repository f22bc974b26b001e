/**
 * Undoes what was done before when a later step fails.
 *
 * The first failure is the one that is told. What undoing meets, with a device that is gone, is only that failure once
 * more.
 */

/** Do a job; when it fails, undo what led to it, and tell what failed first, whatever the undoing meets. */
export async function orUndo<T>(job: () => Promise<T>, undo: () => Promise<unknown>): Promise<T> {
  try {
    return await job()
  } catch (thrown) {
    await undo().catch(() => {})
    throw thrown
  }
}

/** Wait for all jobs, whatever becomes of them, and tell the first that failed. */
export async function allDone<T>(jobs: readonly Promise<T>[]): Promise<T[]> {
  const ends = await Promise.allSettled(jobs)
  return ends.map(end => {
    if (end.status === 'rejected') throw end.reason
    return end.value
  })
}
