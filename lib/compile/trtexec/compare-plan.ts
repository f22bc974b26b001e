/**
 * Asks a plan about samples that calibration has not seen, and compares with float32, as a program.
 *
 *   compare-plan.ts <plan> <parsed.onnx> <calibration> <metrics.json>
 *
 * Without a GPU or a library nothing is compared, the log says why, and that is no failure of the plan.
 */
import { asError, RunbookError } from '../../base/errors.ts'
import { decodeModel } from '../../formats/onnx/index.ts'
import { readFile, writeFileAtomic } from '../../host/files.ts'
import { openBackend } from '../../infer/open.ts'
import { openOrtNode } from '../../infer/ort/node-package.ts'
import { compareOnSamples, inputsOf, splitSamples } from '../compare.ts'

const info = (text: string) => console.log(`[I] ${text}`)

async function compare(plan: string, parsed: string, calibration: string): Promise<Record<string, number>> {
  await using actual = await openBackend(plan, { backend: 'tensorrt', isolate: false })
  await using expected = await openOrtNode(parsed)
  const { heldOut } = await splitSamples(calibration, inputsOf(decodeModel(readFile(parsed))))
  const outputs = expected.outputs.map(({ name }) => name)
  const likeness = await compareOnSamples({ actual, expected, outputs, samples: heldOut, info })
  info(`compared on ${actual.device}`)
  return { ...likeness, askedOnDevice: 1, loadMs: actual.loadMs }
}

if (import.meta.filename === process.argv[1]) {
  const [plan, parsed, calibration, metrics] = process.argv.slice(2)
  try {
    const found = await compare(plan!, parsed!, calibration!)
    writeFileAtomic(metrics!, `${JSON.stringify(found)}\n`)
  } catch (thrown) {
    if (thrown instanceof RunbookError && thrown.exit === 'blocked') {
      info(`not asked here: ${thrown.message}`)
      writeFileAtomic(metrics!, `${JSON.stringify({ askedOnDevice: 0 })}\n`)
    } else {
      console.log(`[E] ${thrown instanceof RunbookError ? thrown.message : asError(thrown).stack}`)
      process.exitCode = 1
    }
  }
}
