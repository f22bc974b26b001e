/**
 * Tells whether a job keeps the event loop from turning.
 */

/**
 * How often the event loop turned while a job was under way: not at all when the job holds it from its first call to
 * its end, and many times when it waits elsewhere. A count and no time, so a busy machine does not change what it says.
 */
export async function turnsDuring(job: () => unknown): Promise<number> {
  let turns = 0
  let isOver = false
  const count = () => {
    if (isOver) return
    turns++
    setImmediate(count)
  }
  setImmediate(count)
  try {
    await job()
  } finally {
    isOver = true
  }
  return turns
}
