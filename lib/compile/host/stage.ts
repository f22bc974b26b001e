/**
 * Runs one stage of the host toolchain as a program: it reads a file, writes a file, and logs as vendors' tools do.
 *
 *   stage.ts <parse|optimize|compile> <from> <to> <calibration> <metrics.json> <parsed.onnx> <host|tensorrt>
 */
import { basename } from 'node:path'
import { decodeModel, encodeModel, type ModelProto } from '../../formats/onnx/index.ts'
import { readFile, writeFileAtomic } from '../../host/files.ts'
import { openOrtNode } from '../../infer/ort/node-package.ts'
import { asError, hasCode, RunbookError } from '../../base/errors.ts'
import { calibrate } from '../../onnx/quantize/calibrate.ts'
import { checkModel } from '../../onnx/check/check.ts'
import { inspect } from '../../onnx/inspect.ts'
import { quantizeQdq, type QuantizeOptions } from '../../onnx/quantize/quantize.ts'
import { inferShapes } from '../../onnx/shapes/infer.ts'
import { compareOnSamples, inputsOf, splitSamples } from '../compare.ts'

interface Job {
  readonly from: string
  readonly to: string
  readonly calibration: string
  readonly parsed: string
  /** For whom int8 is written: TensorRT wants symmetric ranges and float32 biases. */
  readonly form: 'host' | 'tensorrt'
}

const forms = {
  host: {},
  tensorrt: { activations: 'int8-symmetric', biases: 'float32' },
} as const satisfies Record<Job['form'], QuantizeOptions>

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
  const { used } = await splitSamples(job.calibration, inputsOf(model))
  info(`Using dataset with ${used.length} entries for calibration`)
  const ranges = await calibrate(model, used)
  const quantised = quantizedWhereItCan(model, ranges, job.form)
  writeFileAtomic(job.to, encodeModel(quantised ?? model))
  if (quantised === null) {
    info('No node of the model becomes int8: it stays float32')
    return { calibrationSamples: used.length, quantisedNodes: 0 }
  }
  info('Model Optimization is done')
  return { calibrationSamples: used.length, quantisedNodes: quantised.graph!.node.length }
}

/** The model in int8; null where none of its nodes can be. */
function quantizedWhereItCan(
  model: ModelProto,
  ranges: Awaited<ReturnType<typeof calibrate>>,
  form: Job['form'],
): ModelProto | null {
  try {
    return quantizeQdq(model, ranges, forms[form])
  } catch (thrown) {
    // An engine that is asked for in int8 must not be float32.
    if (form === 'host' && hasCode(thrown, 'nothing-to-quantise')) return null
    throw thrown
  }
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
  const { heldOut } = await splitSamples(job.calibration, inputsOf(decodeModel(readFile(job.parsed))))
  const likeness = await compareOnSamples({
    actual: compiled,
    expected: reference,
    outputs: making.outputs.map(({ name }) => name),
    samples: heldOut,
    info,
  })
  info(`Successful Compilation (host), ${compiled.device}`)
  return { ...likeness, loadMs: compiled.loadMs, compiledBytes: readFile(job.to).length }
}

const stages = { parse, optimize, compile }
const [name, from, to, calibration, metrics, parsed, form] = process.argv.slice(2)
if (import.meta.filename === process.argv[1]) {
  try {
    const found = await stages[name as keyof typeof stages]({
      from: from!,
      to: to!,
      calibration: calibration!,
      parsed: parsed!,
      form: form as Job['form'],
    })
    writeFileAtomic(metrics!, `${JSON.stringify(found)}\n`)
  } catch (thrown) {
    console.log(`[error] ${thrown instanceof RunbookError ? thrown.message : asError(thrown).stack}`)
    process.exitCode = 1
  }
}
