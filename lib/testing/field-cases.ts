/**
 * Small inputs that failed in the field, with the right answer for each, for a table test.
 *
 * They lie in the data folder and are no part of the project. Rows that take a whole run or a device are left to the
 * tests of those runs.
 */

/** What is asked of a log: its bucket, and what cause and fix must say. */
export const fieldLogs: Readonly<Record<string, readonly [bucket: RegExp, says: RegExp]>> = {
  'engine-null-after-version': [/^engine_version_mismatch$/, /237.*240/],
  'engine-magic-trt10': [/^engine_version_mismatch$/, /trtexec/],
  'int64-then-slice-axes': [/^(onnx_parse_failed|op_unsupported)$/, /88.*Slice -> "win_3"/],
  'int64-then-shuffle': [/^onnx_parse_failed$/, /Reshape_12/],
  'shuffle-changes-volume': [/^shape_contradiction$/, /\[1,64,251\].*\[1,512\]/],
  'dmesg-no-msi': [/^runtime_no_device$/, /MSI.*0000:04:00\.0/],
  'padded-level': [/^unknown$/, /./],
  'polygraphy-tf32-is-off': [/^parity_mismatch$/, /bisect/],
  'polygraphy-passed': [/^not_a_failure$/, /none/],
  'trtexec-passed-with-int64': [/^not_a_failure$/, /none/],
  'hef-file-not-opened': [/^runtime_file_not_opened$/, /ls -l/],
  'macro-name-says-expected': [/^(unknown|runtime_no_device)$/, /HAILO_INTERNAL_FAILURE/],
  'infer-timeout': [/^runtime_timeout$/, /net\/input_layer1/],
  'not-activated': [/^runtime_not_activated$/, /net\/input_layer1/],
  'desc-page-size': [/^runtime_descriptor_page_size$/, /force_desc_page_size=4096/],
  'driver-of-another-family': [/^runtime_driver_family$/, /Hailo-10H and Hailo-15 only/],
  'ort-ir-version': [/^onnx_too_new$/, /IR version 11.*up to 10/],
  'ort-zero-point-type': [/^onnx_quantised_invalid$/, /bias_zero_point/],
  'ort-convinteger': [/^onnx_no_kernel$/, /quantize_static/],
  'vdevice-name-error': [/^runtime_missing_package$/, /VDevice/],
  alpine: [/^environment_broken_install$/, /glibc/],
  cma: [/^runtime_cma_exhausted$/, /cma=/],
}

/** What is asked of a recording: its frames and what is warned of, or why it is refused and what helps. */
export const fieldRecordings: Readonly<
  Record<
    string,
    { readonly frames: number; readonly warns?: RegExp } | { readonly refused: RegExp; readonly hint: RegExp }
  >
> = {
  'tts-2e9': { frames: 12_000 },
  'open-ffffffff': { frames: 8000 },
  'open-7fffffff': { frames: 8000 },
  'open-zero-zero': { frames: 8000 },
  'avaudiofile-crash': { frames: 8000 },
  'datasize-plus44': { frames: 8000, warns: /44 bytes too long/ },
  'datasize-plus8': { frames: 8000, warns: /8 bytes too long/ },
  'blockalign-1': { frames: 8000, warns: /1 bytes a frame/ },
  'blockalign-0': { frames: 8000, warns: /0 bytes a frame/ },
  'blockalign-x8': { frames: 8000, warns: /16 bytes a frame/ },
  rifx: { frames: 8000 },
  'float-int16scale': { refused: /scale of integers/, hint: /volume=1\/32768/ },
  'float32-scaled': { refused: /scale of integers/, hint: /volume=1\/32768/ },
  'two-riff-concat': { frames: 8000, warns: /16044 bytes follow the data/ },
  'raw-u8': { refused: /no header/, hint: /-f s16le -ar 16000.*u8/ },
  'raw-mulaw': { refused: /no header/, hint: /-f s16le -ar 16000.*mulaw/ },
  'id3-front': { frames: 8000, warns: /ID3 tag/ },
  'pcm20-in-3': { frames: 8000 },
  'pcm12-in-2': { frames: 8000 },
  'pcm24-align4': { frames: 8000 },
}

/** Rows that other tests answer, and where: each of those names its rows. */
export const fieldElsewhere: Readonly<Record<string, readonly string[]>> = {
  'lib/infer/ort/refusal.test.ts': ['onnx/weights-beside.onnx', 'onnx/ir-too-new.onnx', 'onnx/opset-too-new.onnx'],
  'lib/onnx/quantize-accuracy.test.ts': ['onnx/log-power-front.onnx'],
  'lib/onnx/inspect.test.ts': ['onnx/weights-in-branches.onnx'],
  'lib/systems/monolithic/search/calibration.test.ts': [
    'npz/pcm-scale-as-float.npz',
    'npz/rate-first.npz',
    'npz/object-note-first.npz',
    'npz/cut.npy',
    'npz/WINDOWS.NPY',
  ],
  'lib/bench/survival/started-run.test.ts': [
    'scripts/telemetry-queue.sh',
    'scripts/resume-cut-model.sh',
    'scripts/one-edit-changes-two-runs.sh',
    'scripts/cache-knows-no-gpu.sh',
    'scripts/next-is-not-quoted.sh',
  ],
}

/** What is asked of a HEF for a library: null when it is accepted, or why it is refused. */
export const fieldHefs: Readonly<
  Record<string, readonly { readonly arch: string; readonly library: string; readonly refused: RegExp | null }[]>
> = {
  'tiny-10h-scales-only': [
    { arch: 'hailo10h', library: '5.2.0', refused: null },
    { arch: 'hailo10h', library: '5.0.0', refused: null },
    { arch: 'hailo10h', library: '4.23.0', refused: /HailoRT 5/ },
  ],
  'tiny-8-scales-only': [
    { arch: 'hailo8', library: '4.23.0', refused: /zero points and \d+ scales/ },
    { arch: 'hailo8', library: '4.17.0', refused: /zero points and \d+ scales/ },
  ],
}
