/**
 * Signatures of Hailo's parser: a graph that it does not take.
 */
import { exact, phrase } from '../../patterns.ts'
import { at, type Signature } from '../../signature.ts'

const [any, parse, optimize] = [at('any'), at('parse'), at('optimize')]

const supported = /(?:not|un)[- ]?(?:currently )?supported|not implemented|no implementation/i

/** ONNX to HAR, and the model script. */
export const parseSignatures: readonly Signature[] = [
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
      and: exact`Translation started|model_translator|translate_onnx|_parse_onnx|onnx_translator|onnx_graph
        |backend/parser
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
