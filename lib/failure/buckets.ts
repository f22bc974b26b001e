/**
 * What does each kind of compile failure mean, and what should be tried next?
 *
 * One table: bucket to meaning, next step, stage, and whether it says that the network does not fit. TensorRT's kinds
 * are in
 * `failure-tensorrt.ts`. How a log is recognised is in `failure-signatures.ts`; which step fits a whole sweep, in
 * `next-knob.ts`.
 */
import { tensorrtBuckets } from './tensorrt.ts'

/** Where in the pipeline a failure belongs. `any` may strike anywhere; `build` is TensorRT's single step. */
export type FailureStage = 'parse' | 'optimize' | 'compile' | 'runtime' | 'build' | 'any'

/** What is known of one kind of failure. */
export interface Bucket {
  stage: FailureStage
  /** One sentence: why it happens. */
  cause: string
  /** One step that helps most often. */
  nextKnob: string
  /**
   * True only when the failure says something about the network: an environment, a timeout or a full disk never does.
   */
  isInfeasible: boolean
  /** The name for `exception_type` when the log shows none. */
  exceptionType: string
}

const bucket = (
  stage: FailureStage,
  exceptionType: string,
  cause: string,
  nextKnob: string,
  isInfeasible = false,
): Bucket => ({ stage, exceptionType, cause, nextKnob, isInfeasible })

const dfcBuckets: Record<string, Bucket> = {
  allocator_infeasible: bucket(
    'compile',
    'BackendAllocatorException',
    'the mapper found no place on the chip for at least one layer; width in time matters more than channels',
    '--ladder temporal',
    true,
  ),
  allocator_infeasible_16bit_bias: bucket(
    'compile',
    'BackendAllocatorException',
    'a low optimisation level left 16-bit biases, which need more subclusters than a layer may take; size is not at fault',
    'model_optimization_flavor(optimization_level=1) with 1024 calibration samples or a GPU',
  ),
  allocator_timeout: bucket(
    'compile',
    'BackendAllocatorException',
    'the mapper spent its own time budget before it found or ruled out a placement',
    'allocator_param(timeout=7200) with a longer --case-timeout-min, then fewer blocks',
  ),
  resource_exhausted_single_context: bucket(
    'compile',
    'BackendAllocatorException',
    'one context cannot hold the network, and the compiler may not use several',
    'context_switch_param(mode=enabled)',
    true,
  ),
  resource_exhausted_partition: bucket(
    'compile',
    'BackendAllocatorException',
    'no way of cutting the network into contexts keeps each within its resources',
    'performance_param(compiler_optimization_level=max), then fewer blocks',
    true,
  ),
  resource_memory_units: bucket(
    'compile',
    'BackendAllocatorException',
    'weights and buffers need more on-chip memory units than there are',
    'fewer channels (hid_chan first)',
    true,
  ),
  reshape_layout: bucket(
    'compile',
    'BackendAllocatorException',
    'a layer needs another memory layout, and the compiler cannot insert the reshape; channels do not change that',
    '--encoder framed, or --decoder polyphase',
    true,
  ),
  reshape_layout_skip_concat_maskmul: bucket(
    'compile',
    'BackendAllocatorException',
    'the skip path, a concatenation or the mask multiplication needs a reshape that the compiler cannot insert',
    '--encoder framed, or a projecting skip topology',
    true,
  ),
  kernel_unsupported: bucket(
    'compile',
    'BackendAllocatorException',
    'a layer has a form that the compiler has no kernel for',
    '--decoder polyphase, or --encoder framed where it is',
    true,
  ),
  compiler_crash: bucket(
    'compile',
    'CompilerCrash',
    'the compiler stopped on an assertion or crashed: a defect of the compiler, set off by this graph',
    'a shorter input (--ladder temporal), then another compiler version',
  ),
  quantization_negative_exponent: bucket(
    'optimize',
    'NegativeSlopeExponentNonFixable',
    'the ranges of weights or data are so unbalanced that the required shift does not fit the data bits',
    'calibrate on real recordings (CALIB_NPZ)',
  ),
  quantization_unsupported: bucket(
    'optimize',
    'AccelerasUnsupportedError',
    'the quantiser has no implementation for a layer in this form or precision',
    'rewrite the layer, or give it 8 bits',
  ),
  weights_nan: bucket(
    'optimize',
    'BackendValueError',
    'weights hold NaN or infinity',
    'export the weights again, and look for values that are not finite',
  ),
  calibration_shape: bucket(
    'optimize',
    'BadInputsShape',
    'calibration data has another shape, type or count than the input of the network',
    'CALIB_NPZ with windows of exactly the input length',
  ),
  calibration_input_name: bucket(
    'optimize',
    'KeyError',
    'calibration data is given for an input name that the network does not have',
    'name it <network>/input_layer1',
  ),
  optimize_subprocess: bucket(
    'optimize',
    'SubprocessFailure',
    'a worker process of the optimiser died; its own cause is not in the log',
    'HAILO_DISABLE_MO_SUB_PROCESS=1, to see the cause',
  ),
  sdk_bug_optimize: bucket(
    'optimize',
    'OptimizeFailed',
    'the optimiser failed inside its own code: a known kind of defect',
    'another version of the compiler, or its patch',
  ),
  har_not_optimized: bucket(
    'compile',
    'BackendRuntimeException',
    'compilation was asked of a HAR without quantised weights',
    'run the optimize step first',
  ),
  har_build_failed_unspecified: bucket(
    'parse',
    'HARBuildFailed',
    'no HAR was made, and the log does not say why',
    'read the log of the parse step',
  ),
  model_script_error: bucket(
    'optimize',
    'AllocatorScriptParserException',
    'the model script names a layer, command or file that does not exist, or does not fit the end of the network',
    'remove the offending line from the model script',
  ),
  parse_unsupported_op: bucket(
    'parse',
    'UnsupportedModelError',
    'the parser has no layer for an operator in this form',
    'rewrite the operator as a convolution or an elementwise layer',
  ),
  parse_unsupported_op_with_recommendation: bucket(
    'parse',
    'ParsingWithRecommendationException',
    'the parser has no layer for some operators, and names the nodes to end at instead',
    'end at the recommended nodes, and see which part of the network that cuts off',
  ),
  parse_unsupported_dimensions: bucket(
    'parse',
    'UnsupportedModelError',
    'a tensor has a rank or a dimension that the parser does not take',
    'keep every tensor at [1, C, 1, T]',
  ),
  parse_internal_error: bucket(
    'parse',
    'ParseFailed',
    'the parser itself failed on the file: an opset, a name or a structure that it does not expect',
    'export with opset 11 to 13',
  ),
  environment_broken_install: bucket(
    'any',
    'EnvironmentError',
    'the toolchain is not installed whole: a library, module or program is absent or of another build',
    'npx tsx runbooks/doctor.ts',
  ),
  host_oom: bucket(
    'any',
    'Killed',
    'the host (or its GPU) ran out of memory',
    'a smaller calibration batch, or a host with more memory',
  ),
  host_disk_full: bucket(
    'any',
    'DiskFull',
    'the host ran out of disk',
    'free some room (df -h), then go on with --resume',
  ),
  wrapper_timeout: bucket(
    'any',
    'Timeout',
    'our own hard limit for a case ended it; the tool had not given a verdict',
    '--case-timeout-min 60: the mapper may take an hour for each context',
  ),
  aborted: bucket('any', 'Aborted', 'a signal or a person stopped it', 'go on with --resume'),
  runtime_missing_package: bucket(
    'runtime',
    'ModuleNotFoundError',
    'the runtime package is absent',
    'install pyhailort/hailo_platform (apt install hailo-all)',
  ),
  runtime_no_device: bucket(
    'runtime',
    'HailoRTException',
    'no device answers, or another process holds it',
    'lsof /dev/hailo0, and stop the process that holds it',
  ),
  runtime_version_mismatch: bucket(
    'runtime',
    'HailoRTException',
    'driver, library, service, firmware or HEF are of different versions',
    'install the same version of all of them',
  ),
  runtime_hef_arch_mismatch: bucket(
    'runtime',
    'HailoRTException',
    'the HEF was compiled for another architecture than the device',
    'compile again with HW_ARCH set to the architecture of the device',
  ),
  runtime_buffer_size: bucket(
    'runtime',
    'HailoRTException',
    'a buffer is not the size of a frame: another length or another format',
    'set the format to float32 and give whole frames',
  ),
  runtime_stream_ambiguous: bucket(
    'runtime',
    'ValueError',
    'the HEF has several streams, and none (or a name that it does not have) was chosen',
    '--input NAME --output NAME',
  ),
  not_a_failure: bucket('any', '', 'this text is part of a success', 'none'),
  unknown: bucket('any', 'CompileFailed', 'no known signature is in the log', 'read the last error block of the log'),
}

/** Every bucket that a log can be put in, `unknown` included. */
export const buckets: Readonly<Record<string, Bucket>> = { ...dfcBuckets, ...tensorrtBuckets }

/** What is known of a bucket; a name that is in no table reads as `unknown`. */
export const bucketOf = (name: string): Bucket => (Object.hasOwn(buckets, name) ? buckets[name]! : buckets.unknown!)
