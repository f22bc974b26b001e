/**
 * Sentences of TensorRT for tests of the classifier, written for this project as those of `texts.ts` are.
 */

/** Bucket, then a text of that kind. */
export const tensorrtTexts: readonly (readonly [bucket: string, text: string])[] = [
  [
    'no_implementation_workspace',
    '[TRT] [W] Skipping tactic 3 due to insufficient memory\n[TRT] [E] 10: Could not find any implementation for node A.',
  ],
  [
    'no_implementation',
    '[TRT] [E] 10: [optimizer.cpp] Could not find any implementation for node {ForeignNode[a...b]}.',
  ],
  ['engine_corrupt', '[TRT] [E] plan file: version mismatch, expected 10.1.0 got 0.0.0'],
  ['timing_cache_invalid', '[TRT] magicTag mismatch\n[TRT] The timing cache will be ignored'],
  ['gpu_oom', '[TRT] [E] 2: [virtualMemoryBuffer.cpp] Error Code 2: OutOfMemory'],
  ['cuda_init_no_device', '[TRT] CUDA initialization failure with error: 100'],
  ['profile_missing', '[TRT] [E] 4: Network has dynamic inputs, but no optimization profile has been defined.'],
  ['shape_out_of_profile', '[TRT] [E] Static dimension mismatch: exceed min ~ max range, profile 0'],
  ['tensor_address_unset', '[TRT] [E] Address is not set for input tensor mel.'],
  ['int8_missing_scale', '[TRT] [W] Missing scale and zero-point for tensor (Unnamed Layer* 4)'],
  ['int64_cast_warning', '[TRT] Your ONNX model has INT64 weights; casting down to INT32'],
  ['api_removed_trt11', 'trtexec: Unknown option: --fp16'],
  ['network_empty_after_parse_failure', '[TRT] [E] Network must have at least one output'],
  ['build_failed_cascade', '[TRT] Assertion enginePtr != nullptr failed'],
  ['parity_mismatch_tf32_suspect', 'polygraphy: FAILED | Difference exceeds tolerance, max abs 3.1e-04, fp32 engine'],
]
