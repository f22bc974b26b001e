/**
 * What keeps a HEF from running on a board that works: the file, the library, the calls.
 *
 * What helps with a status alone is in `lib/contract/hailort-advice.ts`; here are the kinds that logs tell more of.
 */
import { bucketAt, type Bucket } from '../bucket.ts'

const runtime = bucketAt('runtime')
const exception = 'HailoRTException'
const dmesg = 'sudo dmesg | grep -i hailo'

/** Buckets of the HEF, the library and the calls. */
export const hailortBuckets: Readonly<Record<string, Bucket>> = {
  runtime_missing_package: runtime(
    'ModuleNotFoundError',
    'the runtime package is absent',
    'install pyhailort/hailo_platform (apt install hailo-all)',
    [
      {
        when: /no element|gstreamer|\bgst\b|hailonet/i,
        cause: "GStreamer does not find Hailo's elements ({element})",
        fix: 'sudo apt install hailo-tappas-core; rm -rf ~/.cache/gstreamer-1.0; gst-inspect-1.0 hailonet',
      },
      {
        when: /libhailort\.so/,
        cause: 'the library {library} is not on this machine: another version of HailoRT is, or none',
        fix: 'ldconfig -p | grep libhailort; then install the version that the program was built for',
      },
      {
        when: /NameError/,
        cause: 'hailo_platform was not importable, and the program went on without it: {name} is not defined',
        fix:
          'python3 -c "import hailo_platform" shows why; on Raspberry Pi OS: sudo apt install hailo-all, and a ' +
          'venv with --system-site-packages',
      },
      {
        when: /no module named|import/i,
        cause: 'Python finds no module {module} in the environment that runs this',
        fix: 'sudo apt install hailo-all, and a venv made with: python3 -m venv --system-site-packages venv',
      },
      {
        when: /hailortcli/,
        cause: "HailoRT's program hailortcli is not installed, or not on PATH",
        fix: 'sudo apt install hailo-all (Hailo-10H: hailo-h10-all)',
      },
    ],
  ),
  runtime_version_mismatch: runtime(
    exception,
    'driver, library, service, firmware or HEF are of different versions',
    'install the same version of all of them',
    [
      {
        when: /driver/i,
        cause: 'the driver is {driverVersion} and the library is {libraryVersion}, and they must be equal',
        fix:
          'install {libraryVersion} of both, or {driverVersion} of both, then sudo reboot; in a container the ' +
          'library must equal the driver of the host',
      },
      {
        when: /firmware/i,
        cause: 'the firmware is {deviceVersion} and the host has {hostVersion}',
        fix:
          'install one version of hailofw, driver and library: sudo apt install --reinstall hailo-all, then ' +
          'power the board off and on',
      },
      {
        when: /HEF version/i,
        cause: 'HailoRT reads HEFs of version {hefVersionRead}, and this one has version {hefVersion}',
        fix:
          'upgrade HailoRT, or compile the model with the Dataflow Compiler that belongs to it: hailortcli ' +
          '--version',
      },
      {
        when: /HEF_NOT_SUPPORTED|unsupported extensions|\b92\b/,
        cause: 'this HailoRT cannot read the HEF: it was made by a newer Dataflow Compiler',
        fix: 'upgrade HailoRT (hailortcli --version), or compile with the Dataflow Compiler of its generation',
      },
      {
        when: /service/i,
        cause: "HailoRT's service and the library are of different versions",
        fix: 'sudo systemctl restart hailort.service, after both were upgraded to one version',
      },
    ],
  ),
  runtime_service: runtime(
    exception,
    "HailoRT's service does not run, or ended during the call",
    'sudo systemctl restart hailort.service; journalctl -u hailort.service -n 50',
  ),
  runtime_hef_arch_mismatch: runtime(
    exception,
    'the HEF was compiled for another architecture than the device',
    'compile again with HW_ARCH set to the architecture of the device',
    [
      {
        cause: 'the HEF was compiled for {hefArch}, and the device is {deviceArch}',
        fix: 'compile it again with --hw-arch for {deviceArch}; hailortcli fw-control identify tells the architecture',
      },
    ],
  ),
  runtime_hef_damaged: runtime(
    exception,
    'the HEF is damaged, cut short, or no HEF',
    'compare it with its original: ls -l, sha256sum; where it is a git-lfs pointer: git lfs pull',
  ),
  runtime_file_not_opened: runtime(
    exception,
    'a file that HailoRT was given is not there, or may not be read',
    'ls -l the path of the HEF, and see from which folder the program is started',
    [
      {
        cause: 'HailoRT cannot open {path}',
        fix: 'ls -l {path}',
      },
    ],
  ),
  runtime_not_activated: runtime(
    exception,
    'the network group is not activated: without the scheduler that must be done before frames are written',
    'use the scheduler (HAILO_SCHEDULING_ALGORITHM_ROUND_ROBIN, the default), or activate the group first',
    [
      {
        cause: 'a frame was written to {stream} before its network group was activated',
        fix: 'use the scheduler (HAILO_SCHEDULING_ALGORITHM_ROUND_ROBIN, the default), or activate the group first',
      },
    ],
  ),
  runtime_scheduler_active: runtime(
    exception,
    'a network group was activated by hand although the scheduler does that',
    'leave the activation out, or create the virtual device with scheduling algorithm NONE',
  ),
  runtime_not_supported: runtime(
    exception,
    'this HailoRT, or this device, does not do what was asked',
    'Hailo-8 wants HailoRT 4, Hailo-10H wants HailoRT 5: hailortcli fw-control identify',
    [
      {
        when: /HailoRT v?5\.|version v?5\.|libhailort\.so\.5/,
        cause:
          'this HailoRT 5 does not do that on this device: its C interface runs no models on a Hailo-10H, and it ' +
          'serves no Hailo-8',
        fix:
          'lspci -nn -d 1e60: tells the board; Hailo-8 and 8L want HailoRT 4, on a Hailo-10H use InferModel ' +
          '(C++ or Python)',
      },
      {
        when: /HailoRT v?4\.|version v?4\.|libhailort\.so\.4/,
        cause: 'this HailoRT 4 does not do that on this device: it serves no Hailo-10H',
        fix: 'lspci -nn -d 1e60: tells the board; for a Hailo-10H: sudo apt install hailo-h10-all, then sudo reboot',
      },
    ],
  ),
  runtime_misuse: runtime(
    exception,
    'the program calls HailoRT in an order, or with buffers, that it does not take',
    'compare with the example of the same version; HAILORT_CONSOLE_LOGGER_LEVEL=info says more',
  ),
  runtime_stream_closed: runtime(
    exception,
    'a stream was closed because something else stopped: this line only follows from it',
    `read the first error above; else ${dmesg}`,
  ),
  runtime_buffer_size: runtime(
    exception,
    'a buffer is not the size of a frame: another length or another format',
    'set the format to float32 and give whole frames',
  ),
  runtime_stream_ambiguous: runtime(
    'ValueError',
    'the HEF has several streams, and none (or a name that it does not have) was chosen',
    '--input NAME --output NAME',
  ),
}
