/**
 * Classifies why a compile, a build or a run failed.
 *
 * One log and how its process ended give one `Failure`: a bucket, the evidence, and the facts in it. The signatures
 * decide, in the order of precedence for the compiler and in the order of the log for other tools; the way a process
 * ended decides when the log gives no verdict of its own. What to do next about a whole sweep is not decided here.
 */
import { answerFor } from './advice.ts'
import { bucketOf } from './buckets.ts'
import { originOf } from './origin.ts'
import { phrase } from './patterns.ts'
import { earliest, search, type Counts, type Match } from './search.ts'
import { complains, severityOf } from './log/severity.ts'
import type { Signature } from './signature.ts'
import { families, type Family } from './signatures/index.ts'
import { isSuccess } from './log/success.ts'
import {
  countersIn,
  exceptionNamesIn,
  failingLayers,
  isLoud,
  lastErrorBlock,
  lastMilestone,
  negativeExponentIn,
  readLog,
  reshapeLayersIn,
  type Counter,
  type ReadLog,
} from './log-reading.ts'

/** A classified failure. `evidence` is one line of at most 500 characters, the `failure_head` of a summary. */
export interface Failure {
  bucket: string
  /** The name that the log shows, 'Timeout' for our own limit, else a fitting one; '' when nothing failed. */
  exceptionType: string
  evidence: string
  /** The family of the first layer that failed: 'dw' for "dw66 errors:". */
  layerFamily: string | null
  layers: string[]
  counters: Counter[]
  /** The last step that the tool reported as reached, in its words. */
  milestone: string | null
  /** Why it happens, with what the log names: versions, nodes, paths. */
  cause: string
  /** What helps, in the same words; ends in a command where there is one. */
  fix: string
  /**
   * True only when the failure says that this network does not fit; false for an environment, a timeout, a full disk.
   */
  isInfeasible: boolean
  negativeExponent?: { layer: string; desiredShift: number; dataBits: number }
  reshapeLayers: string[]
}

/** How the process ended, as far as known. */
export interface ExitContext {
  exitCode?: number | null
  signal?: string | null
  timedOut?: boolean
  aborted?: boolean
}

/**
 * Classify a log. Never throws, whatever the text. `unknown` when nothing matches, `not_a_failure` for the log of a
 * success.
 *
 * @param log everything that the tool printed: any length, with `\r` progress bars and colours as they came
 * @param context how the process ended; a timeout or an abort decides unless the log shows a final verdict of its own
 */
export function classifyFailure(log: string, context: ExitContext = {}): Failure {
  const read = readLog(log)
  const match = firstMatch(read, context)
  const name = byContext(match, read, context)
  const counted =
    name === 'not_a_failure' || name === 'resource_exhausted_single_context' ? read.lines.join('\n') : read.text
  const { family, layers } = failingLayers(read.text)
  const reshapeLayers = reshapeLayersIn(read.text)
  const negativeExponent = negativeExponentIn(read.text)
  const kind = bucketOf(name)
  const isNamed = match !== null && (match.bucket === name || refined(match.bucket, read) === name)
  const answer = answerFor(kind, { line: isNamed ? match.line : '', text: read.loud })
  return {
    bucket: name,
    exceptionType: exceptionTypeOf(name, match, read),
    evidence: evidenceOf(name, match, read),
    layerFamily: family ?? familyOf(reshapeLayers[0]),
    layers: layers.length > 0 ? layers : reshapeLayers.slice(0, 64),
    counters: countersIn(counted),
    milestone: lastMilestone(read.lines),
    ...answer,
    isInfeasible: kind.isInfeasible,
    ...(negativeExponent && { negativeExponent }),
    reshapeLayers,
  }
}

const familyOf = (layer: string | undefined) =>
  /^[A-Za-z][A-Za-z_]{0,60}/.exec(layer ?? '')?.[0].replace(/_$/, '') ?? null

/** Every line counts. */
const everything = () => true

/** Buckets of the stages before a HEF that blame what surrounds the graph. */
const aroundTheGraph = new Set([
  'calibration_shape',
  'calibration_input_name',
  'model_script_error',
  'har_not_optimized',
  'har_build_failed_unspecified',
  'optimize_subprocess',
])
/**
 * What of TensorRT's build is about the network; the rest is about the machine, the engine file or how it was called.
 */
const aboutTheNetwork = new Set([
  'op_unsupported',
  'no_implementation',
  'no_implementation_workspace',
  'network_empty_after_parse_failure',
])

/**
 * Whether a failure says something about the network. False for the host, the installation, a time limit of ours, an
 * abort, data or scripts that do not fit, anything at run time, what nobody knows, and null.
 */
export function isConclusive(failure: Failure | null): boolean {
  if (failure === null) return false
  const { stage } = bucketOf(failure.bucket)
  if (stage === 'build') return aboutTheNetwork.has(failure.bucket)
  return stage !== 'any' && stage !== 'runtime' && !aroundTheGraph.has(failure.bucket)
}

/** The failure that the log names, or null. `isQuiet`: only a warning or an information names it. */
function firstMatch(read: ReadLog, context: ExitContext): Match | null {
  const { lines, meant, text } = read
  const { families: applicable } = originOf(text)
  // The same line is asked for once for each stage.
  const loudness = new Map(meant.map(line => [line, isLoud(line)]))
  const loudOnes: Counts = line => loudness.get(line) ?? isLoud(line)
  const signatures = Object.entries(families).flatMap(([name, of]) => (applicable.has(name as Family) ? of : []))
  // A compiler lists causes and consequences in any order; other tools print the cause first.
  const find = applicable.has('compiler') ? search : earliest
  const causes = signatures.filter(({ rank }) => rank === undefined)
  const loud = find(causes, meant, loudOnes)
  if (loud) return genericTail.test(loud.line) ? (causeAbove(causes, meant, loud.line) ?? loud) : loud
  const cascade = find(
    signatures.filter(({ rank }) => rank === 'cascade'),
    meant,
    loudOnes,
  )
  if (cascade) return cascade
  // Warnings and information name a failure only when the process is known to have failed, or when they are all there
  // is.
  const isFailed = (context.exitCode ?? 0) !== 0 || Boolean(context.signal)
  const isAllQuiet = lastMilestone(lines) === null && !meant.some(complains)
  const quiet = isFailed || isAllQuiet ? find(causes, meant, everything) : null
  if (quiet) return { ...quiet, isQuiet: true }
  const notice = find(
    signatures.filter(({ rank }) => rank === 'notice'),
    meant,
    everything,
  )
  return notice && { ...notice, isQuiet: true }
}

/** What the compiler ends with, whatever went wrong before. */
const genericTail = /Compilation failed with unexpected crash/i
/**
 * A cause of its own in the block of errors that ends with a generic line; null when the block holds nothing more
 * specific.
 */
function causeAbove(signatures: readonly Signature[], meant: readonly string[], tail: string): Match | null {
  const end = meant.lastIndexOf(tail)
  const from = meant.slice(0, Math.max(0, end)).findLastIndex(line => severityOf(line) === 'info') + 1
  const cause = search(signatures, meant.slice(from, Math.max(0, end)), isLoud)
  const isGeneric = cause?.bucket === 'allocator_infeasible' && !/infeasible|No successful/i.test(cause.line)
  return cause === null || isGeneric ? null : cause
}

/** A verdict that the tool printed itself, rather than what its death left in the log. */
const finalVerdict = phrase`Mapping Failed|Failed to produce compiled graph|No successful assign
  |valid partition to contexts
  |capacity exceeded|\b\w{1,80}(?:Exception|Error|NonFixable)\b|\[error\]`
const consequences = new Set([
  'aborted',
  'compiler_crash',
  'optimize_subprocess',
  'host_oom',
  'wrapper_timeout',
  'har_build_failed_unspecified',
])

/** What the end of the process adds to what the log says. */
function byContext(match: Match | null, read: ReadLog, { exitCode, signal, timedOut, aborted }: ExitContext): string {
  const said = match ? refined(match.bucket, read) : null
  if (timedOut) return said && !consequences.has(said) && finalVerdict.test(read.loud) ? said : 'wrapper_timeout'
  if (aborted) return 'aborted'
  if (said === 'wrapper_timeout' || said === 'host_disk_full') return said
  if (signal === 'SIGINT' || signal === 'SIGTERM' || [130, 143, -2, -15].includes(exitCode ?? 0)) return 'aborted'
  if (signal === 'SIGKILL' || exitCode === 137 || exitCode === -9) return 'host_oom'
  if (exitCode === 0 && !finalVerdict.test(read.loud)) return 'not_a_failure'
  if (said && !(match?.isQuiet && exitCode === undefined && isSuccess(read))) return said
  if (signal === 'SIGSEGV' || signal === 'SIGABRT' || [139, 134, 136, -11, -6].includes(exitCode ?? 0))
    return originOf(read.text).isForeign ? 'runtime_crash' : 'compiler_crash'
  if (exitCode === 124) return 'wrapper_timeout'
  if (exitCode === 127) return 'environment_broken_install'
  if (exitCode === 0) return 'not_a_failure'
  if (exitCode !== undefined && exitCode !== null) return 'unknown'
  return isSuccess(read) ? 'not_a_failure' : 'unknown'
}

/** A reshape is of another kind at the skip path, a concatenation or the mask multiplication. */
function refined(bucket: string, read: ReadLog): string {
  if (bucket !== 'reshape_layout') return bucket
  const isAtSkip = reshapeLayersIn(read.text).some(layer => /shortcut|concat|ew_mult|ew_mul|mask/i.test(layer))
  return isAtSkip || /skip_concat_maskmul/i.test(read.text) ? 'reshape_layout_skip_concat_maskmul' : bucket
}

function exceptionTypeOf(name: string, match: Match | null, read: ReadLog): string {
  if (name === 'wrapper_timeout' || name === 'not_a_failure') return bucketOf(name).exceptionType
  const isSaid = match !== null && (match.bucket === name || refined(match.bucket, read) === name)
  if (!isSaid) return bucketOf(name).exceptionType
  return exceptionNamesIn(match.line)[0] ?? exceptionNamesIn(read.loud).at(-1) ?? bucketOf(name).exceptionType
}

function evidenceOf(name: string, match: Match | null, read: ReadLog): string {
  const block = lastErrorBlock(read.meant)
  const context = name === 'wrapper_timeout' || name === 'aborted' ? [lastMilestone(read.lines) ?? ''] : block
  const last = read.lines.findLast(line => line.trim() !== '') ?? ''
  const parts = [match?.line ?? '', ...context]
    .map(line => line.replace(/\s+/g, ' ').trim())
    .filter(line => line !== '')
  const text =
    parts.filter((line, i) => !parts.slice(0, i).some(earlier => earlier.includes(line))).join(' | ') || last.trim()
  return text.length <= 500 ? text : `${text.slice(0, 499)}…`
}
