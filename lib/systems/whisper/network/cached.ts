/**
 * Runs a Whisper of form (a) on ONNX Runtime: encoder, and a decoder with a cache.
 *
 * What the encoder gives is bound as what the decoder takes, and the cache is bound too, so that a step copies nothing
 * but the rows of its own tokens. Every run is on a worker thread.
 */
import { boundTensor, type Binding, type BoundTensor } from '../../../infer/ort/binding.ts'
import { openOrtC, type OrtCBackend } from '../../../infer/ort/c-api.ts'
import type { OrtCOptions } from '../../../infer/ort/options.ts'
import { headWidth, type WhisperDims } from '../../../models/whisper/dims.ts'
import type { Attention, WhisperNetwork } from '../../../speech/whisper/network.ts'
import { DecoderCache, masked } from './cache.ts'

/** What a network of form (a) is opened from. */
export interface CachedNetworkOptions {
  readonly encoder: string
  readonly decoder: string
  readonly dims: WhisperDims
  readonly alignmentHeads: WhisperNetwork['alignmentHeads']
  readonly ort?: OrtCOptions
}

/** A decoder bound for so many sequences and new tokens at once. */
interface Step {
  readonly binding: Binding
  readonly sequences: number
  readonly time: number
  readonly tokens: BoundTensor
  readonly positions: BoundTensor
  readonly logits: BoundTensor
  readonly keys: readonly BoundTensor[]
  readonly values: readonly BoundTensor[]
  readonly cross: readonly BoundTensor[]
  cache: DecoderCache | undefined
}

/** Rows of the smallest cache; it doubles when it is full. */
const firstCapacity = 64
/** The longest step that is kept: that of the tokens which every window begins with. */
const keptTime = 4

/**
 * Open a network of form (a).
 * @throws RunbookError blocked when a file or the library is absent; usage when a file is no such model
 */
export async function openCachedNetwork(options: CachedNetworkOptions): Promise<CachedNetwork> {
  const encoder = await openOrtC(options.encoder, options.ort)
  try {
    return new CachedNetwork(encoder, await openOrtC(options.decoder, options.ort), options)
  } catch (thrown) {
    await encoder[Symbol.asyncDispose]()
    throw thrown
  }
}

/** A network that is open. Its answers are views until the next question, so ask one thing at a time. */
export class CachedNetwork implements WhisperNetwork, AsyncDisposable {
  readonly vocabulary: number
  readonly textContext: number
  readonly windowFrames: number
  readonly mels: number
  readonly alignmentHeads: WhisperNetwork['alignmentHeads']
  readonly device: string
  readonly loadMs: number
  readonly #dims: WhisperDims
  readonly #encoder: OrtCBackend
  readonly #decoder: OrtCBackend
  readonly #listening: Binding
  readonly #mel: BoundTensor
  /** Hidden states of the last window, float32 [frames, width]. */
  readonly hidden: Float32Array
  readonly #crossKeys: readonly BoundTensor[]
  readonly #crossValues: readonly BoundTensor[]
  readonly #steps = new Map<number, Step>()
  #cache: DecoderCache
  #spare: DecoderCache | undefined

  constructor(encoder: OrtCBackend, decoder: OrtCBackend, { dims, alignmentHeads }: CachedNetworkOptions) {
    this.#dims = dims
    this.vocabulary = dims.vocabulary
    this.textContext = dims.textContext
    this.windowFrames = 2 * dims.audioContext
    this.mels = dims.mels
    this.alignmentHeads = alignmentHeads
    this.device = encoder.device
    this.loadMs = encoder.loadMs + decoder.loadMs
    this.#encoder = encoder
    this.#decoder = decoder
    const { heads, audioContext, width, decoderLayers } = dims
    const perLayer = (shape: readonly number[]) =>
      Array.from({ length: decoderLayers }, () => boundTensor('float32', shape))
    this.#mel = boundTensor('float32', [1, dims.mels, this.windowFrames])
    const hidden = boundTensor('float32', [1, audioContext, width])
    this.hidden = hidden.data as Float32Array
    this.#crossKeys = perLayer([1, heads, headWidth, audioContext])
    this.#crossValues = perLayer([1, heads, audioContext, headWidth])
    this.#listening = encoder.openBinding()
    this.#listening.setInput('mel', this.#mel)
    this.#listening.setOutput('hidden', hidden)
    for (const [i, key] of this.#crossKeys.entries()) {
      this.#listening.setOutput(`cross_key_${i}`, key)
      this.#listening.setOutput(`cross_value_${i}`, this.#crossValues[i]!)
    }
    this.#cache = this.#newCache(1, firstCapacity)
  }

  async listen(mel: Float32Array): Promise<void> {
    ;(this.#mel.data as Float32Array).set(mel)
    await this.#listening.run()
  }

  start(): void {
    if (this.#cache.shape.sequences !== 1) this.#cache = this.#newCache(1, this.#cache.shape.capacity)
    this.#cache.clear()
  }

  async append(tokens: readonly (readonly number[])[]): Promise<Float32Array> {
    const time = tokens[0]!.length
    this.#makeRoom(this.#cache.length + time)
    const step = this.#stepFor(tokens.length, time)
    if (step.cache !== this.#cache) bindCache(step, this.#cache)
    for (const [i, row] of tokens.entries()) writeInts(step.tokens, row, i * time)
    writeInts(
      step.positions,
      Array.from({ length: time }, (_, i) => this.#cache.length + i),
    )
    await step.binding.run()
    this.#cache.append(step.keys, step.values, time)
    if (time > keptTime) await step.binding[Symbol.asyncDispose]()
    return step.logits.data as Float32Array
  }

  /**
   * A run of the bare graph on the tensors of the last step, which neither writes its input nor keeps its answer: what
   * ONNX Runtime alone costs.
   */
  bareStep(): () => void {
    const step = this.#stepFor(this.#cache.shape.sequences, 1)
    bindCache(step, this.#cache)
    return () => step.binding.runSync()
  }

  choose(sources: readonly number[]): void {
    const { shape } = this.#cache
    if (sources.length === shape.sequences && sources.every((source, i) => source === i)) return
    const spare = this.#spare
    const fits = spare?.shape.sequences === sources.length && spare.shape.capacity === shape.capacity
    const next = fits ? spare : this.#newCache(sources.length, shape.capacity)
    next.copyFrom(this.#cache, sources)
    this.#spare = this.#cache
    this.#cache = next
  }

  async attend(tokens: readonly number[], heads: WhisperNetwork['alignmentHeads']): Promise<Attention> {
    const { audioContext: frames } = this.#dims
    const empty = this.#newCache(1, 1)
    const step = this.#newStep({ sequences: 1, time: tokens.length, rows: tokens.length })
    try {
      bindCache(step, empty)
      writeInts(step.tokens, tokens)
      writeInts(step.positions, [...tokens.keys()])
      await step.binding.run()
      const size = tokens.length * frames
      return {
        logits: step.logits.data as Float32Array,
        weights: heads.map(([layer, head]) => {
          return (step.cross[layer]!.data as Float32Array).subarray(head * size, (head + 1) * size)
        }),
        frames,
      }
    } finally {
      await step.binding[Symbol.asyncDispose]()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#encoder[Symbol.asyncDispose]()
    await this.#decoder[Symbol.asyncDispose]()
  }

  #newCache(sequences: number, capacity: number): DecoderCache {
    const { heads, decoderLayers: layers } = this.#dims
    return new DecoderCache({ layers, heads, headWidth, sequences, capacity })
  }

  /** A cache that holds `rows`, with what the present one holds. */
  #makeRoom(rows: number): void {
    const { sequences, capacity } = this.#cache.shape
    if (rows <= capacity) return
    let larger = capacity
    while (larger < rows) larger *= 2
    const next = this.#newCache(sequences, Math.min(larger, this.textContext))
    next.copyFrom(this.#cache, [...Array(sequences).keys()])
    this.#cache = next
    this.#spare = undefined
  }

  /** Steps of few new tokens are kept; one for a long question is made for the occasion. */
  #stepFor(sequences: number, time: number): Step {
    if (time > keptTime) return this.#newStep({ sequences, time, rows: 1 })
    const key = time * 1000 + sequences
    const known = this.#steps.get(key)
    if (known !== undefined) return known
    const step = this.#newStep({ sequences, time, rows: 1 })
    this.#steps.set(key, step)
    return step
  }

  #newStep({ sequences, time, rows }: { sequences: number; time: number; rows: number }): Step {
    const { heads, audioContext, decoderLayers, vocabulary } = this.#dims
    const perLayer = (shape: readonly number[]) =>
      Array.from({ length: decoderLayers }, () => boundTensor('float32', shape))
    const binding = this.#decoder.openBinding()
    const step: Step = {
      binding,
      sequences,
      time,
      tokens: boundTensor('int64', [sequences, time]),
      positions: boundTensor('int64', [time]),
      logits: boundTensor('float32', [sequences, rows, vocabulary]),
      keys: perLayer([sequences, heads, time, headWidth]),
      values: perLayer([sequences, heads, time, headWidth]),
      cross: perLayer([sequences, heads, time, audioContext]),
      cache: undefined,
    }
    const wanted = boundTensor('int64', [rows])
    writeInts(wanted, rows === 1 ? [time - 1] : [...Array(rows).keys()])
    binding.setInput('tokens', step.tokens)
    binding.setInput('positions', step.positions)
    binding.setInput('rows', wanted)
    binding.setInput('new_mask', causalMask(time))
    binding.setOutput('logits', step.logits)
    for (let i = 0; i < decoderLayers; i++) {
      binding.setInput(`cross_key_${i}`, this.#crossKeys[i]!)
      binding.setInput(`cross_value_${i}`, this.#crossValues[i]!)
      binding.setOutput(`new_key_${i}`, step.keys[i]!)
      binding.setOutput(`new_value_${i}`, step.values[i]!)
      binding.setOutput(`cross_weights_${i}`, step.cross[i]!)
    }
    return step
  }
}

function bindCache(step: Step, cache: DecoderCache): void {
  step.binding.setInput('past_mask', cache.mask)
  for (const [i, key] of cache.keys.entries()) {
    step.binding.setInput(`past_key_${i}`, key)
    step.binding.setInput(`past_value_${i}`, cache.values[i]!)
  }
  step.cache = cache
}

function writeInts({ data }: BoundTensor, values: readonly number[], from = 0): void {
  for (const [i, value] of values.entries()) (data as BigInt64Array)[from + i] = BigInt(value)
}

/** float32 [time, time]: a token looks at itself and at those before it. */
function causalMask(time: number): BoundTensor {
  const mask = boundTensor('float32', [time, time])
  for (let row = 0; row < time; row++) (mask.data as Float32Array).fill(masked, row * time + row + 1, (row + 1) * time)
  return mask
}
