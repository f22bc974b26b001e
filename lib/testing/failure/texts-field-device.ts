/**
 * Logs of HailoRT, its driver and its packages.
 */

/** A bucket, what cause and fix must say, and a log. */
export const deviceFieldTexts: readonly (readonly [bucket: string, says: RegExp, log: string])[] = [
  [
    'runtime_version_mismatch',
    /4\.21\.0.*4\.20\.0/,
    '[HailoRT] [error] CHECK failed - Driver version (4.21.0) is different from library version (4.20.0)\n' +
      '[HailoRT] [error] CHECK_SUCCESS failed with status=HAILO_INVALID_DRIVER_VERSION(76)\n' +
      '[HailoRT] [error] Failed to create vdevice. status: 76',
  ],
  [
    'runtime_version_mismatch',
    /4\.23\.0.*4\.22\.0/,
    "Failed running 'hailortcli fw-control identify': returncode=76 stderr=[HailoRT] [error] CHECK failed - " +
      'Driver version (4.23.0) is different from library version (4.22.0)',
  ],
  [
    'runtime_version_mismatch',
    /firmware is 4\.21\.0.*4\.20\.0/,
    '[HailoRT] [warning] Unsupported firmware operation. Host: 4.20.0, Device: 4.21.0',
  ],
  [
    'runtime_version_mismatch',
    /service/,
    'INFO: agent up\nRuntime agent: Failed to create VDevice: HAILO_INVALID_SERVICE_VERSION',
  ],
  [
    'runtime_version_mismatch',
    /newer Dataflow Compiler/,
    '[HailoRT] [error] CHECK failed - Hef has unsupported extensions: WRITE_CACHE_BY_DESCRIPTORS\n' +
      '[HailoRT] [error] CHECK_SUCCESS failed with status=HAILO_INVALID_HEF(26)',
  ],
  [
    'runtime_hef_arch_mismatch',
    /HAILO8, and the device is HAILO8L/,
    '[HailoRT] [error] HEF format is not compatible with device. Device arch: HAILO8L, HEF arch: HAILO8\n' +
      '[HailoRT] [error] CHECK_SUCCESS failed with status=HAILO_INVALID_HEF(26)',
  ],
  [
    'runtime_hef_damaged',
    /sha256sum/,
    '[HailoRT] [error] CHECK failed - HEF file length does not match\n' +
      '[HailoRT] [error] CHECK_SUCCESS failed with status=HAILO_HEF_FILE_CORRUPTED(91)\n[HailoRT] [error] Failed creating HEF',
  ],
  [
    'runtime_file_not_opened',
    /\/opt\/m\/net\.hef/,
    '[HailoRT] [error] CHECK failed - Failed opening file, path: /opt/m/net.hef\n' +
      '[HailoRT] [error] CHECK_SUCCESS failed with status=HAILO_OPEN_FILE_FAILURE(13)\n' +
      "terminate called after throwing an instance of 'std::runtime_error'\nAborted (core dumped)",
  ],
  [
    'runtime_timeout',
    /net\/output_layer1/,
    '[HailoRT] [error] CHECK_SUCCESS failed with status=HAILO_TIMEOUT(4) - failed reading from net/output_layer1 (D2H)\n' +
      '[HailoRT] [error] CHECK_SUCCESS failed with status=HAILO_STREAM_ABORT(63)',
  ],
  [
    'runtime_timeout',
    /firmware does not answer/,
    '[HailoRT] [error] Ioctl HAILO_FW_CONTROL failed due to timeout\n' +
      '[HailoRT] [error] CHECK_SUCCESS failed with status=HAILO_DRIVER_TIMEOUT(87)',
  ],
  [
    'runtime_not_activated',
    /use the scheduler/,
    'hailo_platform.pyhailort.pyhailort.HailoRTNetworkGroupNotActivatedException: libhailort failed with error: 69 (HAILO_NETWORK_GROUP_NOT_ACTIVATED)',
  ],
  [
    'runtime_scheduler_active',
    /leave the activation out/,
    '[HailoRT] [error] CHECK failed - Manually activate a core-op is not allowed when the core-op scheduler is active!\n' +
      '[HailoRT] [error] CHECK_SUCCESS failed with status=HAILO_INVALID_OPERATION(6)',
  ],
  [
    'runtime_descriptor_page_size',
    /force_desc_page_size=4096/,
    '[HailoRT] [error] CHECK failed - max_desc_page_size given 16384 is bigger than hw max desc page size 4096',
  ],
  [
    'runtime_cma_exhausted',
    /cma=/,
    '[HailoRT] [error] Failed to allocate continuous buffer, size 2097152\n' +
      '[HailoRT] [error] CHECK_SUCCESS failed with status=HAILO_OUT_OF_HOST_CMA_MEMORY(81)',
  ],
  [
    'runtime_no_device',
    /sudo modprobe hailo_pci/,
    "[HailoRT] [error] Can't find hailo pcie class, this may happen if the driver is not installed\n" +
      '[HailoRT] [error] CHECK_SUCCESS failed with status=HAILO_PCIE_DRIVER_NOT_INSTALLED(64)',
  ],
  [
    'runtime_no_device',
    /usermod/,
    '[HailoRT] [error] Failed to open device file /dev/hailo0 with error 13\n' +
      '[HailoRT] [error] CHECK_SUCCESS failed with status=HAILO_DRIVER_OPERATION_FAILED(36)',
  ],
  [
    'runtime_no_device',
    /lsof/,
    '[HailoRT] [error] CHECK_SUCCESS failed with status=HAILO_DEVICE_IN_USE(73)\nFailed to open the device',
  ],
  [
    'runtime_no_device',
    /the host has none/,
    'docker: Error response from daemon: error gathering device information while adding custom device "/dev/hailo0": no such file or directory.',
  ],
  [
    'runtime_no_device',
    /lost the device/,
    '[  912.4] hailo 0001:01:00.0: Probing: Added board 1e60-2864, /dev/hailo0\n[ 2044.1] hailo 0001:01:00.0: device is disconnected',
  ],
  [
    'runtime_service',
    /hailort\.service/,
    '[HailoRT] [critical] Executing pipeline terminate failed with status HAILO_RPC_FAILED(77)',
  ],
  [
    'runtime_not_supported',
    /HailoRT 4 serves? no Hailo-10H|it serves no Hailo-10H/,
    'HailoRT v4.23.0\n[HailoRT] [error] CHECK_SUCCESS failed with status=HAILO_NOT_SUPPORTED(79)',
  ],
  [
    'runtime_not_supported',
    /serves no Hailo-8/,
    'HailoRT-CLI version 5.1.1\n[HailoRT] [error] CHECK_SUCCESS failed with status=HAILO_NOT_SUPPORTED(79)',
  ],
  [
    'runtime_misuse',
    /mapped for the device twice/,
    'HailoRT DMA map: libhailort failed with error: 83 (HAILO_DMA_MAPPING_ALREADY_EXISTS)',
  ],
  [
    'runtime_device_memory',
    /too many networks/,
    '[HailoRT] [error] CHECK_SUCCESS failed with status=HAILO_OUT_OF_FW_MEMORY(71)',
  ],
  ['runtime_crash', /parse-hef/, 'hailortcli benchmark lightnet.hef\nSegmentation fault (core dumped)'],
  ['runtime_missing_package', /VDevice is not defined/, "[HailoRT] up\nNameError: name 'VDevice' is not defined"],
  [
    'runtime_missing_package',
    /libhailort\.so\.4\.20\.0/,
    './detect: error while loading shared libraries: libhailort.so.4.20.0: cannot open shared object file: No such file or directory',
  ],
  [
    'runtime_missing_package',
    /hailo-tappas-core/,
    'gst_parse_error: no element "hailonet" (1)\nERROR: pipeline could not be constructed',
  ],
  [
    'runtime_firmware',
    /hailo8_fw\.bin/,
    '[    2.1] hailo 0000:01:00.0: Successfully disabled ASPM L0s\n' +
      '[    2.2] hailo 0000:01:00.0: Firmware file not found (/lib/firmware/hailo/hailo8_fw.bin), please upload the firmware manually\n' +
      '[    2.3] hailo 0000:01:00.0: Probing: Added board 1e60-2864, /dev/hailo0',
  ],
  [
    'runtime_firmware',
    /hailo\/hailo8_fw\.bin/,
    '[    3.1] hailo 0000:01:00.0: Direct firmware load for hailo/hailo8_fw.bin failed with error -2',
  ],
  [
    'runtime_firmware',
    /firmware/,
    '[   12.1] hailo 0001:01:00.0: Timeout waiting for vDMA boot data completion\n' +
      '[   12.3] hailo 0001:01:00.0: Firmware load failed',
  ],
  [
    'runtime_driver',
    /linux-headers-6\.12\.25\+rpt-rpi-2712/,
    'modprobe: FATAL: Module hailo_pci not found in directory /lib/modules/6.12.25+rpt-rpi-2712',
  ],
  [
    'runtime_driver',
    /dkms autoinstall/,
    'Building module:\nmake KERNELRELEASE=6.6.31 M=/var/lib/dkms/hailo_pci/4.17.0/build......(bad exit status: 2)\n' +
      'Error! Bad return status for module build on kernel: 6.6.31 (aarch64)',
  ],
  ['runtime_driver', /secure boot/, "modprobe: ERROR: could not insert 'hailo_pci': Key was rejected by service"],
  [
    'runtime_driver_family',
    /hailo-all/,
    '[    9.1] hailo1x 0000:03:00.0: Probing: Failed init pcie resources\n' +
      '[    9.2] hailo1x 0000:03:00.0: probe with driver hailo1x failed with error -22',
  ],
  [
    'environment_package',
    /hailo-h10-all/,
    'Package hailort is not available, but is referred to by another package.\nHowever the following packages replace it:\n  h10-hailort\n' +
      'E: Unable to locate package hailo-dkms',
  ],
  [
    'environment_build_failed',
    /hailo\/hailort\.hpp/,
    '/home/pi/app/main.cpp:12:10: fatal error: hailo/hailort.hpp: No such file or directory\ncompilation terminated.\n' +
      'make[2]: *** [CMakeFiles/app.dir/build.make:76: main.cpp.o] Error 1\nmake: *** [Makefile:91: all] Error 2',
  ],
  [
    'unknown',
    /HAILO_INTERNAL_FAILURE\(8\), which names no cause/,
    '[HailoRT] [error] CHECK_EXPECTED failed with status=HAILO_INTERNAL_FAILURE(8) - could not read the power of the device',
  ],
  [
    'not_a_failure',
    /none/,
    'Executing on device: 0001:01:00.0\nIdentifying board\nControl Protocol Version: 2\nFirmware Version: 4.20.0\n' +
      'Board Name: Hailo-8\nDevice Architecture: HAILO8L\nSerial Number: <N/A>',
  ],
  [
    'not_a_failure',
    /none/,
    'Running streaming inference (net.hef):\nNetwork net/net: 100% | 1500 | FPS: 300.12 | ETA: 00:00:00\n> Inference result:\n' +
      ' Network group: net\n    Frames count: 1500\n    FPS: 300.12',
  ],
  [
    'unknown',
    /./,
    '2026-05-11 10:00:00 INFO  worker: model loaded successfully\n2026-05-11 10:00:03 ERROR worker: queue depth above limit',
  ],
]
