/**
 * What ONNX Runtime, and other readers of ONNX, refuse.
 */
import { bucketAt, type Bucket } from '../bucket.ts'

const [any, parse] = [bucketAt('any'), bucketAt('parse')]
const upgrade = 'python3 -m pip install -U onnxruntime'

/** Buckets of ONNX files and of ONNX Runtime. */
export const onnxBuckets: Readonly<Record<string, Bucket>> = {
  onnx_too_new: any(
    'Unsupported',
    'the file is of a newer ONNX (IR version or opset) than this runtime reads',
    `${upgrade}, or export with a lower opset`,
    [
      {
        when: /IR[_ ]version/i,
        cause: 'the file has IR version {irVersion}, and this runtime reads up to {irMax}',
        fix:
          `${upgrade}, or lower it: python3 -c "import onnx; m = onnx.load('{model}'); m.ir_version = {irMax}; ` +
          `onnx.save(m, '{model}')"`,
      },
      {
        when: /IR[_ ]version/i,
        cause: 'the file has IR version {irVersion}, and this runtime reads up to {irMax}',
        fix:
          `${upgrade}, or lower it: python3 -c "import onnx; m = onnx.load('MODEL.onnx'); m.ir_version = ` +
          `{irMax}; onnx.save(m, 'MODEL-ir{irMax}.onnx')"`,
      },
      {
        when: /opset/i,
        cause: 'the file is of opset {opset}, and this runtime knows up to {opsetMax}',
        fix: `${upgrade}, or export again with opset {opsetMax} or lower`,
      },
    ],
  ),
  onnx_external_data: any(
    'FileNotFoundError',
    'the weights of the model lie in a file of their own, and that file is not there or is cut short',
    'put the .data file that was exported with the model beside it, under the name that the model has for it',
    [
      {
        cause: 'the weights lie in {dataFile}, which is not there or is cut short',
        fix: 'put {dataFile} beside the model, under that name',
      },
    ],
  ),
  onnx_tensorrt_provider: any(
    'ProviderError',
    "ONNX Runtime's TensorRT provider could not build or read its engine; TensorRT's own reason stands above, or not " +
      'in this log',
    'trtexec --onnx=MODEL.onnx --verbose shows the reason; delete the folder of trt_engine_cache_path after an upgrade',
  ),
  onnx_too_large: any(
    'ValueError',
    'the model is over 2 GiB, which one protobuf cannot hold',
    "save its weights beside it: onnx.save(m, 'MODEL.onnx', save_as_external_data=True); check it by path: " +
      'check-model MODEL.onnx',
  ),
  onnx_node_binding: any(
    'ModuleNotFound',
    'onnxruntime-node has no native library for this platform here, or not the provider that was asked for',
    'node -p "process.platform + \' \' + process.arch"; npm ci on this machine',
  ),
  onnx_unreadable: any(
    'InvalidProtobuf',
    'the file is no ONNX model: cut short, damaged, a git-lfs pointer or a web page',
    'head -c 200 MODEL.onnx | strings, ls -l; then git lfs pull, or download it again',
    [
      {
        when: /UnpackTensor|pre-allocate|Deserialize tensor/i,
        cause:
          'the data of {initializer} are not as many as its shape says: the file is cut short, or its data ' +
          'file is of another export',
        fix: 'check-model MODEL.onnx; then export it again, and copy model and data files together',
      },
      {
        when: /\.(?:engine|plan|trt) failed/i,
        cause: '{model} is an engine of TensorRT, and ONNX Runtime reads ONNX',
        fix: 'give the .onnx that it was built from, or run the engine itself: trtexec --loadEngine={model}',
      },
      {
        when: /\.hef failed/i,
        cause: '{model} is a HEF of Hailo, and ONNX Runtime reads ONNX',
        fix: 'give the .onnx that it was compiled from, or run the HEF itself: hailortcli run {model}',
      },
      {
        cause: '{model} is no ONNX model: cut short, damaged, a git-lfs pointer or a web page',
        fix: 'ls -l {model}; head -c 200 {model} | strings; then git lfs pull, or download it again',
      },
    ],
  ),
  onnx_unknown_operator: parse(
    'Unsupported',
    'the runtime does not know an operator of the graph, or not its domain',
    `${upgrade}, or register the library of the custom operator`,
    [
      {
        when: /domain_version/i,
        cause: 'this runtime knows no operator {op} in opset {opset}: it is newer, or of no ONNX at all',
        fix: `${upgrade}, or export again with a lower opset, or without {op}`,
      },
      {
        cause: 'this runtime knows no operator {op}',
        fix: `${upgrade}; for a custom operator: register its library (SessionOptions.register_custom_ops_library)`,
      },
    ],
  ),
  onnx_no_kernel: parse(
    'NotImplemented',
    'the runtime has no kernel for an operator with these types',
    'export with other types (float32), or use another execution provider',
    [
      {
        when: /ConvInteger|MatMulInteger/,
        cause:
          'node {node}: this runtime has no kernel for {op} of these types (dynamic quantisation with signed weights)',
        fix: 'quantise statically (QDQ): onnxruntime.quantization.quantize_static, or weight_type=QuantType.QUInt8',
      },
      {
        cause: 'node {node}: this runtime has no kernel for {op} with these types',
        fix: 'export with other types (float32), or use another execution provider',
      },
    ],
  ),
  onnx_quantised_invalid: parse(
    'InvalidGraph',
    'the quantised graph is not valid: a scale or zero point has another type, shape or axis than its tensor',
    'quantise again with a tool of the same ONNX version, and check it: check-model MODEL.onnx',
    [
      {
        when: /zero[_ ]?point|Type\(?s?\)? '?tensor/i,
        cause:
          'node {node}: {op} takes no {badType} for {parameter}: zero points are int8 or uint8, of a bias int32 ' +
          'with zero',
        fix: 'quantise again; a bias is int32 with a DequantizeLinear of zero point 0 (int32), never a QuantizeLinear',
      },
      {
        when: /axis/i,
        cause: 'a scale per channel stands on an axis that its tensor does not have',
        fix: 'name the axis of the output channels: 0 for Conv, 1 for ConvTranspose; and opset 13 or newer',
      },
    ],
  ),
  onnx_invalid_graph: parse(
    'InvalidGraph',
    'the graph contradicts the ONNX standard: a type, a shape, an attribute or an order of nodes',
    'check-model MODEL.onnx, then export again',
    [
      {
        when: /Type Error|Type parameter/i,
        cause: 'node {node}: {op} takes no {badType} there',
        fix: 'cast that value, or export again: check-model MODEL.onnx names the node',
      },
      {
        when: /Unrecognized attribute/i,
        cause: 'the operator {op} has no attribute {attribute} in the opset that the file names',
        fix:
          'export again with a higher opset, or convert: python3 -c "import onnx; from onnx import ' +
          'version_converter"',
      },
    ],
  ),
  onnx_input_mismatch: bucketAt('runtime')(
    'InvalidArgument',
    'an input was given with another name, shape or type than the model has',
    'print what it wants: python3 -c "import onnxruntime as o; print([(i.name, i.shape, i.type) for i in ' +
      "o.InferenceSession('MODEL.onnx').get_inputs()])\"",
    [
      {
        when: /invalid dimensions/i,
        cause: 'the input {input} has {dimGot} on axis {dimIndex}, and the model wants {dimExpected}',
        fix: 'give {dimExpected} there, or export with a dynamic axis {dimIndex}',
      },
      {
        when: /rank/i,
        cause: 'the input {input} has rank {dimGot}, and the model wants {dimExpected}',
        fix: 'add or remove an axis (batch, channel) before the call',
      },
      {
        when: /data type/i,
        cause: 'an input is {typeGot}, and the model wants {typeWanted}',
        fix: 'convert it first: array.astype(numpy.float32)',
      },
      {
        when: /missing from|Missing Input|Invalid (?:Feed )?Input Name/i,
        cause: 'the inputs that were given are not those of the model: {input}',
        fix: 'use the names of session.get_inputs()',
      },
    ],
  ),
  onnx_node_failed: bucketAt('runtime')(
    'RuntimeException',
    'a node of the graph could not be computed for this input',
    'run with the shapes that the model was exported for, or export with dynamic axes',
    [
      {
        when: /Exception during initialization/i,
        cause: 'ONNX Runtime failed while it prepared the session: {ortReason}',
        fix:
          'run it on the CPU alone (providers=["CPUExecutionProvider"]), and with log_severity_level=0, to see which ' +
          'part fails',
      },
      {
        cause: 'the node {node} ({op}) could not be computed: {ortReason}',
        fix:
          'compare the inputs with session.get_inputs(); a shape that the model was not exported for needs dynamic ' +
          'axes',
      },
      {
        cause: 'the node {node} ({op}) could not be computed for this input',
        fix: 'run with the shapes that the model was exported for, or export with dynamic axes',
      },
    ],
  ),
  onnx_provider_missing: any(
    'ProviderError',
    'the execution provider that was asked for is not in this build, or its libraries do not load',
    'python3 -c "import onnxruntime as o; print(o.__version__, o.get_available_providers())"',
    [
      {
        when: /lib(?:cu|nv)\S{2,40}\.so|cannot open shared/i,
        cause: 'the provider does not load, because {library} is not there: CUDA, cuDNN or TensorRT of another version',
        fix: "ldconfig -p | grep {library}; then python3 -m pip install 'onnxruntime-gpu[cuda,cudnn]'",
      },
      {
        cause: 'the provider {provider} is not in this build of ONNX Runtime, or does not load',
        fix:
          'python3 -c "import onnxruntime as o; print(o.get_available_providers())"; for CUDA: python3 -m pip ' +
          'install onnxruntime-gpu',
      },
    ],
  ),
}
