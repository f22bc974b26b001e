/**
 * What does Hailo's Dataflow Compiler say about a rung?
 *
 * Drives the `hailo` program: parser, optimize, compiler, each a process in the case's own folder with nothing on its standard
 * input. An exit code of 0 is not believed: the artifact must be there and new, the graph must end where it was asked to, and the
 * one HEF must look like one. Where the program is found is in `dfc-program.ts`; what its logs say is in `dfc-log.ts`.
 */
import { appendFileSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { readModel } from '../formats/onnx.ts'
import { readFile } from '../host/files.ts'
import { closest } from '../notebook/argv.ts'
import { RunbookError, usageError } from '../notebook/errors.ts'
import { filesIn } from './cache.ts'
import { compileMetrics, endPointsOf, failureFrom, optimizeMetrics, whyCut, type EndPoint } from './dfc-log.ts'
import { dfcAvailability, findHailo, hailoCommand, type DfcOptions } from './dfc-program.ts'
import { classifyFailure, type Failure } from './failure.ts'
import { artifactOf, runStageCommand, writeInput } from './stage-command.ts'
import type { Artifact, Stage, StageOptions, Toolchain } from './toolchain.ts'

export type { DfcOptions } from './dfc-program.ts'

/** The devices that `--hw-arch` of a Dataflow Compiler 3.x takes. */
export const hwArchs = ['hailo8', 'hailo8r', 'hailo8l', 'hailo15h', 'hailo15m', 'hailo15l', 'hailo10h'] as const
export type HwArch = (typeof hwArchs)[number]

/**
 * The name of a device, as given.
 * @throws usage for any other name, with the nearest one
 */
export function hwArchFrom(name: string): HwArch {
  const known = hwArchs.find(arch => arch === name)
  if (known) return known
  const near = closest(name.toLowerCase().replaceAll(/[^a-z0-9]/g, ''), hwArchs)
  throw usageError(`Cannot compile for "${name}": there is no such device (${hwArchs.join(', ')})`, near ? `did you mean --hw-arch ${near}?` : 'give --hw-arch one of them')
}

/** The Dataflow Compiler. Making one touches nothing; a stage throws blocked when the program is absent, usage for an unknown device. */
export function dfcToolchain(o: DfcOptions = {}): Toolchain {
  return {
    name: 'dfc',
    calibrationLayout: 'nhwc',
    available: () => dfcAvailability(o),
    parse: (onnx, options) => parse(onnx, options, o),
    optimize: (har, options) => optimize(har, options, o),
    compile: (har, options) => compile(har, options, o),
  }
}

function parse(onnx: Artifact, o: StageOptions, dfc: DfcOptions): Promise<Stage> {
  const har = join(o.folder, `${o.netName}.har`)
  const ends = endPoints(onnx.path, o.endNodes)
  const words = [
    'parser', 'onnx', onnx.path, '--net-name', o.netName, '--har-path', har, '--hw-arch', o.hwArch, '-y',
    '--start-node-names', o.inputName, '--end-node-names', ...ends.map(end => end.node), '--tensor-shapes', `[${o.inputShape.join(',')}]`,
  ]
  return stage({ words, fresh: har, judge: log => {
    if (isEmpty(har)) return unreported(log, { bucket: 'har_build_failed_unspecified', evidence: `the parser ended with exit code 0, and there is no ${o.netName}.har` })
    const cut = whyCut(log, { inputName: o.inputName, ends })
    return cut === null ? { path: har, metrics: {} } : failureFrom('parse_unsupported_op_with_recommendation', { evidence: cut, log })
  } }, o, dfc)
}

/** The names of nodes where values are asked for; a file that we cannot read is the parser's to judge. */
function endPoints(onnxPath: string, values: readonly string[]): EndPoint[] {
  try {
    return endPointsOf(readModel(onnxPath), values)
  } catch (thrown) {
    if (thrown instanceof RunbookError) return values.map(value => ({ node: value, same: [value] }))
    throw thrown
  }
}

function optimize(har: Artifact, o: StageOptions, dfc: DfcOptions): Promise<Stage> {
  const optimized = join(o.folder, `${o.netName}_optimized.har`)
  const script = o.modelScript.trim() === '' ? [] : ['--model-script', writeInput(join(o.folder, `${o.netName}.alls`), o.modelScript)]
  const words = ['optimize', har.path, '--hw-arch', o.hwArch, '--calib-set-path', o.calibration.path, ...script, '--output-har-path', optimized]
  return stage({ words, fresh: optimized, judge: log => {
    if (!isEmpty(optimized)) return { path: optimized, metrics: optimizeMetrics(log) }
    return unreported(log, { bucket: 'optimize_subprocess', evidence: `the optimiser ended with exit code 0, and there is no ${o.netName}_optimized.har` })
  } }, o, dfc)
}

function compile(har: Artifact, o: StageOptions, dfc: DfcOptions): Promise<Stage> {
  // The HEF is named by the net inside the HAR and not by us, so it is whatever appears in a folder that was empty.
  const into = join(o.folder, `${o.netName}_compiled`)
  const words = ['compiler', har.path, '--hw-arch', o.hwArch, '--output-dir', into, '--output-har-path', join(o.folder, `${o.netName}_compiled.har`)]
  const hef = join(o.folder, `${o.netName}.hef`)
  rmSync(into, { recursive: true, force: true })
  mkdirSync(into, { recursive: true })
  return stage({ words, fresh: hef, judge: log => {
    const found = filesIn(into).filter(name => name.toLowerCase().endsWith('.hef'))
    const why = whyNotHef(into, found)
    if (why !== null) return unreported(log, { bucket: 'unknown', evidence: `the compiler ended with exit code 0, and ${why}` })
    renameSync(join(into, found[0]!), hef)
    if (readdirSync(into).length === 0) rmdirSync(into)
    return { path: hef, metrics: { ...compileMetrics(log), hefBytes: statSync(hef).size } }
  } }, o, dfc)
}

function whyNotHef(folder: string, found: readonly string[]): string | null {
  if (found.length === 0) return 'there is no .hef in its output folder'
  if (found.length > 1) return `there are ${found.length} .hef files in its output folder, where one was asked for: ${found.join(', ')}`
  const head = readFile(join(folder, found[0]!)).subarray(0, 4)
  return head.equals(Buffer.from('\x01HEF')) ? null : `${found[0]} does not begin like a HEF (01 48 45 46), but with ${head.toString('hex', 0, 4) || 'nothing'}`
}

interface Job {
  readonly words: readonly string[]
  /** The artifact's path: removed first, so that an older one is never taken for the new. */
  readonly fresh: string
  /** Called after exit code 0, with the log of this stage. */
  readonly judge: (log: string) => { path: string; metrics: Readonly<Record<string, number>> } | Failure
}

async function stage(job: Job, o: StageOptions, dfc: DfcOptions): Promise<Stage> {
  hwArchFrom(o.hwArch)
  const command = hailoCommand(findHailo(dfc), dfc, job.words)
  rmSync(job.fresh, { force: true })
  tell(o, `$ hailo ${job.words.join(' ')}`)
  const finished = await runStageCommand(command, o)
  if ('ok' in finished) return isMisunderstood(finished.failure) ? { ...finished, failure: misunderstood(finished.failure) } : finished
  const { durationMs } = finished.result
  const judged = job.judge(finished.log)
  if (!('bucket' in judged)) return { ok: true, artifact: artifactOf(judged.path), metrics: judged.metrics, durationMs }
  tell(o, `[error] ${judged.evidence}`)
  return { ok: false, failure: judged, stopped: null, durationMs }
}

/** Our own words in the log, so that it shows what was run and what was made of it. */
const tell = (o: StageOptions, line: string) => appendFileSync(o.logFile, `${line}\n`)

const isEmpty = (path: string) => (statSync(path, { throwIfNoEntry: false })?.size ?? 0) === 0

/** Exit code 0 with nothing to show for it: what the log complains of, or else what we saw. */
function unreported(log: string, o: { bucket: string; evidence: string }): Failure {
  const said = classifyFailure(log, { exitCode: 1 })
  if (said.bucket === 'unknown' || said.bucket === 'not_a_failure') return failureFrom(o.bucket, { evidence: o.evidence, log })
  return { ...said, evidence: `${o.evidence} | ${said.evidence}`.slice(0, 500) }
}

/** A version that does not know our flags says something about the installation and nothing about the network. */
const isMisunderstood = (failure: Failure) => failure.bucket === 'unknown' && /\berror: (?:argument|unrecognized|the following arguments|invalid choice)/.test(failure.evidence)
const misunderstood = (failure: Failure): Failure => ({ ...failureFrom('environment_broken_install', { evidence: failure.evidence, log: '' }), milestone: failure.milestone })
