/**
 * Signatures of work that the host, a person or a time limit ended.
 */
import { exactLines, lines, phrase } from '../patterns.ts'
import { at, type Signature } from '../signature.ts'

const [any, parse, compile, runtime] = [at('any'), at('parse'), at('compile'), at('runtime')]

/**
 * A manual tells what may be done, and reports nothing that was; a line with a level, a time or a program's name does.
 */
const instructs = phrase`^(?!\s*(?:\[|<|\d{4}-|[\w.-]{1,60}: )).*
    (?:\b(?:press(?:es|ed|ing)?|hit|may|might|can|could|should|will|would|please|whenever|if|when|until|use
    |to (?:stop|cancel|abort|interrupt|quit))\b|^\s*(?:[|>*#-]|\d{1,2}\.) |\x60[^\x60']{1,60}\x60)`

/** Aborts, a full disk, no memory: these stop every case. */
export const hostSignatures: readonly Signature[] = [
  any(
    'aborted',
    phrase`\b(?:cancel+ed|interrupted|stopped|aborted|terminated|killed) by (?:the )?(?:user
      |operator|request|hand|ctrl|signal (?:2|15)\b|sig(?:int|term|hup))`,
    { unless: instructs },
  ),
  any(
    'aborted',
    phrase`KeyboardInterrupt|\bSIG(?:TERM|INT|HUP)\b|received (?:termination )?signal:? ?(?:1|2|15)\b
      |\bCtrl[-+ ]?C\b|user (?:abort|cancel|interrupt|request)`,
    { unless: instructs, andNot: /TimeoutExpired|timed out|time limit|hard timeout/i },
  ),
  any(
    'aborted',
    lines`^\s{0,8}(?:\^C|Aborted!|Terminated)\s{0,8}$|line \d{1,6}: {1,3}\d{1,9} Terminated\b
      |exit(?:ed)?(?: with)?(?: code| status)?:? ?(?:130|143|-2|-15)\b|CANCELLED AT (?![^\n]{0,80}TIME LIMIT)`,
    { andNot: /TimeoutExpired|timed out|time limit|hard timeout/i },
  ),
  any(
    'aborted',
    phrase`\b(?:build|compil\w{1,6}|mapping|job|run|operation|optimi[sz]ation|translation
      |task) (?:was |has been |is )?(?:cancel+ed|interrupted|aborted)\b(?! (?:with|due|because|on|after|by)|[:(])`,
    { unless: /timed out|time limit|exception|error:/i },
  ),
  any('aborted', /CANCELLED AT [^\n]{0,60}DUE TO (?:NODE FAILURE|PREEMPTION)/i),
  any(
    'host_disk_full',
    phrase`no space left on device|\bENOSPC\b|\bEDQUOT\b|Errno (?:28|122)\b|disk (?:is |was )?full
      |quota exceeded|(?:not enough|insufficient|out of|ran out of|no|low on) (?:free |available )?(?:disk|storage)\b
      |insufficient (?:free )?space|file ?system (?:is )?full`,
  ),
  any(
    'host_oom',
    phrase`ResourceExhausted|AccelerasResourceError|\bmemory (?:has been|was|is) exhausted
      |Dst tensor is not initialized|failed copying input tensor from|CU(?:BLAS|DNN|SOLVER)_STATUS_ALLOC_FAILED
      |(?:out of|not enough) memory\b(?! unit)|\bOOM\b|oom[-_ ]?kill|CUDA_ERROR_OUT_OF_MEMORY|bad_alloc|\bMemoryError\b
      |OUT_OF_HOST_MEMORY`,
  ),
  any(
    'host_oom',
    [phrase`(?:cannot|can't|unable to|failed to|could not|couldn't) allocate`, /memory|bytes|[KMGT]i?B\b/i],
    { unless: /memory units|v4l2|gst-resource|mlock/i },
  ),
  any(
    'host_oom',
    phrase`
      (?:not enough|insufficient|ran out of|out of) (?:free |available )?(?:host |system |gpu
       |video |device |ram\b)(?:memory
      |ram)?`,
  ),
  any(
    'host_oom',
    exactLines`(?:^|\s)Killed(?:\s|$)|SIGKILL|signal:? 9\b
      |exit(?:ed)?(?: with)?(?: code| status)?:? ?(?:137|-9)\b`,
    { unless: /sub-?process|worker/i, andNot: /timed out|time limit/i },
  ),
]

/** Time limits, and what the tools end with. */
export const lastSignatures: readonly Signature[] = [
  any(
    'wrapper_timeout',
    phrase`\btimed out\b|TimeoutExpired|time limit|hard timeout
      |\btimeout (?:after|of|reached|expired|exceeded|hit)|sending signal (?:TERM|KILL)|(?:time|case) budget
      |exit(?:ed)?(?: with)?(?: code| status)?:? ?124\b|\bTimeoutError\b|exceeded[^\n]{0,40}(?:timeout|minutes
      |seconds)`,
    { unless: /HAILO_TIMEOUT|HailoRT/ },
  ),
  parse(
    'har_build_failed_unspecified',
    phrase`HAR ?Build ?Failed
      |HAR[^\n]{0,20} (?:build|creation|generation|export|conversion) (?:has )?failed
      |fail\w{0,4} to (?:build|create|write|produce|generate|save)[^\n]{0,20}\bHAR\b|because HAR
      |no HAR (?:file )?(?:was )?(?:written|produced|created|found)`,
  ),
  compile('allocator_infeasible', /Failed to produce compiled graph|Mapping Failed/i),
  runtime(
    'runtime_crash',
    lines`AddressSanitizer: |segfault at [\da-f]{1,16} ip|segmentation fault|\(core dumped\)|^\s{0,4}Aborted\b
      |\bSIG(?:SEGV|ABRT|BUS|FPE)\b
      |stack smashing
      |double free|free\(\): invalid|malloc\(\): |exit(?:ed)?(?: with)?(?: code| status)?:? ?(?:139|134)\b`,
  ),
  runtime('runtime_crash', /terminate called/i, { rank: 'cascade' }),
]
