/**
 * Messages of TensorRT that name no cause: what follows an earlier error, and what successful builds print too.
 */
import { phrase } from '../patterns.ts'
import { at, type Signature } from '../signature.ts'

const build = at('build')
const notice = { rank: 'notice' } as const
const cascade = { rank: 'cascade' } as const
const badness = /not|fail|mismatch|invalid|corrupt|incompatible|ignor|unable|discard/i

/** They name a failure only where the log holds no cause. */
export const tensorrtNotices: readonly Signature[] = [
  build('network_empty_after_parse_failure', /network must have at least one output|network has no outputs?/i, cascade),
  build(
    'build_failed_cascade',
    phrase`Assertion \(?engine\w{0,8} ?!= ?(?:nullptr|null)|engine could not be created
      |engine set ?up failed|engine creation failed|(?:builder|network validation|build\w*) failed
      |failed to (?:build|create|parse)[^\n]{0,40}(?:engine|network|model|onnx)|could not build
      |'NoneType' object has no attribute '(?:create_execution_context|num_io_tensors|num_bindings|get_binding|serialize
      |get_tensor|set_input_shape|execute)|Parsing model failed|FAILED \| (?:Command|Runtime)`,
    cascade,
  ),
  build('timing_cache_invalid', [/timing cache/i, badness], notice),
  build('fp16_layernorm_overflow', /layer ?norm\w*[^\n]{0,120}(?:FP16|overflow)|FP16 Reduce or Pow/i, notice),
  build(
    'fp16_weight_range',
    phrase`overflow in FP16|subnormal FP16|smallest positive FP16
      |(?:range|representable)[^\n]{0,20}FP16|closest finite FP16`,
    notice,
  ),
  build('int64_clamped', /outside the range of INT32|clamped|clamping/i, { ...notice, and: /int32|int64/i }),
  build(
    'int64_cast_warning',
    /INT64 weights|not natively support INT64|cast(?:ing)? down to INT32|int64[^\n]{0,60}int32/i,
    notice,
  ),
  build(
    'precision_constraint_ignored',
    phrase`obeys? the requested constraints|conforming implementation
      |precision[^\n]{0,60}(?:ignored|not (?:be )?(?:obeyed|honou?red))
      |constraints?[^\n]{0,30}(?:ignored|not (?:be )?(?:obeyed|honou?red))`,
    notice,
  ),
  build(
    'tactic_skipped_memory_warning',
    phrase`skipping tactic|tactic device request|device memory is insufficient
      |insuf+icient memory`,
    notice,
  ),
  build('cuda_lib_version_skew', /linked against[^\n]{0,80}but loaded/i, notice),
  build('info_tf32_disabled', /TF32 is disabled/i, notice),
]
