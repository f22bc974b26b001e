/**
 * Compares a recorded stream with itself, in a process of its own: caches in against caches out of every chunk.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { compare } from '../parity/compare.ts'
import { readStreamJsonl } from '../systems/parakeet/parity/jsonl.ts'

/** Read every chunk and compare its tensors; gives how many numbers were compared. */
async function compareAll(path: string): Promise<number> {
  let compared = 0
  for await (const chunk of readStreamJsonl(path, 3).cases('stream'))
    for (const name of ['cache_last_channel', 'cache_last_time'])
      compared += compare(chunk.tensor(`${name}_out`).data, chunk.tensor(name).data, {
        atol: 1e-4,
        rtol: 1e-4,
      }).compared
  return compared
}

/** The largest resident set of this process. `resourceUsage` would count what its parent held when it was started. */
function highWater(): number {
  try {
    const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
    if (kilobytes !== undefined) return 1024 * Number(kilobytes)
  } catch {
    // No /proc, as on macOS: the figure below is an upper bound.
  }
  return 1024 * process.resourceUsage().maxRSS
}

const [path, result] = process.argv.slice(2)
if (process.argv[1] === import.meta.filename && path !== undefined && result !== undefined) {
  const startedMs = performance.now()
  const compared = await compareAll(path)
  writeFileSync(result, JSON.stringify({ ms: performance.now() - startedMs, compared, rssBytes: highWater() }))
}
