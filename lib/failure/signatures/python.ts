/**
 * Signatures of Python packages that do not fit together, and of models that PyTorch does not export.
 */
import { exact, phrase } from '../patterns.ts'
import { at, type Signature } from '../signature.ts'

const [any, parse] = [at('any'), at('parse')]

/** Packages of one environment, and the export to ONNX. */
export const pythonSignatures: readonly Signature[] = [
  any(
    'environment_broken_install',
    phrase`Descriptors cannot (?:not )?be created directly|Downgrade the protobuf package
      |Detected incompatible Protobuf|cannot import name '?(?:runtime_version|builder)'?
      \s?from 'google\.protobuf|compiled using NumPy 1|_ARRAY_API not found|numpy\.dtype size changed
      |numpy\.core\.multiarray failed to import|module '?numpy'? has no attribute
      |requires \S{1,80}, but you have \S{1,80} \S{1,40} which is incompatible|ContextualVersionConflict
      |\bVersionConflict\b|undefined symbol: \S{0,20}(?:_ZN2?c10|_ZN?K?5torch|at5_ops)
      |operator torchvision::nms does not|detected CUDA version \(\S{1,20}\) mismatches`,
  ),
  any('environment_package', /externally-managed-environment/i),
  any(
    'pytorch_weights',
    phrase`Error\(s\) in loading state_dict|(?:Missing|Unexpected) key\(s\) in state_dict|size mismatch for \S{2,120}:
      \s?copying a param|Weights only load failed|PytorchStreamReader failed|invalid load key
      |invalid magic number; corrupt`,
  ),
  parse(
    'pytorch_export',
    exact`torch\.onnx\.(?:errors\.)?(?:Unsupported\w{0,40}|Symbolic\w{0,20}|OnnxExporter\w{0,12}
      |Conversion)\w{0,10}Error
      |Exporting the operator '?\w{1,40}::|ONNX export failed|Failed to export the model (?:to ONNX|with)
      |torch\.onnx\._internal\S{0,60}Error|TorchExportError|torch\._dynamo\.exc\.\w{3,40}
      |torch\._export\S{0,40}Error|GuardOnDataDependentSymNode|Unsupported: ONNX export
      |traced region did not have observable data dependence|Tracer cannot infer type|cannot be understood by the tracer
      |INTERNAL ASSERT FAILED at "[^"\n]{0,80}torch/csrc/jit`,
  ),
]
