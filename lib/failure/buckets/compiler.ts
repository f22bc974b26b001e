/**
 * What Hailo's Dataflow Compiler fails on, stage by stage.
 */
import { bucketAt, infeasible, type Bucket } from '../bucket.ts'

const [compile, optimize, parse] = [bucketAt('compile'), bucketAt('optimize'), bucketAt('parse')]

/** Buckets of the stages parse, optimize and compile. */
export const compilerBuckets: Readonly<Record<string, Bucket>> = {
  allocator_infeasible: infeasible(
    compile(
      'BackendAllocatorException',
      'the mapper found no place on the chip for at least one layer; width in time matters more than channels',
      '--ladder temporal',
    ),
  ),
  allocator_infeasible_16bit_bias: compile(
    'BackendAllocatorException',
    'a low optimisation level left 16-bit biases, which need more subclusters than a layer may take; size is not ' +
      'at fault',
    'model_optimization_flavor(optimization_level=1) with 1024 calibration samples or a GPU',
  ),
  allocator_timeout: compile(
    'BackendAllocatorException',
    'the mapper spent its own time budget before it found or ruled out a placement',
    'allocator_param(timeout=7200) with a longer --case-timeout-min, then fewer blocks',
  ),
  resource_exhausted_single_context: infeasible(
    compile(
      'BackendAllocatorException',
      'one context cannot hold the network, and the compiler may not use several',
      'context_switch_param(mode=enabled)',
    ),
  ),
  resource_exhausted_partition: infeasible(
    compile(
      'BackendAllocatorException',
      'no way of cutting the network into contexts keeps each within its resources',
      'performance_param(compiler_optimization_level=max), then fewer blocks',
    ),
  ),
  resource_memory_units: infeasible(
    compile(
      'BackendAllocatorException',
      'weights and buffers need more on-chip memory units than there are',
      'fewer channels (hid_chan first)',
    ),
  ),
  reshape_layout: infeasible(
    compile(
      'BackendAllocatorException',
      'a layer needs another memory layout, and the compiler cannot insert the reshape; channels do not change that',
      '--encoder framed, or --decoder polyphase',
    ),
  ),
  reshape_layout_skip_concat_maskmul: infeasible(
    compile(
      'BackendAllocatorException',
      'the skip path, a concatenation or the mask multiplication needs a reshape that the compiler cannot insert',
      '--encoder framed, or a projecting skip topology',
    ),
  ),
  kernel_unsupported: infeasible(
    compile(
      'BackendAllocatorException',
      'a layer has a form that the compiler has no kernel for',
      '--decoder polyphase, or --encoder framed where it is',
    ),
  ),
  compiler_crash: compile(
    'CompilerCrash',
    'the compiler stopped on an assertion or crashed: a defect of the compiler, set off by this graph',
    'a shorter input (--ladder temporal), then another compiler version',
  ),
  quantization_negative_exponent: optimize(
    'NegativeSlopeExponentNonFixable',
    'the ranges of weights or data are so unbalanced that the required shift does not fit the data bits',
    'calibrate on real recordings (CALIB_NPZ)',
  ),
  quantization_unsupported: optimize(
    'AccelerasUnsupportedError',
    'the quantiser has no implementation for a layer in this form or precision',
    'rewrite the layer, or give it 8 bits',
  ),
  weights_nan: optimize(
    'BackendValueError',
    'weights hold NaN or infinity',
    'export the weights again, and look for values that are not finite',
  ),
  calibration_shape: optimize(
    'BadInputsShape',
    'calibration data has another shape, type or count than the input of the network',
    'CALIB_NPZ with windows of exactly the input length',
    [
      {
        cause: 'calibration data for {calibLayer} has shape {shapeGiven}, and the network takes {shapeWanted}',
        fix: 'give calibration data (CALIB_NPZ) of shape {shapeWanted}, without or with a first axis of samples',
      },
    ],
  ),
  calibration_input_name: optimize(
    'KeyError',
    'calibration data is given for an input name that the network does not have',
    'name it <network>/input_layer1',
  ),
  optimize_subprocess: optimize(
    'SubprocessFailure',
    'a worker process of the optimiser died; its own cause is not in the log',
    'HAILO_DISABLE_MO_SUB_PROCESS=1, to see the cause',
  ),
  sdk_bug_optimize: optimize(
    'OptimizeFailed',
    'the optimiser failed inside its own code: a known kind of defect',
    'another version of the compiler, or its patch',
  ),
  har_not_optimized: compile(
    'BackendRuntimeException',
    'compilation was asked of a HAR without quantised weights',
    'run the optimize step first',
  ),
  har_build_failed_unspecified: parse(
    'HARBuildFailed',
    'no HAR was made, and the log does not say why',
    'read the log of the parse step',
  ),
  model_script_error: optimize(
    'AllocatorScriptParserException',
    'the model script names a layer, command or file that does not exist, or does not fit the end of the network',
    'remove the offending line from the model script',
    [
      {
        when: /NMSMetaArchitectures/,
        cause: "this Dataflow Compiler does not know the post-processing '{metaArch}': the Model Zoo is newer than it",
        fix: 'install the pair that belongs together: python3 -m pip list | grep -i hailo, then upgrade the compiler',
      },
    ],
  ),
  parse_unsupported_op: parse(
    'UnsupportedModelError',
    'the parser has no layer for an operator in this form',
    'rewrite the operator as a convolution or an elementwise layer',
  ),
  parse_unsupported_op_with_recommendation: parse(
    'ParsingWithRecommendationException',
    'the parser has no layer for some operators, and names the nodes to end at instead',
    'end at the recommended nodes, and see which part of the network that cuts off',
  ),
  parse_unsupported_dimensions: parse(
    'UnsupportedModelError',
    'a tensor has a rank or a dimension that the parser does not take',
    'keep every tensor at [1, C, 1, T]',
  ),
  parse_internal_error: parse(
    'ParseFailed',
    'the parser itself failed on the file: an opset, a name or a structure that it does not expect',
    'check-model MODEL.onnx, then: onnxsim MODEL.onnx simple.onnx, and give simple.onnx',
    [
      {
        when: /is not in list|unable to find (?:end|start) node|MisspellNode/i,
        cause: "the graph has no node or tensor '{nodeAsked}': a start or end node is misspelt, or of another export",
        fix:
          'python3 -c "import onnx; print([n.name for n in onnx.load(\'MODEL.onnx\').graph.node])" shows the names ' +
          'to give as start and end nodes',
      },
      {
        when: /opset/i,
        cause: 'the parser does not take the opset of the file',
        fix: 'export with opset 11 to 17, or convert: onnx.version_converter.convert_version(model, 17)',
      },
      {
        when: /DecodeError|protobuf|Error parsing message|wire type/i,
        cause: 'the parser could not read the file: it is cut short, damaged, or no ONNX',
        fix: 'ls -l MODEL.onnx; head -c 200 MODEL.onnx | strings; check-model MODEL.onnx',
      },
    ],
  ),
}
