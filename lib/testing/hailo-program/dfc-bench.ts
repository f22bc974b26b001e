/**
 * Sets up what tests of the Dataflow Compiler's stages need.
 *
 * A stand-in installed in a temporary folder, a small model, its calibration, and HARs for the tests of later stages.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { dfcToolchain } from '../../compile/dfc/toolchain.ts'
import { artifactOf } from '../../compile/stage-command.ts'
import type { Artifact, Stage, StageOptions, Toolchain } from '../../compile/toolchain.ts'
import { encodeNpy } from '../../formats/tensors/npy.ts'
import { encodeModel, type ModelProto } from '../../formats/onnx/index.ts'
import { float32, sizeOf } from '../../formats/tensors/tensor.ts'
import { GraphBuilder } from '../../onnx/builder.ts'
import type { StandinStage } from './scenarios.ts'
import { installHailoStandin, type InstalledStandin } from './install-standin.ts'

/** input[1, 1, 1, 32] -> conv -> relu -> head -> squeeze -> output[1, 2, 32]. */
export function smallModel(name = 'small'): ModelProto {
  const graph = new GraphBuilder({ name })
  const conv = (layer: string, from: string, [out, into]: [number, number]) => {
    const weight = graph.weight(`${layer}.weight`, float32([out, into, 1, 1], new Float32Array(out * into).fill(0.5)))
    const attributes = { kernel_shape: [1, 1], pads: [0, 0, 0, 0], strides: [1, 1], dilations: [1, 1], group: 1 }
    return graph.node('Conv', [from, weight], { name: layer, attributes })
  }
  const hidden = graph.node('Relu', [conv('conv', graph.input('input', 'float32', [1, 1, 1, 32]), [4, 1])], {
    name: 'relu',
  })
  graph.node('Squeeze', [conv('head', hidden, [2, 4])], {
    name: 'squeeze',
    output: 'output',
    attributes: { axes: [2] },
  })
  graph.output('output', 'float32', [1, 2, 32])
  return graph.build()
}

/** The artifact of a stage that must have ended well. */
export function made(stage: Stage): Artifact {
  assert.ok(stage.ok, JSON.stringify(stage))
  return stage.artifact
}

/** How the stand-in ends, the shape of the calibration, and what else the stages are told. */
export interface BenchSetting extends Partial<StageOptions> {
  readonly fate?: string
  readonly calibrationShape?: readonly number[]
}

interface SetUp {
  readonly toolchain: Toolchain
  readonly onnx: Artifact
  readonly options: StageOptions
  readonly folder: string
}

/** A temporary folder with the stand-in in it; `close` removes it. */
export function dfcBench() {
  const root = mkdtempSync(join(tmpdir(), 'dfc-'))
  const standin = installHailoStandin(join(root, 'venv'))
  const scratch = () => mkdtempSync(join(root, 'case-'))
  const setUp = (setting: BenchSetting = {}) => setUpIn(setting.folder ?? scratch(), standin, setting)

  let hars: Promise<{ parsed: Artifact; optimized: Artifact }> | undefined
  /** HARs of the small model. */
  const readyHars = () =>
    (hars ??= (async () => {
      const { toolchain, onnx, options } = setUp()
      const parsed = made(await toolchain.parse(onnx, options))
      return { parsed, optimized: made(await toolchain.optimize(parsed, options)) }
    })())

  /** Run one stage whose predecessors went well. */
  const runStage = async (stage: StandinStage, setting: BenchSetting) => {
    const { toolchain, onnx, options, folder } = setUp(setting)
    const from = stage === 'parse' ? onnx : (await readyHars())[stage === 'optimize' ? 'parsed' : 'optimized']
    return { outcome: await toolchain[stage](from, options), folder, log: () => readFileSync(options.logFile, 'utf8') }
  }

  /** The failure of a stage that must fail. */
  const failureOf = async (stage: StandinStage, setting: BenchSetting) => {
    const { outcome, ...rest } = await runStage(stage, setting)
    assert.ok(!outcome.ok, `${stage} ended well`)
    return { ...outcome, ...rest }
  }
  const close = () => rmSync(root, { recursive: true, force: true })
  return { root, standin, scratch, setUp, readyHars, runStage, failureOf, close }
}

function setUpIn(folder: string, standin: InstalledStandin, setting: BenchSetting): SetUp {
  const { fate, calibrationShape = [3, 1, 32, 1], ...o } = setting
  const calibration = join(folder, 'calibration.npy')
  writeFileSync(calibration, encodeNpy(float32(calibrationShape, new Float32Array(sizeOf(calibrationShape)))))
  const onnx = join(folder, 'net.onnx')
  writeFileSync(onnx, encodeModel(smallModel()))
  const options: StageOptions = {
    folder,
    netName: 'net',
    hwArch: 'hailo8',
    inputs: [{ name: 'input', shape: [1, 1, 1, 32] }],
    outputs: ['output'],
    calibration: { ...artifactOf(calibration), count: calibrationShape[0]! },
    logFile: join(folder, 'net.log'),
    modelScript: 'model_optimization_config(calibration, batch_size=4, calibset_size=3)\n',
    timeoutMs: 60_000,
    signal: new AbortController().signal,
    ...o,
  }
  const toolchain = dfcToolchain({ program: standin.folder, env: { HAILO_STANDIN: fate } })
  return { toolchain, onnx: artifactOf(onnx), options, folder }
}
