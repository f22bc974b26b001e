/**
 * Says why TensorRT builds no engine, and what its builds only mention, with what helps.
 */
import { bucketAt, type Bucket } from '../bucket.ts'

const build = bucketAt('build')
const fold = 'polygraphy surgeon sanitize MODEL.onnx --fold-constants -o folded.onnx'

/** Buckets of a build. */
export const buildBuckets: Readonly<Record<string, Bucket>> = {
  build_failed_cascade: build(
    'BuildFailed',
    'the build failed because of an earlier error',
    'read the errors above this one',
    [
      {
        when: /NoneType/,
        cause: 'an earlier call of TensorRT gave nothing back (None), and the program went on with it',
        fix:
          'print what TensorRT itself says: trt.Logger(trt.Logger.VERBOSE), or trtexec --loadEngine=MODEL.plan ' +
          '--verbose',
      },
    ],
  ),
  builder_internal: build(
    'InternalError',
    "TensorRT's builder failed inside: a defect of that version, set off by this graph",
    'another version of TensorRT, or a lower builder optimisation level',
    [
      {
        cause: "TensorRT's builder failed inside: a defect of that version, set off by this graph",
        fix: `another version of TensorRT, or trtexec --builderOptimizationLevel=2; first: ${fold}`,
      },
    ],
  ),
  int8_missing_scale: build(
    'CalibrationError',
    'a tensor has no INT8 scale',
    'calibrate again, or quantise explicitly (Q/DQ)',
  ),
  network_empty_after_parse_failure: build(
    'ParseFailed',
    'the parser failed before, so the network has no output',
    'read the errors of the parser above',
  ),
  no_implementation: build(
    'NoImplementation',
    'no kernel implements a node',
    'a lower builder optimisation level, then rewrite the node',
    [
      {
        cause: 'no kernel implements the node {node}',
        fix: 'trtexec --onnx=MODEL.onnx --builderOptimizationLevel=2, or another precision; then rewrite that node',
      },
    ],
  ),
  no_implementation_workspace: build(
    'NoImplementation',
    'no kernel implements a node within the workspace',
    'a larger workspace',
    [
      {
        cause: 'no kernel implements the node {node} within the workspace',
        fix: 'trtexec --onnx=MODEL.onnx --memPoolSize=workspace:4096 --saveEngine=MODEL.plan',
      },
    ],
  ),
  onnx_parse_failed: build(
    'ParseFailed',
    "TensorRT's parser refused a node of the graph",
    'fold its constants (polygraphy surgeon sanitize), then build from the folded file',
    [
      {
        when: /convert_?onnx_?weights/i,
        cause:
          'TensorRT could not read the weights of the model: their file is not beside it, or their type is not taken',
        fix: 'ls -l beside MODEL.onnx for its external data; check-model MODEL.onnx; then export again with float32',
      },
      {
        when: /dynamic axes|allValuesKnown|is_weights|must be an initializer|constant/i,
        cause:
          'node {nodeNumber} ({node}): its axes or sizes are computed in the graph, and TensorRT wants them constant',
        fix: `${fold}; if it stays, export with constant axes`,
      },
      {
        when: /shape tensor/i,
        cause: 'node {node}: a shape is computed with more than one axis, which TensorRT does not do',
        fix: `${fold}; if it stays, export with fixed shapes`,
      },
      {
        cause: "TensorRT's parser refused node {nodeNumber} ({node})",
        fix: `${fold}, then build from folded.onnx`,
      },
    ],
  ),
  shape_contradiction: build(
    'ShapeError',
    'the shapes of the graph contradict each other at this input shape',
    'give the input shape that the model was exported for, or export again',
    [
      {
        when: /reshape changes volume|reshap/i,
        cause: 'the reshape {node} is not possible: {shapeFrom} does not hold as many numbers as {shapeTo}',
        fix:
          'give the input shape that the model was exported for (trtexec --shapes=…), or export again with ' +
          'that axis dynamic',
      },
      {
        when: /reshape changes volume/i,
        cause: 'a reshape is not possible at this input shape: the numbers before and after are not as many',
        fix:
          'give the input shape that the model was exported for (trtexec --shapes=…), or export again with ' +
          'that axis dynamic',
      },
      {
        cause: 'the shapes at {node} contradict each other',
        fix: 'give the input shape that the model was exported for (trtexec --shapes=…), or export again',
      },
    ],
  ),
  op_unsupported: build(
    'UnsupportedOp',
    'the importer has no operator or plugin of that name',
    'simplify the ONNX, or load the plugin library',
    [
      {
        when: /deserializ|PluginCreator|Plugin Registry/i,
        cause: 'the engine uses the plugin {op}, whose library is not loaded',
        fix:
          'trtexec --loadEngine=MODEL.plan --dynamicPlugins=libPLUGIN.so (8.x: --plugins=); in a program: ' +
          'initLibNvInferPlugins, and load the library of the plugin before the engine',
      },
      {
        when: /deserializ|PluginCreator|Plugin Registry/i,
        cause: 'the engine uses a plugin whose library is not loaded',
        fix:
          'trtexec --loadEngine=MODEL.plan --dynamicPlugins=libPLUGIN.so (8.x: --plugins=); in a program: ' +
          'initLibNvInferPlugins, and load the library of the plugin before the engine',
      },
      {
        cause: "TensorRT's parser has no operator or plugin for node {nodeNumber} ({node})",
        fix: `${fold}; for a plugin of your own: trtexec --dynamicPlugins=libPLUGIN.so`,
      },
      {
        cause: "TensorRT's parser has no operator or plugin named {op}",
        fix: `${fold}; for a plugin of your own: trtexec --dynamicPlugins=libPLUGIN.so`,
      },
    ],
  ),
  profile_invalid: build(
    'ProfileError',
    'an optimisation profile contradicts the network',
    'make the profile from the contract',
    [
      {
        when: /Cannot find input tensor/i,
        cause: 'the network has no input {inputAsked}, for which shapes were given',
        fix: 'take the name that the network gives: polygraphy inspect model FILE.onnx',
      },
    ],
  ),
  profile_missing: build(
    'ProfileError',
    'a dynamic input has no optimisation profile',
    'add a profile for that input',
    [
      {
        cause: 'the dynamic input {tensor} has no optimisation profile',
        fix: 'trtexec --minShapes={tensor}:1x… --optShapes={tensor}:… --maxShapes={tensor}:…',
      },
    ],
  ),
  tool_option: build(
    'UsageError',
    'the tool does not know an option',
    'the help of trtexec shows those of this version',
    [
      { cause: 'the tool does not know the option {option}', fix: 'trtexec --help | grep -i {optionName}' },
      { cause: 'the tool does not know an option', fix: 'trtexec --help' },
    ],
  ),
  dla_unsupported: build(
    'DlaError',
    'a layer cannot run on the DLA, and the GPU may not take it over',
    'let the GPU take over what the DLA cannot, or build for the GPU',
    [
      {
        cause: 'a layer cannot run on the DLA, and the GPU may not take it over',
        fix: 'trtexec --useDLACore=0 --allowGPUFallback, or build for the GPU (no --useDLACore)',
      },
    ],
  ),
}

/** What a successful build says too. */
export const noticeBuckets: Readonly<Record<string, Bucket>> = {
  fp16_layernorm_overflow: build(
    'Warning',
    'layer normalisation in FP16 may overflow',
    'export with opset 17, or keep its reductions in FP32',
  ),
  fp16_weight_range: build('Warning', 'weights do not fit FP16', 'use BF16, or keep these layers in FP32'),
  info_tf32_disabled: build('', 'an information, no failure: TF32 is off', 'none'),
  int64_cast_warning: build(
    'Warning',
    '64-bit integer weights are cast to 32 bits',
    'none, unless the values are large',
  ),
  int64_clamped: build(
    'Warning',
    'integer weights outside the range of 32 bits were clamped',
    'check the clamped constants',
  ),
  precision_constraint_ignored: build(
    'Warning',
    'no kernel obeys the requested precision, so the request was ignored',
    'drop the constraint, or rewrite the layer',
  ),
  tactic_skipped_memory_warning: build(
    'Warning',
    'a tactic was skipped because it wants more memory',
    'none, unless the build fails',
  ),
  timing_cache_invalid: build(
    'Warning',
    'the timing cache is of another version or damaged',
    'delete the timing cache',
  ),
}
