/**
 * What people meet with HailoRT, why, and what helps: one row for each thing that users report.
 *
 * A row with `statuses` explains a failed call; one with a `symptom` only is for whoever looks at the machine. The rows
 * are looked up in `hailort-status.ts`.
 */

/** Why something fails, and what helps. */
export interface Advice {
  /** Names of statuses, in the words of each version that has them. */
  readonly statuses: readonly string[]
  /** Which calls it explains; all when absent. */
  readonly calls?: RegExp
  /** What a person sees where no call fails. */
  readonly symptom?: string
  readonly cause: string
  /** A command, or what to change. */
  readonly fix: string
  /** What the failure is: something absent, something that must not be used, or a wrong thing given. */
  readonly kind?: 'absent' | 'refused' | 'usage'
}

const oneVersion =
  'install one version of both (hailort-pcie-driver or hailo-dkms, and hailort), then reboot; ' +
  "in a container the library must equal the host's driver"
const lookAndReboot = 'sudo dmesg | grep -i hailo, then reboot; if it stays, power the board off and on'
const otherHef =
  'compare its digest with the original; else upgrade HailoRT, or compile with an older Dataflow Compiler'
const frameSize = {
  kind: 'usage',
  cause: 'the buffer has not the size of a frame in the format that was asked for',
  fix: 'take the size from the stream: frameBytes',
} as const
/** Where a device is looked for, opened, and asked who it is. */
const opening = /scan_devices|create_(vdevice|device)|identify|hailo_configure \(InferModel\)/

/** Every row, in the order in which they are tried. */
export const advice: readonly Advice[] = [
  {
    statuses: ['HAILO_INVALID_DRIVER_VERSION'],
    kind: 'refused',
    cause: 'the driver and the library have different versions, and they must be equal to the revision',
    fix: oneVersion,
  },
  {
    statuses: ['HAILO_DRIVER_INVALID_IOCTL'],
    kind: 'refused',
    cause: 'the driver does not know what the library asks of it: they are of different versions',
    fix: oneVersion,
  },
  {
    statuses: ['HAILO_DEVICE_IN_USE'],
    kind: 'absent',
    cause: 'another process holds this device',
    fix: 'sudo lsof /dev/hailo* tells which (of a newer Hailo-10H: /dev/h1x-*); end it, or wait until it ends',
  },
  {
    statuses: ['HAILO_NOT_SUPPORTED'],
    calls: /create_(vdevice|device)/,
    kind: 'refused',
    cause: 'this HailoRT does not serve the board: HailoRT 4 serves no Hailo-10H, and HailoRT 5 no Hailo-8',
    fix:
      'install the series of the board (Raspberry Pi OS: sudo apt install hailo-h10-all for a Hailo-10H, ' +
      'hailo-all else), then reboot',
  },
  {
    statuses: ['HAILO_INVALID_OPERATION'],
    calls: /create_vdevice/,
    kind: 'absent',
    cause:
      "the board's firmware is not loaded; or HailoRT's multi-process service was asked for, and this " +
      'library was built without it',
    fix: `${lookAndReboot}; without the service: do not ask for several processes`,
  },
  {
    statuses: ['HAILO_INVALID_ARGUMENT'],
    calls: /create_(vdevice|device_by_id)/,
    kind: 'absent',
    cause: 'no device here has the id that was given',
    fix: 'hailortcli scan lists the ids',
  },
  {
    statuses: ['HAILO_INVALID_ARGUMENT'],
    calls: /hailo_configure \(InferModel\)/,
    kind: 'absent',
    cause: 'no device here has the id that was given; without an id, HailoRT took no device for this HEF',
    fix: 'hailortcli scan lists the ids; with none, sudo dmesg | grep -i hailo tells whether the driver took the board',
  },
  {
    statuses: ['HAILO_COMMUNICATION_CLOSED', 'HAILO_CONNECTION_REFUSED'],
    calls: opening,
    kind: 'absent',
    cause: 'the device was named by a network address, and nobody answers for a Hailo device there',
    fix: 'name a board of this machine: hailortcli scan lists the ids, such as 0000:01:00.0',
  },
  {
    statuses: ['HAILO_DRIVER_INVALID_RESPONSE'],
    calls: opening,
    kind: 'absent',
    cause: 'what the driver tells of the device is incomplete: /sys/class/hailo_chardev lacks a part of it',
    fix: lookAndReboot,
  },
  {
    statuses: ['HAILO_DRIVER_TIMEOUT'],
    calls: opening,
    kind: 'absent',
    cause: "the board's firmware does not answer",
    fix: lookAndReboot,
  },
  {
    statuses: ['HAILO_FW_CONTROL_FAILURE'],
    calls: opening,
    kind: 'absent',
    cause: "the board's firmware refuses what it is asked",
    fix: lookAndReboot,
  },
  {
    statuses: ['HAILO_OUT_OF_PHYSICAL_DEVICES'],
    kind: 'absent',
    cause: 'no Hailo device is free: there is none, its driver is not loaded, or another process holds it',
    fix: 'ls /dev/hailo0 /dev/h1x-0; lspci -d 1e60:; sudo lsof /dev/hailo*',
  },
  {
    statuses: ['HAILO_HEF_NOT_COMPATIBLE_WITH_DEVICE', 'HAILO_INVALID_HEF'],
    calls: /configure/,
    kind: 'usage',
    cause:
      'the HEF was compiled for another architecture than this device has (a board named "Hailo-8" may be a Hailo-8L)',
    fix: 'compile it again with --hw-arch for this device: hailortcli fw-control identify tells its architecture',
  },
  {
    statuses: ['HAILO_HEF_NOT_SUPPORTED', 'HAILO_INVALID_HEF', 'HAILO_HEF_FILE_CORRUPTED', 'HAILO_INVALID_HEF_USE'],
    kind: 'usage',
    cause:
      'this version of HailoRT cannot read the HEF: it is damaged, not a HEF, or made by a newer Dataflow Compiler',
    fix: otherHef,
  },
  {
    statuses: ['HAILO_INTERNAL_FAILURE', 'HAILO_INVALID_ARGUMENT'],
    calls: /create_hef|hailo_hef_/,
    kind: 'usage',
    cause:
      'this version of HailoRT cannot read the HEF: it is of a newer form, for an architecture that it does ' +
      'not know, or has too long a name',
    fix: otherHef,
  },
  {
    statuses: ['HAILO_TIMEOUT'],
    calls: /_(read|write)_raw_buffer|hailo_infer/,
    cause: 'the device gave no frame in time: it is slower than that, an output is not read, or the firmware hangs',
    fix:
      'give it longer (--timeout-ms), and with code of your own read every output at the same time; if it ' +
      'stays, power the device off and on',
  },
  {
    statuses: ['HAILO_DRIVER_OPERATION_FAILED', 'HAILO_DRIVER_FAIL'],
    calls: /_(read|write)_raw_buffer|hailo_infer/,
    cause: 'the driver lost the device in the middle: it was unplugged, reset, or ran out of power',
    fix: 'sudo dmesg | grep -i hailo # then look at its power and its seat, and reboot',
  },
  { statuses: ['HAILO_INVALID_OPERATION', 'HAILO_INVALID_ARGUMENT'], calls: /_raw_buffer|hailo_infer/, ...frameSize },
  { statuses: ['HAILO_INTERNAL_FAILURE'], calls: /read_raw_buffer/, ...frameSize },
  {
    statuses: ['HAILO_NOT_AVAILABLE'],
    calls: /latency/,
    cause:
      'no latency was measured: that takes a group of one input that was configured to measure it, and a ' +
      'frame since the last answer',
    fix: 'configure with measuresLatency, run a frame, then ask',
  },
  {
    statuses: ['HAILO_INTERNAL_FAILURE'],
    calls: /configure|vdevice/,
    cause:
      'HailoRT failed inside; on a Raspberry Pi 5 often because its PCIe page (4096) is smaller than the ' +
      'driver asks for',
    fix: 'echo "options hailo_pci force_desc_page_size=4096" | sudo tee /etc/modprobe.d/hailo_pci.conf, then reboot',
  },
  {
    statuses: ['HAILO_NETWORK_GROUP_NOT_ACTIVATED'],
    cause: 'without the scheduler a network group must be activated before frames are written',
    fix: 'use the scheduler (the default), or activate the group first',
  },
  {
    statuses: ['HAILO_INVALID_OPERATION'],
    calls: /activate_network_group/,
    cause: 'the scheduler activates network groups itself',
    fix: 'do not activate, or open the virtual device with scheduling "none"',
  },
  {
    statuses: ['HAILO_RPC_FAILED', 'HAILO_INVALID_SERVICE_VERSION', 'HAILO_CONNECTION_REFUSED'],
    kind: 'absent',
    cause: "HailoRT's service does not run, or has another version than the library",
    fix: 'sudo systemctl restart hailort.service, after upgrading both to one version',
  },
  {
    statuses: ['HAILO_NOT_IMPLEMENTED'],
    calls: /configure|vstream|hailo_infer/,
    kind: 'refused',
    cause: "a Hailo-10H does not run models through HailoRT's C interface",
    fix:
      'open the model with --backend hailort, which compiles there what such a device needs (sudo apt install ' +
      'g++ hailo-h10-all)',
  },
  {
    statuses: ['HAILO_NOT_IMPLEMENTED'],
    kind: 'refused',
    cause: 'this device, or this version of HailoRT, does not do what was asked',
    fix:
      'ask a Hailo-8 or Hailo-8L under HailoRT 4; a Hailo-10H tells through this interface its identity, ' +
      'temperature and power',
  },
  {
    statuses: [],
    symptom: '/dev/hailo0 is absent although a Hailo-10H works',
    kind: 'absent',
    cause: 'the driver hailo1x_pci names the node /dev/h1x-0 from version 5.3 on',
    fix: 'look for either node: ls /dev/hailo0 /dev/h1x-0',
  },
  {
    statuses: ['HAILO_UNSUPPORTED_FW_VERSION', 'HAILO_UNSUPPORTED_CONTROL_PROTOCOL_VERSION'],
    kind: 'refused',
    symptom: 'firmware and driver differ after an upgrade of a Hailo-10H, or libhailort.so.5.3.0 is missing',
    cause: 'packages of several versions are installed side by side',
    fix: 'install one version of every Hailo package, then power the board off and on',
  },
  {
    statuses: ['HAILO_DRIVER_NOT_INSTALLED', 'HAILO_PCIE_DRIVER_NOT_INSTALLED'],
    kind: 'absent',
    symptom: 'apt says that hailort is replaced by h10-hailort',
    cause: 'the driver is not loaded: it is not installed, or was not built for the kernel that runs',
    fix:
      'lsmod | grep hailo; Raspberry Pi OS: sudo apt install hailo-all (Hailo-8, Hailo-8L) or hailo-h10-all ' +
      '(Hailo-10H), then reboot',
  },
  {
    statuses: [
      'HAILO_DRIVER_INVALID_RESPONSE',
      'HAILO_DRIVER_TIMEOUT',
      'HAILO_DRIVER_INTERRUPTED',
      'HAILO_OUT_OF_HOST_CMA_MEMORY',
    ],
    cause: 'the driver refused or lost the request',
    fix: 'sudo dmesg | grep -i hailo',
  },
  {
    statuses: ['HAILO_DRIVER_OPERATION_FAILED', 'HAILO_DRIVER_FAIL', 'HAILO_OPEN_FILE_FAILURE'],
    calls: opening,
    kind: 'absent',
    symptom: 'permission denied on /dev/hailo0 or /dev/h1x-0',
    cause: "the device's node is absent, or this user may not open it, or the driver failed",
    fix:
      'ls -l /dev/hailo0 /dev/h1x-0 tells which: with neither, sudo modprobe hailo_pci (of a Hailo-10H ' +
      'hailo1x_pci), or in a container ' +
      'docker run --device /dev/hailo0; where its mode keeps this user out, join its group: sudo usermod -aG ' +
      'GROUP "$USER"; ' +
      'else sudo dmesg | grep -i hailo',
  },
  {
    statuses: ['HAILO_NMS_BURST_INVALID_DATA'],
    cause: 'the boxes that the device wrote could not be read: an output was read out of step, or the frame was cut',
    fix: 'read every output of each frame, in one process for each device; else compile the HEF again',
  },
  {
    statuses: ['HAILO_DMA_MAPPING_ALREADY_EXISTS'],
    kind: 'usage',
    cause: 'a buffer is mapped for the device twice',
    fix: 'map each buffer once, or let the library map it: leave out hailo_vdevice_dma_map_buffer',
  },
  {
    statuses: ['HAILO_QUEUE_IS_FULL'],
    kind: 'usage',
    cause: 'more frames were sent than the device has room for before one was read',
    fix: 'wait until the device is ready for another frame: ConfiguredInferModel::wait_for_async_ready',
  },
  {
    statuses: ['HAILO_TIMEOUT'],
    cause: 'the device or its firmware did not answer in time',
    fix: lookAndReboot,
  },
  {
    statuses: ['HAILO_DEVICE_NOT_CONNECTED', 'HAILO_DEVICE_TEMPORARILY_UNAVAILABLE'],
    kind: 'absent',
    cause: 'the device was there and is not now: it resets, or lost its power or its link',
    fix: lookAndReboot,
  },
  {
    statuses: ['HAILO_HEF_NOT_COMPATIBLE_WITH_DEVICE'],
    kind: 'usage',
    cause: 'the HEF was compiled for another architecture than this device has',
    fix: 'compile it again with --hw-arch for this device: hailortcli fw-control identify tells its architecture',
  },
  {
    statuses: [],
    symptom: "hailort.log or ~/.hailo cannot be written, as under systemd's ProtectHome",
    cause: 'the library writes a log file into the working folder and the home folder',
    fix: 'export HAILORT_LOGGER_PATH=NONE',
  },
]
