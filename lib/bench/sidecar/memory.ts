/**
 * Measures whether the sidecar's memory stays, however many requests it answers.
 *
 * The resident memory of a process with a garbage collector goes up and down by tens of MB. It first rises to what the
 * load asks for: the young generation grows to its largest size, code is compiled, the allocator's arenas fill. That is
 * over after 20,000 requests. From then on it is read every 10,000, and the median of the last readings is held against
 * the median of the first.
 */
import { median } from '../../base/statistics.ts'

/** Requests before the first reading. */
export const warmUpRequests = 20_000
const requestsBetween = 10_000
/** Readings at each end. */
const readingsEach = 5

/** What was read, and the growth, in MB. */
export interface MemoryGrowth {
  readonly readingsMb: readonly number[]
  readonly growthMb: number
}

/**
 * Send a warm-up and then `requests`, at least 100,000.
 * @param o.load sends so many requests and waits for their answers
 * @param o.readMb the server's resident memory
 */
export async function memoryGrowth(o: {
  requests: number
  load: (requests: number) => Promise<unknown>
  readMb: () => Promise<number>
}): Promise<MemoryGrowth> {
  await o.load(warmUpRequests)
  const readingsMb = [await o.readMb()]
  for (let sent = 0; sent < o.requests; sent += requestsBetween) {
    await o.load(requestsBetween)
    readingsMb.push(await o.readMb())
  }
  const growthMb = median(readingsMb.slice(-readingsEach)) - median(readingsMb.slice(0, readingsEach))
  return { readingsMb, growthMb }
}
