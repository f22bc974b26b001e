/**
 * Signatures of TensorRT, CUDA and their tools.
 *
 * Causes: of these the first line in the log counts. What only follows from an earlier error, and what successful
 * builds say too, is in `tensorrt-notices.ts`.
 */
import { lines, phrase } from '../patterns.ts'
import { at, type Signature } from '../signature.ts'

const build = at('build')
const notTheCache = { andNot: /timing cache/i }

const machine: readonly Signature[] = [
  build('gpu_lost', /NVRM: Xid|fallen off the bus|GPU is lost|Unable to determine the device handle/i),
  build('gpu_oom', /NvMapMemAlloc\w{0,20}:? [^\n]{0,40}error 12/i),
  build('gpu_arch_unsupported', /Unknown embedded device|CUDA capability sm_\d{2,3} is not compatible/i),
  build('missing_lean_runtime', /unable to load library:? ?libnvinfer_lean/i),
  build(
    'missing_shared_library',
    phrase`cannot open shared object file|error while loading shared libraries|unable to load library
      |(?:could|can) ?not (?:load|open) (?:dynamic |shared )?library|DLL load failed
      |LoadLibrary failed with error 126|Couldn't open CUDA library
      |Unable to load cuDNN DSO
      |No module named '?(?:tensorrt|pycuda|cuda\b|polygraphy)
      |lib(?:nvinfer|nvonnxparser|cudnn|cudart|cublas)\S{0,60} (?:not found|is missing)
      |\.so[\w.]{0,20}: file too short`,
  ),
  build('gpu_oom', /CUDA initialization failure with error:? ?2\b/i),
  build(
    'cuda_init_no_device',
    phrase`CUDA initialization failure with error:? ?(?:100|38|101)\b|no CUDA-capable device
      |cudaErrorNoDevice|CUDA_ERROR_NO_DEVICE|no CUDA devices?|cudaErrorInvalidDevice\b|No CUDA GPUs are available
      |could not select device driver "[^"\n]{0,20}" ?with capabilities: \[\[gpu`,
  ),
  build(
    'cuda_init_driver',
    phrase`CUDA initialization failure|driver version is insufficient|cudaErrorInsufficientDriver
      |CUDA_ERROR_(?:SYSTEM_DRIVER|NOT_INITIALIZED|UNKNOWN)|libcuda\.so\S{0,20} not found|Failed to initialize NVML
      |Nouveau kernel driver is currently in use
      |CUDA driver (?:is )?(?:not|too old|absent|initialization failed)|NVML: |NVIDIA-SMI has failed
      |NVIDIA driver (?:on your system )?is too old|couldn't communicate with the NVIDIA driver|Found no NVIDIA driver
      |forward compatibility was attempted`,
  ),
  build(
    'gpu_arch_unsupported',
    phrase`Unsupported SM\b|SM ?\d{2,3}\b[^\n]{0,40}(?:not|un) ?supported
      |no kernel image is available|compute capability[^\n]{0,60}(?:not supported|unsupported|no longer)
      |GPU architecture[^\n]{0,40}(?:not supported|unsupported)|cudaErrorNoKernelImageForDevice`,
  ),
]

const engine: readonly Signature[] = [
  build('no_plan', /the build ended with exit code 0, and/i),
  build('api_removed_trt11', [/has no attribute/i, /tensorrt|\btrt\b|BuilderFlag|Builder|Engine|Context|Runtime/i], {
    unless: /'NoneType'/,
  }),
  build(
    'api_removed_trt11',
    phrase`
      unknown option:? ?-{1,2}(?:fp16|int8|bf16|fp8|best|stronglyTyped|workspace|explicitBatch)\b
      |(?:removed|no longer (?:available|supported)) (?:in|since|from) TensorRT (?:1[01]|\d)`,
  ),
  build('file_absent', /Error opening engine file|Could not open (?:engine|plan) file/i),
  build('file_absent', [/could not open file|no such file/i, /\.onnx\b/i]),
  build(
    'engine_version_mismatch',
    phrase`incompatible serialization version|version tag does not match|plan major version does not match
      |(?:safe|std)VersionRead ==
      |not compatible with this version of TensorRT|serialized engine version
      |engine[^\n]{0,60}(?:different|older|newer|incompatible) version`,
    { andNot: /timing cache/i, unless: /got 0\.0\.0/ },
  ),
  build(
    'engine_corrupt',
    phrase`got 0\.0\.0|failed to verify a plan tag|plan[^\n]{0,40}(?:corrupt|truncated|damaged)
      |engine[^\n]{0,40}(?:corrupt|truncated|damaged)|header\.(?:size|pad|crc)
      |bufferSize >= minBufferSize|match archive size|checksum[^\n]{0,30}(?:mismatch|fail)`,
    notTheCache,
  ),
  build(
    'engine_device_mismatch',
    phrase`incompatible device|different models of devices|expecting compute \d
      |generated on (?:an? )?(?:different|another|incompatible)[^\n]{0,20}(?:device|gpu)
      |built (?:on|for) (?:a )?different (?:gpu|device)`,
  ),
]

const building: readonly Signature[] = [
  build(
    'onnx_external_data',
    phrase`failed to open (?:external|weights?) (?:data )?file|external (?:data|weights?)[^\n]{0,80}(?:not|fail|missing)
      |\.onnx[._]data\b[^\n]{0,80}(?:not|fail|missing)|(?:fail|not)[^\n]{0,80}\.onnx[._]data\b`,
  ),
  build(
    'op_unsupported',
    phrase`FallbackPluginImporter|plugin not found|could not find plugin|getPluginCreator
      |IPluginCreator not found|not found in Plugin Registry|no importer registered|unsupported (?:onnx )?(?:operator
      |op|node|layer)\b
      |(?:op|operator|node) \S{1,60} is not supported|no plugin named|Cannot find plugin`,
    { unless: /\bDLA\b/ },
  ),
  build(
    'shape_contradiction',
    phrase`reshape changes volume|reshape would change volume|dimensions? mismatch|mismatch(?:ed|ing)? dimensions
      |broadcast[^\n]{0,60}(?:incompatible|inconsistent|not|fail)|must have the same (?:rank|dimensions|volume)
      |dimensions (?:are |is )?(?:not compatible|incompatible|inconsistent|must (?:match|be equal))
      |channel count[^\n]{0,40}(?:match|divisible)|kernel weights has count \d|wrong number of (?:dimensions|weights)
      |inconsistent (?:dimensions|shapes)|different (?:number of )?dimensions`,
    { unless: /profile/i },
  ),
  build(
    'onnx_parse_failed',
    phrase`dynamic axes|applied to shape tensor|shape tensor[^\n]{0,60}(?:must|not|cannot)
      |Assertion failed: [^\n]{0,200}&& "|UNSUPPORTED_GRAPH|INVALID_GRAPH|INVALID_NODE|UNSUPPORTED_NODE_(?:ATTR|INPUT
      |DATATYPE)
      |In function (?:import|parse)[A-Z]|Invalid Node - |Func of the error:import|convert_?onnx_?weights
      |tensors\.count\(input_name\)|_importer_ctx|is_weights\(\)|must be an initializer
      |builtin_op_importers\.cpp:\d{1,6} In function|In node \d{1,6} \(convert_\w{2,40}\): UNSUPPORTED_NODE
      |unsupported (?:onnx )?data type|data type[^\n]{0,60}not supported|Found unsupported datatype`,
    { unless: /FallbackPlugin|plugin not found/i },
  ),
  build('onnx_unreadable', [/libprotobuf|protobuf|ModelProto/i, /error|fail|could not|unable/i]),
  build('no_implementation_workspace', phrase`could not find any implementation|no implementation (?:was )?found`, {
    and: phrase`insuf+icient (?:memory|workspace)|increas\w+ (?:the )?workspace|workspace size|try (?:de|in)creasing`,
  }),
  build(
    'gpu_oom',
    phrase`OutOfMemory\b|out of memory|could not be allocated|cudaErrorMemoryAllocation
      |CUDA_ERROR_OUT_OF_MEMORY|unable to allocate[^\n]{0,60}(?:memory|bytes)`,
  ),
  build('no_implementation', /could not find any implementation|no implementation (?:was )?found for node/i),
  build(
    'dla_unsupported',
    /\bDLA\b[^\n]{0,80}(?:not supported|unsupported|cannot|fail)|GPU fallback is not (?:enabled|allowed)/i,
  ),
  build(
    'int8_missing_scale',
    phrase`missing (?:int8 )?(?:scale|dynamic range)
      |(?:scale|dynamic range)s? (?:is |are )?(?:missing|not (?:set|provided|found))|provide (?:dynamic range|scale)
      |calibration (?:cache|table)[^\n]{0,40}missing|(?:no|without) (?:int8 )?(?:scale|calibrat(?:or|ion))\b
      |calibrator is not being used|no (?:int8 )?calibrator (?:\w{1,10} )?specified|in tensorScales
      |scaling factors? (?:\w{1,10} )?(?:missing|not|detected)|no scaling factors`,
  ),
]

const running: readonly Signature[] = [
  build(
    'shape_out_of_profile',
    phrase`satisfyProfile|not satisfy any optimization profile|exceed\w* min ~ max range|Static dimension mismatch
      |min ~ max|(?:shape|dimension)s?[^\n]{0,60}(?:out of|outside|not (?:in|within))[^\n]{0,20}(?:profile|range)`,
  ),
  build(
    'profile_missing',
    phrase`no optimization profile|profile is missing (?:values|shapes|dimensions)|missing (?:dimensions|shapes?
      |values?) in profile
      |(?:dynamic|runtime)[^\n]{0,60}(?:without|no|lacks?|requires?|needs?)[^\n]{0,20}profile
      |profile[^\n]{0,30}(?:not|never) (?:been )?(?:defined|set|specified)|need at least one optimization profile
      |Number of optimization profiles does not match`,
  ),
  build(
    'profile_invalid',
    phrase`Cannot find input tensor with name|but profile \d+ has|for profile \d+ (?:violate|are|is)
      |violate shape constraints
      |does not match network definition|profile \d*\s?(?:is )?(?:invalid|not valid|inconsistent)
      |(?:invalid|inconsistent)[^\n]{0,30}profile|(?:kMIN|kOPT|kMAX)`,
  ),
  build(
    'tensor_address_unset',
    phrase`address is not set for|neither address (?:n?or) allocator
      |tensor address[^\n]{0,40}(?:not|un)\s?(?:been )?set|(?:null|unset|missing) (?:tensor )?address
      |address[^\n]{0,30}is (?:null|not bound)`,
  ),
  build(
    'cudnn_not_initialized',
    /CUDNN_STATUS_NOT_INITIALIZED|CUBLAS_STATUS_NOT_INITIALIZED|Failed to initialize CUDNN|cudnnCreate/i,
  ),
  build(
    'cuda_error',
    phrase`(?:CUDA|CUDNN|CUBLAS|CUDNN_FE) failure (?!2\b)\d{1,5}|illegal memory access|cudaErrorIllegalAddress
      |misaligned address|device-side assert
      |unspecified launch failure|cudaErrorLaunch\w{4,30}|CU(?:BLAS|DNN|FFT)_STATUS_(?!ALLOC)\w{4,40}
      |invalid device function
      |Cuda Runtime \((?!out of memory)|cuTensor[^\n]{0,40}(?:fail|error)|CUDA error:? (?!out of memory
      |CU\w{3,4}_STATUS_ALLOC)\w{3}`,
  ),
  build('engine_version_mismatch', /magicTag|magic tag/i, notTheCache),
  build(
    'engine_not_read',
    /deserializ\w+[^\n]{0,60}fail|fail\w{0,3}[^\n]{0,40}deserializ|could not deserialize engine/i,
    {
      ...notTheCache,
      rank: 'cascade',
    },
  ),
  build('tool_option', /unknown option:? ?-{1,2}\w|unrecognized arguments?: -/i),
  build(
    'parity_mismatch_tf32_suspect',
    phrase`exceeds? (?:the )?tolerance|difference exceeds
      |outputs? (?:do not|don't|mis)\s?match|FAILED \| (?!Command|Runtime)|mismatched elements`,
    {
      and: phrase`tf32|(?:abs|rel|max)[^\n]{0,40}(?:\d(?:\.\d{1,9})?e-0?[34]\b|\b0\.00(?:0[1-9]|[1-4])\d{0,9}\b)`,
      andNot: /tf32 ?[=:] ?(?:False|0|off|disabled)|TF32 is disabled|noTF32/i,
    },
  ),
  build(
    'parity_mismatch',
    phrase`exceeds? (?:the )?tolerance|difference exceeds|outputs? (?:do not|don't|mis)\s?match
      |FAILED \| (?!Command|Runtime)|mismatched elements|accuracy (?:check|comparison)[^\n]{0,30}fail`,
  ),
]

/** Causes, in order of precedence on one line. */
export const tensorrtSignatures: readonly Signature[] = [
  ...machine,
  ...engine,
  ...building,
  ...running,
  build('engine_call_wrong', /Parameter check failed at|API Usage Error/i, {
    unless: /at least one output/i,
    rank: 'cascade',
  }),
  build(
    'builder_internal',
    lines`Error Code (?:1|2|9|10): (?:Internal Error|Myelin)|MyelinCheckException|Internal Error \(Assertion
      |Assertion [^\n]{3,160} failed\. ?\)?$`,
    { unless: /engine\w{0,8} ?!=|timing cache|thread: \[|\.cu:\d/i },
  ),
]
