/**
 * More sentences for tests of the classifier: kinds of failure that few texts cover, and logs that look like another
 * kind.
 *
 * Written for this project, as those of `texts.ts` are.
 */

/** Bucket, then a text of that kind. */
export const moreFailureTexts: readonly (readonly [bucket: string, text: string])[] = [
  ['runtime_no_device', '[HailoRT] [error] Failed to open device file /dev/hailo1 with error 2'],
  ['runtime_no_device', '[HailoRT] [error] CHECK_SUCCESS failed with status=HAILO_DRIVER_OPERATION_FAILED(36)'],
  ['runtime_no_device', 'hailortcli scan: found no devices'],
  ['runtime_no_device', 'PCIe scan returned an empty list: no Hailo-8 board on this bus'],
  ['runtime_no_device', 'hailortcli: cannot open /dev/hailo0 (EBUSY), another process uses it'],
  ['runtime_no_device', '[HailoRT] [error] Ioctl HAILO_VDMA_ENABLE failed; the device /dev/hailo0 was disconnected'],
  [
    'parse_internal_error',
    '[info] Translation started on ONNX model tasnet\n' +
      'onnx.onnx_cpp2py_export.shape_inference.InferenceError: [TypeInferenceError] Inferred elem type differs from the existing',
  ],
  [
    'parse_internal_error',
    '[ShapeInferenceError] (op_type:Reshape, node name: /masker/R): Dimension could not be inferred',
  ],
  [
    'parse_internal_error',
    '[info] Translation started on ONNX model m\nRecursionError: maximum recursion depth exceeded while walking the graph',
  ],
  ['parse_internal_error', 'google.protobuf.message.DecodeError: Wrong wire type in tag. (net.onnx)'],
  [
    'calibration_input_name',
    '[error] calibration file gives "wave", but the inputs of the network are: tasnet/input_layer1',
  ],
  [
    'calibration_input_name',
    'ValueError: calib data: keys {mix} and network inputs {net/input_layer1, net/input_layer2} are not the same set',
  ],
  [
    'calibration_input_name',
    'The calibration dictionary was given for "x"; the model names its inputs ["net/input_layer1"]',
  ],
  ['host_oom', 'InternalError: Dst tensor is not initialized.'],
  ['host_oom', 'tensorflow: Failed copying input tensor from GPU to CPU in order to run MatMul'],
  [
    'host_oom',
    'E tensorflow/stream_executor/cuda/cuda_blas.cc: failed to create cublas handle: CUBLAS_STATUS_ALLOC_FAILED',
  ],
  ['host_oom', 'fork: Cannot allocate memory'],
  ['runtime_buffer_size', 'HailoRTInvalidFrameException: Input frame has shape (1, 8000, 1), not (1, 16000, 1)'],
  ['runtime_buffer_size', 'pyhailort: array item size is 2, not 4 as the vstream wants'],
  ['runtime_buffer_size', 'memory view of 64004 bytes cannot hold frames of 64000 bytes each (vstream net/conv8)'],
  [
    'runtime_stream_ambiguous',
    'network group "m" exposes outputs conv3, conv9; tell me which of these streams is the second voice',
  ],
  ['runtime_stream_ambiguous', 'this HEF has two inputs (mix, state): which stream is the audio?'],
  [
    'allocator_timeout',
    '[error] Mapping Failed (Timeout, allocation time: 44m 2s)\n[error] Compilation failed with unexpected crash',
  ],
  [
    'allocator_timeout',
    'Mapping Failed (time out after 30m)\nBackendAllocatorException: Compilation failed with unexpected crash',
  ],
  [
    'resource_memory_units',
    '[error] Memory units capacity exceeded (available: 8, required: 9)\n' +
      'BackendAllocatorException: Compilation failed with unexpected crash',
  ],
  [
    'allocator_infeasible',
    'No successful assignments: conv2 errors:\n\tAgent infeasible\nCompilation failed with unexpected crash',
  ],
  [
    'reshape_layout',
    'Reshape is needed for layers: conv4, but adding a reshape has failed\nCompilation failed with unexpected crash',
  ],
  ['compiler_crash', "Assertion `fits' failed.\nBackendAllocatorException: Compilation failed with unexpected crash"],
  ['compiler_crash', 'No successful assignments: dw1 errors:\n\tAgent infeasible\nSegmentation fault (core dumped)'],
  ['compiler_crash', '[info] Starting Hailo allocation and compilation flow\nhailo compiler exited with code 139'],
  ['kernel_unsupported', '[error] No kernel found for conv11: stride 7x1'],
  ['kernel_unsupported', 'BackendAllocatorException: depthwise convolution with dilation 64 is unsupported at dw12'],
  ['quantization_unsupported', 'AccelerasUnsupportedError: 4-bit weights are not supported for normalization3'],
  ['quantization_unsupported', 'Quantization to 16 bit is not implemented for layer n/resize1'],
  ['weights_nan', '[error] parameter tasnet/conv4/bias:0 contains inf'],
  ['har_not_optimized', '[error] hailo compiler: this HAR holds native weights only, optimize it first'],
  ['har_build_failed_unspecified', '[error] no HAR was produced for rung 3'],
  ['model_script_error', '[error] net.alls:4: unexpected token "]"'],
  ['environment_broken_install', "hailo: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.38' not found"],
  ['environment_broken_install', 'The virtual environment of the Dataflow Compiler is broken: bin/python is missing'],
  [
    'runtime_version_mismatch',
    '[HailoRT] [error] firmware 4.19.0 is older than the library, 4.23.0: versions must match',
  ],
  ['runtime_hef_arch_mismatch', 'The HEF targets HAILO15H, but the model runs on HAILO8L here'],
  ['parse_internal_error', '[error] onnx checker: nodes must be topologically sorted'],
  ['calibration_input_name', 'there is no calibration data for input layer net/input_layer2'],
  ['calibration_shape', 'calibration windows have shape (8, 1, 8000) but the network inputs have shape (1, 16000)'],
  [
    'host_disk_full',
    'cp: error writing x.har: No space left on device\n[error] Compilation failed with unexpected crash',
  ],
  ['aborted', 'Received signal 15, shutting down'],
  [
    'engine_corrupt',
    'Error Code 1: Serialization (Serialization assertion plan.header.size == blobSize failed. In parsePlan at runtime.cpp:780)',
  ],
  [
    'engine_corrupt',
    '[runtime.cpp::readHeader::765] Error Code 2: Internal Error (Assertion bufferSize >= minBufferSize failed.)',
  ],
  ['engine_version_mismatch', 'TensorRT plan major version does not match runtime major version.'],
  [
    'cuda_init_driver',
    'catchCudaError at checkMacros.cpp:250 (cudaError 35: CUDA driver version is insufficient for CUDA runtime version)',
  ],
  [
    'network_empty_after_parse_failure',
    'Error Code 4: API Usage Error (Network must have at least one output. In validate)',
  ],
  ['profile_invalid', 'Dynamic-shaped input tensor input has 2 dimensions but profile 0 has 1 dimensions.'],
  [
    'missing_lean_runtime',
    'Error Code 6: API Usage Error (Unable to load library: libnvinfer_lean.so.10: cannot open shared object file)',
  ],
  ['missing_shared_library', 'libnvinfer_plugin.so.8: cannot open shared object file: No such file or directory'],
  ['unknown', 'Use Ctrl+C to cancel. You can then resume.'],
  ['unknown', '[info] Starting Model Optimization\n[info] found no GPU devices'],
  ['unknown', '[info] Successful Mapping (allocation time: 3s)\n[error] the linker went away'],
  ['unknown', '[HailoRT] [error] CHECK_SUCCESS failed with status=HAILO_INTERNAL_FAILURE(8)'],
  ['unknown', '[info] Translation started on ONNX model n\n[error] something that nobody has seen'],
  [
    'unknown',
    '[info] Starting Model Optimization\nTraceback (most recent call last):\n  File "a.py", line 1\n    g()\nSomethingOddError',
  ],
  ['unknown', '# How to stop\n\nPress Ctrl-C once, and a case that runs is ended; press it twice to leave.'],
  ['unknown', 'A run may be cancelled by the user. It is then interrupted by SIGINT, and its rows stay.'],
  ['unknown', 'The operation did not end in success.'],
  ['unknown', 'FAILED: 0 of 5 succeeded'],
  ['not_a_failure', 'Success! HEF saved to /x/net.hef'],
  ['not_a_failure', '[info] Saved HAR to: /x/net.har'],
  ['not_a_failure', 'All stages finished successfully'],
]
