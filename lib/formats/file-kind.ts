/**
 * Tells what a file that was given as a model is by its first bytes, so that an error can name it and say what to do
 * about it.
 *
 * Sound files have a list of their own (`wav/audio-kind.ts`). An ONNX model has no mark that one could look for.
 */

/** `name` reads after "it is": `a git-lfs pointer`. `hint` says how to come by the real thing. */
export interface FileKind {
  readonly id: string
  readonly name: string
  readonly hint: string
}

type Row = readonly [id: string, pattern: RegExp, name: string, hint: string]
const compile = "compile the model with the vendor's compiler"
const again = "download or copy the file again, and compare its sha256sum with the original's"
const rows: readonly Row[] = [
  ['empty', /^$/, 'empty', again],
  ['hef', /^\x01HEF/, 'a HEF for a Hailo device', 'give --backend hailort'],
  ['plan', /^ftrt/, 'a TensorRT plan', 'give --backend tensorrt'],
  [
    'rtx',
    /^vtrt/,
    'an engine of TensorRT-RTX, which is not called here',
    'build a plan with TensorRT itself: trtexec --onnx=… --saveEngine=…',
  ],
  ['lfs', /^version https:\/\/git-lfs/, 'a git-lfs pointer', 'run git lfs pull in the repository that it came from'],
  [
    'html',
    /^\s*<(!doctype|html|head|\?xml|!--)/i,
    'a web page',
    'download the file itself by its "raw" link, not the page about it',
  ],
  [
    'mock',
    /^\s*\{[\s\S]*"mock_?hef"\s*:/i,
    'a JSON text that calls itself "mock_hef": a placeholder, not a compiled model',
    compile,
  ],
  ['json', /^\s*[{[]\s*["\d{[\]}]/, 'JSON', 'give the model file that it describes'],
  ['ort', /^[\s\S]{4}ORTM/, "a model in ONNX Runtime's own format (.ort)", 'give --backend ort'],
  ['tflite', /^[\s\S]{4}TFL3/, 'a TensorFlow Lite model', 'export the model to ONNX'],
  ['safetensors', /^[\s\S]{8}\{"/, 'a safetensors file: weights without a graph', 'give the model that was made of it'],
  ['zip', /^PK\x03\x04/, 'a zip archive (.npz, .pt, .zip)', 'unpack it and give the model file inside'],
  ['gzip', /^\x1f\x8b/, 'compressed with gzip', 'gunzip it first'],
  [
    'tar',
    /^[\s\S]{257}ustar/,
    'a tar archive, as a .har is',
    'run hailo compiler on the .har, and give the .hef that it writes',
  ],
  ['npy', /^\x93NUMPY/, 'a NumPy array', 'give the model file'],
  ['pickle', /^\x80[\x02-\x05]/, 'a Python pickle', 'export the model to ONNX'],
  ['elf', /^\x7fELF/, 'a program or a library', 'give the model file'],
  ['wav', /^RIFF/, 'a WAV recording', 'give the model file'],
]

/** How many bytes `fileKind` likes to see. */
export const fileKindBytes = 512

/** What a file is, judged by `head`, its first bytes: give `fileKindBytes` of them, or all. Null when nobody knows. */
export function fileKind(head: Uint8Array): FileKind | null {
  const text = Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, fileKindBytes)).toString('latin1')
  const row = rows.find(([, pattern]) => pattern.test(text))
  if (row !== undefined) return { id: row[0], name: row[2], hint: row[3] }
  if (!/^[\t\r\n\x20-\x7e\x80-\xff]+$/.test(text)) return null
  const begins = JSON.stringify(
    text
      .trim()
      .split(/[\r\n]/, 1)[0]!
      .slice(0, 40),
  )
  return /^(dummy|mock|fake|placeholder|stub)/i.test(text)
    ? { id: 'mock', name: `a placeholder text that begins ${begins}, not a compiled model`, hint: compile }
    : { id: 'text', name: `a text that begins ${begins}`, hint: again }
}
