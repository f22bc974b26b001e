/**
 * Reads the `model.bin` of CTranslate2: variables by name, and names that stand for other variables.
 *
 * Little endian, no padding. A file is refused unless it ends exactly where its last alias ends. Layout: CTranslate2's
 * own reader, binary version 6.
 */
import { readFile } from '../../host/files.ts'
import { usageError } from '../../base/errors.ts'
import { byteLengthOf, tensorFromBytes } from '../tensors/tensor-bytes.ts'
import { describe, type Dtype, type Tensor } from '../tensors/tensor.ts'

/** What the file holds. */
export interface Ct2Model {
  /** `WhisperSpec`, the kind of model. */
  readonly spec: string
  readonly revision: number
  readonly variables: ReadonlyMap<string, Tensor>
  /** Alias to the variable that it stands for. */
  readonly aliases: ReadonlyMap<string, string>
}

/** Element types by their code in the file. */
const dtypes: readonly Dtype[] = ['float32', 'int8', 'int16', 'int32', 'float16', 'bfloat16']
const knownVersion = 6
/** A name longer than this, or more variables, is a damaged file and no model. */
const limits = { nameBytes: 4096, variables: 100_000, rank: 8 }

/**
 * The variables of a `model.bin`.
 * @throws RunbookError blocked when the file is absent; usage when it is cut short, goes on behind its end, or is of
 *   another version
 * @example
 * ```ts ignore
 * const { variables } = readCt2Model('whisper-tiny.en/model.bin')
 * console.log(variables.get('decoder/embeddings/weight')?.shape)
 * ```
 */
export const readCt2Model = (path: string): Ct2Model => decodeCt2Model(readFile(path), path)

/** As `readCt2Model`, of bytes in memory. `path` is the name in messages. */
export function decodeCt2Model(bytes: Uint8Array, path = 'model.bin'): Ct2Model {
  const file = new Cursor(bytes, path)
  const version = file.u32('the version')
  if (version !== knownVersion) {
    const hint = 'convert the model again: ct2-transformers-converter --model openai/whisper-tiny.en'
    throw file.refusal(`its binary version is ${version}, and ${knownVersion} is the one that we read`, hint)
  }
  const spec = file.text('the kind of model')
  const revision = file.u32('the revision')
  const variables = new Map<string, Tensor>()
  const count = file.count('variables', limits.variables)
  for (let i = 0; i < count; i++) {
    const name = file.text(`the name of variable ${i}`)
    if (variables.has(name)) throw file.refusal(`it names "${name}" twice`)
    variables.set(name, file.tensor(name))
  }
  const aliases = new Map<string, string>()
  const aliasCount = file.count('aliases', limits.variables)
  for (let i = 0; i < aliasCount; i++) {
    const name = file.text(`the name of alias ${i}`)
    const target = file.text(`the target of "${name}"`)
    if (!variables.has(target)) throw file.refusal(`"${name}" stands for "${target}", which is not in it`)
    aliases.set(name, target)
  }
  file.end()
  return { spec, revision, variables, aliases }
}

/** Reads on from where it stands, and never beyond the end. */
class Cursor {
  readonly #file: Buffer
  readonly #path: string
  #at = 0

  constructor(bytes: Uint8Array, path: string) {
    this.#file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#path = path
  }

  refusal(state: string, hint = 'copy or download it again') {
    return usageError(`Cannot read "${this.#path}": ${state}`, hint)
  }

  /** The next bytes, as a view. */
  take(length: number, what: string): Buffer {
    const end = this.#at + length
    if (end > this.#file.length) {
      throw this.refusal(`${what} ends at byte ${end}, and the file at ${this.#file.length}`)
    }
    const taken = this.#file.subarray(this.#at, end)
    this.#at = end
    return taken
  }

  u32(what: string): number {
    return this.take(4, what).readUInt32LE()
  }

  count(what: string, most: number): number {
    const count = this.u32(`the number of ${what}`)
    if (count > most) throw this.refusal(`it claims ${count} ${what}`)
    return count
  }

  /** A length, which counts a closing zero byte, then UTF-8. */
  text(what: string): string {
    const length = this.take(2, what).readUInt16LE()
    if (length === 0 || length > limits.nameBytes) throw this.refusal(`${what} has ${length} bytes`)
    const taken = this.take(length, what)
    if (taken[length - 1] !== 0) throw this.refusal(`${what} does not end with a zero byte`)
    return taken.toString('utf8', 0, length - 1)
  }

  tensor(name: string): Tensor {
    const rank = this.take(1, `the rank of "${name}"`)[0]!
    if (rank > limits.rank) throw this.refusal(`"${name}" has ${rank} dimensions`)
    const shape = Array.from({ length: rank }, () => this.u32(`the shape of "${name}"`))
    const code = this.take(1, `the type of "${name}"`)[0]!
    const dtype = dtypes[code]
    if (dtype === undefined) throw this.refusal(`"${name}" is of type ${code}`, `we read ${dtypes.join(', ')}`)
    const length = this.u32(`the length of "${name}"`)
    if (length !== byteLengthOf(dtype, shape)) {
      const [holds, takes] = [`${length} bytes`, `${byteLengthOf(dtype, shape)}`]
      throw this.refusal(`"${name}" has ${holds}, and ${describe({ dtype, shape })} takes ${takes}`)
    }
    return tensorFromBytes({ dtype, shape, bytes: this.take(length, `"${name}"`) })
  }

  end(): void {
    const rest = this.#file.length - this.#at
    if (rest > 0) throw this.refusal(`${rest} bytes follow its end`)
  }
}
