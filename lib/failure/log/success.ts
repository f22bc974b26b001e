/**
 * Tells whether a log is that of a success.
 *
 * A tool's own verdict ("&&&& PASSED", "HEF compiled successfully") settles what stood before it; any other word of
 * success settles nothing. Either counts only when nothing behind it complains, in whichever style.
 */
import { lastMilestone, type ReadLog } from '../log-reading.ts'
import { phrase } from '../patterns.ts'
import { complains } from './severity.ts'

/** What a tool prints only when the whole of its work went well: lines before it are over and done with. */
export const wholeSuccess: RegExp = phrase`Successful Compilation|HEF compiled successfully|Success! HEF saved
  |Compiled HEF:
  |HEF (?:was )?(?:written|saved) to|^&&&& PASSED |PASSED \| (?:Command|All outputs matched)
  |^PASS [\w-]{2,40} gates=`

/** The last line of a stage that went well. */
const finalLine = phrase`Translation completed on ONNX model|Saved HAR to|Model Optimization is done
  |Optimization complete\b
  |^> Inference result|^\s{0,6}FPS {0,20}(?:\(\w{2,20}\) {0,20})?[=:] ?\d|Probing: Added board [\da-f]{4}-[\da-f]{4}
  |^\s{0,4}Device Architecture: HAILO|Architecture HEF was compiled for: HAILO|^={3,80} \d{1,6} passed
  |systemd\[\d{1,9}\]: Started \S{2,80}\.service|Engine built in \d|Throughput: \d[\d.]{0,12} qps`
const plainSuccess = phrase`(?<!\b(?:not|no|un|without) ?)\bsuccess(?:ful(?:ly)?)?\b
  (?!\W{0,3}(?:fail|rate|criteri|: ?(?:false|0|no)\b))`
const failed = phrase`\bfail(?:ed|s|ure)?\b|(?<!\b(?:0|no|without) )\berrors?\b|\bno success
  |\bnot\b[^\n]{0,30}\bsuccess`

/** How many lines may follow a plain word of success: one that stands further up was of some step only. */
const plainLinesMax = 3

/** Whether the log ends in success. A step under way is none. */
export function isSuccess({ lines, meant }: ReadLog): boolean {
  const isPlain = (line: string) => plainSuccess.test(line) && !failed.test(line)
  const done = meant.findLastIndex(line => finalLine.test(line) || wholeSuccess.test(line) || isPlain(line))
  const behind = meant.slice(done + 1).filter(line => line.trim() !== '')
  if (behind.some(complains)) return false
  // An attempt that was recovered is part of a success although the word "failed" stands in it.
  const isRecovered = lastMilestone(lines) !== null && lines.some(line => /Recoverable single context/i.test(line))
  if (isRecovered) return true
  if (done < 0 || lastMilestone(behind) !== null) return false
  const isVerdict = finalLine.test(meant[done]!) || wholeSuccess.test(meant[done]!)
  return isVerdict || behind.length <= plainLinesMax
}
