/**
 * Signatures of HailoRT: a model that cannot run.
 */
import { exact, lines, phrase } from '../patterns.ts'
import { at, type Signature } from '../signature.ts'
import { statusSignatures } from './hailort-status.ts'

const runtime = at('runtime')

/** Messages that name their cause whole. */
const exactly: readonly Signature[] = [
  runtime(
    'runtime_descriptor_page_size',
    /max_desc_page_size given|desc(?:riptor)? page size[^\n]{0,40}(?:bigger|larger|exceeds)/i,
  ),
  runtime(
    'runtime_not_activated',
    phrase`before its network group is activated|network group (?:\S{1,60} )?(?:is )?not activated
      |stream is not activated`,
  ),
  runtime(
    'runtime_buffer_size',
    phrase`(?:write|read|buffer|frame) size \(?\d{1,12}\)? must be|size \(?\d{1,12}\)?[^\n]{0,20}(?:not equal
      |different|must be)[^\n]{0,40}(?:frame )?size`,
  ),
  runtime(
    'runtime_scheduler_active',
    /(?:activat\w{1,4}|wait)[^\n]{0,80}scheduler (?:is )?(?:active|enabled|running)/i,
  ),
  runtime(
    'runtime_timeout',
    lines`Got HAILO_TIMEOUT|timeout while (?:waiting|reading|writing|running)[^\n]{0,80}(?:stream|frame|descriptor
      |channel|infer)
      |(?:read|writ|infer|recv|send)\w{0,6}[^\n]{0,60}(?:timed out|timeout)[^\n]{0,20}(?:ms|\)|$)
      |(?:HailoRTTimeout|\bvstream[^\n]{0,40}timeout)`,
    { unless: /firmware file|TimeoutExpired|hard timeout|wrapper/i },
  ),
  runtime(
    'runtime_file_not_opened',
    phrase`Failed opening file|Failed to open (?:the )?(?:hef|file)|HEF file (?:\S{1,200} )?(?:not found|does(?: not
      |n't) exist)`,
    {
      unless: /\/dev\/|device/i,
    },
  ),
  runtime(
    'runtime_hef_damaged',
    phrase`HEF file length does not match|HEF (?:md5|crc|xxh3|checksum)|Invalid HEF magic|not a (?:valid )?HEF
      |HEF[^\n]{0,30}(?:corrupt|truncated|damaged)`,
  ),
  runtime(
    'runtime_overheated',
    phrase`health monitor[^\n]{0,60}(?:temperature|closed streams)|(?:temperature|overheat|throttl
      |over-?current)[^\n]{0,80}(?:too high|alert|zone|exceed|critical|closing
      |shut|stop)|overheated`,
    {
      unless: /throttl[^\n]{0,20}(?:disabled|off)/i,
    },
  ),
  runtime(
    'runtime_service',
    phrase`failed to connect to all addresses|Make sure HailoRT service|hailort[_.-]?service[^\n]{0,60}(?:not|fail
      |dead|refus|unavailable)|(?:multi-?process
      |hailort) service (?:is )?not (?:active|running|available)`,
  ),
  runtime(
    'runtime_missing_package',
    exact`no element "?hailo\w{2,30}|name '(?:VDevice|HEF|HailoRT\w{0,30}|ConfigureParams|InferVStreams|FormatType
      |HailoStreamInterface)' is not defined`,
  ),
  runtime('runtime_missing_package', /libhailort\.so[\w.]{0,20}: cannot open shared object file/),
  runtime(
    'runtime_version_mismatch',
    /Unsupported (?:firmware operation|hef version)|Driver version \(\S{1,20}\) is different/i,
  ),
]

/** HailoRT's library, its device and its HEFs. */
export const hailortSignatures: readonly Signature[] = [
  ...exactly,
  ...statusSignatures,
  runtime(
    'runtime_missing_package',
    phrase`no module named '?_?(?:py)?hailo(?:rt|_platform)
      |hailortcli:? (?:command )?not found|cannot import name[^\n]{0,80}hailo_platform
      |install (?:the )?(?:py)?hailo(?:rt|_platform)`,
  ),
  runtime(
    'runtime_missing_package',
    [
      phrase`
      \b(?:hailo_platform|pyhailort|libhailort(?:\.so[\w.]{0,20})?|hailort (?:runtime|library|package))(?![\w])`,
      phrase`not (?:be )?(?:found|installed|available|importable|loaded)|(?:is|are) (?:missing|absent)
      |cannot open shared object|(?:cannot|could not|failed to|unable to) (?:import|load|find|open)`,
    ],
    { unless: /HAILO_[A-Z_]{4,}|symbol/ },
  ),
  runtime(
    'runtime_hef_arch_mismatch',
    phrase`HEF_NOT_COMPATIBLE_WITH_DEVICE|INVALID_DEVICE_ARCHITECTURE|HEF arch\w{0,8}:
      |HEF (?:file |format )?is (?:not compatible|incompatible) with (?:the |this )?device`,
  ),
  runtime(
    'runtime_hef_arch_mismatch',
    [
      /\b(?:hef|hw|device|target)[ _-]?arch/i,
      phrase`mismatch|(?:not|n't) match|differ
      |incompatible|not compatible|but\b`,
    ],
    { unless: /hailo parser|usage:/i },
  ),
  runtime('runtime_hef_arch_mismatch', [
    /compiled for|built for|targets?\b/i,
    /\bhailo-?(?:8|10|12|15)\w?/i,
    /\bhef\b|model/i,
    phrase`\bbut\b|while|cannot run|not (?:compatible|run|supported)|incompatible`,
  ]),
  runtime(
    'runtime_version_mismatch',
    phrase`INVALID_DRIVER_VERSION|INVALID_SERVICE_VERSION|UNSUPPORTED_FW_VERSION
      |UNSUPPORTED_CONTROL_PROTOCOL_VERSION|HEF_NOT_SUPPORTED|unsupported extensions|unsupported firmware
      |HEF version (?:does|is|mis|should)`,
  ),
  runtime(
    'runtime_version_mismatch',
    [
      /driver|firmware|libhailort|hailort|\bhef\b|library|service/i,
      /version/i,
      phrase`is different|mismatch|(?:not|n't) match|differs?\b|incompatible|not compatible|older|newer|too old
        |should be
      |(?<!_)expected`,
    ],
    { and: /hailo|\bhef\b|firmware|driver version/i, unless: /GLIBC|undefined symbol|numpy|input shape/i },
  ),
  runtime(
    'runtime_buffer_size',
    phrase`INSUFFICIENT_BUFFER|CANT_MEET_BUFFER|InvalidFrame\w{0,12}(?:Exception|Error)
      |item ?size (?:is|of) \d|\d bytes[^\n]{0,40}(?:cannot|can't|do(?:es)? not|must)[^\n]{0,40}frames?\b
      |does not match the frame (?:count|size)
      |(?:expected|got|given|received) \d{1,9} bytes?[^\n]{0,40}(?:expected|got|given|received|but) \d|bytes per frame`,
  ),
  runtime(
    'runtime_buffer_size',
    [
      /\bbuffer\b|frame size|vstream/i,
      /\bsizes?\b|bytes|small|short|large/i,
      phrase`different|mismatch|expected|(?:not|n't) (?:equal|match)|must be|wrong|too (?:small|short|large)|invalid
      |insufficient|unexpected`,
    ],
    { unless: /Agent infeasible|Mapping Failed|allocat|shuffle/i },
  ),
  runtime('runtime_stream_ambiguous', [
    /\bv?streams?\b/i,
    phrase`ambiguous
      |(?:choose|select|specify|pick|pass|name) (?:one|an?|which|the|explicit|--)|explicit|--(?:in|out)put
      |\bwhich (?:of (?:these|them|the)|one|v?stream|(?:in|out)put)`,
  ]),
  runtime('runtime_stream_ambiguous', [
    /\bv?streams?\b/i,
    phrase`
      (?:multiple|several|more than one|[2-9]|two|three) (?:input |output )?v?streams
      |requested (?:input |output )?v?stream|unknown v?stream|no v?stream named`,
  ]),
  runtime(
    'runtime_no_device',
    phrase`not enough free devices|can't find hailo pcie|fail\w{0,4} to create v?device|fail\w{0,4} to open device`,
  ),
  runtime('runtime_no_device', phrase`(?:found|finds?|detected|sees?) no (?:\w{1,12} )?(?:devices?|boards?|chips?)\b`, {
    unless: /gpu|cuda|nvidia/i,
  }),
  runtime('runtime_no_device', [
    /\/dev\/(?:hailo|h1x)/,
    phrase`fail\w{0,4}\b|cannot|can't|could not|couldn't|unable|denied
      |disconnected|\b(?:EBUSY|ENODEV|ENOENT|EACCES|ENXIO)\b`,
  ]),
  runtime('runtime_no_device', [
    /hailo|\/dev\/h1x|\bpcie\b|vdevice/i,
    /devices?\b|board|chip|accelerator|\/dev\//i,
    phrase`\bno\b[^\n]{0,40}(?:found|detected|connected|available|devices?|board)
      |not (?:found|detected|connected|present|available)|in use|\bbusy\b|no such file|permission denied|held by
      |already (?:used|open)|0 devices`,
  ]),
  runtime('runtime_hef_arch_mismatch', /HAILO_INVALID_HEF|HailoRTInvalidHEFException/i),
]
