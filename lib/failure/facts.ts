/**
 * Finds the versions, nodes, paths and sizes that a log names.
 *
 * Each pattern is one form of a message, and its named groups are facts. The line that named the failure is searched
 * before the rest of the log, and the first sight of a fact counts.
 */
import { exact, phrase } from './patterns.ts'

/** A fact's name to what the log says. */
export type Facts = Readonly<Record<string, string>>

const patterns: readonly RegExp[] = [
  // HailoRT and its driver
  /Driver version \((?<driverVersion>[\d.]+)\) is different from library version \((?<libraryVersion>[\d.]+)\)/i,
  phrase`driver(?: version)?[ :(]{1,3}(?<driverVersion>\d[\d.]+)[^\n]{0,60}?library(?: version)?[ :(]{1,3}
    (?<libraryVersion>\d[\d.]+)`,
  phrase`library(?: version)?[ :(]{1,3}(?<libraryVersion>\d[\d.]+)[^\n]{0,60}?driver(?: version)?[ :(]{1,3}
    (?<driverVersion>\d[\d.]+)`,
  /Host: (?<hostVersion>\d[\d.]*\d), Device: (?<deviceVersion>\d[\d.]*\d)/i,
  /HEF version does not match\. Should be (?<hefVersionRead>\d+) but detected (?<hefVersion>\d+)/i,
  /Device arch\w*: (?<deviceArch>\w+)[^\n]{0,40}HEF arch\w*: (?<hefArch>\w+)/i,
  /HEF arch\w*: (?<hefArch>\w+)[^\n]{0,40}Device arch\w*: (?<deviceArch>\w+)/i,
  /max_desc_page_size given (?<pageAsked>\d+) is bigger than hw max desc page size (?<pageMax>\d+)/i,
  /(?<hailoStatus>HAILO_(?!SUCCESS)[A-Z0-9_]{4,60}\(\d{1,3}\))/,
  /libhailort failed with error:? (?<hailoStatus>\d{1,3}(?: \(HAILO_\w{4,60}\))?)/i,
  /(?<stream>[\w.-]{1,80}\/(?:input|output)_layer\d{1,3})/,
  /\bv?stream (?<stream>[\w.-]{1,80}\/\w{1,80})/,
  /(?<pciAddress>\b[\da-f]{4}:[\da-f]{2}:[\da-f]{2}\.\d\b)/i,
  exact`[Ff]irmware file not found \((?<firmware>[^)\n]{1,200})\)`,
  /firmware load for (?<firmware>\S{1,200}) failed/i,
  /(?<firmware>(?:\/lib\/firmware\/)?hailo\/[\w.]{1,60}\.bin)/,
  /open device file (?<devNode>\/dev\/[\w-]{1,40})/i,
  /custom device "(?<devNode>\/dev\/[\w-]{1,40})"/,
  // the kernel's modules
  /Module (?<module>\w{2,40}) not found in directory \/lib\/modules\/(?<kernel>[\w.+-]{3,80})/i,
  /could not insert '?(?<module>\w{2,40})'?/i,
  /(?:for|on) kernel:? (?<kernel>\d[\w.+-]{3,80})/i,
  /module(?: (?:is|was))?(?: not)?[^\n]{0,30}\b(?<module>hailo(?:_pci|1x_pci|1x))\b/i,
  /(?<module>hailo1x_pci|hailo_pci)/,
  /DKMS make\.log for (?<moduleSource>[\w.-]{3,60}) for kernel (?<kernel>\d[\w.+-]{3,80})/,
  /dkms\/(?<module>[\w-]{2,40})\/(?<moduleVersion>[\w.-]{1,40})\/build/,
  /(?<compiler>(?:gcc|clang)[\w.-]{0,8}): (?:No such file|not found|command not found)/,
  /Dependency "?(?<dependency>[\w.+-]{2,60})"? not found/,
  /(?:sh|bash|zsh): (?:line )?\d{0,6}:? ?(?<program>[\w.+-]{2,40}): (?:command )?not found/,
  /(?<crashed>[\w.-]{1,40})\[\d{1,9}\]: segfault at [^\n]{1,120} in (?<crashedIn>[\w.+-]{1,60})/i,
  /In node (?<nodeNumber>\d{1,6}) \(import(?<node>[A-Z]\w{1,60})\)/,
  /Missing (?<kernelWanted>[\d.]{3,20}\S{0,60}) kernel headers/i,
  /input tensor with name "(?<inputAsked>[^"\n]{1,100})"/i,
  /command '(?<program>[\w.+-]{2,40})' failed: No such file/,
  exact`error: argument (?<argument>[\w/, -]{2,60}): invalid choice: '(?<given>[^'\n]{1,60})'
    \s\(choose from (?<choices>[^)\n]{1,300})\)`,
  /No such file or directory: '(?<program>[\w.-]{2,40})'/,
  /Cannot find (?:package|module) '(?<nodeModule>[^'\n]{1,120})'/,
  /(?<library>\/\S{3,200}\.so[\w.]{0,20}): file too short/,
  /(?<makeLog>\/var\/lib\/dkms\/\S{3,120}make\.log)/,
  /(?<moduleSource>hailo\w{0,12}[-/]\d[\d.]{1,12})/,
  // libraries and packages
  /Error loading shared library (?<library>\S{3,100}): [^\n]{0,60}\(needed by (?<neededBy>[^)\n]{1,300})\)/,
  /Error relocating (?<neededBy>\S{3,300}): (?<symbol>\w{2,100}): symbol not found/,
  /version `(?<libcVersion>(?:GLIBC|GLIBCXX|CXXABI)_[\d.]{1,12})' not found/,
  /(?<libcVersion>(?:GLIBC|GLIBCXX|CXXABI)_\d[\d.]{0,10}) not found/,
  /Couldn't open CUDA library (?<library>lib[\w+-]{2,80}\.so(?:\.\d{1,6}){0,4})/i,
  /Unable to load library:? ?(?<library>lib[\w.+-]{2,80})/i,
  /(?<library>lib[\w.+-]{1,80}\.so[\w.]{0,20}): (?:cannot open shared object file|No such file)/,
  /(?<library>lib[\w.+-]{1,80}\.so[\w.]{0,20})(?=[^\n]{0,40}(?:not found|missing|cannot open))/,
  /(?:cannot|could not|failed to|unable to) (?:find|load|open)[^\n]{0,40}?(?<library>lib[\w.+-]{1,80}\.so[\w.]{0,20})/i,
  /undefined symbol: (?<symbol>\w{2,200})/,
  /(?<symbolFile>\/\S{3,200}\.so[\w.]{0,20}): undefined symbol/,
  /No module named '?(?<module>[\w.]{1,80})'?/,
  /name '(?<name>\w{1,60})' is not defined/,
  /no element "?(?<element>\w{2,40})"?/i,
  /fatal error: (?<header>[\w./+-]{2,120}\.h(?:pp|xx)?): No such file/,
  /Unable to locate package (?<package>[\w.+-]{2,80})/,
  /satisfies the requirement (?<package>[\w.+<>=~!-]{2,80})/,
  /(?<package>[\w.-]{2,100}\.whl) is not a supported wheel/,
  /Package '?(?<package>[\w.+-]{2,60})'? (?:has no installation candidate|requires)/,
  /Killed process \d+ \((?<killed>[^)\n]{1,40})\)/,
  // ONNX
  /IR[_ ]version:? (?<irVersion>\d+)[^\n]{0,40}?max supported IR version:? (?<irMax>\d+)/i,
  /max supported IR version:? (?<irMax>\d+)/i,
  phrase`(?:Opset|version) (?<opset>\d{1,3}) is under development[^\n]{0,300}?is till opset (?<opsetMax>\d{1,3})`,
  /opset version (?<opset>\d{1,3})[^\n]{0,80}?(?:up to|max\w*|only)[^\n\d]{0,30}(?<opsetMax>\d{1,3})/i,
  /No Op registered for (?<op>\w{1,60}) with domain_version of (?<opset>\d{1,3})/i,
  /implementation for (?<op>\w{1,60})\(\d{1,3}\) node with name:? '?(?<node>[^'\s]{1,120})'?/i,
  phrase`of input parameter \((?<parameter>[^)\n]{1,120})\) of operator \((?<op>[^)\n]{1,60})\) in node \(
    (?<node>[^)\n]{0,120})\)`,
  /Type '(?<badType>tensor\(\w{1,12}\))'/,
  /Unrecognized attribute: (?<attribute>\w{1,60}) for operator (?<op>\w{1,60})/i,
  /Fatal error: (?:[\w.]{0,60}:)?(?<op>\w{1,60})\(-?\d{1,3}\) is not a registered function\/op/i,
  /Load model from (?<model>[^\n]{1,200}?) failed/i,
  /Failed to parse ONNX model from file:? (?<model>[^\s,]{1,200})/i,
  /Could not open file (?<path>[^\s,]{1,200})/i,
  phrase`(?<dataFile>[\w./-]{1,160}(?:\.onnx[._]data|\.data|\.bin))(?=[^\n]{0,120}(?:doesn't exist|does not exist
    |not accessible|No such file|cannot|failed|not found|out of bounds))`,
  /(?:does not exist|not found|no such file|failed)[^"\n]{0,40}"(?<dataFile>[^"\n]{1,300}(?:data|\.bin|\.weights))"/i,
  /(?:open|find|load|stat|size of)(?: file)?:? "?(?<dataFile>[\w./-]{1,160}(?:\.onnx[._]data|\.data|\.weights))/i,
  /invalid dimensions for input: (?<input>\S{1,80}) for the following/i,
  /index: (?<dimIndex>\d+) Got: (?<dimGot>\d+) Expected: (?<dimExpected>\d+)/i,
  /Invalid rank for input: (?<input>\S{1,80}) Got: (?<dimGot>\d+) Expected: (?<dimExpected>\d+)/i,
  /input data type\. Actual: \((?<typeGot>[\w()]{3,40})\) ?, expected: \((?<typeWanted>[\w()]{3,40})\)/i,
  /Required inputs \((?<input>\[[^\])\n]{1,200}\])\)/,
  /Invalid (?:Feed )?Input Name:? ?(?<input>\S{1,80})/i,
  /Status Message: (?:\/\S{1,200} )?(?<ortReason>[^\n]{3,160})/,
  /Exception during initialization: (?:\/\S{1,200} )?(?<ortReason>[^\n]{3,160})/,
  /Deserialize tensor (?<initializer>\S{1,160}) failed/,
  /running (?<op>\w{1,60}) node\. Name:'?(?<node>[^'\s]{1,120})'?/i,
  /\b(?<provider>(?!Create)\w{3,30}ExecutionProvider)/,
  // the Dataflow Compiler
  phrase`Data shape (?<shapeGiven>\([^)\n]{1,60}\)) for layer (?<calibLayer>[^\s,]{1,120})
    \sdoesn't match network's input shape (?<shapeWanted>\([^)\n]{1,60}\))`,
  /'(?<metaArch>\w{1,40})' is not a valid NMSMetaArchitectures/,
  /'(?<nodeAsked>[^'\n]{1,120})' is not in list/,
  /(?:end|start) node:? ['"]?(?<nodeAsked>[^'"\s,]{1,120})/i,
  // GPUs
  /Xid \(PCI:(?<gpuAddress>[\da-fA-F:.]{7,20})\): (?<xid>\d{1,4})/,
  /CUDA capability (?<smName>sm_\d{2,3})/,
  // services and Python
  /\*\*\* (?:JOB|STEP) (?<job>\d{1,12})/,
  /(?:sbatch|srun|salloc): error: (?<jobError>[^\n]{3,160}?)\s*$/m,
  /(?<unit>[\w.@-]{1,80}\.(?:service|timer|socket))/,
  /resolve (?:host(?:name)?:? |address |')"?(?<host>[\w.-]{3,80})/i,
  /host='?(?<host>[\w.-]{3,80})'?, port/,
  /(?:getaddrinfo \w{3,12}|lookup) (?<host>[\w.-]{3,80})/,
  /https?:\/\/(?<host>[\w.-]{3,80})/,
  /\bport (?<port>\d{2,5})\b/,
  /(?:in use|EADDRINUSE)[^\n]{0,60}?[:\s](?<port>\d{2,5})\b/,
  /(?:[\d.]{7,15}|::|\]):(?<port>\d{2,5})\b/,
  phrase`(?<needs>[\w.-]{2,60} [\w.+]{1,30}) requires (?<wanted>[\w.<>=!~,+*-]{2,80}), but you have
    \s(?<installed>[\w.-]{2,60} [\w.+]{1,30}) which`,
  /(?<weight>size mismatch for [^\n]{3,160}?)\s*$/m,
  /'?(?<atenOp>(?:aten|prim|quantized|torchvision|onnx)::\w{1,60})'?/,
  /to ONNX opset version (?<opset>\d{1,3})/,
  // TensorRT
  /Current Version: (?<libraryTag>\d+), Serialized Engine Version: (?<planTag>\d+)/i,
  /expecting library version (?<libraryTensorrt>[\d.]{3,20}) got (?<planTensorrt>[\d.]{3,20})/i,
  /expecting compute (?<smGot>[\d.]{1,5}) got compute (?<smWanted>[\d.]{1,5})/i,
  /(?:Target GPU )?SM[ :]{1,2}(?<sm>(?:0x)?[\dA-Fa-f.]{2,5})/,
  /While parsing node number (?<nodeNumber>\d+) \[(?<node>[^\]\n]{1,120})\]/i,
  /In node (?<nodeNumber>-?\d+) with name:? ?(?<node>[^\s,]{1,120})/i,
  /any implementation for node (?<node>[^\n]{1,400}?)(?:\.\)|\)\s*$|\. |\.$|$)/im,
  phrase`IShuffleLayer (?<node>\S{1,80}): reshape changes volume
    [^\n]{0,20}Reshaping (?<shapeFrom>\[[^\]\n]{1,60}\]) to (?<shapeTo>\[[^\]\n]{1,60}\])`,
  /\((?<node>[^\s:()]{1,80}): (?:IShuffleLayer|IElementWiseLayer|reshape|broadcast|dimensions)/i,
  /condition: (?<condition>[^\n]{3,160}?)(?:\s?\)|$)/im,
  /unknown option:? ?(?<option>-{1,2}(?<optionName>\w{1,40}))/i,
  /type object '(?:[\w.]{0,60}\.)?(?<owner>\w{1,40})' has no attribute '(?<removed>\w{1,60})'/,
  /'?(?:[\w.]{0,60}\.)?(?<owner>\w{1,40})'? object has no attribute '(?<removed>\w{1,60})'/,
  /unknown option:? ?(?<removed>-{1,2}\w{1,40})/i,
  /(?:input|tensor):? (?<tensor>[\w.:/-]{1,60}),? (?:but no shapes|is missing|has dynamic)/i,
  /(?<tensor>[\w.:/-]{1,60}): dynamic input is missing dimensions/i,
  /Set dimension (?<shapeGiven>\[[^\]\n]{1,60}\]) for tensor (?<tensor>\S{1,60})/i,
  /No (?:importer|plugin|operator)[^\n]{0,30}(?:for|named):? "?(?<op>\w{1,60})/i,
  /plugin:? "?(?<op>\w{1,60})"?[^\n]{0,20} not found/i,
  /(?:could not|cannot) find plugin:? "?(?<op>\w{1,60})"?,? (?:version|with)/i,
  /importer registered for op: (?<op>\w{1,60})/i,
  /\[(?<op>[A-Z]\w{1,60}) -> "[^"\n]{1,120}"\]/,
  phrase`Supplied binding dimension (?<shapeGiven>\[[^\]\n]{1,60}\]) for (?<tensor>bindings\[\d{1,3}\])[^\n]{0,60}?index
    \s(?<dimIndex>\d+), maximum dimension in profile is (?<dimMax>\d+), minimum dimension in profile is (?<dimMin>\d+)`,
  /\(I[A-Z]\w{3,30}Layer (?<node>\S{1,80}?):? /,
  // paths
  /No such file or directory: '(?<path>[^'\n]{1,300})'/,
  /Read-only file system: '(?<path>[^'\n]{1,300})'/,
  /Permission denied: '(?<path>[^'\n]{1,300})'/,
  /(?:Failed opening file|cannot open|can't open|open failed)[^\n]{0,40}?path: ?(?<path>[^\s,]{1,300})/i,
  /(?:cannot access|can't open file|cannot stat|cannot open) '?(?<path>[^'\n:]{1,300})'?/i,
  /Error opening engine file: (?<path>\S{1,300})/i,
  /(?<path>[\w./-]{1,200}\.hef)\b/,
]

/** What pip calls a module whose package has another name. */
const packageOf: Readonly<Record<string, string>> = {
  cv2: 'opencv-python-headless',
  PIL: 'Pillow',
  yaml: 'PyYAML',
  sklearn: 'scikit-learn',
  skimage: 'scikit-image',
  google: 'protobuf',
  onnx_graphsurgeon: 'onnx-graphsurgeon',
  gi: 'PyGObject',
  dateutil: 'python-dateutil',
  serial: 'pyserial',
  bs4: 'beautifulsoup4',
  dotenv: 'python-dotenv',
}

/** What a line and its log name. Never throws. */
export function factsIn(line: string, text: string): Facts {
  const facts: Record<string, string> = {}
  for (const source of line === '' ? [text] : [line, text]) {
    for (const pattern of patterns) {
      for (const [name, value] of Object.entries(pattern.exec(source)?.groups ?? {})) {
        if (value !== undefined && value.trim() !== '') facts[name] ??= value.trim()
      }
    }
  }
  const root = facts.module?.split('.')[0]
  if (root !== undefined) facts.pipName = packageOf[root] ?? root
  return facts
}
