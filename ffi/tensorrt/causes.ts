/**
 * Finds out what made a call of TensorRT fail, and what mends it.
 *
 * TensorRT answers null or false, and tells its logger why. The first message that is a cause, and not what follows
 * from one, goes into the error.
 */
import { FfiError } from '../errors.ts'
import { versionText, type TensorRtVersion } from './abi/abi.ts'
import type { Logger } from './logger.ts'
import { againHint } from './plan-version.ts'

/** First fit wins. */
const causes: readonly { readonly says: RegExp; readonly fix: string; readonly kind?: FfiError['kind'] }[] = [
  {
    // Before the versions: a damaged plan is said to be of version 0.0.0.
    says: /magicTag|got 0\.0\.0|verify a plan tag|checksum|match archive size|size == blobSize|>= minBufferSize/i,
    fix: againHint,
    kind: 'usage',
  },
  {
    says: /Version tag does not match|not compatible with this version of TensorRT/i,
    fix: 'build the plan again with the TensorRT of this machine',
    kind: 'refused',
  },
  {
    says: /incompatible device|different models of devices/i,
    fix: 'build the plan on this GPU, or with trtexec --hardwareCompatibilityLevel=ampere+',
    kind: 'refused',
  },
  {
    says: /CUDA initialization failure|no CUDA-capable device|CUDA driver version is insufficient/i,
    fix: "nvidia-smi must list a GPU; look at CUDA_VISIBLE_DEVICES and at the driver's version",
    kind: 'absent',
  },
  {
    says: /out ?of ?memory|could not be allocated/i,
    fix: 'free GPU memory (nvidia-smi), or build with a smaller workspace and smaller profiles',
  },
  {
    says: /no optimization profile has been defined|missing dimensions in profile/i,
    fix: 'give a profile for every input with an open dimension',
    kind: 'usage',
  },
  {
    says: /has \d+ dimensions but profile \d+ has \d+|does not match network definition/i,
    fix: 'give the profile as many numbers for each input as its shape has axes',
    kind: 'usage',
  },
  {
    says: /Network must have at least one output/i,
    fix: 'give an ONNX file whose graph has nodes and an output: it may have been cut short',
    kind: 'usage',
  },
  {
    says: /satisfyProfile|exceed min ~ max|outside .*profile/i,
    fix: 'feed a shape within the profile, or build with a wider one',
    kind: 'usage',
  },
  { says: /Address is not set/i, fix: 'bind every input and output' },
  {
    says: /Unable to load library: libnvinfer_lean/i,
    fix:
      'install the lean runtime of the same version (apt search libnvinfer-lean), or build without ' +
      'VERSION_COMPATIBLE',
    kind: 'absent',
  },
  {
    says: /builder_resource.*cannot open/i,
    fix: 'install the whole TensorRT: its builder resources are a library of their own',
    kind: 'absent',
  },
  {
    says: /could not find plugin|no importer|unsupported operat/i,
    fix: 'simplify the ONNX file, or use a newer TensorRT',
  },
]

/**
 * The error for a call that answered null or false. Warnings count where there is no error: 8.6 says so that CUDA does
 * not start.
 */
export function failed({
  call,
  logger,
  version,
  what,
  file,
}: {
  call: string
  logger: Logger
  version: TensorRtVersion
  what?: string
  /** The file that `what` names. */
  file?: string
}): FfiError {
  const errors = logger.messages.filter(({ severity }) => severity !== 'warning')
  const said = errors.length > 0 ? errors : logger.messages
  const known = causes
    .map(cause => ({ cause, message: said.find(({ text }) => cause.says.test(text)) }))
    .find(({ message }) => message)
  const words = known?.message?.text ?? said[0]?.text ?? 'it did not say why'
  const state = `TensorRT ${versionText(version)} failed: ${oneLine(words)}`
  return new FfiError(
    known?.cause.kind ?? 'status',
    `Cannot ${what ?? `call ${call}`}: ${what ? `${call} of ` : ''}${state}`,
    known?.cause.fix ?? 'see what TensorRT itself says: trtexec --loadEngine=<plan> --verbose',
    { said: `${call} of ${state}`, ...(file !== undefined && { file }) },
  )
}

const oneLine = (words: string) => words.replaceAll(/\s+/g, ' ').trim().slice(0, 400)
