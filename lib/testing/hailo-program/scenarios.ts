/**
 * The ways in which the stand-in for Hailo's compiler ends, and what it prints then.
 *
 * One fate a name. Those that print a failure carry the name of the bucket that they should be put in; their texts are
 * our own around the words by which such failures are known. The stand-in itself is `program.ts`.
 */

export type StandinStage = 'parse' | 'optimize' | 'compile'

/** A failure that the tool prints: at this stage, this text, then exit code 1. `{net}` becomes the network's name. */
export interface Complaint {
  readonly stage: StandinStage
  readonly text: string
}

const at =
  (stage: StandinStage) =>
  (...lines: string[]): Complaint => ({ stage, text: lines.join('\n') })
const [parse, optimize, compile] = [at('parse'), at('optimize'), at('compile')]
const noGraph = '[error] Failed to produce compiled graph'
const mapping = (time: string, ...lines: string[]) =>
  compile(
    '[info] Running resources allocation (mapping) flow, time per context: 59m 59s',
    `[error] Mapping Failed (allocation time: ${time})`,
    ...lines,
    noGraph,
  )

/** One for every bucket that a log of the parser, the optimiser or the compiler can be put in. */
export const complaints: Readonly<Record<string, Complaint>> = {
  allocator_infeasible: mapping(
    '21s',
    'No successful assignments: dw7 errors:',
    '\tAgent infeasible',
    'conv9 errors:',
    '\tAgent infeasible',
  ),
  allocator_infeasible_16bit_bias: mapping(
    '4s',
    'No successful assignments: conv3 errors:',
    'more than 1 subclusters are needed for 16bit L2 biases at conv3',
    '\tAgent infeasible',
  ),
  allocator_timeout: compile(
    '[error] Mapping Failed (Timeout, allocation time: 59m 59s)',
    'No successful assignments: conv12 errors:',
    '\tAgent infeasible',
    '[error] BackendAllocatorException: Compilation failed',
  ),
  resource_exhausted_single_context: mapping(
    '3s',
    'Context switch is disabled, but the network could not fit in single context.',
    'SCs: 201/384, APUs: 131/120, LCUs: 110/96',
  ),
  resource_exhausted_partition: mapping(
    '2m 2s',
    'Compiler could not find a valid partition to contexts.',
    'Most seen: Automri finished with too many resources on context_1 with 9/40 failures.',
  ),
  resource_memory_units: mapping('9s', 'Memory units capacity exceeded (available: 128, required: 171)'),
  reshape_layout: mapping('2s', 'Reshape is needed for layers: conv2, conv3, but adding a reshape has failed.'),
  reshape_layout_skip_concat_maskmul: mapping(
    '2s',
    'Reshape is needed for layers: shortcut1, ew_mult1, but adding a reshape has failed.',
  ),
  kernel_unsupported: compile('[error] Super deconv is not supported with groups', noGraph),
  compiler_crash: compile(
    "compiler: ../src/graph.cpp:77: Assertion `shape.w > 0' failed.",
    '[error] BackendAllocatorException: unexpected crash',
  ),
  har_not_optimized: compile(
    '[error] The network requires quantized weights in order to run on a device, but none were given',
  ),
  quantization_negative_exponent: optimize(
    'NegativeSlopeExponentNonFixable: Quantization failed in layer {net}/conv4: ' +
      'unsupported required slope. Desired shift is 12.0, but op has only 8 data bits.',
  ),
  quantization_unsupported: optimize(
    'AccelerasUnsupportedError: {net}/matmul1: a negative range is not supported here',
  ),
  weights_nan: optimize('[error] BackendValueError: the weights of layer {net}/conv1 hold NaN values'),
  calibration_shape: optimize(
    'BadInputsShape: Data shape (1, 800, 1) for layer {net}/input_layer1 ' +
      "doesn't match network's input shape (1, 16000, 1)",
  ),
  calibration_input_name: optimize(
    "[error] The calibration set names the input 'mix', which does not exist in the network",
  ),
  optimize_subprocess: optimize(
    '[error] SubprocessUnexpectedFailure: a worker of the optimiser exited with exit code 1',
  ),
  sdk_bug_optimize: optimize("TypeError: Could not locate class 'SomeLayerOp'. Make sure that it is registered."),
  model_script_error: optimize(
    'AllocatorScriptParserException: Invalid line in the model script: layer conv99 not found in model',
  ),
  parse_unsupported_op: parse(
    'UnsupportedShuffleLayerError in op reshape_1: Failed to determine type of layer to create in node reshape_1',
  ),
  parse_unsupported_op_with_recommendation: parse(
    'ParsingWithRecommendationException: Parsing failed. The errors found in the graph are:',
    'UnsupportedOperationError in op gather_1: this operation is unsupported',
    'Please try to parse the model again, using these end node names: conv_9',
  ),
  parse_unsupported_dimensions: parse(
    'UnsupportedModelError in op conv_1: unsupported dimensions, only 4-D tensors are supported',
  ),
  parse_internal_error: parse("ValueError: 'conv_77' is not in list", '[error] Translation failed'),
  har_build_failed_unspecified: parse('[error] HARBuildFailed'),
  environment_broken_install: compile('compiler: symbol lookup error: compiler: undefined symbol: _ZN3abcE'),
  host_oom: optimize('ResourceExhaustedError: GPU memory has been exhausted'),
  host_disk_full: compile('OSError: [Errno 28] No space left on device: allocator.log'),
}

/** Fates that are not a printed failure, and where they strike unless `name@stage` says otherwise. */
export const twists = {
  /** Sleeps, deaf to TERM, with two deaf grandchildren, one of them in a session of its own. */
  hang: 'compile',
  /** Ends by SIGSEGV. */
  crash: 'compile',
  /** Ends with exit code 137, as a shell says of a killed child. */
  oom: 'optimize',
  /** Ends by SIGKILL, as the kernel does it. */
  killed: 'compile',
  /** Ends well, after a second with a progress bar. */
  slow: 'compile',
  /** Exit code 0, and no artifact. */
  nothing: 'compile',
  /** Exit code 0, and an empty artifact. */
  empty: 'parse',
  /** Takes its own recommendation and ends the graph one node early. */
  wrong_end_nodes: 'parse',
  /** Maps a node in the middle as the start. */
  wrong_start_node: 'parse',
  /** Says nothing of end nodes. */
  silent_end_nodes: 'parse',
  two_hefs: 'compile',
  wrong_magic: 'compile',
  hef_named_otherwise: 'compile',
  hef_in_subfolder: 'compile',
  /** A compiler that is older than a flag. */
  old_flags: 'parse',
  /** HailoRT's `hailo`, which has no compiler in it. */
  hailort: 'parse',
  /** A compiler that was not installed whole: it cannot even print its help. */
  broken: 'parse',
  /** Prints no version anywhere. */
  unversioned: 'parse',
} as const satisfies Record<string, StandinStage>

/** The name of a way in which the stand-in departs from the real program. */
export type Twist = keyof typeof twists

/** What `HAILO_STANDIN` asks for. */
export type Fate =
  | { readonly stage: StandinStage; readonly complaint: Complaint }
  | { readonly stage: StandinStage; readonly twist: Twist }
  | null

const short: Readonly<Record<string, string>> = { allocator: 'allocator_infeasible' }

/**
 * The fate of a network: `setting` is a name for all of them, or JSON from patterns of whole names to names, the first
 * that fits. No setting, `success` or no fitting pattern is a success.
 *
 * @throws RunbookError a plain error for an unknown name
 */
export function fateOf(setting: string | undefined, netName: string): Fate {
  const wanted = setting?.startsWith('{') ? namedFor(setting, netName) : setting
  if (wanted === undefined || wanted === '' || wanted === 'success') return null
  const [name = '', at] = wanted.split('@')
  const found = complaints[short[name] ?? name]
  if (found) return { stage: found.stage, complaint: found }
  if (!Object.hasOwn(twists, name)) throw new Error(`HAILO_STANDIN names "${name}", which is no fate`)
  return { stage: (at as StandinStage | undefined) ?? twists[name as Twist], twist: name as Twist }
}

function namedFor(setting: string, netName: string): string | undefined {
  const patterns = Object.entries(JSON.parse(setting) as Record<string, string>)
  return patterns.find(([pattern]) => new RegExp(`^(?:${pattern})$`).test(netName))?.[1]
}
