/**
 * Tells how a line of a log is meant: as an error, a warning or information, where the line says so.
 *
 * Every tool marks its lines in a way of its own: `[error]`, `[E] [TRT]`, `ERROR    name:`, `E0712 10:…`,
 * `level=error`, `make: *** … Error 1`. A mark stands at the front of a line, behind a time and a few names at most.
 */
import { exact, phrase } from '../patterns.ts'

/** How a line is meant; `none` where it has no mark. */
export type Severity = 'error' | 'warning' | 'info' | 'none'

const inBrackets = phrase`^.{0,60}?[[<]\s{0,3}(?:TRT\]\s?\[)?`
const bracketed = (words: string) => new RegExp(`${inBrackets.source}(?:${words})\\s{0,6}[\\]>:]`, 'i')
/** A word in capitals behind a time, a host or a logger's name. */
const worded = (words: string) =>
  new RegExp(`^[^A-Za-z\\n]{0,40}(?:[\\w.@/-]{1,40}[ :|\\]-]{1,4}){0,3}(?:${words})\\b(?:[\\s:|\\])-]|$)`)

const information = [
  bracketed('info|debug|trace|verbose|important|notice|I|V|D|Hailo Model Zoo INFO'),
  worded('INFO|DEBUG|TRACE|NOTICE|VERBOSE'),
  /^[IVD]\d{4} \d\d:\d\d|\blevel=(?:info|debug|trace)\b|"(?:level|severity)": ?"(?:info|debug|trace)"/i,
]
const warnings = [
  bracketed('warn(?:ing)?|W'),
  worded('WARN(?:ING)?|Warning'),
  /^W\d{4} \d\d:\d\d|\blevel=warn(?:ing)?\b|"(?:level|severity)": ?"warn(?:ing)?"/i,
  /^npm warn\b|^warning: |^W: |: warning: /i,
  /\b(?:User|Future|Deprecation|Runtime|Resource|Syntax|Tracer)Warning\b/,
  // What a program does without and goes on.
  exact`^(?!.{0,80}\b(?:[Ee]rror|ERROR|[Ff]atal|Exception)\b).{3,160}\b(?:will not work|falling back
    |will be (?:skipped|ignored|disabled))\b`,
]
const errors = [
  bracketed('error|err|critical|fatal|severe|E|F|!|Error\\]\\[TRT'),
  worded('ERROR|CRITICAL|FATAL|SEVERE|EMERG|ALERT'),
  /^[EF]\d{4} \d\d:\d\d|\blevel=(?:error|fatal|critical)\b|"(?:level|severity)": ?"(?:error|fatal|critical)"/i,
  /^npm err(?:or|!)|^E: /i,
  exact`Traceback \(most recent|^\s{0,8}(?:\w{1,60}\.){0,12}[A-Z]\w{0,80}(?:Error|Exception)\b|^\s{0,8}(?:[Ee]rror
    |ERROR|fatal|FATAL|panic)\b
    |: (?:fatal )?error: |^make(?:\[\d{1,2}\])?: \*\*\*|^CMake Error|^&&&& FAILED|^Segmentation fault|\(core dumped\)
    |^\s{0,8}Aborted\b|^terminate called|^Killed\b|Kernel panic|Oops: |CHECK(?:_\w{1,20})? failed`,
]

/** How a line is meant. */
export function severityOf(line: string): Severity {
  const front = line.length > 240 ? line.slice(0, 240) : line
  const says = (patterns: readonly RegExp[]) => patterns.some(pattern => pattern.test(front))
  // "[W] … Error Code 1" is a warning that quotes an error: the mark nearer to the front counts, and errors last.
  if (says(warnings)) return 'warning'
  if (says(information)) return 'info'
  return says(errors) ? 'error' : 'none'
}

/** Words by which a line without a mark complains: of the kernel, of a shell, of a program that prints as it likes. */
const complaint = phrase`\bfail(?:ed|s|ure|ing)?\b|\b(?:can ?not|can't|could ?n[o']t|unable to|denied|refused|aborted
  |killed|panic|segfault
  |segmentation fault|core dumped|unreachable|invalid|timed? ?out|not found|no such|missing|broken|exception
  |disconnected)\b
  |\bexit(?:ed)?\b[^\n]{0,30}\b(?:code|status)?:? ?[1-9]\d{0,2}\b|(?<!\b(?:0|no|zero
  |without) )\berrors?\b(?! ?[:=]? ?0\b)
  |\berror -\d|\bgoing down\b|\bwarning: process\b|\bunexpected`

/** Whether a line says that something went wrong, in whichever style. */
export function complains(line: string): boolean {
  const severity = severityOf(line)
  return severity === 'error' || (severity === 'none' && complaint.test(line))
}
