/**
 * Measures quantising and compiling a network of MobileNet's size beside `onnxruntime.quantization.quantize_static`.
 *
 * The same model and the same samples, 8 to calibrate with and 4 that neither has seen, one after the other in this
 * run. CPU times count, because wall time on a shared machine says little.
 */
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { blockedError } from '../base/errors.ts'
import { encodeModel, type ModelProto } from '../formats/onnx/index.ts'
import { encodeNpy } from '../formats/tensors/npy.ts'
import { float32, type FloatTensor } from '../formats/tensors/tensor.ts'
import { openOrtNode } from '../infer/ort/node-package.ts'
import type { Inputs } from '../notebook/inputs/inputs.ts'
import { table } from '../notebook/display/show.ts'
import type { Tools } from '../notebook/run/session.ts'
import { calibrate } from '../onnx/quantize/calibrate.ts'
import { quantizeQdq } from '../onnx/quantize/quantize.ts'
import { SnrSum } from '../signal/snr.ts'
import { mobileNet, pictures } from './mobilenet.ts'

// CONTRACT: at most twice the CPU time of quantize_static, and an SNR that is no worse.
// SOURCE: decision D-347
// WHY: a person who could use the well-known tool must lose nothing by using this one.
const bounds = { ratioMax: 2, snrLossDbMax: 0 } as const
const [used, unseen] = [8, 4]

type BenchTools = Pick<Tools<Inputs>, 'run' | 'cell' | 'gate'>

interface Cost {
  readonly cpuMs: number
  readonly wallMs: number
}

/**
 * Measure, show and judge.
 * @param peerPython a Python with onnx and onnxruntime in it; without one there is no gate on the ratio
 */
export async function benchQuantize(tools: BenchTools, peerPython: string | undefined): Promise<void> {
  const { cell, gate, run } = tools
  const model = mobileNet()
  const path = run.path('mobilenet.onnx')
  const samples = pictures(used + unseen)
  const each = samples.length / (used + unseen)
  const batches = Array.from({ length: used + unseen }, (_, i) =>
    float32([1, 3, 224, 224], samples.slice(i * each, (i + 1) * each)),
  )
  writeFileSync(path, encodeModel(model))
  const own = await cell('Quantise and compile, our own', async ({ print }) => {
    const cost = await ownCost(model, batches.slice(0, used), run.path())
    print(`${(cost.cpuMs / 1000).toFixed(1)} s of CPU, ${(cost.wallMs / 1000).toFixed(1)} s`)
    return cost
  })
  const peer = await cell('Quantise and compile, quantize_static', async ({ print }) => {
    const calibration = run.path('samples.npy')
    writeFileSync(calibration, encodeNpy(float32([used, 3, 224, 224], samples.subarray(0, used * each))))
    const found = await peerCost(peerPython, [path, calibration, run.path('peer.onnx')])
    if ('why' in found) print(found.why)
    return found
  })
  const rows = await cell('Compare with float32', async ({ show }) => {
    const heldOut = batches.slice(used)
    const ownDb = await snrOf(path, run.path('own.onnx'), heldOut)
    const peerDb = 'why' in peer ? null : await snrOf(path, run.path('peer.onnx'), heldOut)
    show(
      table([
        { who: 'rungbook', cpuMs: own.cpuMs, wallMs: own.wallMs, snrDb: ownDb },
        ...('why' in peer ? [] : [{ who: 'quantize_static', cpuMs: peer.cpuMs, wallMs: peer.wallMs, snrDb: peerDb }]),
      ]),
    )
    return { ownDb, peerDb }
  })
  if ('why' in peer) {
    gate.blocked('CPU time over quantize_static', peer.why)
    return
  }
  gate('CPU time over quantize_static', own.cpuMs / peer.cpuMs, { atMost: bounds.ratioMax })
  gate('SNR over quantize_static', rows.ownDb - rows.peerDb!, { atLeast: -bounds.snrLossDbMax }, { unit: 'dB' })
}

async function ownCost(model: ModelProto, batches: readonly FloatTensor[], folder: string): Promise<Cost> {
  const [startedMs, before] = [performance.now(), process.cpuUsage()]
  const ranges = await calibrate(
    model,
    batches.map(x => ({ x })),
  )
  const path = join(folder, 'own.onnx')
  writeFileSync(path, encodeModel(quantizeQdq(model, ranges)))
  await using _compiled = await openOrtNode(path, {
    optimization: 'extended',
    optimizedModelPath: join(folder, 'own_compiled.onnx'),
  })
  const { user, system } = process.cpuUsage(before)
  return { cpuMs: (user + system) / 1000, wallMs: performance.now() - startedMs }
}

async function peerCost(
  python: string | undefined,
  words: readonly string[],
): Promise<(Cost & { version: string }) | { why: string }> {
  if (python === undefined) return { why: 'no --peer-python with onnx and onnxruntime was given' }
  const script = join(import.meta.dirname, 'quantize-static.py')
  try {
    const { stdout } = await promisify(execFile)(python, [script, ...words], { maxBuffer: 1 << 26 })
    return JSON.parse(stdout.trim().split('\n').at(-1)!) as Cost & { version: string }
  } catch (thrown) {
    const { stderr, message } = thrown as { stderr?: string; message: string }
    const why = stderr?.trim().split('\n').at(-1) || message
    throw blockedError(`Cannot run the peer "${python}": ${why}`, `${python} -m pip install onnx onnxruntime`)
  }
}

async function snrOf(floatPath: string, path: string, batches: readonly FloatTensor[]): Promise<number> {
  await using expected = await openOrtNode(floatPath)
  await using actual = await openOrtNode(path)
  const sum = new SnrSum()
  for (const x of batches) {
    const want = (await expected.infer({ x })).y!.data.slice() as Float32Array
    sum.push((await actual.infer({ x })).y!.data as Float32Array, want)
  }
  return sum.db()
}
