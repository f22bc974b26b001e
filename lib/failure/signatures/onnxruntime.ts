/**
 * Signatures of ONNX Runtime, and of other programs that read ONNX and refuse it.
 *
 * Most have a mark of their own: "[ONNXRuntimeError] : 10 : INVALID_GRAPH : …".
 */
import { phrase } from '../patterns.ts'
import { at, type Signature } from '../signature.ts'

const [any, parse, runtime] = [at('any'), at('parse'), at('runtime')]

/** Refusals at loading and at running. */
export const onnxruntimeSignatures: readonly Signature[] = [
  any(
    'onnx_too_new',
    phrase`unsupported model IR version|max supported IR version|IR[_ ]version[^\n]{0,40}(?:higher|newer|greater
      |not supported)
      |opset \d{1,3} is under development|official support for domain[^\n]{0,40}is till opset
      |guarantees\W{0,3} support for models stamped
      |opset[^\n]{0,40}(?:is )?(?:higher|newer|greater) than|unsupported (?:onnx )?opset`,
    { unless: /^\s*\[?[\d: .-]{0,30}\[?W\b/ },
  ),
  any(
    'onnx_external_data',
    phrase`external (?:data|initializer)[^\n]{0,200}(?:fail|not|cannot|doesn't|out of bounds|exceed|empty)
      |(?:fail|cannot|unable)\w{0,3}[^\n]{0,100}external (?:data|initializer)|model_path must not be empty
      |\.(?:onnx[._])?data\b[^\n]{0,100}(?:doesn't exist|does not exist|not accessible|no such file|not found
      |GetFileLength)
      |GetFileLength for \S{1,200} failed|Data of TensorProto|GetExtDataFromTensorProto
      |no such file[^\n]{0,100}\.(?:onnx[._])?data\b`,
  ),
  parse(
    'onnx_unknown_operator',
    phrase`No Op registered for \w{1,60} with domain_version|is not a registered function\/op|not a registered (?:op
      |operator|function)|unknown (?:onnx )?(?:domain
      |custom op)
      |No opset import for domain|no schema registered for|No Op or Function`,
  ),
  parse('onnx_no_kernel', /could not find an implementation for|NOT_IMPLEMENTED|Failed to find kernel for/i, {
    unless: /HAILO|HailoRT/,
  }),
  parse(
    'onnx_quantised_invalid',
    [
      /QuantizeLinear|QLinear|zero[_ ]?point|Quantized|\bQDQ\b/i,
      phrase`Type Error|Type parameter|is invalid|must be|mismatch|axis|not (?:equal|match|supported)|inconsistent`,
    ],
    { unless: /Could not find an implementation|acceleras|hailo/i },
  ),
  runtime(
    'onnx_input_mismatch',
    phrase`invalid dimensions for input|invalid rank for input|unexpected input data type|missing from input feed
      |Invalid (?:Feed )?Input Name|Missing Input:|INVALID_ARGUMENT : (?:Got|Unexpected|Missing|Invalid)`,
  ),
  any(
    'host_oom',
    phrase`failed to allocate memory for requested buffer|BFCArena[^\n]{0,120}(?:fail|available memory)
      |bad allocation|std::bad_alloc`,
  ),
  any(
    'onnx_provider_missing',
    phrase`ORT build has \[|Failed to (?:create|load)[^\n]{0,40}(?:ExecutionProvider|onnxruntime_providers)
      |Error loading [^\n]{0,80}onnxruntime_providers|libonnxruntime_providers_\w{2,12}\.so[^\n]{0,60}(?:error|fail
      |cannot)
      |(?:ExecutionProvider|EP) (?:is )?not (?:available|supported|enabled|in available)|not in available provider`,
  ),
  any(
    'onnx_tensorrt_provider',
    phrase`TensorRT EP (?:failed|could not)|TensorRT EP execution context|trt_engine != nullptr
      |TensorrtExecutionProvider
      \S{0,80}' Status Message`,
  ),
  any('onnx_too_large', /onnx model is too large|exceeds maximum protobuf size|larger than 2 ?G(?:i?B)?/i),
  any('onnx_unreadable', /UnpackTensor|pre-allocate size does not match|Deserialize tensor \S{1,160} failed/i),
  any(
    'onnx_node_binding',
    phrase`Cannot find module [^\n]{0,120}onnxruntime|onnxruntime_binding\.node|no available backend found
      |onnxruntime\S{0,80}: cannot open shared object file`,
    { unless: /relocating|symbol not found|GLIBC/ },
  ),
  runtime('onnx_node_failed', /Non-zero status code returned while running|Exception during (?:initialization|run)/i),
  any(
    'onnx_unreadable',
    /INVALID_PROTOBUF|protobuf parsing failed|ModelProto does not have a graph|error parsing message/i,
  ),
  any('file_absent', /NO_SUCHFILE|Load model from [^\n]{1,200}File doesn't exist/i),
  parse(
    'onnx_invalid_graph',
    phrase`INVALID_GRAPH|This is an invalid model|\bType Error:|(?:Shape|Type)InferenceError
      |checker\.ValidationError|not output of any previous nodes|topologically sorted|Graph must be in single static
      |Unrecognized attribute|Inferred shape and existing shape differ`,
  ),
]
