/**
 * Logs of ONNX Runtime, of the onnx package, and of the environment around them.
 */

/** A bucket, what cause and fix must say, and a log. */
export const onnxFieldTexts: readonly (readonly [bucket: string, says: RegExp, log: string])[] = [
  [
    'onnx_too_new',
    /IR version 13.*up to 11/,
    '[ONNXRuntimeError] : 1 : FAIL : Load model from net.onnx failed: Unsupported model IR version: 13, max supported IR version: 11',
  ],
  [
    'onnx_too_new',
    /opset 26.*up to 24/,
    'onnxruntime: Fail: [ONNXRuntimeError] : 1 : FAIL : ONNX Runtime only *guarantees* support for models stamped with official released onnx opset versions. ' +
      'Opset 26 is under development and support for this is limited. Current official support for domain ai.onnx is till opset 24.',
  ],
  [
    'onnx_unknown_operator',
    /ConvTranspose in opset 22/,
    '[ONNXRuntimeError] : 10 : INVALID_GRAPH : Error in Node:up : No Op registered for ConvTranspose with domain_version of 22',
  ],
  [
    'onnx_external_data',
    /big\.onnx_data/,
    'onnx.onnx_cpp2py_export.checker.ValidationError: Data of TensorProto ( tensor name: enc.w) should be stored in /d/big.onnx_data, ' +
      "but it doesn't exist or is not accessible.",
  ],
  [
    'onnx_external_data',
    /net\.onnx\.data/,
    '[ONNXRuntimeError] : 1 : FAIL : Deserialize tensor w failed.GetFileLength for net.onnx.data failed:Invalid fd was supplied: -1',
  ],
  [
    'onnx_unreadable',
    /enc\.onnx is no ONNX model/,
    '[ONNXRuntimeError] : 7 : INVALID_PROTOBUF : Load model from enc.onnx failed:Protobuf parsing failed.',
  ],
  [
    'file_absent',
    /./,
    "[ONNXRuntimeError] : 3 : NO_SUCHFILE : Load model from gone.onnx failed:Load model gone.onnx failed. File doesn't exist",
  ],
  [
    'onnx_unknown_operator',
    /FastGelu/,
    '[ONNXRuntimeError] : 1 : FAIL : Fatal error: com.example:FastGelu(-1) is not a registered function/op',
  ],
  [
    'onnx_no_kernel',
    /MatMulInteger.*QuantType\.QUInt8|MatMulInteger/,
    "[ONNXRuntimeError] : 9 : NOT_IMPLEMENTED : Could not find an implementation for MatMulInteger(10) node with name 'dense_quant'",
  ],
  [
    'onnx_no_kernel',
    /gelu_3/,
    "[ONNXRuntimeError] : 9 : NOT_IMPLEMENTED : Could not find an implementation for Gelu(20) node with name 'gelu_3'",
  ],
  [
    'onnx_quantised_invalid',
    /w_zero_point/,
    "[ONNXRuntimeError] : 10 : INVALID_GRAPH : Type Error: Type 'tensor(int16)' of input parameter (w_zero_point) of operator (DequantizeLinear) in node (w_dq) is invalid.",
  ],
  [
    'onnx_quantised_invalid',
    /axis/,
    '[ONNXRuntimeError] : 1 : FAIL : Node (w_DequantizeLinear) Op (DequantizeLinear) [ShapeInferenceError] axis 3 is out of range for a tensor of rank 3',
  ],
  [
    'onnx_invalid_graph',
    /Reshape_2.*Reshape.*tensor\(int32\)/,
    "[ONNXRuntimeError] : 10 : INVALID_GRAPH : Type Error: Type 'tensor(int32)' of input parameter (shape) of operator (Reshape) in node (Reshape_2) is invalid.",
  ],
  [
    'onnx_invalid_graph',
    /allowzero/,
    '[ONNXRuntimeError] : 10 : INVALID_GRAPH : This is an invalid model. Error Unrecognized attribute: allowzero for operator Reshape',
  ],
  [
    'onnx_input_mismatch',
    /audio.*8000.*16000/,
    'onnxruntime InvalidArgument: [ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Got invalid dimensions for input: audio for the following indices\n' +
      ' index: 2 Got: 8000 Expected: 16000\n Please fix either the inputs/outputs or the model.',
  ],
  [
    'onnx_input_mismatch',
    /tensor\(double\).*tensor\(float\)/,
    '[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Unexpected input data type. Actual: (tensor(double)) , expected: (tensor(float))',
  ],
  [
    'onnx_input_mismatch',
    /\['state'\]/,
    "ValueError: Required inputs (['state']) are missing from input feed (['input', 'sr']).",
  ],
  [
    'onnx_node_failed',
    /\/enc\/Reshape_12/,
    "[E:onnxruntime:, sequential_executor.cc:514 ExecuteKernel] Non-zero status code returned while running Reshape node. Name:'/enc/Reshape_12' " +
      'Status Message: The input tensor cannot be reshaped to the requested shape. Input shape:{1,64,251}, requested shape:{1,512}',
  ],
  [
    'host_oom',
    /./,
    "Non-zero status code returned while running Add node. Name:'/b/Add_2' Status Message: bad allocation",
  ],
  [
    'onnx_provider_missing',
    /libcublasLt\.so\.12/,
    '[ONNXRuntimeError] : 1 : FAIL : Failed to load library libonnxruntime_providers_cuda.so with error: libcublasLt.so.12: cannot open shared object file: No such file or directory',
  ],
  [
    'onnx_provider_missing',
    /CUDAExecutionProvider/,
    '[W:onnxruntime:Default, onnxruntime_pybind_state.cc:640 CreateExecutionProviderInstance] Failed to create CUDAExecutionProvider. Please look at the requirements.',
  ],
  [
    'environment_broken_install',
    /libonnxruntime\.so\.1 was built for glibc/,
    'Error: Error loading shared library ld-linux-aarch64.so.1: No such file or directory (needed by /app/bin/libonnxruntime.so.1)',
  ],
  [
    'environment_broken_install',
    /musl/,
    'Error relocating /app/bin/onnxruntime_binding.node: __vsnprintf_chk: symbol not found',
  ],
  [
    'environment_broken_install',
    /GLIBCXX_3\.4\.29/,
    "ImportError: /lib/libstdc++.so.6: version `GLIBCXX_3.4.29' not found (required by /opt/a.so)",
  ],
  ['environment_broken_install', /uname -m/, 'bash: ./compiler: cannot execute binary file: Exec format error'],
  [
    'environment_broken_install',
    /numpy<2/,
    'A module that was compiled using NumPy 1.x cannot be run in NumPy 2.1.1 as it may crash.\nImportError: numpy.core.multiarray failed to import',
  ],
  ['environment_broken_install', /pip install scipy/, "ModuleNotFoundError: No module named 'scipy'"],
  [
    'environment_package',
    /python3 --version/,
    'ERROR: tool-4.2.0-cp310-cp310-linux_x86_64.whl is not a supported wheel on this platform.',
  ],
  ['host_permission', /\/srv\/out/, "PermissionError: [Errno 13] Permission denied: '/srv/out/net.onnx'"],
  ['unknown', /./, 'Traceback (most recent call last):\n  File "app.py", line 8\nIndexError: list index out of range'],
]
