/**
 * Declares the inputs that the runbooks which search for a compiling graph have in common.
 *
 * The names of variables are the plan's; limits and defaults are the contract's. What they open is `search.ts`.
 */
import { toolchainNames, type ToolchainName } from '../../../compile/toolchain.ts'
import { precisions, type Precision } from '../../../compile/trtexec/request.ts'
import { builderWays, type BuilderWay } from '../../../compile/trtexec/types.ts'
import { monolithicContract } from '../contract.ts'
import {
  decoderModes,
  encoderModes,
  maskActs,
  maskMulModes,
  normModes,
  skipTopologyModes,
  type ConvTasNetOptions,
} from '../../../models/convtasnet/options.ts'
import { choice, file, number, text, toggle } from '../../../notebook/inputs/inputs.ts'

/** Who compiles, and for what. */
const compilerInputs = (hwArch: string) => ({
  toolchain: choice(toolchainNames, {
    env: 'TOOLCHAIN',
    default: 'auto',
    help: 'who compiles; auto takes dfc when it is found, else host',
  }),
  dfc: text({
    optional: true,
    help: 'where the Dataflow Compiler is: its hailo program, its virtualenv, or docker:IMAGE',
  }),
  trtexec: text({ env: 'TRTEXEC', default: 'trtexec', help: 'the program of --toolchain trtexec: a name or a path' }),
  builder: choice(builderWays, {
    default: 'trtexec',
    help: 'how --toolchain trtexec builds: the program, or calls of libnvinfer itself',
  }),
  precision: choice(precisions, { default: 'fp32', help: 'of the engine that --toolchain trtexec builds' }),
  calibCache: file({
    optional: true,
    help: "TensorRT's calibration cache for int8 (8.6 and 10); default: the graph is quantised first",
  }),
  hwArch: text({ env: 'HW_ARCH', default: hwArch, help: 'the device to compile for' }),
})

/** The inputs of a search; a runbook adds its own. */
export function searchInputs() {
  const { defaults, limits } = monolithicContract()
  return {
    ...compilerInputs(defaults.hwArch),
    calibNpz: file({
      env: 'CALIB_NPZ',
      optional: true,
      help: 'calibration windows (.npz or .npy); default: the shipped recordings',
    }),
    inputLengthPolicy: choice(['error', 'crop'], {
      default: defaults.inputLengthPolicy,
      help: 'what happens to calibration windows that are wider than the network',
    }),
    quickOpt: toggle({
      env: 'QUICK_OPT',
      default: defaults.quickOpt,
      help: 'few calibration samples and no fine-tuning while searching',
    }),
    modelScript: file({ optional: true, help: 'more model-script commands (.alls) for the Dataflow Compiler' }),
    decoder: choice(decoderModes, {
      default: 'polyphase',
      help: 'the decoder; conv1x1_head answers at the latent rate, not at the audio rate',
    }),
    encoder: choice(encoderModes, { optional: true, help: "the encoder; default: the ladder's own" }),
    normMode: choice(normModes, { optional: true, help: 'the norm layers; default: affine' }),
    maskAct: choice(maskActs, { optional: true, help: 'the activation of the mask; default: sigmoid' }),
    maskMulMode: choice(maskMulModes, { optional: true, help: 'bypass leaves the masker out; default: normal' }),
    skipTopologyMode: choice(skipTopologyModes, {
      optional: true,
      help: 'how sources share the encoder; default: project',
    }),
    weights: file({
      optional: true,
      help: 'weights by name (.safetensors, .npz or .pth); default: those that ship, else seeded',
    }),
    timeLimitMin: number({
      env: 'TIME_LIMIT_MIN',
      default: limits.timeLimitMin,
      min: 0.01,
      unit: 'minutes',
      help: 'time for the whole search',
    }),
    caseTimeoutMin: number({
      env: 'CASE_TIMEOUT_MIN',
      default: limits.caseTimeoutMin,
      min: 0.001,
      unit: 'minutes',
      help: 'hard time limit for one case',
    }),
    resume: text({ optional: true, help: 'an earlier run whose finished cases are taken over' }),
    cache: toggle({ default: true, help: 'take an identical case from an earlier run' }),
  }
}

/** What the graph inputs change in every rung. */
export function graphChange(values: GraphValues): Partial<ConvTasNetOptions> {
  const { decoder, encoder, normMode, maskAct, maskMulMode, skipTopologyMode } = values
  const change = { decoderMode: decoder, encoderMode: encoder, normMode, maskAct, maskMulMode, skipTopologyMode }
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined))
}

/** The inputs that change the graph. */
export interface GraphValues {
  readonly decoder?: ConvTasNetOptions['decoderMode'] | undefined
  readonly encoder?: ConvTasNetOptions['encoderMode'] | undefined
  readonly normMode?: ConvTasNetOptions['normMode'] | undefined
  readonly maskAct?: ConvTasNetOptions['maskAct'] | undefined
  readonly maskMulMode?: ConvTasNetOptions['maskMulMode'] | undefined
  readonly skipTopologyMode?: ConvTasNetOptions['skipTopologyMode'] | undefined
}

/** What the other inputs of `searchInputs` give. */
export interface SearchValues {
  /** A model of one's own, which has calibration of its own. */
  readonly model?: string | undefined
  readonly toolchain: ToolchainName
  readonly dfc: string | undefined
  readonly trtexec: string
  readonly builder: BuilderWay
  readonly precision: Precision
  readonly calibCache: string | undefined
  readonly hwArch: string
  readonly calibNpz: string | undefined
  readonly inputLengthPolicy: 'error' | 'crop'
  readonly quickOpt: boolean
  readonly modelScript: string | undefined
  readonly weights: string | undefined
  readonly timeLimitMin: number
  readonly caseTimeoutMin: number
  readonly resume: string | undefined
  readonly cache: boolean
}
