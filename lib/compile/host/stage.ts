/**
 * Runs one stage of the host toolchain as a program: it reads a file, writes a file, and logs as vendors' tools do.
 *
 *   stage.ts <parse|optimize|compile> <from> <to> <calibration> <metrics.json> <parsed.onnx>
 */
import { basename } from 'node:path'
import { performance } from 'node:perf_hooks'
import { decodeModel, dimsOf, encodeModel, type ModelProto } from '../../formats/onnx/index.ts'
import type { Tensor } from '../../formats/tensors/tensor.ts'
import { readFile, writeFileAtomic } from '../../host/files.ts'
import { openOrtNode } from '../../infer/ort/node-package.ts'
import { indexOfNonFinite, type Feeds, type Results } from '../../infer/backend.ts'
import { asError, RunbookError } from '../../base/errors.ts'
import { calibrate } from '../../onnx/quantize/calibrate.ts'
import { checkModel } from '../../onnx/check/check.ts'
import { inspect } from '../../onnx/inspect.ts'
import { quantizeQdq } from '../../onnx/quantize/quantize.ts'
import { inferShapes } from '../../onnx/shapes/infer.ts'
import { SnrSum } from '../../signal/snr.ts'
import { readCalibration } from '../calibration-file.ts'

interface Job {
  readonly from: string
  readonly to: string
  readonly calibration: string
  readonly parsed: string
}

const info = (text: string) => console.log(`[info] ${text}`)

/** Check the graph and write it with every shape that can be inferred. */
function parse(job: Job): Record<string, number> {
  const name = basename(job.from, '.onnx')
  info(`Translation started on ONNX model ${name}`)
  const model = decodeModel(readFile(job.from))
  const { problems } = checkModel(model)
  if (problems.length > 0) {
    throw new RunbookError(
      'fail',
      `Parsing failed. The errors found in the graph are:\n${problems.join('\n')}`,
      'mend the graph',
    )
  }
  const shapes = inferShapes(model)
  const facts = inspect(model)
  info(`End nodes mapped from original model: ${model.graph!.output.map(output => `'${output.name}'`).join(', ')}`)
  info(
    `${model.graph!.node.length} nodes, ${shapes.size} shapes known, ` +
      `${facts.parameters} parameters, ${(facts.macs / 1e6).toFixed(1)} MMAC`,
  )
  writeFileAtomic(job.to, encodeModel(model))
  info(`Translation completed on ONNX model ${name}`)
  const { parameters, macs, weightBytes, peakActivationBytes } = facts
  return { nodes: model.graph!.node.length, parameters, macs, weightBytes, peakActivationBytes }
}

/** Calibrate with all but the held-out samples and write int8 QDQ. */
async function optimize(job: Job): Promise<Record<string, number>> {
  info('Starting Model Optimization')
  const model = decodeModel(readFile(job.from))
  if (model.graph!.node.some(({ opType }) => /^(DequantizeLinear|QLinear)/.test(opType))) {
    info('The model is quantised already: it is taken as it is')
    writeFileAtomic(job.to, encodeModel(model))
    return { quantisedBefore: 1, quantisedNodes: model.graph!.node.length }
  }
  const { used } = await splitSamples(job, inputsOf(model))
  info(`Using dataset with ${used.length} entries for calibration`)
  const ranges = await calibrate(model, used)
  const quantised = quantizeQdq(model, ranges)
  writeFileAtomic(job.to, encodeModel(quantised))
  info('Model Optimization is done')
  return { calibrationSamples: used.length, quantisedNodes: quantised.graph!.node.length }
}

/** Let ONNX Runtime optimise the int8 model; open what it wrote, run it, and compare with float32. */
async function compile(job: Job): Promise<Record<string, number>> {
  info('Starting host compilation flow')
  await using making = await openOrtNode(job.from, {
    optimization: 'extended',
    optimizedModelPath: job.to,
  })
  await using compiled = await openOrtNode(job.to)
  await using reference = await openOrtNode(job.parsed)
  const { heldOut } = await splitSamples(job, inputsOf(decodeModel(readFile(job.parsed))))
  const likeness = new Map(making.outputs.map(({ name }) => [name, new Likeness()]))
  const latencies: number[] = []
  await compiled.infer(heldOut[0]!)
  for (const sample of heldOut) {
    const expected = copied(await reference.infer(sample))
    const startedMs = performance.now()
    const actual = await compiled.infer(sample)
    latencies.push(performance.now() - startedMs)
    for (const [name, sum] of likeness) {
      refuseNonFinite(name, { actual: actual[name]!, expected: expected[name]! })
      sum.push(actual[name]!, expected[name]!)
    }
  }
  const snrs: Record<string, number> = {}
  for (const [i, [name, sum]] of [...likeness].entries()) {
    const { metric, value } = sum.result()
    info(`output_layer${i + 1} ${metric === 'snrDb' ? `SNR:\t${value.toFixed(3)} dB` : `agreement:\t${value}`} ${name}`)
    // An output that is the same in every bit has no noise, and a silent one no signal: neither has a number of dB.
    if (Number.isFinite(value)) snrs[`${metric}.${name}`] = value
  }
  const worst = Object.entries(snrs).flatMap(([name, value]) => (name.startsWith('snrDb.') ? [value] : []))
  info(`Successful Compilation (host), ${compiled.device}`)
  return {
    ...(likeness.size > 1 ? snrs : {}),
    ...(worst.length > 0 ? { snrDb: Math.min(...worst) } : {}),
    latencyMsP50: latencies.toSorted((a, b) => a - b)[Math.floor(latencies.length / 2)]!,
    loadMs: compiled.loadMs,
    heldOutSamples: heldOut.length,
    compiledBytes: readFile(job.to).length,
  }
}

/** NaN has no noise to measure, and would drop out of every comparison. */
function refuseNonFinite(name: string, o: { actual: Tensor; expected: Tensor }): void {
  for (const [of, { data }] of Object.entries(o)) {
    if (!(data instanceof Float32Array) || indexOfNonFinite(data) < 0) continue
    const which = of === 'actual' ? 'int8' : 'float32'
    throw new RunbookError('fail', `The ${which} model answers NaN or infinity in "${name}"`, 'look at the weights')
  }
}

/** How far an output of the int8 model is from the float32 model's: SNR for float32, the share of equal values else. */
class Likeness {
  readonly #snr = new SnrSum()
  #equal = 0
  #count = 0
  #isFloat = true

  push(actual: Tensor, expected: Tensor): void {
    this.#isFloat = expected.data instanceof Float32Array
    if (this.#isFloat) return this.#snr.push(actual.data as Float32Array, expected.data as Float32Array)
    for (const [i, value] of expected.data.entries()) this.#equal += actual.data[i] === value ? 1 : 0
    this.#count += expected.data.length
  }

  result(): { metric: 'snrDb' | 'agreement'; value: number } {
    if (this.#isFloat) return { metric: 'snrDb', value: this.#snr.db() }
    return { metric: 'agreement', value: this.#equal / this.#count }
  }
}

/** Results outlive the next inference only as copies. */
const copied = (results: Results): Results =>
  Object.fromEntries(
    Object.entries(results).map(([name, { data, ...rest }]) => [name, { ...rest, data: data.slice() }]),
  )

/** The graph's inputs, every dimension a number. */
function inputsOf(model: ModelProto): { name: string; shape: number[] }[] {
  const weights = new Set(model.graph!.initializer.map(({ name }) => name))
  return model
    .graph!.input.filter(({ name }) => !weights.has(name))
    .map(value => ({ name: value.name, shape: dimsOf(value).map(Number) }))
}

/** One sample in five, at least one, is kept back to measure with; a single sample serves for both. */
async function splitSamples(
  job: Job,
  inputs: ReturnType<typeof inputsOf>,
): Promise<{ used: Feeds[]; heldOut: Feeds[] }> {
  const samples = await readCalibration(job.calibration, inputs)
  const held = Math.max(1, Math.floor(samples.length / 5))
  return {
    used: samples.length > 1 ? samples.slice(0, samples.length - held) : samples,
    heldOut: samples.slice(samples.length - held),
  }
}

const stages = { parse, optimize, compile }
const [name, from, to, calibration, metrics, parsed] = process.argv.slice(2)
if (import.meta.filename === process.argv[1]) {
  try {
    const found = await stages[name as keyof typeof stages]({
      from: from!,
      to: to!,
      calibration: calibration!,
      parsed: parsed!,
    })
    writeFileAtomic(metrics!, `${JSON.stringify(found)}\n`)
  } catch (thrown) {
    console.log(`[error] ${thrown instanceof RunbookError ? thrown.message : asError(thrown).stack}`)
    process.exitCode = 1
  }
}
