/**
 * By which words is each kind of failure known in a log?
 *
 * A list in order of precedence: what stops every case (a signal, the host, the installation) before what a stage
 * says, and
 * causes before their consequences. A signature is the stable core of a message (an identifier, or two to five words),
 * never its
 * whole line, so that other names, numbers and versions match too. The words of TensorRT are in `failure-tensorrt.ts`.
 */
import type { FailureStage } from './buckets.ts'
import { exact, exactLines, lines, phrase } from './patterns.ts'

/** One way to know a bucket. */
export interface Signature {
  bucket: string
  /** Which part of the log may show it: what a stage says counts only after the last time that stage was completed. */
  stage: FailureStage
  /** One pattern, or several that must all be on one line, in any order. */
  match: RegExp | readonly RegExp[]
  /** Something that the same line must not hold. */
  unless?: RegExp
  /** Something else that the text must hold, anywhere since that completion, information and warnings included. */
  and?: RegExp
  /** Something that the text must not hold, anywhere. */
  andNot?: RegExp
}

const at =
  (stage: FailureStage) =>
  (bucket: string, match: Signature['match'], more: Pick<Signature, 'and' | 'andNot' | 'unless'> = {}): Signature => ({
    bucket,
    stage,
    match,
    ...more,
  })
const [any, runtime, parse, optimize, compile] = [at('any'), at('runtime'), at('parse'), at('optimize'), at('compile')]

/** HailoRT writes a status as `HAILO_NAME(12)`, as `status=12`, or as `failed with error: 12`. */
const status = (...codes: number[]) => {
  const before = '(?:libhailort failed with error:?|HailoRTStatusException:|status(?: code)?\\s?[=:]?)'
  return new RegExp(`${before}\\s?(?:${codes.join('|')})\\b`, 'i')
}

const supported = /(?:not|un)[- ]?(?:currently )?supported|not implemented|no implementation/i

/**
 * A manual tells what may be done, and reports nothing that was; a line with a level, a time or a program's name does.
 */
const instructs = phrase`^(?!\s*(?:\[|<|\d{4}-|[\w.-]{1,60}: )).*
    (?:\b(?:press(?:es|ed|ing)?|hit|may|might|can|could|should|will|would|please|whenever|if|when|until|use
    |to (?:stop|cancel|abort|interrupt|quit))\b|^\s*(?:[|>*#-]|\d{1,2}\.) |\x60[^\x60']{1,60}\x60)`

const host: readonly Signature[] = [
  any(
    'aborted',
    phrase`\b(?:cancel+ed|interrupted|stopped|aborted|terminated|killed) by (?:the )?(?:user
      |operator|request|hand|ctrl|signal (?:2|15)\b|sig(?:int|term|hup))`,
    { unless: instructs },
  ),
  any(
    'aborted',
    phrase`KeyboardInterrupt|\bSIG(?:TERM|INT|HUP)\b|received (?:termination )?signal:? ?(?:1|2|15)\b
      |\bCtrl[-+ ]?C\b|user (?:abort|cancel|interrupt|request)`,
    { unless: instructs, andNot: /TimeoutExpired|timed out|time limit|hard timeout/i },
  ),
  any(
    'aborted',
    lines`^\s{0,8}(?:\^C|Aborted!|Terminated)\s{0,8}$|line \d{1,6}: {1,3}\d{1,9} Terminated\b
      |exit(?:ed)?(?: with)?(?: code| status)?:? ?(?:130|143|-2|-15)\b|CANCELLED AT (?![^\n]{0,80}TIME LIMIT)`,
    { andNot: /TimeoutExpired|timed out|time limit|hard timeout/i },
  ),
  any(
    'aborted',
    phrase`\b(?:build|compil\w{1,6}|mapping|job|run|operation|optimi[sz]ation|translation
      |task) (?:was |has been |is )?(?:cancel+ed|interrupted|aborted)\b(?! (?:with|due|because|on|after|by)|[:(])`,
    { unless: /timed out|time limit|exception|error:/i },
  ),
  any(
    'host_disk_full',
    phrase`no space left on device|\bENOSPC\b|\bEDQUOT\b|Errno (?:28|122)\b|disk (?:is |was )?full
      |quota exceeded|(?:not enough|insufficient|out of|ran out of|no|low on) (?:free |available )?(?:disk|storage)\b
      |insufficient (?:free )?space|file ?system (?:is )?full`,
  ),
  any(
    'host_oom',
    phrase`ResourceExhausted|AccelerasResourceError|\bmemory (?:has been|was|is) exhausted
      |Dst tensor is not initialized|failed copying input tensor from|CU(?:BLAS|DNN|SOLVER)_STATUS_ALLOC_FAILED
      |out of memory\b(?! unit)|\bOOM\b|oom[-_ ]?kill|CUDA_ERROR_OUT_OF_MEMORY|bad_alloc|\bMemoryError\b
      |OUT_OF_HOST_(?:CMA_)?MEMORY`,
  ),
  any(
    'host_oom',
    [phrase`(?:cannot|can't|unable to|failed to|could not|couldn't) allocate`, /memory|bytes|[KMGT]i?B\b/i],
    { unless: /memory units/i },
  ),
  any(
    'host_oom',
    phrase`
      (?:not enough|insufficient|ran out of|out of) (?:free |available )?(?:host |system |gpu |video |device |ram\b)(?:memory
      |ram)?`,
  ),
  any(
    'host_oom',
    exactLines`(?:^|\s)Killed(?:\s|$)|SIGKILL|signal:? 9\b
      |exit(?:ed)?(?: with)?(?: code| status)?:? ?(?:137|-9)\b`,
    { unless: /sub-?process|worker/i, andNot: /timed out|time limit/i },
  ),
]

const running: readonly Signature[] = [
  runtime(
    'runtime_missing_package',
    phrase`no module named '?_?(?:py)?hailo(?:rt|_platform)
      |hailortcli:? (?:command )?not found|cannot import name[^\n]{0,80}hailo_platform
      |install (?:the )?(?:py)?hailo(?:rt|_platform)`,
  ),
  runtime(
    'runtime_missing_package',
    [
      phrase`
      \b(?:hailo_platform|pyhailort|libhailort(?:\.so[\w.]{0,20})?|hailort (?:runtime|library|package))(?![\w])`,
      phrase`not (?:be )?(?:found|installed|available|importable|loaded)|(?:is|are) (?:missing|absent)
      |cannot open shared object|(?:cannot|could not|failed to|unable to) (?:import|load|find|open)`,
    ],
    { unless: /HAILO_[A-Z_]{4,}|symbol/ },
  ),
  runtime(
    'runtime_hef_arch_mismatch',
    phrase`HEF_NOT_COMPATIBLE_WITH_DEVICE|INVALID_DEVICE_ARCHITECTURE|HEF arch\w{0,8}:
      |HEF (?:file |format )?is (?:not compatible|incompatible) with (?:the |this )?device`,
  ),
  runtime(
    'runtime_hef_arch_mismatch',
    [
      /\b(?:hef|hw|device|target)[ _-]?arch/i,
      phrase`mismatch|(?:not|n't) match|differ
      |incompatible|not compatible|but\b`,
    ],
    { unless: /hailo parser|usage:/i },
  ),
  runtime('runtime_hef_arch_mismatch', [
    /compiled for|built for|targets?\b/i,
    /\bhailo-?(?:8|10|12|15)\w?/i,
    /\bhef\b|model/i,
    phrase`\bbut\b|while|cannot run|not (?:compatible|run|supported)|incompatible`,
  ]),
  runtime('runtime_hef_arch_mismatch', status(75, 93)),
  runtime(
    'runtime_version_mismatch',
    phrase`INVALID_DRIVER_VERSION|INVALID_SERVICE_VERSION|UNSUPPORTED_FW_VERSION
      |UNSUPPORTED_CONTROL_PROTOCOL_VERSION|HEF_NOT_SUPPORTED|unsupported extensions|unsupported firmware
      |HEF version (?:does|is|mis|should)`,
  ),
  runtime(
    'runtime_version_mismatch',
    [
      /driver|firmware|libhailort|hailort|\bhef\b|library|service/i,
      /version/i,
      phrase`is different|mismatch|(?:not|n't) match|differs?\b|incompatible|not compatible|older|newer|too old|should be
      |expected`,
    ],
    { and: /hailo|\bhef\b|firmware|driver version/i, unless: /GLIBC|undefined symbol|numpy|input shape/i },
  ),
  runtime('runtime_version_mismatch', status(15, 16, 76, 78, 92)),
  runtime(
    'runtime_buffer_size',
    phrase`INSUFFICIENT_BUFFER|CANT_MEET_BUFFER|InvalidFrame\w{0,12}(?:Exception|Error)
      |item ?size (?:is|of) \d|\d bytes[^\n]{0,40}(?:cannot|can't|do(?:es)? not|must)[^\n]{0,40}frames?\b
      |does not match the frame (?:count|size)
      |(?:expected|got|given|received) \d{1,9} bytes?[^\n]{0,40}(?:expected|got|given|received|but) \d|bytes per frame`,
  ),
  runtime(
    'runtime_buffer_size',
    [
      /\bbuffer\b|frame size|vstream/i,
      /\bsizes?\b|bytes|small|short|large/i,
      phrase`different|mismatch|expected|(?:not|n't) (?:equal|match)|must be|wrong|too (?:small|short|large)|invalid
      |insufficient|unexpected`,
    ],
    { unless: /Agent infeasible|Mapping Failed|allocat|shuffle/i },
  ),
  runtime('runtime_buffer_size', status(5, 84)),
  runtime('runtime_stream_ambiguous', [
    /\bv?streams?\b/i,
    phrase`ambiguous
      |(?:choose|select|specify|pick|pass|name) (?:one|an?|which|the|explicit|--)|explicit|--(?:in|out)put
      |\bwhich (?:of (?:these|them|the)|one|v?stream|(?:in|out)put)`,
  ]),
  runtime('runtime_stream_ambiguous', [
    /\bv?streams?\b/i,
    phrase`
      (?:multiple|several|more than one|[2-9]|two|three) (?:input |output )?v?streams
      |requested (?:input |output )?v?stream|unknown v?stream|no v?stream named`,
  ]),
  runtime(
    'runtime_no_device',
    phrase`OUT_OF_PHYSICAL_DEVICES|HAILO_DEVICE_IN_USE|DRIVER_NOT_INSTALLED
      |DEVICE_NOT_CONNECTED|DEVICE_TEMPORARILY_UNAVAILABLE|HAILO_CONNECTION_REFUSED|not enough free devices
      |can't find hailo pcie|fail\w{0,4} to create v?device|fail\w{0,4} to open device|HAILO_DRIVER_OPERATION_FAILED`,
  ),
  runtime('runtime_no_device', phrase`(?:found|finds?|detected|sees?) no (?:\w{1,12} )?(?:devices?|boards?|chips?)\b`, {
    unless: /gpu|cuda|nvidia/i,
  }),
  runtime('runtime_no_device', [
    /\/dev\/(?:hailo|h1x)/,
    phrase`fail\w{0,4}\b|cannot|can't|could not|couldn't|unable|denied
      |disconnected|\b(?:EBUSY|ENODEV|ENOENT|EACCES|ENXIO)\b`,
  ]),
  runtime('runtime_no_device', [
    /hailo|\/dev\/h1x|\bpcie\b|vdevice/i,
    /devices?\b|board|chip|accelerator|\/dev\//i,
    phrase`\bno\b[^\n]{0,40}(?:found|detected|connected|available|devices?|board)
      |not (?:found|detected|connected|present|available)|in use|\bbusy\b|no such file|permission denied|held by
      |already (?:used|open)|0 devices`,
  ]),
  runtime('runtime_no_device', status(36, 64, 73, 74, 96, 97)),
  runtime('runtime_version_mismatch', /HEF file length does not match|HEF md5|HEF_FILE_CORRUPTED|HAILO_RPC_FAILED/i),
  runtime('runtime_hef_arch_mismatch', /HAILO_INVALID_HEF|HailoRTInvalidHEFException/i),
]

const installation: readonly Signature[] = [
  any(
    'environment_broken_install',
    phrase`symbol lookup error|undefined symbol|PathLike object, not NoneType
      |ModuleNotFoundError|no module named|\bImportError\b|cannot open shared object file
      |GLIBC(?:XX)?_\d[\w.]{0,12}'? not found|command not found|invalid choice: '(?:parser|optimize|compiler)'
      |exec format error|DistributionNotFound|VersionConflict|compiled using NumPy
      |no such file or directory: '?(?:\S{0,80}/)?hailo\w*'|(?:hailo|compiler|dfc)\w{0,12}: not found|wrong ELF class
      |illegal instruction`,
  ),
  any(
    'environment_broken_install',
    [
      phrase`dataflow compiler|\bdfc\b|hailo_sdk|\bsdk\b|toolchain|hailo (?:cli|tool)`,
      phrase`not (?:be )?(?:installed|found)|broken|incomplete|is missing|licen[cs]e|corrupt`,
    ],
    { unless: /layer|node/i },
  ),
]

const parsing: readonly Signature[] = [
  any(
    'weights_nan',
    [
      phrase`(?<!calib[^\n]{0,100})(?:\bnans?\b|\binf(?:s|inity|inite)?\b|non-?finite|not finite)`,
      phrase`weights?|param|kernel|bias|initiali[sz]er|tensor|values?|constants?|coefficients?`,
    ],
    { unless: /(?:loss|snr|accuracy)\W{0,3}(?:nan|inf)/i },
  ),
  optimize(
    'model_script_error',
    exact`ScriptParser\w{0,20}(?:Exception|Error)|NMSConfig\w{0,30}Exception
      |IllegalModelScript|not a valid NMSMetaArchitectures|Cannot infer bbox conv|Error in the last layers of the model
      |pyparsing\.\w{0,20}ParseException`,
  ),
  optimize('model_script_error', [
    /(?:model|alls|allocator)[ _]script|\.alls\b/i,
    phrase`error|invalid|fail|unknown
      |unexpected|illegal|not (?:valid|found)|no such|unrecogni[sz]ed|syntax|undefined|cannot|could not|unable|refers`,
  ]),
  optimize(
    'model_script_error',
    [
      /\blayers?\b/i,
      phrase`
      (?:not|n't) (?:found|exist|be found|resolved|part)(?: in)? ?(?:the |this )?(?:\w{1,12} )?(?:model
      |network|hn|graph|scope)|no (?:such )?layer`,
    ],
    { unless: /calib|onnx|ScriptNot/i },
  ),
  optimize(
    'model_script_error',
    phrase`
      (?:unknown|invalid|unsupported|illegal) (?:command|directive|parameter)s?[^\n]{0,60}(?:script
      |_param|_config|_optimization|quantization)`,
  ),
  parse(
    'parse_unsupported_op_with_recommendation',
    phrase`ParsingWithRecommendation|Parsing failed with recommendation
      |parse again with the recommendation|using these (?:start |end )?(?:and end )?node names`,
  ),
  parse('parse_unsupported_op_with_recommendation', [/recommend|suggest/i, /\b(?:end|start)[-_ ]nodes?|node names/i]),
  parse(
    'parse_unsupported_dimensions',
    phrase`Unsupported\w{0,20}(?:Dim|Rank|Shape|Format)\w{0,20}Error
      |unsupported (?:input |output |tensor |layer |number of )?(?:dim\w{0,8}|rank|shapes?)\b`,
    { unless: /calib|HN shapes/i },
  ),
  parse(
    'parse_unsupported_dimensions',
    [
      phrase`\b\d-?D\b|\brank\b|\bdim(?:s|ension\w{0,3})?\b
      |(?:dynamic|symbolic) (?:input |output |tensor )?(?:shape|axis|axes|batch)`,
      phrase`(?:not|un)[- ]?supported
      |too (?:many|large|big|high)|exceeds?|not allowed|only (?:supports?|accepts?|\d)
      |(?:must|should|expected to) be (?:static|fixed|4|rank)|dynamic (?:shape|dim|axis|axes|batch)`,
    ],
    {
      unless: phrase`calib|HN shapes|acceleras|Agent infeasible
        |Unsupported(?!Model|Input|Output|Dim|Rank|Shape|Tensor)\w{0,40}(?:Layer|Operation)\w{0,10}Error`,
    },
  ),
  parse(
    'parse_unsupported_op',
    phrase`\bUnsupported(?!Quant)\w{1,40}Error\b|UnexpectedNodeError
      |operation is (?:not supported|unsupported)|Failed to determine type of layer
      |Failed to create [\w ]{1,40}layer at vertex|not broadcastable
      |unsupported (?:onnx )?(?:op\b|operator|operation|layer|activation)`,
    { unless: /acceleras\.|Acceleras/ },
  ),
  parse(
    'parse_unsupported_op',
    [phrase`\bop(?:erator|eration)?s?\b|\bnodes?\b|onnx|\bpars(?:er|ing)\b|vertex`, supported],
    { unless: phrase`calib|Acceleras|precision|quantiz|kernel|deconv|opset|Agent infeasible|Mapping Failed` },
  ),
  parse(
    'parse_internal_error',
    phrase`'[^'\n]{1,120}' is not in list|MisspellNodeError|unable to find (?:end|start) node
      |checker\.ValidationError|Translation failed|DecodeError|Error parsing message|encountered error during parsing
      |INVALID_(?:GRAPH|PROTOBUF)|internal (?:parser|parsing|translation) error|parser (?:crashed|failed|internal|bug)`,
  ),
  parse(
    'parse_internal_error',
    phrase`\b(?:Shape|Type)InferenceError\b|shape_inference\.\w{0,20}Error
      |onnx[^\n]{0,80}(?:InferenceError|ValidationError)|topologically sorted`,
  ),
  parse('parse_internal_error', [/opset/i, /error|fail|support|official|guarantee|convert|invalid/i]),
  parse('parse_internal_error', [
    /onnx|protobuf|model file|translat/i,
    phrase`
      (?:fail\w{0,3}|unable|could not|cannot|error) (?:to )?(?:load|pars|read|translat|convert|deseriali)
      |unexpected (?:error|exception)|corrupt|truncated|invalid (?:model|graph|protobuf)`,
  ]),
  parse(
    'parse_internal_error',
    exact`
      \b(?:StopIteration|IndexError|KeyError|AttributeError|TypeError|ValueError|AssertionError
      |NotImplementedError|RecursionError|RuntimeError)\b`,
    {
      and: exact`Translation started|model_translator|translate_onnx|_parse_onnx|onnx_translator|onnx_graph|backend/parser
        |parser onnx`,
      andNot: /acceleras|hailo_model_optimization/,
    },
  ),
  parse(
    'parse_internal_error',
    phrase`\bPars(?:ing|er)\w{0,20}(?:Exception|Error)\b|\bParsing failed\b
      |unexpected (?:error|exception) (?:while|during|in|when) (?:the )?(?:pars|translat)`,
    { unless: /argparse/ },
  ),
]

const optimizing: readonly Signature[] = [
  compile(
    'har_not_optimized',
    phrase`requires? quantized weights|forget to quantize
      |(?:un-?quantized|un-?optimized|non-?quantized|not[- ](?:yet )?(?:quantized|optimized)) (?:har|model|weights)
      |not (?:available|allowed|possible)[^\n]{0,20} (?:under|in) (?:the )?state|InvalidStateException`,
  ),
  compile('har_not_optimized', [
    /\bhar\b|model|network|weights|runner/i,
    phrase`
      (?:not|n't|never)(?: yet)?(?: been)?(?: yet)? (?:quantized|optimized)
      |(?:quantize|optimize) (?:it |the \w{1,10} )?(?:first|before)|(?:quantized|optimized) before`,
  ]),
  optimize(
    'quantization_negative_exponent',
    phrase`NegativeSlopeExponent|NegativeExponent|Desired shift (?:is|of)
      |unsupported required slope|only \d{1,3} data bits|negative[- ]exponent`,
  ),
  optimize('calibration_input_name', /KeyError:? ?['"]?[^\n'"]{0,120}input_?(?:layer)?\d?['"]?\s*$/im, {
    andNot: /model_translator|onnx_graph/,
  }),
  optimize(
    'calibration_input_name',
    [
      /calib|dataset/i,
      /\binputs?\b|\bkeys?\b|\blayers?\b|\bnames?\b/i,
      phrase`unknown|no such|undefined|unrecogni[sz]ed|does(?: not|n't) exist|not (?:found|in |an input|part|a valid|among)
      |missing|(?:do|does)(?: not|n't) (?:match|contain|have|include|correspond)|unexpected|expect(?:s|ed)?\b
      |no (?:\w{1,12} )?(?:input|entry|data) (?:named|called|for)`,
    ],
    { unless: /BadInputsShape|\bshapes?\b|dimension|\blength\b|No arrays|dtype/i },
  ),
  optimize(
    'calibration_input_name',
    [
      /calib/i,
      phrase`\bkeys?\b|\bgives?\b|\bgiven for\b|\bhas\b|\bnamed?\b|\bcalled\b`,
      phrase`(?:network|model|net|graph|hn)(?:'s)? (?:input (?:layers?|names?)|inputs)\b|\bits inputs\b
      |\binputs? (?:layers? )?of the (?:network|model)`,
    ],
    { unless: /BadInputsShape|\bshapes?\b|dimension|\blength\b|No arrays|dtype/i },
  ),
  optimize(
    'calibration_input_name',
    [
      /input (?:layer )?names?/i,
      phrase`(?:not|n't) match|mismatch|unknown|not found
      |invalid|expected`,
    ],
    { unless: /onnx|\bshapes?\b/i },
  ),
  optimize(
    'calibration_shape',
    phrase`BadInputs\w{0,12}|Inference input shapes|(?:not|n't) match HN shapes
      |(?:not|n't) match (?:the )?network'?s? input shape|Data shape \([^\n]{1,60}for layer|Unexpected model input [HWC]\b
      |Cannot calibrate with|Object arrays cannot be loaded`,
  ),
  optimize('calibration_shape', [
    /calib/i,
    phrase`\bshapes?\b|\bsizes?\b|length|\bd?types?\b|dim|rank|layout|count|number
      |samples?|images?|entries|arrays?|payload|channels|width|format|data|set\b`,
    phrase`mismatch|expect|unsupported
      |(?:not|n't) match|invalid|wrong|incompatible|too (?:few|small|short|long|many)|\bgot\b|empty|required?|must
      |no arrays|at least|not (?:enough|supported|equal)|zero|insufficient|differ|nan\b`,
  ]),
  optimize('calibration_shape', [/calib/i, /\bshapes?\b/i, /\b(?:but|while|whereas|instead)\b/i]),
  optimize(
    'calibration_shape',
    [
      /dataset|input (?:data|shape|samples?)/i,
      /\bshapes?\b|dtype|ndim|rank/i,
      /mismatch|expect|(?:not|n't) match|incompatible|wrong/i,
    ],
    { unless: /onnx|parser|constant|HailoRT/i },
  ),
  optimize(
    'quantization_unsupported',
    exact`Acceleras(?:Unsupported|Implementation)\w{0,12}
      |Unsupported\w{0,12}Quantiz\w{0,30}|Quantiz\w{0,20}(?:NotSupported|Unsupported)\w{0,12}`,
  ),
  optimize(
    'quantization_unsupported',
    [
      phrase`quanti[sz]|precision[_ ]mode|\ba\d{1,2}_w\d{1,2}|acceleras|negative range
      |bit[- ]?width|8[- ]bit|16[- ]bit|4[- ]bit`,
      phrase`(?:not|un)[- ]?supported|not implemented|no implementation
      |is not accurate|cannot be quanti[sz]ed`,
    ],
    { unless: /16[- ]?bit (?:L\d )?bias|Agent infeasible|Mapping Failed/i },
  ),
  optimize(
    'sdk_bug_optimize',
    phrase`Could not locate class|Unknown layer:|ElementwiseAddDirectOp
      |has no attribute '(?:neg_weights|get_activation_name)'|tf_rgb_to_hailo|register_keras_serializable
      |apu_?neg_?mantissa`,
  ),
  optimize(
    'sdk_bug_optimize',
    exact`
      \b(?:AttributeError|TypeError|IndexError|KeyError|ZeroDivisionError|NotImplementedError
      |AssertionError|NameError|UnboundLocalError|RuntimeError|ValueError|RecursionError)\b`,
    {
      and: phrase`hailo_model_optimization|acceleras|/keras/|keras\.|tensorflow/python|model_optimization|\.optimize\(
        |Starting Model Optimization|Exception encountered when calling layer|lat_model|LATModel`,
    },
  ),
  optimize(
    'optimize_subprocess',
    phrase`Subprocess\w{0,20}(?:Failure|Failed|Error|Exception)|BrokenProcessPool
      |process in the process pool|sub-?process[^\n]{0,40}(?:failed|died|crashed|exit|terminated|ended|killed|return)`,
  ),
  optimize('optimize_subprocess', [
    phrase`optimi[sz]|acceleras|quanti[sz]|multiprocessing|\bworker\b|child process`,
    phrase`worker[^\n]{0,40}(?:died|crashed|exited|terminated|killed|failed|lost|dead)
      |child process[^\n]{0,30}(?:died|crash|exit|kill|terminat)|non-?zero exit|exit ?code|EOFError|ConnectionResetError
      |BrokenPipe`,
  ]),
  optimize(
    'sdk_bug_optimize',
    /ZeroDivisionError|\bAcceleras\w{0,30}(?:Error|Exception)\b|object has no attribute '\w{1,60}'/,
  ),
]

const compiling: readonly Signature[] = [
  compile(
    'compiler_crash',
    phrase`\bAssertion\W{1,3}[^\n]{0,400}failed|unexpected crash|segmentation fault|core dumped
      |\bSIG(?:SEGV|ABRT|FPE|BUS)\b|terminate called|internal compiler error|compiler[^\n]{0,20} crash|stack smashing
      |double free|free\(\): invalid|Check failed: |\bkey \S{1,200} (?:does(?:n't| not) exist|not found)
      |exit(?:ed)?(?: with)?(?: code| status)?:? ?(?:139|134|136|-11|-6)\b
      |std::(?:out_of_range|logic_error|runtime_error|length_error)|_M_range_check|map::at`,
  ),
  compile(
    'kernel_unsupported',
    phrase`not supported with groups|unsupported kernel|no kernel (?:for|found|exists)
      |More than one output is not supported`,
  ),
  compile('kernel_unsupported', [/kernel|deconv|dilat|stride|grouped|super conv/i, supported], {
    unless: /failed on kernel validation/i,
  }),
  compile(
    'reshape_layout',
    phrase`Reshape is needed|adding a reshape|failed to add (?:spatial |automatic )?reshape
      |reshape[^\n]{0,60}(?:could not|cannot|failed to|can't) be (?:added|inserted|placed)
      |(?:could not|cannot|failed to|unable to) (?:add|insert|place) (?:a |the |spatial )?reshape`,
  ),
  compile('allocator_infeasible_16bit_bias', /16[- ]?bit (?:L\d )?bias|16x4 is not supported/i),
  compile('allocator_timeout', /Mapping Failed \(Time ?out|Watchdog expired/i),
  compile(
    'allocator_timeout',
    [
      phrase`mapping|allocation|allocator|splitter|placement|partition(?:er|ing)`,
      phrase`time(?:d)? ?out|ran out of time|time (?:budget|limit)|out of time`,
    ],
    {
      unless: phrase`wrapper|hard timeout|TimeoutExpired|case timeout|compile timed out|budget exhausted
      |wall[- ]?(?:clock|time)`,
    },
  ),
  compile(
    'resource_exhausted_partition',
    phrase`valid partition to contexts|Automri finished|too many resources
      |required too many|too many (?:SCs|sub-?clusters)|more than \d{1,4} sub-?clusters|auto ?defused? failed
      |failed to reach required FPS`,
  ),
  compile('resource_exhausted_partition', [/partition/i, /(?:no|not|n't|fail\w{0,3}|unable|without)\b[^\n]{0,40}/i], {
    unless: /device|disk|Found valid partition/i,
  }),
  compile('resource_memory_units', [
    phrase`memory units?|L[1-4] (?:memory|weights)|microcode|on-?chip memory
      |weights? memory|\bSRAM\b`,
    phrase`exceed|overflow|insufficient|not enough|too (?:many|large|big)|capacity|available`,
  ]),
  compile(
    'resource_exhausted_single_context',
    phrase`
      (?:not|n't|unable to|fail\w{0,3} to)(?: be)? fit\w{0,4}[^\n]{0,40}(?:single|one)[- ]context
      |context switch is disabled|failed to save enough resources|resources? presolve failed
      |does(?: not|n't) fit (?:in|into|on) (?:the )?(?:chip|device)`,
  ),
  compile(
    'resource_exhausted_single_context',
    [
      /single[- ]context|\bresources?\b/i,
      phrase`exceed|insufficient|not enough
      |exhaust|over the limit|too many`,
    ],
    { andNot: /Agent infeasible|No successful assignment/i },
  ),
  compile(
    'allocator_infeasible',
    /Agent infeasible|No successful assignments?|allocator[^\n]{0,20}infeasible|infeasible/i,
  ),
  compile('kernel_unsupported', /failed on kernel validation|kernel validation failed/i),
  compile(
    'allocator_infeasible',
    phrase`Mapping Failed|BackendAllocatorException|allocation failed
      |failed to allocate (?:layer|resource)`,
    { unless: /timed out|time limit/i },
  ),
]

const lastly: readonly Signature[] = [
  any(
    'wrapper_timeout',
    phrase`\btimed out\b|TimeoutExpired|time limit|hard timeout
      |\btimeout (?:after|of|reached|expired|exceeded|hit)|sending signal (?:TERM|KILL)|(?:time|case) budget
      |exit(?:ed)?(?: with)?(?: code| status)?:? ?124\b|\bTimeoutError\b|exceeded[^\n]{0,40}(?:timeout|minutes|seconds)`,
    { unless: /HAILO_TIMEOUT|HailoRT/ },
  ),
  parse(
    'har_build_failed_unspecified',
    phrase`HAR ?Build ?Failed
      |HAR[^\n]{0,20} (?:build|creation|generation|export|conversion) (?:has )?failed
      |fail\w{0,4} to (?:build|create|write|produce|generate|save)[^\n]{0,20}\bHAR\b|because HAR
      |no HAR (?:file )?(?:was )?(?:written|produced|created|found)`,
  ),
  compile('allocator_infeasible', /Failed to produce compiled graph|Mapping Failed/i),
]

/** The signatures of Hailo's tools, in order of precedence: the first that matches names the failure. */
export const dfcSignatures: readonly Signature[] = [
  ...host,
  ...running,
  ...installation,
  ...parsing,
  ...optimizing,
  ...compiling,
  ...lastly,
]
