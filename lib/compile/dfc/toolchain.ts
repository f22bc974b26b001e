/**
 * Compiles a rung with Hailo's Dataflow Compiler.
 *
 * Drives the `hailo` program: parser, optimize, compiler, each a process in the case's own folder with nothing on its
 * standard input. An exit code of 0 is not believed: the artifact must be there and new, the graph must end where it
 * was asked to, and the one HEF must look like one. Where the program is found is in `program.ts`; what its logs say is
 * in `log.ts`.
 */
import { appendFileSync, readdirSync, renameSync, rmdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { readModel } from '../../formats/onnx/index.ts'
import { fileError, filesIn, makeFolder, readFile } from '../../host/files.ts'
import { closest, shellWord } from '../../base/text.ts'
import { RunbookError, usageError } from '../../base/errors.ts'
import { compileMetrics, endPointsOf, optimizeMetrics, whyCut, type EndPoint } from './log.ts'
import { dfcAvailability, hailoCall, type DfcOptions } from './program.ts'
import { classifyFailure, type Failure } from '../../failure/classify.ts'
import { failureFrom } from '../judged-failure.ts'
import { artifactOf, runStageCommand, writeInput } from '../stage-command.ts'
import type { Artifact, Stage, StageOptions, Toolchain } from '../toolchain.ts'

export type { DfcOptions } from './program.ts'

/** The devices that `--hw-arch` of a Dataflow Compiler 3.x takes. */
export const hwArchs = ['hailo8', 'hailo8r', 'hailo8l', 'hailo15h', 'hailo15m', 'hailo15l', 'hailo10h'] as const
/** One of `hwArchs`. */
export type HwArch = (typeof hwArchs)[number]

/**
 * The name of a device, as given.
 * @throws RunbookError usage for any other name, with the nearest one
 */
export function hwArchFrom(name: string): HwArch {
  const known = hwArchs.find(arch => arch === name)
  if (known) return known
  const near = closest(name.toLowerCase().replaceAll(/[^a-z0-9]/g, ''), hwArchs)
  throw usageError(
    `Cannot compile for "${name}": there is no such device (${hwArchs.join(', ')})`,
    near ? `did you mean --hw-arch ${near}?` : 'give --hw-arch one of them',
  )
}

/**
 * The Dataflow Compiler. Making one touches nothing. Its stages throw blocked when the program is absent or the disk is
 * full, and usage for an unknown device.
 */
export function dfcToolchain(o: DfcOptions = {}): Toolchain {
  return {
    name: 'dfc',
    product: 'hef',
    calibrationLayout: 'nhwc',
    available: () => dfcAvailability(o),
    parse: async (onnx, options) => stage(parseJob(onnx, options), options, o),
    optimize: async (har, options) => stage(optimizeJob(har, options), options, o),
    compile: async (har, options) => stage(compileJob(har, options), options, o),
  }
}

/** One call of `hailo`, and what must come of it. */
interface Job {
  readonly words: readonly string[]
  /** The files among them that it reads. */
  readonly reads: readonly string[]
  /** The artifact's path: removed first, so that an older one is never taken for the new. */
  readonly made: string
  /** A folder that is made empty first. */
  readonly emptied?: string
  /** Called after exit code 0 with the log of this stage: the numbers in it, or why it has failed all the same. */
  readonly judge: (log: string) => { metrics: Readonly<Record<string, number>> } | Failure
}

function parseJob(onnx: Artifact, o: StageOptions): Job {
  const made = join(o.folder, `${o.netName}.har`)
  const ends = endPoints(onnx.path, o.outputs)
  return {
    made,
    reads: [onnx.path],
    words: [
      'parser',
      'onnx',
      onnx.path,
      '--net-name',
      o.netName,
      '--har-path',
      made,
      '--hw-arch',
      o.hwArch,
      '-y',
      '--start-node-names',
      ...o.inputs.map(({ name }) => name),
      '--end-node-names',
      ...ends.map(end => end.node),
      '--tensor-shapes',
      ...o.inputs.map(({ shape }) => `[${shape.join(',')}]`),
    ],
    judge(log) {
      const missing = `the parser ended with exit code 0, and there is no ${o.netName}.har`
      if (isEmpty(made)) return unreported(log, { bucket: 'har_build_failed_unspecified', evidence: missing })
      const cut = whyCut(log, { inputNames: o.inputs.map(({ name }) => name), ends })
      return cut === null
        ? { metrics: {} }
        : failureFrom('parse_unsupported_op_with_recommendation', { evidence: cut, log })
    },
  }
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

function optimizeJob(har: Artifact, o: StageOptions): Job {
  const made = join(o.folder, `${o.netName}_optimized.har`)
  const hasScript = o.modelScript.trim() !== ''
  const script = hasScript ? ['--model-script', writeInput(join(o.folder, `${o.netName}.alls`), o.modelScript)] : []
  const calibration = ['--calib-set-path', o.calibration.path]
  return {
    made,
    reads: [har.path, o.calibration.path],
    words: ['optimize', har.path, '--hw-arch', o.hwArch, ...calibration, ...script, '--output-har-path', made],
    judge(log) {
      if (!isEmpty(made)) return { metrics: optimizeMetrics(log) }
      const missing = `the optimiser ended with exit code 0, and there is no ${o.netName}_optimized.har`
      return unreported(log, { bucket: 'optimize_subprocess', evidence: missing })
    },
  }
}

/** The HEF is named by the net inside the HAR and not by us, so it is whatever appears in a folder that was empty. */
function compileJob(har: Artifact, o: StageOptions): Job {
  const emptied = join(o.folder, `${o.netName}_compiled`)
  const made = join(o.folder, `${o.netName}.hef`)
  const outputs = ['--output-dir', emptied, '--output-har-path', join(o.folder, `${o.netName}_compiled.har`)]
  return {
    made,
    emptied,
    reads: [har.path],
    words: ['compiler', har.path, '--hw-arch', o.hwArch, ...outputs],
    judge(log) {
      const found = filesIn(emptied).filter(name => name.toLowerCase().endsWith('.hef'))
      const why = whyNotHef(emptied, found)
      if (why !== null)
        return unreported(log, { bucket: 'unknown', evidence: `the compiler ended with exit code 0, and ${why}` })
      onDisk('move the HEF to', made, () => renameSync(join(emptied, found[0]!), made))
      if (readdirSync(emptied).length === 0) rmdirSync(emptied)
      return { metrics: { ...compileMetrics(log), hefBytes: statSync(made).size } }
    },
  }
}

function whyNotHef(folder: string, found: readonly string[]): string | null {
  const [name] = found
  if (name === undefined) return 'there is no .hef in its output folder'
  if (found.length > 1) return `there are ${found.length} .hef files in its output folder, not one: ${found.join(', ')}`
  const head = readFile(join(folder, name)).subarray(0, 4)
  if (head.equals(Buffer.from('\x01HEF'))) return null
  return `${name} does not begin like a HEF (01 48 45 46), but with ${head.toString('hex') || 'nothing'}`
}

async function stage(job: Job, o: StageOptions, dfc: DfcOptions): Promise<Stage> {
  hwArchFrom(o.hwArch)
  const call = hailoCall(dfc, job.words, { folder: o.folder, reads: job.reads })
  onDisk('replace', job.made, () => rmSync(job.made, { force: true }))
  if (job.emptied !== undefined) {
    onDisk('empty the folder', job.emptied, () => rmSync(job.emptied!, { recursive: true, force: true }))
    makeFolder(job.emptied)
  }
  tell(o, `$ hailo ${job.words.map(shellWord).join(' ')}`)
  const finished = await runStageCommand(call.command, o)
  if ('ok' in finished) {
    if (finished.stopped !== null) await call.abandon()
    return { ...finished, failure: ofInstallation(finished.failure) }
  }
  const { durationMs } = finished.result
  const judged = job.judge(finished.log)
  if (!('bucket' in judged)) return { ok: true, artifact: artifactOf(job.made), metrics: judged.metrics, durationMs }
  tell(o, `[error] ${judged.evidence}`)
  return { ok: false, failure: judged, stopped: null, durationMs }
}

/** Our own words in the log, so that it shows what was run and what was made of it. */
const tell = (o: StageOptions, line: string) =>
  onDisk('write the log', o.logFile, () => appendFileSync(o.logFile, `${line}\n`))

/** Errors of the file system as operating errors. */
function onDisk(act: string, path: string, body: () => void): void {
  try {
    body()
  } catch (thrown) {
    throw fileError(act, path, thrown)
  }
}

const isEmpty = (path: string) => (statSync(path, { throwIfNoEntry: false })?.size ?? 0) === 0

/** Exit code 0 with nothing to show for it: what the log complains of, or else what we saw. */
function unreported(log: string, o: { bucket: string; evidence: string }): Failure {
  const said = classifyFailure(log, { exitCode: 1 })
  if (said.bucket === 'unknown' || said.bucket === 'not_a_failure')
    return failureFrom(o.bucket, { evidence: o.evidence, log })
  return { ...said, evidence: `${o.evidence} | ${said.evidence}`.slice(0, 500) }
}

const refused = /\berror: (?:argument|unrecognized|the following arguments|invalid choice)|^docker: /

/** A version that does not know our flags says something about the installation and nothing about the network. */
function ofInstallation(failure: Failure): Failure {
  if (failure.bucket !== 'unknown' || !refused.test(failure.evidence)) return failure
  const { evidence, milestone } = failure
  return { ...failureFrom('environment_broken_install', { evidence, log: '' }), milestone }
}
