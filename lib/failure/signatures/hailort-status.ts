/**
 * Finds the kind of failure that a status of HailoRT names.
 *
 * HailoRT writes a status as `HAILO_NAME(12)`, as `status=12`, or as `failed with error: 12`; Python as
 * `HailoRTStatusException: 12`. Numbers 0 to 83 mean the same in every version; a newer number that an older version
 * does not have cannot stand in its log. Statuses that name no cause (2, 6, 8 and their like) are left out: such a log
 * is unknown unless other words tell more.
 */
import { at, type Signature } from '../signature.ts'

type Row = readonly [number: number, names: string, bucket: string, rank?: 'cascade']

const rows: readonly Row[] = [
  [3, 'OUT_OF_HOST_MEMORY', 'host_oom'],
  [4, 'TIMEOUT', 'runtime_timeout'],
  [5, 'INSUFFICIENT_BUFFER', 'runtime_buffer_size'],
  [7, 'NOT_IMPLEMENTED', 'runtime_not_supported'],
  [13, 'OPEN_FILE_FAILURE', 'runtime_file_not_opened'],
  [14, 'FILE_OPERATION_FAILURE', 'runtime_file_not_opened'],
  [15, 'UNSUPPORTED_CONTROL_PROTOCOL_VERSION', 'runtime_version_mismatch'],
  [16, 'UNSUPPORTED_FW_VERSION', 'runtime_version_mismatch'],
  [17, 'INVALID_CONTROL_RESPONSE', 'runtime_firmware'],
  [18, 'FW_CONTROL_FAILURE', 'runtime_firmware'],
  [23, 'INVALID_FIRMWARE', 'runtime_firmware'],
  [26, 'INVALID_HEF', 'runtime_hef_arch_mismatch'],
  [28, 'INTERRUPTED_BY_SIGNAL', 'aborted'],
  [29, 'START_VDMA_CHANNEL_FAIL', 'runtime_transfer_failed'],
  [30, 'SYNC_VDMA_BUFFER_FAIL', 'runtime_transfer_failed'],
  [31, 'STOP_VDMA_CHANNEL_FAIL', 'runtime_transfer_failed'],
  [32, 'CLOSE_VDMA_CHANNEL_FAIL', 'runtime_transfer_failed'],
  [36, 'DRIVER_OPERATION_FAILED|DRIVER_FAIL', 'runtime_no_device'],
  [37, 'INVALID_FIRMWARE_MAGIC', 'runtime_firmware'],
  [38, 'INVALID_FIRMWARE_CODE_SIZE', 'runtime_firmware'],
  [44, 'GET_CONTROL_RESPONSE_FAIL', 'runtime_firmware'],
  [47, 'OUT_OF_DESCRIPTORS', 'runtime_transfer_failed'],
  [57, 'SHUTDOWN_EVENT_SIGNALED', 'runtime_stream_closed', 'cascade'],
  [62, 'COMMUNICATION_CLOSED', 'runtime_stream_closed', 'cascade'],
  [63, 'STREAM_ABORT(?:ED_BY_USER)?', 'runtime_stream_closed', 'cascade'],
  [64, '(?:PCIE_)?DRIVER_NOT_INSTALLED', 'runtime_no_device'],
  [69, 'NETWORK_GROUP_NOT_ACTIVATED', 'runtime_not_activated'],
  [70, 'VSTREAM_PIPELINE_NOT_ACTIVATED', 'runtime_not_activated'],
  [71, 'OUT_OF_FW_MEMORY', 'runtime_device_memory'],
  [72, 'STREAM_NOT_ACTIVATED', 'runtime_not_activated'],
  [73, 'DEVICE_IN_USE', 'runtime_no_device'],
  [74, 'OUT_OF_PHYSICAL_DEVICES', 'runtime_no_device'],
  [75, 'INVALID_DEVICE_ARCHITECTURE', 'runtime_hef_arch_mismatch'],
  [76, 'INVALID_DRIVER_VERSION', 'runtime_version_mismatch'],
  [77, 'RPC_FAILED', 'runtime_service'],
  [78, 'INVALID_SERVICE_VERSION', 'runtime_version_mismatch'],
  [79, 'NOT_SUPPORTED', 'runtime_not_supported'],
  [80, 'NMS_BURST_INVALID_DATA', 'runtime_misuse'],
  [81, 'OUT_OF_HOST_CMA_MEMORY', 'runtime_cma_exhausted'],
  [82, 'QUEUE_IS_FULL', 'runtime_misuse'],
  [83, 'DMA_MAPPING_ALREADY_EXISTS', 'runtime_misuse'],
  [84, 'CANT_MEET_BUFFER_REQUIREMENTS', 'runtime_buffer_size'],
  [85, 'DRIVER_INVALID_RESPONSE', 'runtime_transfer_failed'],
  [86, 'DRIVER_INVALID_IOCTL', 'runtime_version_mismatch'],
  [87, 'DRIVER_TIMEOUT', 'runtime_timeout'],
  [88, 'DRIVER_INTERRUPTED', 'runtime_stream_closed', 'cascade'],
  [89, 'CONNECTION_REFUSED', 'runtime_service'],
  [90, 'DRIVER_WAIT_CANCELED', 'runtime_stream_closed', 'cascade'],
  [91, 'HEF_FILE_CORRUPTED', 'runtime_hef_damaged'],
  [92, 'HEF_NOT_SUPPORTED', 'runtime_version_mismatch'],
  [93, 'HEF_NOT_COMPATIBLE_WITH_DEVICE', 'runtime_hef_arch_mismatch'],
  [94, 'INVALID_HEF_USE', 'runtime_misuse'],
  [95, 'OPERATION_ABORTED', 'runtime_stream_closed', 'cascade'],
  [96, 'DEVICE_NOT_CONNECTED', 'runtime_no_device'],
  [97, 'DEVICE_TEMPORARILY_UNAVAILABLE', 'runtime_no_device'],
]

const before =
  'libhailort failed with error:?|HailoRT\\w{0,20}Exception:|(?:status|returncode|error code|retcode)\\s?[=:]?'

/** One signature for each status that names a kind, by name and by number. */
export const statusSignatures: readonly Signature[] = rows.map(([number, names, bucket, rank]) =>
  at(bucket === 'host_oom' || bucket === 'aborted' ? 'any' : 'runtime')(
    bucket,
    new RegExp(`\\bHAILO_(?:${names})\\b|(?:${before})\\s?${number}\\b(?!\\.\\d|%)`, 'i'),
    { ...(rank && { rank }), unless: /\bexit(?:ed)?\b[^\n]{0,12}(?:code|status)/i },
  ),
)
