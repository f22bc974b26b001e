/**
 * Declares what a person may set for the separation of one recording.
 *
 * Apart from the separation itself, so that `--help` loads none of it.
 */
import { backendNames } from '../../../infer/options.ts'
import { ortDrivers } from '../../../infer/ort/options.ts'
import { choice, file, folder, number, text, toggle } from '../../../notebook/inputs/inputs.ts'

/** The inputs of an inference. */
export const inferInputs = () => ({
  model: file({ env: 'HEF_PATH', late: true, help: 'the compiled model: .hef, .plan, .engine, .onnx or .ort' }),
  backend: choice(backendNames, {
    env: 'MODEL_BACKEND',
    default: 'auto',
    help: 'who runs it; auto goes by the file',
  }),
  ortDriver: choice(ortDrivers, {
    default: 'c',
    help: 'how ONNX Runtime is called: its C API, or the onnxruntime-node package',
  }),
  mixWav: file({
    env: 'MIX_WAV',
    optional: true,
    late: true,
    help: 'the recording; default: LIBRIMIX_ROOT, or a shipped one',
  }),
  librimixRoot: folder({
    env: 'LIBRIMIX_ROOT',
    optional: true,
    late: true,
    help: 'a LibriMix folder to pick a recording from',
  }),
  audioDir: folder({
    env: 'OUT_DIR',
    optional: true,
    late: true,
    help: 'for sound and metrics; default: the run folder',
  }),
  rescale: toggle({ default: true, help: 'rescale the sources so that they add up to the mixture best' }),
  input: text({ optional: true, help: 'the input stream, where the model has several; the others are fed zeros' }),
  output: text({ optional: true, help: 'the output stream, where the model has several' }),
  device: text({
    optional: true,
    help: 'id of a Hailo device, as hailortcli scan tells it; default: any that is free',
  }),
  group: text({ optional: true, help: 'the network group of a HEF that has several' }),
  timeoutMs: number({
    optional: true,
    min: 1,
    integer: true,
    help: 'how long a Hailo device may take for one window; default: 10 000',
  }),
  haloFrames: number({
    optional: true,
    min: 0,
    integer: true,
    help: "frames dropped at a window edge; default: the model's, else measured",
  }),
  sampleRate: number({
    optional: true,
    min: 1,
    integer: true,
    unit: 'Hz',
    help: "the sound's rate, where the model does not say it; default: 16000",
  }),
  kernel: number({ optional: true, min: 2, integer: true, help: "the encoder's kernel in samples, likewise" }),
  stride: number({ optional: true, min: 1, integer: true, help: "the encoder's stride in samples, likewise" }),
})
