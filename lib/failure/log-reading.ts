/**
 * Reads a vendor's log into facts, before anything judges it.
 *
 * Text in, facts out: lines, the last error block, the milestone reached, counters and layers as data. Which failure
 * these facts mean is decided in `classify.ts`. Every pattern here is bounded, so the time grows with the length of the
 * log and no faster.
 */

import { LogDigest, linesOf } from './log/digest.ts'
import { every, exact, phrase } from './patterns.ts'
import { severityOf } from './log/severity.ts'

/** One number that ran against a limit, in the compiler's own name for it ("LCUs", "L3 weights", "memory units"). */
export interface Counter {
  name: string
  used: number
  available: number
}

/** A log made ready to be searched. */
export interface ReadLog {
  /** Lines that may carry meaning, in order; the whole log when it is short. */
  lines: readonly string[]
  /** Those lines without the ones that a successful run prints too. */
  meant: readonly string[]
  /** `meant`, joined by `\n`. */
  text: string
  /** `text` without information and warnings: what the tools meant as errors, or printed with no level at all. */
  loud: string
}

// TensorFlow reports each library that it can do without, in the words of a broken installation.
const benign = phrase`^\d{4}-\d\d-\d\d[ T][\d:.,]{8,20}: (?:[IW] |E [^\n]{0,200}(?:register|cuInit|NUMA))
  |Single context flow failed: ?Recoverable|Single context flow failed\W*$|PCIe: No Hailo PCIe device
  |HailoRT Version: Not Installed|Recoverable single context error|TF-TRT Warning|Could not find TensorRT$
  |cuda drivers on your machine|Unable to register cu\w{3,5} factory`
// HailoRT's macros are called CHECK_EXPECTED and the like: their names say nothing of what was expected.
const macro = /\bCHECK_[A-Z_]{3,40}(?= failed)/

// What a progress bar draws.
const progress = /\d%\||\d\/\d{1,9} \[|it\/s\]/

/** Make a log of any length ready to be searched. */
export function readLog(raw: string): ReadLog {
  const digest = new LogDigest()
  for (const line of linesOf(raw)) digest.add(line)
  const lines = digest.lines()
  const told = isDocument(lines) ? fenced(lines) : lines
  const meant = told
    .filter((line, i) => !benign.test(line) && !progress.test(line) && !isQuoted(line, told[i - 1]))
    .map(line => line.replace(macro, 'CHECK'))
  return { lines, meant, text: meant.join('\n'), loud: meant.filter(isLoud).join('\n') }
}

const fence = /^\s{0,3}(?:```|~~~)/
const heading = /^#{1,6} \S/
const logLike = exact`^\s{0,8}(?:\[\w{1,20}\]|<Hailo|Traceback |\d{4}-\d\d-\d\d[ T]\d\d:|[\w.]{0,200}(?:Error
  |Exception)\b)`

/**
 * Whether this is a Markdown document that speaks of failures, and no log: headings, and no line of a log outside its
 * fences.
 */
function isDocument(lines: readonly string[]): boolean {
  if (lines.filter(line => heading.test(line)).length < 2) return false
  const quoted = new Set(fenced(lines))
  const isMarked = lines.some(line => fence.test(line) || /^\|[ :|-]{3,300}\|\s{0,3}$/.test(line))
  return isMarked && !lines.some(line => logLike.test(line) && !quoted.has(line))
}

/** The lines in the fences of a Markdown document, where it may quote a log. */
function fenced(lines: readonly string[]): string[] {
  let isInside = false
  return lines.filter(line => {
    const isFence = fence.test(line)
    if (isFence) isInside = !isInside
    return isInside && !isFence
  })
}

/** Whether a line only says where an error passed: a frame of a Python traceback. */
export const isFrame = (line: string): boolean => /^\s*File "|Traceback \(most recent/.test(line)

/** The line of code under a frame, whose names and messages are the program's text and nothing that happened. */
const isQuoted = (line: string, before: string | undefined) =>
  before !== undefined && /^\s*File ".{1,300}line \d/.test(before) && /^ {4}|^\t/.test(line) && !/^\s*File "/.test(line)

/** Whether a line is meant as an error, or has no level: neither information nor a warning. */
export function isLoud(line: string): boolean {
  const severity = severityOf(line)
  return severity !== 'info' && severity !== 'warning'
}

const errorLine = phrase`^\s*\[?error\b|\[error\]|Traceback \(most recent
  |^[\w.]{0,200}(?:Exception|Error|NonFixable|BadInputsShape|Interrupt)\b|Mapping Failed|No successful assign|\berror:
  |CHECK(?:_\w+)? failed|\[E\]`

const isBody = (line: string | undefined) =>
  line !== undefined && line.trim() !== '' && isLoud(line) && !progress.test(line)

/**
 * The last run of lines that belong to one error, from its first to the next blank or informational line. At most 12
 * lines.
 */
export function lastErrorBlock(lines: readonly string[]): string[] {
  let at = lines.length - 1
  while (at >= 0 && !errorLine.test(lines[at]!)) at--
  if (at < 0) return []
  let from = at
  while (from > 0 && at - from < 8 && isBody(lines[from - 1])) from--
  let to = at
  while (to - from < 11 && isBody(lines[to + 1])) to++
  return lines
    .slice(from, to + 1)
    .filter(line => !isFrame(line))
    .map(line => line.trim())
}

/** What the tools print when a step is behind them, in the order of a run. `final` ends it. */
const milestones = [
  /Translation started on ONNX model \S{1,200}/,
  /Restored ONNX model \S{1,200}/,
  /Start nodes mapped from original model/,
  /End nodes mapped from original model/,
  /Translation completed on ONNX model \S{1,200}/,
  /Saved HAR to: ?\S{1,300}/,
  /Starting Model Optimization/,
  /Using dataset with \d+ entries for \w+/,
  /Model Optimization Algorithm [\w -]{1,60} is done/,
  /Model Optimization is done/,
  /Starting Hailo allocation and compilation flow/,
  /Trying to compile the network in a single context/,
  /Using (?:Multi|Single)-context flow/,
  /Found valid partition to \d+ contexts?/,
  /Partitioner finished after \d+ iterations/,
  /Running resources allocation \(mapping\) flow(?:, time per context: [\w ]{1,30})?/,
  /Successful Mapping \([^)\n]{1,60}\)/,
  /Successful Partition and Allocation(?: \([^)\n]{1,60}\))?/,
  /Successful Kernel Compilation/,
  /Successful Compilation(?: \([^)\n]{1,60}\))?/,
  /HEF compiled successfully/i,
  /Success! HEF saved/i,
]
const anyMilestone = new RegExp(milestones.map(({ source }) => source).join('|'), 'i')

/** The last milestone that the log reached, in the tool's words, or null. */
export function lastMilestone(lines: readonly string[]): string | null {
  for (let i = lines.length - 1; i >= 0; i--) {
    const found = anyMilestone.exec(lines[i]!)
    if (found) return found[0].slice(0, 160)
  }
  return null
}

const ratio = every`
  \b((?:16bit |L[1-4] )?(?:SCs|APUs|IAs|LCUs|weights|ios|cuts
    |[A-Z]{2,5}s))\s{0,3}[:=]\s{0,3}(\d{1,9})\s{0,3}/\s{0,3}(\d{1,9})`
const required = every`
  ([A-Za-z][\w ]{0,40}?) ?(?:capacity )?(?:exceeded
  |overflow\w*)?[ :]{0,3}\(available: ?(\d{1,12}), ?required: ?(\d{1,12})\)`
const allowed = /\bhas (\d{1,9}) (\w{1,20}) but max allowed is (\d{1,9})/g
const needed = /more than (\d{1,6}) (subclusters) (?:is|are) needed/g
const presolved = /\b(lcus|scs|apus|ias|l[34]_?\w{1,10})=\(>(\d{1,9})\)/gi

/**
 * Every counter that the text shows, first sight of each name. "lcus=(>80)" gives no number but a bound: it becomes
 * used 81 of 80, the least that it can mean.
 */
export function countersIn(text: string): Counter[] {
  const found: Counter[] = []
  const add = (name: string, used: number, available: number) => {
    if (!found.some(counter => counter.name === name)) found.push({ name, used, available })
  }
  for (const [, name, used, available] of text.matchAll(ratio)) add(name!, Number(used), Number(available))
  for (const [, name, available, used] of text.matchAll(required))
    add(plainName(name!), Number(used), Number(available))
  for (const [, used, name, available] of text.matchAll(allowed)) add(name!, Number(used), Number(available))
  for (const [, available, name] of text.matchAll(needed)) add(name!, Number(available) + 1, Number(available))
  for (const [, name, bound] of text.matchAll(presolved)) add(capitals(name!), Number(bound) + 1, Number(bound))
  return found
}

const capitals = (name: string) => name.toUpperCase().replace(/S$/, 's')
const plainName = (words: string) =>
  words
    .trim()
    .replace(/ (?:capacity|exceeded|overflow\w*)\b/g, '')
    .toLowerCase() || 'resources'

const layerErrors = /(?<![A-Za-z_])([A-Za-z][A-Za-z_]{0,60}?)(\d{1,5})(_[a-z]{1,8}\d{0,3})?[ \t]{1,3}errors?:/g
const layerNamed = every`
  (?:No successful assignments?(?: for)?:?|biases and contexts at|[Ff]ailed in layer|for layer|in layer
  |microcode exceeded size for)[ \t]{1,3}(?:[^\s/]{1,80}/){0,3}([A-Za-z][A-Za-z_]{0,60}?)
  (\d{1,5})(_[a-z]{1,8}\d{0,3})?(?![\w/])`

/**
 * The layers that the compiler blames, in order, and the family of the first ("dw66 errors:" gives "dw"). At most 64
 * layers.
 */
export function failingLayers(text: string): { family: string | null; layers: string[] } {
  const blamed = [...text.matchAll(layerErrors)]
  const named = blamed.length > 0 ? blamed : [...text.matchAll(layerNamed)]
  const layers = [...new Set(named.map(([, letters, digits, suffix]) => `${letters}${digits}${suffix ?? ''}`))].slice(
    0,
    64,
  )
  return { family: named[0]?.[1]?.replace(/_$/, '') ?? null, layers }
}

/**
 * The layers in "Reshape is needed for layers: a, b, but adding a reshape has failed", also when the list runs over
 * lines.
 */
export function reshapeLayersIn(text: string): string[] {
  const start = /Reshape is needed for layers?:?/i.exec(text)
  if (!start) return []
  const rest = text.slice(start.index + start[0].length, start.index + 16_384)
  const end = rest.search(/,?\s{0,3}but adding|\n\s*\n|\n\[|\.\s/)
  const names = (end < 0 ? rest : rest.slice(0, end)).split(/[,\s]+/).map(name => name.replace(/[.'"]/g, ''))
  return names.filter(name => /\d$|_\w+$/.test(name))
}

/**
 * "Desired shift is 11.0, but op has only 8 data bits", with the layer that it names ('' when it names none), or
 * undefined.
 */
export function negativeExponentIn(
  text: string,
): { layer: string; desiredShift: number; dataBits: number } | undefined {
  const shift = /Desired shift (?:is|of)\s{1,3}(\d{1,4}(?:\.\d{1,4})?)/i.exec(text)
  const bits = /\bonly\s{1,3}(\d{1,3})\s{1,3}data bits/i.exec(text)
  if (!shift || !bits) return undefined
  const layer = /(?:failed in|in|for) layer:?\s{1,3}([^\s,;]{1,200})/i.exec(text)
  return { layer: layer?.[1] ?? '', desiredShift: Number(shift[1]), dataBits: Number(bits[1]) }
}

const thrownName = every`\b[A-Z]\w{0,80}?(?:Exception|Error|Failure|NonFixable)\b
  |\b(?:BadInputsShape|StopIteration|KeyboardInterrupt|HARBuildFailed)\b`

/** The names of exceptions that the text shows, in order. */
export const exceptionNamesIn = (text: string): string[] => [...text.matchAll(thrownName)].map(([name]) => name)
