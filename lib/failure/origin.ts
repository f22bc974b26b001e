/**
 * Tells which tools wrote a log.
 *
 * A word that means one thing in a compiler's log means another in a driver's, so only the signatures of the tools that
 * took part are tried.
 */
import { exact, phrase } from './patterns.ts'
import type { Family } from './signatures/index.ts'

/** Words that only TensorRT, CUDA and their tools use. */
export const tensorrtWords = exact`
  \[TRT\]|TensorRT|tensorrt|\bTRT\b|nvinfer|trtexec|onnx2trt|polygraphy|Myelin|ForeignNode|engine plan
  |IBuilder|Serialization assertion|minBufferSize|Error Code \d|Error\[\d|optimization profile|\bprofile \d+\b
  |\btactic\b
  |TF32|cuBLAS|timing cache|ModelImporter|\bFP16\b|UNSUPPORTED_NODE|builtin_op_importers|\bIn node -?\d{1,6} \(
  |[Dd]ifference exceeds tolerance|NVML|NVIDIA-SMI|NVIDIA driver
  |DefaultLogger|CUDNN_STATUS|CUBLAS_STATUS|cudaError|CUDA_ERROR|CUDA initialization|capabilities: \[\[gpu
  |[gG]etPluginCreator|IPluginCreator|coreReadArchive|safeDeserialization|deserialize the cuda engine
  |(?:CUDA|CUDNN|CUBLAS) failure \d|CUDA error|Cuda Error in|CUDA driver version|CUDA capability
  |no kernel image|Nouveau kernel driver|NVRM: |nvidia-container-cli|NvMapMem|unknown embedded device
  |Network And Config setup failed|CUDA library libcu|cuDNN DSO|providers_cuda\.dll`
const hailortWords = exact`
  \[HailoRT|HAILO_(?:[A-Z]+_)*[A-Z]{3,}\b|hailortcli|libhailort|pyhailort|hailo_platform
  |HailoRT\w{0,40}(?:Exception|Error)
  |\bhailo(?:net|filter|muxer|python|cropper|overlay|aggregator)\b|\bv?[Dd]evice\b[^\n]{0,80}[Hh]ailo|\/dev\/(?:hailo
  |h1x)|\.hef\b|HailoRT|hailo(?:_pci|1x|8_fw|rt\b)
  |hailort|\bhailo \d{4}:|firmware\/hailo|\bhailo\/hailo
  |\bVDevice\b`
const onnxruntimeWords = phrase`Inferred shape and existing shape
  |ONNXRuntimeError|onnxruntime|ExecutionProvider|\bORT\b|onnx\.checker|onnx_cpp2py_export
  |QuantizeLinear|\bBFCArena\b|Non-zero status code returned while running
  |external data|\.onnx[._]data\b|missing from input feed|dimensions for input|Ort(?:::|Session|Status)
  |protobuf parsing failed|\bNode \([^)\n]{0,120}\) Op \(|onnx model is too large|maximum protobuf size`
/** Words that nothing but the Dataflow Compiler prints. */
const compilerWords = exact`
  hailo_sdk|hailo_model_optimization|acceleras|Acceleras|hailo (?:parser|optimize|compiler|har)|\bHAR\b|\.har\b|\.alls\b
  |[Mm]odel [Ss]cript|Translation (?:started|completed|failed)|Model Optimization|Backend\w{2,30}Exception
  |Mapping Failed
  |Agent infeasible|No successful assign|NegativeSlope|ParsingWithRecommendation|Parsing failed with
  |bin\/hailo\w{0,2}"|Dataflow Compiler|hailo_tools
  |\bhailo_dataflow
  |SubprocessTracebackFailure|BadInputsShape|input_layer\d[^\n]{0,60}shape|Hailo Model Zoo
  |Failed to produce compiled graph`
/** Words of tools that are neither a compiler of Hailo nor a runtime: their "partition" or "operator" means another. */
const elsewhereWords = exact`
  \bsystemd\[|\.service\b|\b(?:sbatch|srun|salloc|scontrol)\b|slurm|\b[Dd]ocker\b|Error response from daemon
  |\btorch(?:\.\w|vision)|\baten::|\bpip(?:3|'s)?\b|\bapt(?:-get)?\b|\bdpkg\b|\bnpm\b|node:internal|node_modules
  |\bDKMS\b|\bdkms\b|\bmodprobe\b|\bNVRM\b|\bgst[_-]|GStreamer|GstPipeline|erroneous pipeline|libcamera|urllib3
  |requests\.exceptions|huggingface|\bgit(?:hub)?\b|\bssh\b|\bcurl\b|\bkubelet\b|CMake|collect2|/usr/bin/ld|meson
  |\b[Nn]e[Mm]o\b|nemo_|v4l2|ffmpeg|AddressSanitizer|pcieport|[Nn]ouveau|ERR_MODULE_NOT_FOUND|self\.export|\.export\(`
/** Words that belong to a compiler's log where no other tool is named. */
const vocabulary = phrase`alloca|mapping|context|sub-?cluster|calib|quanti[sz]|parser?\b|parsing|\bop(?:erator
  |eration)?s?\b|onnx|opset|layers?\b
  |kernel|compil|optimi[sz]|weights?|params?\b|reshape|partition|microcode|memory units|\bSRAM\b|initializer|\bnode\b
  |Assertion|crash|Aborted
  |segmentation|core dumped|deconv|stride|network|\bgraph\b|subprocess|worker|process pool|timed out|timeout|vertex
  |script|protobuf
  |resources|parameter|\bbias\b|allow_pickle|input_layer\d|NMSMeta|\btensor\b|dynamic input|Unsupported\w{1,40}Error
  |input name|locate class|has no attribute|std::`

/** What is known of a log's origin. */
export interface Origin {
  /** The families of signatures that apply. */
  readonly families: ReadonlySet<Family>
  /** Tools of a device, and no compiler of Hailo, wrote it. */
  readonly isForeign: boolean
}

/** Which tools wrote a log, by their words. */
export function originOf(text: string): Origin {
  const isCompiler = compilerWords.test(text)
  const isHailort = hailortWords.test(text)
  const isTensorrt = tensorrtWords.test(text)
  const isOnnxruntime = onnxruntimeWords.test(text)
  const isForeign = isHailort || isTensorrt || isOnnxruntime
  const found: Family[] = ['host', 'services', 'python', 'environment', 'driver', 'last']
  if (isOnnxruntime && (!isCompiler || text.includes('ONNXRuntimeError'))) found.push('onnxruntime')
  if (isTensorrt && !isCompiler) found.push('tensorrt')
  const isElsewhere = elsewhereWords.test(text)
  if (isHailort || !(isTensorrt || isOnnxruntime || isElsewhere)) found.push('hailort')
  if (isCompiler || (!isForeign && !isElsewhere && vocabulary.test(text))) found.push('compiler')
  return { families: new Set(found), isForeign: isForeign && !isCompiler }
}
