/**
 * Logs of TensorRT, CUDA, trtexec and polygraphy.
 */
const at = '[03/02/2026-08:00:11]'

/** A bucket, what cause and fix must say, and a log. */
export const tensorrtFieldTexts: readonly (readonly [bucket: string, says: RegExp, log: string])[] = [
  [
    'engine_version_mismatch',
    /232.*240/,
    `${at} [TRT] [E] IRuntime::deserializeCudaEngine: Error Code 1: Serialization (Version tag does not match. Note: Current Version: 240, Serialized Engine Version: 232)\n` +
      "Traceback (most recent call last):\nAttributeError: 'NoneType' object has no attribute 'num_io_tensors'",
  ],
  [
    'engine_version_mismatch',
    /8\.5\.1.*8\.6\.1/,
    `${at} [E] [TRT] The engine plan file is not compatible with this version of TensorRT, expecting library version 8.6.1 got 8.5.1, please rebuild.\n` +
      `${at} [E] Engine deserialization failed\n&&&& FAILED TensorRT.trtexec [TensorRT v8601]`,
  ],
  [
    'engine_corrupt',
    /SHA-256/,
    `${at} [TRT] [E] plan file: expecting library version 10.1.0 got 0.0.0, please rebuild.`,
  ],
  [
    'engine_device_mismatch',
    /7\.5.*8\.9/,
    'The engine plan file is generated on an incompatible device, expecting compute 8.9 got compute 7.5, please rebuild.',
  ],
  [
    'build_failed_cascade',
    /None/,
    "import tensorrt as trt\nAttributeError: 'NoneType' object has no attribute 'create_execution_context'",
  ],
  [
    'api_removed_trt11',
    /FP16 is not in this TensorRT/,
    "AttributeError: type object 'tensorrt.tensorrt.BuilderFlag' has no attribute 'FP16'",
  ],
  [
    'tool_option',
    /--workspaces/,
    '[E] Unknown option: --workspaces 4096\n&&&& FAILED TensorRT.trtexec [TensorRT v101303]',
  ],
  [
    'op_unsupported',
    /GridSample_12/,
    `${at} [W] [TRT] Your ONNX model has been generated with INT64 weights, while TensorRT does not natively support INT64. Attempting to cast down to INT32.\n` +
      `${at} [E] [TRT] ModelImporter.cpp:771: While parsing node number 12 [GridSample -> "GridSample_12"]:\n` +
      `${at} [E] [TRT] ModelImporter.cpp:777: ERROR: builtin_op_importers.cpp:4890 In function importFallbackPluginImporter:\n` +
      '[8] Assertion failed: creator && "Plugin not found, are the plugin name, version, and namespace correct?"\n' +
      `${at} [E] Failed to parse onnx file\n&&&& FAILED TensorRT.trtexec [TensorRT v8501]`,
  ],
  [
    'onnx_parse_failed',
    /Resize_30/,
    `${at} [E] [TRT] ModelImporter.cpp:771: While parsing node number 30 [Resize -> "Resize_30"]:\n` +
      `${at} [E] [TRT] ModelImporter.cpp:777: ERROR: builtin_op_importers.cpp:3608 In function importResize:\n` +
      '[8] Assertion failed: scales.is_weights() && "Resize scales must be an initializer!"\n' +
      `${at} [E] Parsing model failed\n${at} [E] Engine set up failed`,
  ],
  [
    'shape_contradiction',
    /\[1,80,3000\].*\[1,512\]/,
    `${at} [TRT] [E] [graphShapeAnalyzer.cpp::analyzeShapes::1285] Error Code 4: Miscellaneous (IShuffleLayer Reshape_7: reshape changes volume. Reshaping [1,80,3000] to [1,512].)`,
  ],
  [
    'shape_contradiction',
    /Add_9/,
    `${at} [TRT] [E] 4: [graphShapeAnalyzer.cpp::analyzeShapes::1872] Error Code 4: Miscellaneous ` +
      '(IElementWiseLayer Add_9: broadcast dimensions must be conformable: dimensions mismatch)',
  ],
  [
    'onnx_unreadable',
    /enc\.onnx is no ONNX model/,
    '[libprotobuf ERROR google/protobuf/text_format.cc:298] Error parsing text-format onnx2trt_onnx.ModelProto: 1:1: Expected identifier\n' +
      '[ERROR] ModelImporter.cpp:735: Failed to parse ONNX model from file: enc.onnx\nAborted (core dumped)',
  ],
  [
    'no_implementation',
    /002_conv/,
    `${at} [TRT] [E] 10: Could not find any implementation for node 002_conv.\nERROR: failed to build the TensorRT engine!`,
  ],
  [
    'no_implementation_workspace',
    /memPoolSize/,
    `${at} [W] [TRT] Skipping tactic 0 due to insufficient memory on requested size of 1170309120 detected for tactic 0.\n` +
      `${at} [E] Error[10]: Error Code 10: Internal Error (Could not find any implementation for node Conv_3.)`,
  ],
  [
    'profile_missing',
    /./,
    '[E] Error[4]: [network.cpp::validate::3100] Error Code 4: Internal Error (Network has dynamic or shape inputs, but no optimization profile has been defined.)\n' +
      '[E] Engine could not be created from network',
  ],
  [
    'shape_out_of_profile',
    /\[1,128,57\] of audio_signal/,
    `${at} [TRT] [E] IExecutionContext::setInputShape: Error Code 3: API Usage Error (Parameter check failed, condition: engineDims.d[i] == dims.d[i]. ` +
      'Set dimension [1,128,57] for tensor audio_signal does not satisfy any optimization profiles.)',
  ],
  [
    'tensor_address_unset',
    /every input and output/,
    'IExecutionContext::enqueueV3: Error Code 3: API Usage Error (Parameter check failed, condition: address != nullptr. Address is not set for input tensor images.)',
  ],
  [
    'builder_internal',
    /builderOptimizationLevel/,
    '[E] IBuilder::buildSerializedNetwork: Error Code 1: Internal Error (MyelinCheckException: autotuner.cpp:2100: CHECK(false) failed.)',
  ],
  [
    'int8_missing_scale',
    /calibrate/,
    'trt_logger.cc:41] DefaultLogger Calibration failure occurred with no scaling factors detected.\ntrt_logger.cc:41] DefaultLogger Builder failed while configuring INT8 mode.',
  ],
  ['gpu_oom', /workspace|batch/, `${at} [TRT] [E] 1: CUDA initialization failure with error: 2`],
  [
    'cuda_init_driver',
    /sudo reboot/,
    'Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 550.90',
  ],
  [
    'cuda_init_driver',
    /driver/,
    'RuntimeError: The NVIDIA driver on your system is too old (found version 11040). Please update your GPU driver.',
  ],
  [
    'cuda_init_no_device',
    /nvidia-container-toolkit/,
    'docker: Error response from daemon: could not select device driver "" with capabilities: [[gpu]].',
  ],
  [
    'gpu_arch_unsupported',
    /SM 60/,
    '[TRT] [E] Error Code 9: API Usage Error (Target GPU SM 60 is not supported by this TensorRT release.)',
  ],
  [
    'cuda_error',
    /compute-sanitizer/,
    '[TRT] [E] 1: [checkMacros.cpp::catchCudaError::202] Error Code 1: Cuda Runtime (an illegal memory access was encountered)\n' +
      '[TRT] [E] 1: Error Code 1: Myelin (final synchronize failed)',
  ],
  [
    'missing_shared_library',
    /libnvinfer\.so\.10/,
    '  File "tensorrt/__init__.py", line 1\nImportError: libnvinfer.so.10: cannot open shared object file: No such file or directory',
  ],
  [
    'parity_mismatch',
    /bisect/,
    '[I] TF32 is disabled by default. Turn on TF32 for better performance with minor accuracy differences.\n' +
      '[I]         Error Metrics: out | Minimum Required Tolerance: elemwise error | [abs=3.1e-04]\n' +
      '[E]         FAILED | Output: out | Difference exceeds tolerance (rel=1e-05, abs=1e-05)\n[E] FAILED | Command: polygraphy run a.onnx',
  ],
  [
    'not_a_failure',
    /none/,
    `${at} [W] [TRT] onnx2trt_utils.cpp:374: Your ONNX model has been generated with INT64 weights. Attempting to cast down to INT32.\n` +
      `${at} [W] [TRT] Skipping tactic 3 due to insufficient memory on requested size of 99.\n` +
      '&&&& PASSED TensorRT.trtexec [TensorRT v8501] # trtexec --onnx=a.onnx',
  ],
  [
    'not_a_failure',
    /none/,
    "[I]     PASSED | All outputs matched | Outputs: ['y']\n[I] PASSED | Runtime: 12.1s | Command: polygraphy run a.onnx --trt",
  ],
]
