/**
 * Reads and writes ONNX files, byte for byte.
 *
 * `encodeModel(decodeModel(bytes))` gives the same bytes for every valid file: unknown fields, the order of records and
 * odd encodings stay. After a change through the object only the changed fields are written anew. A copy of a message
 * (spread, structuredClone) loses the memory of its bytes, but no value. Nothing here knows an operator; see
 * `lib/onnx/check/check.ts`.
 */
import { readFile, writeFileAtomic } from '../../host/files.ts'
import { usageError } from '../../base/errors.ts'
import { decodeMessage, type Loose } from './decode.ts'
import { encodeMessage } from './encode.ts'
import type { ModelProto } from './schema.ts'
import { WireError } from '../protobuf.ts'

export * from './access.ts'
export * from './schema.ts'
export * from './tensor.ts'

/**
 * A model from the bytes of a file. Bytes and weights in it are views of `bytes`: do not reuse the buffer.
 * @param name what error messages call it, usually the path
 * @throws RunbookError usage when it is no ONNX model: truncated, malformed, or something else altogether, which is
 *   named where known
 */
export function decodeModel(bytes: Uint8Array, name = 'the ONNX model'): ModelProto {
  try {
    // A Buffer would make every view a Buffer too, which slices and compares unlike a plain array.
    const model = decodeMessage('ModelProto', new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length))
    if (model.graph === undefined) throw new WireError('it holds no graph')
    return model as unknown as ModelProto
  } catch (thrown) {
    if (!(thrown instanceof WireError)) throw thrown
    const kin = kindOf(bytes)
    const state =
      kin === undefined ? `it is not a whole ONNX model: ${thrown.message}` : `it is ${kin.what}, not an ONNX model`
    throw usageError(`Cannot read "${name}": ${state}`, kin?.hint ?? 'export or copy the model again', thrown)
  }
}

/**
 * The bytes of a model. New messages are written in the order of the field numbers, so equal models give equal bytes.
 * @throws RunbookError usage when messages nest too deep, or all is beyond protobuf's 2 GiB
 * @example
 * ```ts
 * import { GraphBuilder } from './lib/onnx/builder.ts'
 *
 * const graph = new GraphBuilder({ name: 'twice' })
 * const x = graph.input('x', 'float32', [4])
 * graph.output(graph.node('Add', [x, x]), 'float32', [4])
 * const bytes = encodeModel(graph.build())
 * assert.deepEqual(encodeModel(decodeModel(bytes)), bytes)
 * ```
 */
export function encodeModel(model: ModelProto): Uint8Array {
  try {
    const pieces = encodeMessage('ModelProto', model as unknown as Loose)
    if (pieces.length < 2 ** 31) return pieces.join()
    throw new WireError(`it takes ${pieces.length} bytes, and protobuf ends at 2 GiB`)
  } catch (thrown) {
    if (!(thrown instanceof WireError)) throw thrown
    throw usageError(
      `Cannot write the model "${model.graph.name}": ${thrown.message}`,
      'make the model smaller',
      thrown,
    )
  }
}

/**
 * Read a model from a file.
 *
 * @throws RunbookError blocked when absent, usage when it is no ONNX model
 */
export const readModel = (path: string): ModelProto => decodeModel(readFile(path), path)

/**
 * Write a model whole or not at all.
 *
 * @throws RunbookError blocked (full disk, no permission)
 */
export const writeModel = (path: string, model: ModelProto): void => writeFileAtomic(path, encodeModel(model))

/** What a file that is no ONNX model is instead, by its first bytes; undefined when nobody knows. */
function kindOf(bytes: Uint8Array): { what: string; hint: string } | undefined {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 64)).toString('latin1')
  const other = 'give the .onnx file'
  const kinds: [RegExp, string, string][] = [
    [/^$/, 'empty', 'export or copy the model again'],
    [/^version https:\/\/git-lfs/, 'a git-lfs pointer', 'git lfs pull'],
    [/^\x01HEF/, 'a HEF for a Hailo device', 'give the .onnx file, or choose the hailort backend'],
    [/^.{4}ORTM/s, "a model in ONNX Runtime's own format (.ort)", other],
    [/^.{4}TFL3/s, 'a TensorFlow Lite model', other],
    [/^PK\x03\x04/, 'a zip archive (.npz, .pt, .zip)', other],
    [/^\x1f\x8b/, 'compressed with gzip', 'gunzip it first'],
    [/^\x93NUMPY/, 'a NumPy array', other],
    [/^\x80[\x02-\x05]/, 'a Python pickle', other],
    [/^RIFF/, 'a WAV recording', other],
    [/^\s*<(!doctype|html|\?xml)/i, 'a web page', 'download the file itself'],
    [/^\s*[{[]\s*["\d{[\]}]/, 'JSON', other],
    [/^.{8}\{"/s, 'a safetensors file', other],
  ]
  const found = kinds.find(([pattern]) => pattern.test(head))
  return found && { what: found[1], hint: found[2] }
}
