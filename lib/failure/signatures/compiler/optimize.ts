/**
 * Signatures of Hailo's optimiser.
 */
import { exact, phrase } from '../../patterns.ts'
import { at, type Signature } from '../../signature.ts'

const [optimize, compile] = [at('optimize'), at('compile')]

/** Calibration and quantisation. */
export const optimizeSignatures: readonly Signature[] = [
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
      phrase`unknown|no such|undefined|unrecogni[sz]ed|does(?: not|n't) exist|not (?:found|in |an input|part|a valid
        |among)
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
      |(?:not|n't) match (?:the )?network'?s? input shape|Data shape \([^\n]{1,60}for layer
      |Unexpected model input [HWC]\b
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
