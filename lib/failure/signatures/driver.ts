/**
 * Signatures of Hailo's driver: messages of the kernel, of modprobe and of DKMS.
 */
import { phrase } from '../patterns.ts'
import { at, type Signature } from '../signature.ts'

const [any, runtime] = [at('any'), at('runtime')]

/** The driver, its module and its firmware. */
export const driverSignatures: readonly Signature[] = [
  runtime(
    'runtime_driver_family',
    [/hailo1x/i, phrase`Failed init pcie resources|failed with error -(?:22|19)|unsupported device|1e60:2864`],
    { unless: /1e60:45c4/ },
  ),
  runtime('runtime_driver_family', [
    /\bhailo(?:_pci)?\b/i,
    /(?:unsupported|unknown) (?:board|device)/i,
    /hailo-?10|1e60:45c4|0x45c4/i,
  ]),
  runtime(
    'runtime_driver',
    phrase`Module hailo\w{0,8} not found in directory|could not insert '?hailo|hailo\w{0,8}: (?:version magic
      |disagrees about)
      |hailo[^\n]{0,60}(?:Invalid module format|Key was rejected)
      |modprobe: (?:FATAL|ERROR)[^\n]{0,80}hailo`,
  ),
  runtime(
    'runtime_driver',
    phrase`Bad return status for module build|dkms[^\n]{0,60}(?:fail|error)|kernel headers[^\n]{0,60}(?:cannot be found
      |not (?:found|installed)|missing)|bad exit status|hailo\S{0,200}\.[ch]:\d{1,6}:\d{1,4}: (?:fatal )?error: `,
    { and: /hailo/i },
  ),
  runtime('environment_build_failed', /Bad return status for module build|dkms[^\n]{0,60}error/i, { andNot: /hailo/i }),
  any('environment_build_failed', /Missing \S{3,60} kernel headers for module (?!\S{0,20}hailo)/i),
  runtime('runtime_driver', /kernel headers[^\n]{0,60}(?:cannot be found|not (?:found|installed)|missing)/i),
  runtime('runtime_driver', [/(?:gcc|clang)\S{0,8}: (?:No such file|not found|command not found)/i], { and: /hailo/i }),
  runtime('host_power', /under-?voltage detected/i),
  runtime('runtime_no_device', [/hailo/i, /PCIe Bus Error|AER: /], {
    settledBy: /firmware (?:was )?loaded successfully/i,
  }),
  runtime('runtime_no_device', /brcm-pcie[^\n]{0,80}link (?:is )?down/i),
  runtime(
    'runtime_firmware',
    phrase`firmware file not found|hailo[^\n]{0,60}\.bin[^\n]{0,40}(?:error|failed|not found)
      |failed (?:to )?(?:load\w{0,3}|writ\w{1,4}|boot\w{0,3}) (?:soc )?(?:nnc )?firmware
      |Failed (?:to )?writ\w{1,4} (?:\w{1,12} ){0,3}(?:firmware|file hailo)|vDMA boot data|Firmware load failed
      |Failed loading? (?:soc |nnc )?firmware|firmware[^\n]{0,40}(?:timed? ?out|did not (?:load|boot|respond))
      |hailo[^\n]{0,60}Timeout waiting for (?:firmware|soc)|(?:soc|nnc) firmware (?:load|boot)[^\n]{0,20}fail`,
    { unless: /HailoRT/, settledBy: /firmware (?:was )?loaded successfully/i },
  ),
  runtime('runtime_cma_exhausted', /cma_alloc|\bCMA\b[^\n]{0,60}(?:fail|exhaust|out of|no )|OUT_OF_HOST_CMA/i),
  runtime('runtime_no_device', [
    /\bhailo\w{0,8}(?: [\da-f]{4}:[\da-f]{2}:|: )/i,
    phrase`Failed (?:to )?enabl\w{0,3}|Failed activating board|probe[^\n]{0,60}failed with error
      |probe with driver[^\n]{0,30}failed
      |Failed (?:to )?(?:map|init|reset|read)|device is disconnected|link is down|can't change power state|not ready
      |inaccessible`,
  ]),
  runtime(
    'runtime_no_device',
    phrase`adding custom device "\/dev\/(?:hailo|h1x)|error gathering device information[^\n]{0,80}\/dev\/(?:hailo
      |h1x)`,
  ),
]
