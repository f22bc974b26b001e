/**
 * Tells a person what a search does and what it found: lines while it works, a row for each case after it.
 */
import { lastMilestone } from '../failure/log-reading.ts'
import { isOfMachine, type CaseResult, type LadderCase } from './types.ts'

/** One row a case for a person: how it ended and why. */
export function searchRows(results: readonly CaseResult[]) {
  return results.map(result => ({
    tag: result.tag,
    status: result.origin === 'ran' ? result.status : `${result.status} (${result.origin})`,
    s: result.durationMs / 1000,
    'int8 SNR dB': result.metrics.snrDb ?? null,
    bucket: result.failure?.bucket ?? '',
    why: result.status === 'not-reached' ? '' : result.failureHead.replaceAll(/\s+/g, ' ').slice(0, 80),
  }))
}

/** Say when a case begins and how it ended. */
export function caseTeller(
  { print, note }: { print: (text: string) => void; note: (text: string) => void },
  total: number,
): (rung: LadderCase, result: CaseResult | null) => void {
  let n = 0
  return (rung, result) => {
    if (result === null) return note(`${++n}/${total} ${rung.tag} …`)
    const ran = `in ${(result.durationMs / 1000).toFixed(1)} s`
    const how = { ran, cache: 'taken from the cache', resume: 'taken from the earlier run' }[result.origin]
    const head = result.failureHead.replaceAll(/\s+/g, ' ').slice(0, 120)
    const why = result.failure ? `: ${[result.failure.bucket, head].filter(Boolean).join(': ')}` : ''
    print(`${n}/${total} ${rung.tag} ${result.status} ${how}${why}`)
  }
}

/** Pass on the lines of a compiler's log that mark its progress, each once a case. */
export function milestoneTeller(print: (text: string) => void): (line: string) => void {
  let last = ''
  return line => {
    const milestone = lastMilestone([line])
    if (milestone === null || milestone === last) return
    last = milestone
    print(`  ${milestone}`)
  }
}

/**
 * Why no case says anything about the network; null when one does. A full disk is not an answer, and neither is a
 * time-out.
 */
export function whyUndecided(results: readonly CaseResult[]): string | null {
  const attempted = results.filter(({ status }) => status !== 'not-reached')
  const buckets = attempted.map(({ status, failure }) =>
    status === 'interrupted' ? 'interrupted' : (failure?.bucket ?? ''),
  )
  const isOpen = buckets.every(bucket => bucket === 'interrupted' || isOfMachine(bucket))
  return isOpen ? `no case came to a verdict: ${[...new Set(buckets)].join(', ') || 'none was attempted'}` : null
}
