/**
 * What keeps a Hailo board from working: its driver, its firmware, memory and heat.
 */
import { bucketAt, type Bucket } from '../bucket.ts'
import { runbookCommand } from '../../host/typescript.ts'
import { phrase } from '../patterns.ts'

const runtime = bucketAt('runtime')
const exception = 'HailoRTException'
const dmesg = 'sudo dmesg | grep -i hailo'
const powerCycle = `${dmesg}, then power the board off and on`

/** Opening the device, its driver and its firmware. */
export const deviceBuckets: Readonly<Record<string, Bucket>> = {
  runtime_no_device: runtime(
    exception,
    'no device answers, or another process holds it',
    `ls -l /dev/hailo0 /dev/h1x-0; lspci -d 1e60:; ${dmesg}`,
    [
      {
        when: /Enabl\w{0,3} MSI|MSI -28|interrupts -28|activating board -28/i,
        cause:
          'the driver got no interrupt (MSI) for the board at {pciAddress}: -28 says that the PCIe bridge has ' +
          'none left',
        fix:
          'dtoverlay=pciex1-compat-pi5,no-mip in /boot/firmware/config.txt (Raspberry Pi 5), else another ' +
          'slot; then sudo reboot',
      },
      {
        when: /PCIe Bus Error|AER: /,
        cause: 'the PCIe link to the board at {pciAddress} makes errors: cable, slot, or a speed that it does not hold',
        fix:
          'reseat board and cable; on a Raspberry Pi drop dtparam=pciex1_gen=3 from /boot/firmware/config.txt and ' +
          'sudo reboot; then: sudo lspci -vvs {pciAddress} | grep LnkSta',
      },
      {
        when: /brcm-pcie[^\n]{0,80}link (?:is )?down/i,
        cause: 'the PCIe connector of the Raspberry Pi sees no board: the link did not come up',
        fix:
          'switch off and reseat the flat cable and the board; dtparam=pciex1 in /boot/firmware/config.txt; sudo ' +
          'reboot; then: lspci -d 1e60:',
      },
      {
        when: /open device file \S{1,60} with error 2\b/i,
        cause: 'there is no node {devNode}: the driver is not loaded, or the container was not given the device',
        fix:
          'lsmod | grep hailo; sudo modprobe hailo_pci (Hailo-10H: hailo1x_pci); in a container: docker run --device ' +
          '{devNode}',
      },
      {
        when: /open device file \S{1,60} with error 1\b/i,
        cause: 'the container shows {devNode}, and may not open it',
        fix: 'docker run --device {devNode}: a mounted /dev does not give the right to open it',
      },
      {
        when: /open device file \S{1,60} with error (?:6|19)\b/i,
        cause: 'the node {devNode} is there, and no device answers behind it',
        fix: 'lspci -d 1e60:; sudo dmesg | grep -i hailo, then power the board off and on',
      },
      {
        when: /DRIVER_NOT_INSTALLED|\b64\b/,
        cause: "Hailo's driver is not loaded",
        fix:
          'sudo modprobe hailo_pci (Hailo-10H: hailo1x_pci); where there is no such module: sudo apt install ' +
          'hailo-all (Hailo-10H: hailo-h10-all), sudo reboot',
      },
      {
        when: /EACCES|permission denied|error 13\b|Errno 13/i,
        cause: 'the device is there, and this user may not open it',
        fix: 'ls -l /dev/hailo0 /dev/h1x-0 shows its group; sudo usermod -aG GROUP "$USER", then log in again',
      },
      {
        when: /DEVICE_IN_USE|in use|\bbusy\b|EBUSY|another process|held by/i,
        cause: 'another process holds the device',
        fix: 'sudo lsof /dev/hailo* /dev/h1x-*, and end that process',
      },
      {
        when: /custom device|docker|containerd|OCI runtime/i,
        cause: 'the container was to get the device node {devNode}, and the host has none',
        fix: 'on the host: ls -l /dev/hailo0 /dev/h1x-0; sudo modprobe hailo_pci; then docker run --device /dev/hailo0',
      },
      {
        when: /OUT_OF_PHYSICAL_DEVICES|not enough free devices|\b74\b/,
        cause: 'no Hailo device is free: there is none, its driver is not loaded, or another process holds it',
        fix: 'ls -l /dev/hailo0 /dev/h1x-0; lspci -d 1e60:; sudo lsof /dev/hailo*',
      },
      {
        when: /NOT_CONNECTED|disconnect|TEMPORARILY|DRIVER_(?:OPERATION_FAILED|FAIL)\b|link is down|AER|surprise/i,
        cause: 'the driver lost the device, or its firmware does not answer',
        fix: powerCycle,
      },
    ],
  ),
  runtime_driver: runtime(
    'DriverError',
    "Hailo's kernel module is not there for the kernel that runs, or does not load",
    'sudo apt install raspberrypi-kernel-headers dkms (else linux-headers-$(uname -r)), then sudo dkms autoinstall',
    [
      {
        when: /Key was rejected|Required key not available|module verification/i,
        cause: 'secure boot refuses the module {module}, which is not signed',
        fix: 'mokutil --sb-state; enrol a key (sudo mokutil --import /var/lib/dkms/mok.pub), or turn secure boot off',
      },
      {
        when: phrase`: (?:fatal )?error: (?:implicit|incompatible|too (?:few|many) arguments|assignment|passing
          |unknown type|.{0,60}(?:undeclared|has no member)|conflicting)`,
        cause: 'the source of {moduleSource} does not compile for this kernel: the driver is older than the kernel',
        fix:
          'install a newer driver, or boot an older kernel; the reason: grep -m3 "error:" ' +
          '/var/lib/dkms/{module}/*/build/make.log',
      },
      {
        when: /(?:gcc|clang)\S{0,8}: (?:No such file|not found|command not found)/i,
        cause: 'the compiler {compiler}, with which the kernel was built, is not installed',
        fix: 'sudo apt install {compiler}; sudo dkms autoinstall',
      },
      {
        when: /headers for kernel \S{1,80} cannot be found/i,
        cause: 'the headers of kernel {kernel} are not installed, so the driver cannot be built for it',
        fix: 'sudo apt install linux-headers-{kernel}; sudo dkms autoinstall -k {kernel}',
      },
      {
        when: /Bad return status|bad exit status/i,
        cause: 'the module {module} could not be built for kernel {kernel}; the reason is in its make.log',
        fix:
          'grep -m3 "error:" {makeLog}; where it names kernel functions, install a newer driver; where headers are ' +
          'absent: sudo apt install linux-headers-{kernel}',
      },
      {
        when: /not found in directory|Bad return status|dkms|headers|version magic|Invalid module format/i,
        cause: 'there is no module {module} for the kernel {kernel}: it was updated after the driver was built',
        fix: 'sudo apt install linux-headers-{kernel} dkms; sudo dkms autoinstall -k {kernel}; sudo modprobe {module}',
      },
      {
        when: /headers/i,
        cause: 'the headers of the kernel that runs are not installed, so its driver cannot be built',
        fix: 'sudo apt install linux-headers-$(uname -r) dkms; sudo dkms autoinstall',
      },
    ],
  ),
  runtime_driver_family: runtime(
    'DriverError',
    'the driver is for another family of boards: hailo1x drives Hailo-10H and Hailo-15, hailo_pci drives Hailo-8',
    'lspci -nn -d 1e60: tells the board; sudo apt install hailo-all (Hailo-8, 8L) or hailo-h10-all (Hailo-10H); ' +
      'sudo reboot',
    [
      {
        when: /hailo1x/i,
        cause: 'hailo1x, which drives Hailo-10H and Hailo-15 only, tried the board at {pciAddress} and failed',
        fix: 'lspci -nn -d 1e60: tells the board; for 1e60:2864 (Hailo-8, 8L): sudo apt install hailo-all; sudo reboot',
      },
    ],
  ),
  runtime_firmware: runtime(
    'FirmwareError',
    "the board's firmware is absent, damaged or does not answer",
    `ls -l /lib/firmware/hailo; ${dmesg}`,
    [
      {
        when: /not found|error -2\b|upload the firmware|No such file/i,
        cause: 'the driver finds no firmware file {firmware}, so the board stays without a program',
        fix:
          'sudo apt install --reinstall hailofw (Raspberry Pi OS: hailo-all), ls -l /lib/firmware/hailo, then ' +
          'sudo reboot',
      },
    ],
  ),
  runtime_timeout: runtime(
    exception,
    'the device or a stream did not answer in time: an output is not read, a frame is missing, or the firmware hangs',
    `read every output while writing; else ${powerCycle}`,
    [
      {
        when: /DRIVER_TIMEOUT|firmware|control/i,
        cause: "the board's firmware does not answer in time",
        fix: powerCycle,
      },
      {
        cause:
          'the stream {stream} got no answer in time: an output is not read, a frame is missing, or the firmware hangs',
        fix: `read every output of the network while writing; if it stays: ${powerCycle}`,
      },
    ],
  ),
  runtime_cma_exhausted: runtime(
    exception,
    'the kernel has no contiguous memory (CMA) left for the buffers of the device',
    'a larger CMA: cma=256M on the command line of the kernel',
    [
      {
        cause: 'the kernel has no contiguous memory (CMA) left for the buffers of the device',
        fix: 'append cma=256M to the one line of /boot/firmware/cmdline.txt, sudo reboot, then: grep Cma /proc/meminfo',
      },
    ],
  ),
  runtime_descriptor_page_size: runtime(
    exception,
    'the driver asks for larger PCIe descriptor pages than this host can do',
    'echo "options hailo_pci force_desc_page_size=4096" | sudo tee /etc/modprobe.d/hailo_pci.conf; sudo reboot',
    [
      {
        cause: 'the driver asks for descriptor pages of {pageAsked} bytes, and this host can do {pageMax}',
        fix:
          'echo "options hailo_pci force_desc_page_size={pageMax}" | sudo tee /etc/modprobe.d/hailo_pci.conf; ' +
          'sudo reboot',
      },
    ],
  ),
  runtime_transfer_failed: runtime(
    exception,
    'a transfer between host and board could not be started or finished',
    powerCycle,
  ),
  host_power: runtime(
    'Undervoltage',
    'the supply of the board gives too little voltage, so devices on it fail',
    'vcgencmd get_throttled; take the supply that the board asks for (Raspberry Pi 5: 27 W), and a short cable',
  ),
  runtime_overheated: runtime(
    exception,
    'the board is too hot or draws too much current, so it slows down or closes its streams',
    'give it a heat sink and air; hailortcli fw-control identify, then hailortcli monitor',
  ),
  runtime_device_memory: runtime(
    exception,
    "the board's own memory is full: too many networks are configured at once",
    'close network groups before others are opened, or use fewer',
  ),
  runtime_crash: runtime(
    'Crash',
    'the runtime crashed in native code: a damaged or unexpected model, or a defect of the library',
    `${runbookCommand('runbooks/doctor.ts')} tells versions; compare the model with its original: sha256sum MODEL`,
    [
      {
        when: /segfault at/i,
        cause: '{crashed} crashed at a wrong address, inside {crashedIn}',
        fix: 'coredumpctl info {crashed} shows the calls; ldconfig -p | grep {crashedIn} shows which file is loaded',
      },
      {
        when: /HailoRT|hailort|\.hef\b|hailo_platform/,
        cause: 'HailoRT crashed in native code: a HEF that it does not expect, or a defect of that version',
        fix: 'hailortcli parse-hef MODEL.hef shows whether it can be read at all; else another version of HailoRT',
      },
    ],
  ),
}
