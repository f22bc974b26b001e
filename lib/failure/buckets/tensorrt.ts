/**
 * What TensorRT and its tools fail on.
 */
import { bucketAt, type Bucket } from '../bucket.ts'
import { buildBuckets, noticeBuckets } from './tensorrt-build.ts'

const build = bucketAt('build')

/** Buckets of a finished engine. */
const engineBuckets: Readonly<Record<string, Bucket>> = {
  api_removed_trt11: build(
    'AttributeError',
    'the call or option was removed from this TensorRT',
    'convert the ONNX to the precision before building',
    [
      {
        cause: '{removed} is not in this TensorRT any more',
        fix: 'convert the ONNX to that precision before building (ModelOpt AutoCast), or use TensorRT 10',
      },
    ],
  ),
  no_plan: build('BuildFailed', 'the build ended well and left no engine', 'read the end of its log, and df -h'),
  engine_corrupt: build(
    'SerializationError',
    'the engine file is damaged, cut short or not an engine',
    'copy the plan again and compare its SHA-256',
  ),
  engine_not_read: build(
    'SerializationError',
    'TensorRT could not read the engine, and the log does not say why',
    'trtexec --loadEngine=MODEL.plan --verbose says more; an engine runs only with the TensorRT that built it',
  ),
  engine_device_mismatch: build(
    'SerializationError',
    'the engine was built on another model of GPU',
    'rebuild on the target',
    [
      {
        cause: 'the engine was built for compute capability {smWanted}, and this GPU has {smGot}',
        fix:
          'build it again on this GPU: trtexec --onnx=MODEL.onnx --saveEngine=MODEL.plan; for several models of GPU ' +
          'add --hardwareCompatibilityLevel=ampere+',
      },
    ],
  ),
  engine_version_mismatch: build(
    'SerializationError',
    'the engine was built by another version of TensorRT',
    'rebuild with the TensorRT that runs it',
    [
      {
        cause:
          'the engine has serialization version {planTag}, and this TensorRT reads {libraryTag}: it was built by ' +
          'another TensorRT',
        fix: 'build it again with the TensorRT that runs it: trtexec --onnx=MODEL.onnx --saveEngine=MODEL.plan',
      },
      {
        cause: 'the engine was built by TensorRT {planTensorrt}, and this is {libraryTensorrt}',
        fix: 'build it again with the TensorRT that runs it: trtexec --onnx=MODEL.onnx --saveEngine=MODEL.plan',
      },
      {
        when: /magic ?tag/i,
        cause: 'the file is no engine that this TensorRT reads: one of another version, cut short, or another file',
        fix:
          'ls -l the file; then build it with the TensorRT that runs it: trtexec --onnx=MODEL.onnx ' +
          '--saveEngine=MODEL.plan',
      },
      {
        when: /incompatible serialization version/i,
        cause: 'the engine was built by another version of TensorRT, or for its safety runtime, or on another system',
        fix: 'build it again with the TensorRT that runs it: trtexec --onnx=MODEL.onnx --saveEngine=MODEL.plan',
      },
    ],
  ),
  engine_call_wrong: build(
    'ApiUsageError',
    'a call of TensorRT was given what it does not take, or came too early',
    'compare the call with the headers of this version',
    [
      {
        cause: 'a call of TensorRT was given what it does not take: {condition}',
        fix: 'compare the call with the headers of this version',
      },
    ],
  ),
  tensor_address_unset: build('ExecutionError', 'a tensor of the engine has no buffer', 'bind every input and output'),
  shape_out_of_profile: build(
    'ProfileError',
    'the shape given at run time is outside every profile',
    'widen the profile',
    [
      {
        cause: 'the shape {shapeGiven} of {tensor} is outside the profile: axis {dimIndex} may be {dimMin} to {dimMax}',
        fix:
          'give a shape within that range, or build again with a wider one: trtexec --minShapes=… --optShapes=… ' +
          '--maxShapes=…',
      },
      {
        cause: 'the shape {shapeGiven} of {tensor} is outside every profile',
        fix: 'build again with a wider range: trtexec --minShapes={tensor}:… --optShapes=… --maxShapes=…',
      },
    ],
  ),
  parity_mismatch: build(
    'ParityError',
    'the engine and the reference differ by more than the tolerance',
    'bisect the layers, or keep FP32',
  ),
  parity_mismatch_tf32_suspect: build(
    'ParityError',
    'the difference is of the size that TF32 makes',
    'build the engine again with TF32 off',
  ),
}

/** Every bucket of TensorRT. */
export const tensorrtBuckets: Readonly<Record<string, Bucket>> = {
  ...engineBuckets,
  ...buildBuckets,
  ...noticeBuckets,
}
