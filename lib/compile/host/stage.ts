/**
 * One stage of the host toolchain, as a program: it reads a file, writes a file, and says what it does as vendors'
 * tools do.
 *
 *   node --import tsx lib/compile/host/stage.ts <parse|optimize|compile> <from> <to> <calib.npy> <metrics.json>
 * <parsed.onnx>
 */
import { basename } from 'node:path'
import { performance } from 'node:perf_hooks'
import { decodeModel, encodeModel } from '../../formats/onnx/index.ts'
import { decodeNpy } from '../../formats/tensors/npy.ts'
import type { Tensor } from '../../formats/tensors/tensor.ts'
import { readFile, writeFileAtomic } from '../../host/files.ts'
import { openOrtNode } from '../../infer/ort/node-package.ts'
import type { Backend } from '../../infer/backend.ts'
import { asError, RunbookError } from '../../base/errors.ts'
import { calibrate } from '../../onnx/quantize/calibrate.ts'
import { checkModel } from '../../onnx/check/check.ts'
import { inspect } from '../../onnx/inspect.ts'
import { quantizeQdq } from '../../onnx/quantize/quantize.ts'
import { inferShapes } from '../../onnx/shapes/infer.ts'
import { SnrSum } from '../../signal/snr.ts'

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
    `${model.graph!.node.length} nodes, ${shapes.size} shapes known, ${facts.parameters} parameters, ${(facts.macs / 1e6).toFixed(1)} MMAC`,
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
  const name = model.graph!.input[0]!.name
  const { used } = splitSamples(job.calibration)
  info(`Using dataset with ${used.length} entries for calibration`)
  const ranges = await calibrate(
    model,
    used.map(sample => ({ [name]: sample })),
  )
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
  const name = making.inputs[0]!.name
  const snr = new SnrSum()
  const latencies: number[] = []
  const { heldOut } = splitSamples(job.calibration)
  await outputOf(compiled, name, heldOut[0]!)
  for (const sample of heldOut) {
    const expected = await outputOf(reference, name, sample)
    const startedMs = performance.now()
    const actual = await outputOf(compiled, name, sample)
    latencies.push(performance.now() - startedMs)
    snr.push(actual, expected)
  }
  const latencyMsP50 = latencies.toSorted((a, b) => a - b)[Math.floor(latencies.length / 2)]!
  info(`output_layer1 SNR:\t${snr.db().toFixed(3)} dB`)
  info(`Successful Compilation (host), ${compiled.device}`)
  return { snrDb: snr.db(), latencyMsP50, loadMs: compiled.loadMs, heldOutSamples: heldOut.length }
}

async function outputOf(model: Backend, name: string, sample: Tensor): Promise<Float32Array> {
  const results = await model.infer({ [name]: sample })
  return Float32Array.from(results[model.outputs[0]!.name]!.data as Float32Array)
}

/** One sample in five, at least one, is kept back to measure with; a single sample serves for both. */
function splitSamples(path: string): { used: Tensor[]; heldOut: Tensor[] } {
  const all = decodeNpy(readFile(path))
  const [count = 0, ...rest] = all.shape
  const size = all.data.length / Math.max(1, count)
  const samples = Array.from({ length: count }, (_, i): Tensor => ({
    dtype: 'float32',
    shape: [1, ...rest],
    data: (all.data as Float32Array).subarray(i * size, (i + 1) * size),
  }))
  const held = Math.max(1, Math.floor(count / 5))
  return { used: count > 1 ? samples.slice(0, count - held) : samples, heldOut: samples.slice(count - held) }
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
