/**
 * How does TensorRT say that a build or an engine failed?
 *
 * Its buckets and its signatures, root causes first: what only follows from an earlier error (a cascade) and what is
 * only a
 * warning stand last, so that they name the failure only when nothing else does.
 */
import type { Bucket } from './buckets.ts'
import type { Signature } from './signatures.ts'
import { exact, phrase } from './patterns.ts'

const bucket = (exceptionType: string, cause: string, nextKnob: string): Bucket => ({
  stage: 'build',
  exceptionType,
  cause,
  nextKnob,
  isInfeasible: false,
})

export const tensorrtBuckets: Record<string, Bucket> = {
  api_removed_trt11: bucket(
    'AttributeError',
    'the call or option was removed from this TensorRT',
    'convert the ONNX to the precision before building',
  ),
  build_failed_cascade: bucket(
    'BuildFailed',
    'the build failed because of an earlier error',
    'read the errors above this one',
  ),
  cuda_init_driver: bucket(
    'CudaInitError',
    'the CUDA driver is absent, too old or not reachable',
    'upgrade the driver, or start the container with the GPU',
  ),
  cuda_init_no_device: bucket(
    'CudaInitError',
    'no CUDA device is visible',
    'check CUDA_VISIBLE_DEVICES and nvidia-smi',
  ),
  cuda_lib_version_skew: bucket(
    'Warning',
    'TensorRT was linked against another version of a CUDA library than the one loaded',
    'check LD_LIBRARY_PATH for duplicates',
  ),
  engine_corrupt: bucket(
    'SerializationError',
    'the engine file is damaged, cut short or not an engine',
    'copy the plan again and compare its SHA-256',
  ),
  engine_device_mismatch: bucket(
    'SerializationError',
    'the engine was built on another model of GPU',
    'rebuild on the target',
  ),
  engine_version_mismatch: bucket(
    'SerializationError',
    'the engine was built by another version of TensorRT',
    'rebuild with the TensorRT that runs it',
  ),
  fp16_layernorm_overflow: bucket(
    'Warning',
    'layer normalisation in FP16 may overflow',
    'export with opset 17, or keep its reductions in FP32',
  ),
  fp16_weight_range: bucket('Warning', 'weights do not fit FP16', 'use BF16, or keep these layers in FP32'),
  gpu_arch_unsupported: bucket(
    'UnsupportedGpu',
    'this TensorRT does not support the architecture of the GPU',
    'change the version of TensorRT',
  ),
  gpu_oom: bucket('OutOfMemory', 'the GPU ran out of memory', 'a smaller workspace, profile or batch'),
  info_tf32_disabled: bucket('', 'an information, no failure: TF32 is off', 'none'),
  int64_cast_warning: bucket(
    'Warning',
    '64-bit integer weights are cast to 32 bits',
    'none, unless the values are large',
  ),
  int64_clamped: bucket(
    'Warning',
    'integer weights outside the range of 32 bits were clamped',
    'check the clamped constants',
  ),
  int8_missing_scale: bucket(
    'CalibrationError',
    'a tensor has no INT8 scale',
    'calibrate again, or quantise explicitly (Q/DQ)',
  ),
  missing_lean_runtime: bucket(
    'LibraryError',
    'a version-compatible plan carries the lean runtime, which is not here',
    'install libnvinfer-lean, or build without version compatibility',
  ),
  missing_shared_library: bucket(
    'LibraryError',
    'a shared library of TensorRT or CUDA cannot be loaded',
    'install the full package, not the lean runtime',
  ),
  network_empty_after_parse_failure: bucket(
    'ParseFailed',
    'the parser failed before, so the network has no output',
    'read the errors of the parser above',
  ),
  no_implementation: bucket(
    'NoImplementation',
    'no kernel implements a node',
    'a lower builder optimisation level, then rewrite the node',
  ),
  no_implementation_workspace: bucket(
    'NoImplementation',
    'no kernel implements a node within the workspace',
    'a larger workspace',
  ),
  op_unsupported: bucket(
    'UnsupportedOp',
    'the importer has no operator or plugin of that name',
    'simplify the ONNX, or load the plugin library',
  ),
  parity_mismatch: bucket(
    'ParityError',
    'the engine and the reference differ by more than the tolerance',
    'bisect the layers, or keep FP32',
  ),
  parity_mismatch_tf32_suspect: bucket(
    'ParityError',
    'the difference is of the size that TF32 makes',
    'build the engine again with TF32 off',
  ),
  precision_constraint_ignored: bucket(
    'Warning',
    'no kernel obeys the requested precision, so the request was ignored',
    'drop the constraint, or rewrite the layer',
  ),
  profile_invalid: bucket(
    'ProfileError',
    'an optimisation profile contradicts the network',
    'make the profile from the contract',
  ),
  profile_missing: bucket(
    'ProfileError',
    'a dynamic input has no optimisation profile',
    'add a profile for that input',
  ),
  shape_out_of_profile: bucket(
    'ProfileError',
    'the shape given at run time is outside every profile',
    'widen the profile',
  ),
  tactic_skipped_memory_warning: bucket(
    'Warning',
    'a tactic was skipped because it wants more memory',
    'none, unless the build fails',
  ),
  tensor_address_unset: bucket('ExecutionError', 'a tensor of the engine has no buffer', 'bind every input and output'),
  timing_cache_invalid: bucket(
    'Warning',
    'the timing cache is of another version or damaged',
    'delete the timing cache',
  ),
}

/** Words that only TensorRT and its tools use: a log with one of them is searched for TensorRT's signatures first. */
export const tensorrtWords = exact`
  \[TRT\]|TensorRT|tensorrt|\bTRT\b|nvinfer|trtexec|onnx2trt|polygraphy|Myelin|ForeignNode|engine plan
  |IBuilder|Serialization assertion|minBufferSize|Error Code \d|Error\[\d|optimization profile|\bprofile \d+\b|\btactic\b|TF32|cuBLAS|timing cache|ModelImporter`

const build = 'build' as const
const said = (name: string, match: Signature['match'], more: Partial<Signature> = {}): Signature => ({
  bucket: name,
  stage: build,
  match,
  ...more,
})

const badness = /not|fail|mismatch|invalid|corrupt|incompatible|ignor|unable|discard/i

/** First match wins. */
export const tensorrtSignatures: readonly Signature[] = [
  said('api_removed_trt11', [/has no attribute/i, /tensorrt|\btrt\b|BuilderFlag|Builder|Engine|Context|Runtime/i]),
  said(
    'api_removed_trt11',
    phrase`
      unknown option:? ?-{1,2}(?:fp16|int8|bf16|fp8|best|stronglyTyped|workspace|explicitBatch)
      |(?:removed|no longer (?:available|supported)) (?:in|since|from) TensorRT (?:1[01]|\d)`,
  ),
  said('missing_lean_runtime', /unable to load library:? ?libnvinfer_lean/i),
  said(
    'missing_shared_library',
    phrase`cannot open shared object file|unable to load library
      |(?:could|can) ?not (?:load|open) (?:dynamic |shared )?library|DLL load failed|No module named '?tensorrt
      |lib(?:nvinfer|nvonnxparser|cudnn|cudart|cublas)\S{0,60} (?:not found|is missing)`,
  ),
  said(
    'cuda_init_no_device',
    phrase`CUDA initialization failure with error:? ?(?:100|38|101)\b|no CUDA-capable device
      |cudaErrorNoDevice|CUDA_ERROR_NO_DEVICE|no CUDA devices?|cudaErrorInvalidDevice\b`,
  ),
  said(
    'cuda_init_driver',
    phrase`CUDA initialization failure|driver version is insufficient|cudaErrorInsufficientDriver
      |CUDA_ERROR_(?:SYSTEM_DRIVER|NOT_INITIALIZED|UNKNOWN)|libcuda\.so\S{0,20} not found
      |CUDA driver (?:is )?(?:not|too old|absent)`,
  ),
  said(
    'gpu_arch_unsupported',
    phrase`Unsupported SM\b|SM ?\d{2,3}\b[^\n]{0,40}(?:not|un) ?supported
      |no kernel image is available|compute capability[^\n]{0,60}(?:not supported|unsupported|no longer)
      |GPU architecture[^\n]{0,40}(?:not supported|unsupported)`,
  ),
  said(
    'engine_corrupt',
    phrase`got 0\.0\.0|failed to verify a plan tag|plan[^\n]{0,40}(?:corrupt|truncated|damaged)
      |engine[^\n]{0,40}(?:corrupt|truncated|damaged)|header\.(?:size|pad|crc)
      |bufferSize >= minBufferSize|match archive size|checksum[^\n]{0,30}(?:mismatch|fail)`,
    { andNot: /timing cache/i },
  ),
  said(
    'engine_version_mismatch',
    phrase`version tag does not match|plan major version does not match|(?:safe|std)VersionRead ==
      |not compatible with this version of TensorRT|expecting library version|serialized engine version
      |engine[^\n]{0,60}(?:different|older|newer|incompatible) version`,
    { andNot: /timing cache/i },
  ),
  said(
    'engine_device_mismatch',
    phrase`incompatible device|different models of devices|expecting compute \d
      |generated on (?:an? )?(?:different|another|incompatible)[^\n]{0,20}(?:device|gpu)
      |built (?:on|for) (?:a )?different (?:gpu|device)`,
  ),
  said(
    'op_unsupported',
    phrase`FallbackPluginImporter|plugin not found|could not find plugin|getPluginCreator
      |no importer registered|unsupported (?:onnx )?(?:operator|op|node|layer)\b|UNSUPPORTED_NODE
      |(?:op|operator|node) \S{1,60} is not supported|no plugin named`,
  ),
  said('no_implementation_workspace', phrase`could not find any implementation|no implementation (?:was )?found`, {
    and: phrase`insuf+icient (?:memory|workspace)|increas\w+ (?:the )?workspace|workspace size|try (?:de|in)creasing`,
  }),
  said(
    'gpu_oom',
    phrase`OutOfMemory\b|out of memory|could not be allocated|cudaErrorMemoryAllocation
      |CUDA_ERROR_OUT_OF_MEMORY|unable to allocate[^\n]{0,60}(?:memory|bytes)`,
  ),
  said('no_implementation', /could not find any implementation|no implementation (?:was )?found for node/i),
  said(
    'shape_out_of_profile',
    phrase`satisfyProfile|not satisfy any optimization profile|exceed\w* min ~ max range
      |min ~ max|(?:shape|dimension)s?[^\n]{0,60}(?:out of|outside|not (?:in|within))[^\n]{0,20}(?:profile|range)`,
  ),
  said(
    'profile_missing',
    phrase`no optimization profile|missing (?:dimensions|shapes?|values?) in profile
      |(?:dynamic|runtime)[^\n]{0,60}(?:without|no|lacks?|requires?|needs?)[^\n]{0,20}profile
      |profile[^\n]{0,30}(?:not|never) (?:been )?(?:defined|set|specified)|need at least one optimization profile`,
  ),
  said(
    'profile_invalid',
    phrase`but profile \d+ has|for profile \d+ (?:violate|are|is)|violate shape constraints
      |does not match network definition|profile \d*\s?(?:is )?(?:invalid|not valid|inconsistent)
      |(?:invalid|inconsistent)[^\n]{0,30}profile|(?:kMIN|kOPT|kMAX)`,
  ),
  said(
    'tensor_address_unset',
    phrase`address is not set for|neither address (?:n?or) allocator
      |tensor address[^\n]{0,40}(?:not|un)\s?(?:been )?set|(?:null|unset|missing) (?:tensor )?address
      |address[^\n]{0,30}is (?:null|not bound)`,
  ),
  said(
    'int8_missing_scale',
    phrase`missing (?:int8 )?(?:scale|dynamic range)
      |(?:scale|dynamic range)s? (?:is |are )?(?:missing|not (?:set|provided|found))|provide (?:dynamic range|scale)
      |calibration (?:cache|table)[^\n]{0,40}missing|(?:no|without) (?:int8 )?(?:scale|calibrat(?:or|ion))\b
      |calibrator is not being used|scaling factor[^\n]{0,20}(?:missing|not)`,
  ),
  said('timing_cache_invalid', [/timing cache/i, badness]),
  said('engine_corrupt', /magicTag|magic tag|deserializ\w+[^\n]{0,60}fail/i),
  said(
    'parity_mismatch_tf32_suspect',
    phrase`exceeds? (?:the )?tolerance|difference exceeds
      |outputs? (?:do not|don't|mis)\s?match|FAILED \||mismatched elements`,
    { and: /tf32|(?:abs|rel|max)[^\n]{0,40}(?:\d(?:\.\d{1,9})?e-0?[34]\b|\b0\.00(?:0[1-9]|[1-4])\d{0,9}\b)/i },
  ),
  said(
    'parity_mismatch',
    phrase`exceeds? (?:the )?tolerance|difference exceeds|outputs? (?:do not|don't|mis)\s?match
      |FAILED \||mismatched elements|accuracy (?:check|comparison)[^\n]{0,30}fail`,
  ),
  said('fp16_layernorm_overflow', /layer ?norm\w*[^\n]{0,120}(?:FP16|overflow)|FP16 Reduce or Pow/i),
  said(
    'fp16_weight_range',
    phrase`overflow in FP16|subnormal FP16|smallest positive FP16
      |(?:range|representable)[^\n]{0,20}FP16|closest finite FP16`,
  ),
  said('int64_clamped', /outside the range of INT32|clamped|clamping/i, { and: /int32|int64/i }),
  said(
    'int64_cast_warning',
    /INT64 weights|not natively support INT64|cast(?:ing)? down to INT32|int64[^\n]{0,60}int32/i,
  ),
  said(
    'precision_constraint_ignored',
    phrase`obeys? the requested constraints|conforming implementation
      |precision[^\n]{0,60}(?:ignored|not (?:be )?(?:obeyed|honou?red))
      |constraints?[^\n]{0,30}(?:ignored|not (?:be )?(?:obeyed|honou?red))`,
  ),
  said(
    'tactic_skipped_memory_warning',
    phrase`skipping tactic|tactic device request|device memory is insufficient
      |insuf+icient memory`,
  ),
  said('cuda_lib_version_skew', /linked against[^\n]{0,80}but loaded/i),
  said('network_empty_after_parse_failure', /network must have at least one output|network has no outputs?/i),
  said(
    'build_failed_cascade',
    phrase`Assertion \(?engine\w{0,8} ?!= ?(?:nullptr|null)|engine could not be created
      |engine set ?up failed|engine creation failed|(?:builder|network validation|build\w*) failed
      |failed to (?:build|create|parse)[^\n]{0,40}(?:engine|network|model|onnx)|could not build`,
  ),
  said('info_tf32_disabled', /TF32 is disabled/i),
]
