/**
 * What keeps Python's packages from working together, and a model from leaving PyTorch.
 */
import { bucketAt, type Advice, type Bucket } from '../bucket.ts'

const [any, parse] = [bucketAt('any'), bucketAt('parse')]

/** Why Python packages of one environment do not work together. */
export const versionAdvice: readonly Advice[] = [
  {
    when: /compiled using NumPy|_ARRAY_API|numpy\.dtype size|numpy\.core\.multiarray/i,
    cause: 'a package here was compiled for NumPy 1 and NumPy 2 is installed, or the other way round',
    fix: "python3 -m pip install 'numpy<2', or upgrade the package that was compiled for NumPy 1",
  },
  {
    when: /Descriptors cannot|Downgrade the protobuf/i,
    cause: 'the installed protobuf is newer than the generated code of another package takes',
    fix: "python3 -m pip install 'protobuf<=3.20.3', or upgrade the package whose _pb2.py stands in the traceback",
  },
  {
    when: /incompatible Protobuf|gencode|google\.protobuf/i,
    cause: 'the installed protobuf is older than the one that generated the code of another package',
    fix: 'python3 -m pip install -U protobuf; python3 -m pip check',
  },
  {
    when: /numpy'? has no attribute/i,
    cause: 'the code uses a name that the installed NumPy no longer has',
    fix: "python3 -m pip install 'numpy<1.24', or upgrade the package whose file stands in the traceback",
  },
  {
    when: /detected CUDA version/i,
    cause: 'the CUDA toolkit that builds an extension has another version than the one that PyTorch was built with',
    fix: 'nvcc --version; python3 -c "import torch; print(torch.version.cuda)"; take a toolkit of that number',
  },
  {
    when: /torchvision::|2?c10|_ZNK?5torch|at5_ops/,
    cause: 'a package was built for another version of PyTorch than the one installed',
    fix: 'python3 -m pip install -U torch torchvision torchaudio, all three from one index',
  },
  {
    when: /which is incompatible/i,
    cause: '{needs} wants {wanted}, and {installed} is installed',
    fix: "python3 -m pip install '{wanted}'; python3 -m pip check; where both are needed: one venv for each",
  },
]

/** Buckets of weights and of the export to ONNX. */
export const pythonBuckets: Readonly<Record<string, Bucket>> = {
  pytorch_weights: any(
    'WeightsError',
    'the weights do not belong to this architecture, or their file is damaged',
    'print the names and shapes in the file beside those of model.state_dict()',
    [
      {
        when: /Weights only load failed/i,
        cause: 'torch.load refuses to run code from the file (weights_only is the default since PyTorch 2.6)',
        fix: 'torch.load(PATH, weights_only=False), only for a file that you trust',
      },
      {
        when: /PytorchStreamReader|invalid load key|magic number/i,
        cause: 'the file of weights is damaged, cut short, or a git-lfs pointer or web page',
        fix: 'ls -l the file; head -c 200 FILE | strings; then git lfs pull, or download it again',
      },
      {
        when: /size mismatch/i,
        cause: 'the weights are of another size than the model that is built: {weight}',
        fix: 'build the model with the sizes of the file (they stand in the message), or take the matching file',
      },
    ],
  ),
  pytorch_export: parse(
    'ExportError',
    'PyTorch could not export the model to ONNX',
    'torch.onnx.export(…, dynamo=True, report=True) writes where it stopped',
    [
      {
        when: /INTERNAL ASSERT/,
        cause: 'PyTorch failed inside while it traced the model, at {atenOp}: a defect of that version',
        fix: 'python3 -m pip install -U torch, or export with torch.onnx.export(…, dynamo=True)',
      },
      {
        when: /aten::|Exporting the operator|prim::|quantized::/i,
        cause: "PyTorch's exporter has no ONNX form of {atenOp} in opset {opset}",
        fix: 'export with a higher opset, or with torch.onnx.export(…, dynamo=True); else rewrite that operator',
      },
      {
        when: /aten::|Exporting the operator|prim::|quantized::/i,
        cause: "PyTorch's exporter has no ONNX form of {atenOp}",
        fix: 'export with a higher opset, or with torch.onnx.export(…, dynamo=True); else rewrite that operator',
      },
      {
        when: /data[- ]?dependent|GuardOn/i,
        cause: 'the model decides by the values of its data, which a graph cannot',
        fix: 'replace the branch by torch.where or torch.cond, or export with dynamo=False and one example',
      },
    ],
  ),
}
