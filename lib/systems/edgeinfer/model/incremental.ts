/**
 * Encodes a stream of samples, one window every hop, computing only what is new, with the whole window's very bits.
 *
 * The last block's output at one time sees 29 samples. So of a window that moved by a hop, the first 28 times (which
 * see the zeros before the window) and the last `hop` are computed, and the 100 - 28 - hop between are those of the
 * window before. The mean over time and the linear layers are then done by the model's own nodes. The graphs are cut
 * from the model that serves; whether the bits are equal is tested on golden windows when a stream opens, and where
 * they are not (another form, another runtime), every window is computed whole.
 */
import { join } from 'node:path'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { decodeModel, encodeModel, newValueInfo, type ModelProto } from '../../../formats/onnx/index.ts'
import { float32 } from '../../../formats/tensors/tensor.ts'
import { readFile, writeFileAtomic } from '../../../host/files.ts'
import type { Backend } from '../../../infer/backend.ts'
import { openBackend } from '../../../infer/open.ts'
import { tcnFeed, tcnInput, tcnLatent, tcnLogits } from '../../../models/tcn/graph.ts'
import { receptiveField, tcnWidths } from '../../../models/tcn/weights.ts'
import type { GoldenWindow } from '../export/golden.ts'
import { softmaxInPlace } from '../motifs/softmax.ts'
import { standardise, windowChannels, windowSamples } from '../window/layout.ts'
import type { Answer, Engine } from './engine.ts'

const edge = receptiveField - 1
const width = tcnWidths[3]

/** A stream's encoder. */
export interface WindowEncoder extends AsyncDisposable {
  /** Whether only what is new is computed. */
  readonly isIncremental: boolean
  /** Encode the next window: the one `hop` samples after the last that was given. Raw, row-major [100, 9]. */
  next(window: Float32Array): Promise<Answer>
}

/** An encoder for windows that move by `hop` samples (1 to 100). */
export async function openWindowEncoder(
  engine: Engine,
  o: { hop: number; golden: readonly GoldenWindow[] },
): Promise<WindowEncoder> {
  const whole: WindowEncoder = {
    isIncremental: false,
    next: window => engine.infer(window),
    [Symbol.asyncDispose]: async () => {},
  }
  const { entry } = engine.locked
  const canCut = engine.backend === 'ort' && entry.form === 'nchw' && entry.stage === 'exported'
  if (!canCut || o.hop >= windowSamples - edge) return whole
  const parts = await openParts(engine.path, o.hop)
  if (await saysTheSame(engine, parts, o)) return new IncrementalEncoder(parts, o.hop)
  await parts.close()
  return whole
}

/** The three graphs that a window is made of. */
interface Parts {
  /** Features of the first 28 samples, [256, 28]. */
  first(samples: Float32Array): Promise<Float32Array>
  /** Features of `hop` new samples behind 28 old ones, [256, 28 + hop]. */
  newest(samples: Float32Array): Promise<Float32Array>
  /** Features of a whole window, [256, 100]. */
  whole(samples: Float32Array): Promise<Float32Array>
  head(features: Float32Array): Promise<Answer>
  close(): Promise<void>
}

class IncrementalEncoder implements WindowEncoder {
  readonly isIncremental = true
  readonly #parts: Parts
  readonly #hop: number
  #features: Float32Array | null = null

  constructor(parts: Parts, hop: number) {
    this.#parts = parts
    this.#hop = hop
  }

  async next(window: Float32Array): Promise<Answer> {
    const standard = standardise(window)
    const samples = (from: number, to: number) =>
      turned(standard.subarray(from * windowChannels, to * windowChannels), to - from)
    const before = this.#features
    if (before === null) {
      this.#features = await this.#parts.whole(samples(0, windowSamples))
      return this.#parts.head(this.#features)
    }
    const hop = this.#hop
    const first = await this.#parts.first(samples(0, edge))
    const newest = await this.#parts.newest(samples(windowSamples - hop - edge, windowSamples))
    const features = new Float32Array(width * windowSamples)
    for (let c = 0; c < width; c++) {
      const at = c * windowSamples
      features.set(first.subarray(c * edge, (c + 1) * edge), at)
      features.set(before.subarray(at + edge + hop, at + windowSamples), at + edge)
      const end = (c + 1) * (edge + hop)
      features.set(newest.subarray(end - hop, end), at + windowSamples - hop)
    }
    this.#features = features
    return this.#parts.head(features)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#parts.close()
  }
}

/** Rows [samples, 9] as columns [9, samples]. */
function turned(rows: Float32Array, samples: number): Float32Array {
  if (samples === windowSamples) return tcnFeed('nchw', rows)
  const columns = new Float32Array(rows.length)
  for (let t = 0; t < samples; t++)
    for (let c = 0; c < windowChannels; c++) columns[c * samples + t] = rows[t * windowChannels + c]!
  return columns
}

/** Whether a window that moved by the hop gets the same bits both ways, on a signal of golden windows in a row. */
async function saysTheSame(engine: Engine, parts: Parts, o: { hop: number; golden: readonly GoldenWindow[] }) {
  const signal = new Float32Array(windowSamples * windowChannels * 2)
  for (const [i, { window }] of o.golden.slice(0, 2).entries()) signal.set(window, i * window.length)
  const encoder = new IncrementalEncoder(parts, o.hop)
  for (let at = 0, n = 0; at + windowSamples <= 2 * windowSamples && n < 3; at += o.hop, n++) {
    const window = signal.slice(at * windowChannels, (at + windowSamples) * windowChannels)
    const [one, other] = [await encoder.next(window), await engine.infer(window)]
    if (!sameBits(one.latent, other.latent) || !sameBits(one.motifScores, other.motifScores)) return false
  }
  return true
}

/** Whether two rows are equal to the last bit. */
export const sameBits = (a: Float32Array, b: Float32Array): boolean =>
  a.length === b.length && a.every((value, i) => Object.is(value, b[i]))

async function openParts(path: string, hop: number): Promise<Parts> {
  const model = decodeModel(readFile(path), path)
  const cut = model.graph.node.findIndex(({ opType }) => opType === 'GlobalAveragePool')
  const value = model.graph.node[cut]!.input[0]!
  const folder = mkdtempSync(join(tmpdir(), 'edgeinfer-stream-'))
  const opened: Backend[] = []
  const open = async (name: string, graph: ModelProto) => {
    const file = join(folder, `${name}.onnx`)
    writeFileAtomic(file, encodeModel(graph))
    const backend = await openBackend(file, { ort: { slots: 1, threads: 1, interOpThreads: 1, allowSpinning: false } })
    opened.push(backend)
    return backend
  }
  const close = async () => {
    for (const backend of opened) await backend[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true, force: true })
  }
  const encoder = async (samples: number) => {
    const graph = part(model, { from: 0, to: cut, input: tcnInput, inputShape: [1, windowChannels, 1, samples] })
    const shaped = {
      ...graph,
      graph: { ...graph.graph, output: [newValueInfo(value, 'float32', [1, width, 1, samples])] },
    }
    const backend = await open(`features_${samples}`, shaped)
    return async (window: Float32Array) => {
      const results = await backend.infer({ [tcnInput]: float32([1, windowChannels, 1, samples], window) })
      return Float32Array.from(results[value]!.data as Float32Array)
    }
  }
  try {
    const shape = [1, width, 1, windowSamples]
    const head = await open('head', part(model, { from: cut, to: Infinity, input: value, inputShape: shape }))
    return {
      first: await encoder(edge),
      newest: await encoder(edge + hop),
      whole: await encoder(windowSamples),
      async head(features) {
        const results = await head.infer({ [value]: float32(shape, features) })
        return {
          latent: Float32Array.from(results[tcnLatent]!.data as Float32Array),
          motifScores: softmaxInPlace(Float32Array.from(results[tcnLogits]!.data as Float32Array)),
        }
      },
      close,
    }
  } catch (thrown) {
    await close()
    throw thrown
  }
}

/** The nodes from `from` to before `to`, with the weights that they read. */
function part(
  model: ModelProto,
  o: { from: number; to: number; input: string; inputShape: readonly number[] },
): ModelProto {
  const node = model.graph.node.slice(o.from, o.to)
  const read = new Set(node.flatMap(({ input }) => input))
  return {
    ...model,
    graph: {
      ...model.graph,
      node,
      initializer: model.graph.initializer.filter(({ name }) => read.has(name ?? '')),
      input: [newValueInfo(o.input, 'float32', o.inputShape)],
    },
  }
}
