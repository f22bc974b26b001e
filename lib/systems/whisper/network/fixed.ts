/**
 * Runs a Whisper of form (b) on any backend: HEFs on a Hailo device, or the same shapes on ONNX Runtime.
 *
 * Embeddings are looked up on the host. Inputs and outputs are told apart by their shapes, because a compiler renames
 * them: the encoder's states are the input with as many rows as the encoder gives, and the parts of the logits stand in
 * the order of their sizes and names.
 */
import { usageError } from '../../../base/errors.ts'
import { float32, sizeOf, type FloatTensor } from '../../../formats/tensors/tensor.ts'
import type { Backend } from '../../../infer/backend.ts'
import { openBackend } from '../../../infer/open.ts'
import type { BackendOptions } from '../../../infer/options.ts'
import type { FixedNetwork } from '../../../speech/whisper/fixed.ts'

/** What a network of form (b) is opened from. */
export interface FixedNetworkOptions {
  readonly encoder: string
  readonly decoder: string
  /** float32 [vocabulary, width] */
  readonly embeddings: FloatTensor
  readonly mels: number
  /** Rows that the host adds to the embeddings, float32 [sequence, width]; where the decoder does not add them. */
  readonly positions?: FloatTensor | undefined
  readonly backend?: BackendOptions
}

/**
 * Open a network of form (b).
 * @throws RunbookError as `openBackend`; usage when the shapes of the two files and the embeddings do not fit together
 */
export async function openFixedNetwork(o: FixedNetworkOptions): Promise<FixedBackendNetwork> {
  const encoder = await openBackend(o.encoder, o.backend)
  try {
    const decoder = await openBackend(o.decoder, o.backend)
    try {
      return new FixedBackendNetwork(encoder, decoder, o)
    } catch (thrown) {
      await decoder[Symbol.asyncDispose]()
      throw thrown
    }
  } catch (thrown) {
    await encoder[Symbol.asyncDispose]()
    throw thrown
  }
}

/** A network of form (b) that is open. One question at a time. */
export class FixedBackendNetwork implements FixedNetwork, AsyncDisposable {
  readonly vocabulary: number
  readonly mels: number
  readonly chunkFrames: number
  readonly sequence: number
  readonly device: string
  readonly loadMs: number
  readonly #encoder: Backend
  readonly #decoder: Backend
  readonly #embeddings: FloatTensor
  readonly #positions: Float32Array | undefined
  readonly #width: number
  readonly #melShape: readonly number[]
  readonly #stateShapes: { readonly given: readonly number[]; readonly taken: readonly number[] }
  readonly #names: { readonly mel: string; readonly hidden: string; readonly embeddings: string }
  #hidden: Float32Array | undefined

  constructor(encoder: Backend, decoder: Backend, { embeddings, mels, positions, encoder: path }: FixedNetworkOptions) {
    const [vocabulary, width] = embeddings.shape as [number, number]
    const refuse = (state: string) =>
      usageError(`Cannot open "${path}" as an encoder of Whisper: ${state}`, 'give encoder and decoder of one model')
    const mel = encoder.inputs[0]!
    const frames = sizeOf(mel.shape as number[]) / mels
    const states = encoder.outputs[0]!
    if (!Number.isInteger(frames) || sizeOf(states.shape as number[]) !== (frames / 2) * width) {
      throw refuse(`it takes [${mel.shape.join(', ')}] and gives [${states.shape.join(', ')}]`)
    }
    const isStates = (shape: readonly (number | string)[]) => sizeOf(shape as number[]) === (frames / 2) * width
    const hidden = decoder.inputs.find(({ shape }) => isStates(shape))
    const words = decoder.inputs.find(info => info !== hidden)
    if (hidden === undefined || words === undefined || decoder.inputs.length !== 2) {
      throw refuse(`the decoder takes ${decoder.inputs.map(({ shape }) => `[${shape.join(', ')}]`).join(' and ')}`)
    }
    this.sequence = sizeOf(words.shape as number[]) / width
    const given = decoder.outputs.reduce((sum, { shape }) => sum + sizeOf(shape as number[]) / this.sequence, 0)
    if (given !== vocabulary) throw refuse(`the decoder gives ${given} logits of ${vocabulary}`)
    this.vocabulary = vocabulary
    this.mels = mels
    this.chunkFrames = frames
    this.device = encoder.device
    this.loadMs = encoder.loadMs + decoder.loadMs
    this.#encoder = encoder
    this.#decoder = decoder
    this.#embeddings = embeddings
    this.#positions = positions?.data
    this.#width = width
    this.#melShape = mel.shape as number[]
    this.#stateShapes = { given: states.shape as number[], taken: hidden.shape as number[] }
    this.#names = { mel: mel.name, hidden: hidden.name, embeddings: words.name }
  }

  async listen(mel: Float32Array): Promise<void> {
    const isLast = this.#melShape.at(-1) === this.mels
    const fed = isLast ? turned(mel, this.mels) : mel
    const states = await this.#encoder.infer({ [this.#names.mel]: float32([...this.#melShape], fed) })
    const { given, taken } = this.#stateShapes
    const rows = inRows(Object.values(states)[0]!.data as Float32Array, given, this.#width)
    this.#hidden = fromRows(rows, taken, this.#width)
  }

  async ask(tokens: readonly number[], rows: readonly number[]): Promise<Float32Array[]> {
    const width = this.#width
    const embedded = new Float32Array(this.sequence * width)
    // What stands behind the last token is masked, and filled with token 0 as Hailo's own loop does.
    for (let i = 0; i < this.sequence; i++) {
      const token = tokens[i] ?? 0
      embedded.set(this.#embeddings.data.subarray(token * width, (token + 1) * width), i * width)
    }
    if (this.#positions) for (let i = 0; i < embedded.length; i++) embedded[i]! += this.#positions[i]!
    const words = this.#decoder.inputs.find(({ name }) => name === this.#names.embeddings)!
    const answers = await this.#decoder.infer({
      [this.#names.hidden]: float32([...this.#stateShapes.taken], this.#hidden!),
      [this.#names.embeddings]: float32(words.shape as number[], fromRows(embedded, words.shape as number[], width)),
    })
    const parts = this.#decoder.outputs.map(({ name, shape }) => {
      const data = answers[name]!.data as Float32Array
      return inRows(data, shape as number[], data.length / this.sequence)
    })
    return rows.map(row => this.#rowOf(parts, row))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#encoder[Symbol.asyncDispose]()
    await this.#decoder[Symbol.asyncDispose]()
  }

  #rowOf(parts: readonly Float32Array[], row: number): Float32Array {
    const logits = new Float32Array(this.vocabulary)
    let at = 0
    for (const data of parts) {
      const size = data.length / this.sequence
      logits.set(data.subarray(row * size, (row + 1) * size), at)
      at += size
    }
    return logits
  }
}

/** Whether features come before rows, `[1, features, height, width]`, as the streams of a HEF are seen. */
const isFeaturesFirst = (shape: readonly number[], features: number) =>
  shape.length === 4 && shape[1] === features && features > 1

/** Values as [rows, features], copied where they lie the other way. */
const inRows = (data: Float32Array, shape: readonly number[], features: number): Float32Array =>
  isFeaturesFirst(shape, features) ? turned(data, features) : data.slice()

/** [rows, features] as a tensor of this shape wants it. */
const fromRows = (rows: Float32Array, shape: readonly number[], features: number): Float32Array =>
  isFeaturesFirst(shape, features) ? turned(rows, rows.length / features) : rows

/** A matrix of so many rows with rows and columns exchanged. */
function turned(matrix: Float32Array, rows: number): Float32Array {
  const columns = matrix.length / rows
  const out = new Float32Array(matrix.length)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) out[column * rows + row] = matrix[row * columns + column]!
  }
  return out
}
