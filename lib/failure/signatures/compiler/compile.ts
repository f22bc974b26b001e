/**
 * Signatures of Hailo's compiler: a network that does not fit, and crashes.
 */
import { phrase } from '../../patterns.ts'
import { at, type Signature } from '../../signature.ts'

const compile = at('compile')

const supported = /(?:not|un)[- ]?(?:currently )?supported|not implemented|no implementation/i

/** Allocation, mapping and kernels. */
export const compileSignatures: readonly Signature[] = [
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
