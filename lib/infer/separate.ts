/**
 * How does a model of a fixed window separate a recording of any length?
 *
 * Windows with a halo, joined where both neighbours agree (`tiles`), so that a minute of sound has no seam and equals what one
 * endless network would say. Everything streams: the mixture comes in pieces, and each piece of the answer goes to `onBlock`.
 */
import { performance } from 'node:perf_hooks'
import { float32 } from '../formats/tensor.ts'
import { RunbookError } from '../notebook/errors.ts'
import { frameSignal, framesOf, OverlapAdd, paddedSamples, tiles, type Tile } from '../models/convtasnet/frames.ts'
import type { Backend } from './backend.ts'
import type { MonoSource } from './mono-source.ts'
import type { Layout, SeparationModel } from './separation-model.ts'

export interface Separation {
  readonly backend: Backend
  readonly model: SeparationModel
  readonly layout: Layout
  /** Frames at a window's edge whose answer is thrown away. */
  readonly haloFrames: number
  readonly source: MonoSource
  readonly signal: AbortSignal
  /** The next samples of the mixture and of each source, equally long. */
  readonly onBlock: (mix: Float32Array, sources: readonly Float32Array[]) => void
  readonly onWindow?: (done: number, total: number) => void
}

export interface SeparationTimes {
  readonly windows: number
  /** One inference of silence before the first window, in ms: what the runtime sets up on first use. */
  readonly configureMs: number
  /** One entry a window, in ms. */
  readonly latenciesMs: readonly number[]
  readonly samples: number
}

/** Separate a whole recording. Errors: fail when the model answers NaN, interrupted when the signal says so. */
export async function separate(job: Separation): Promise<SeparationTimes> {
  const { model, source, layout: { stride } } = job
  const total = source.totalSamples
  const padded = Math.max(paddedSamples(total, stride), stride)
  // A graph that answers with samples is tiled in samples, because each sample needs two neighbouring frames.
  const inSamples = model.answer === 'audio'
  const plan = tiles({
    total: inSamples ? padded : framesOf(padded, stride),
    width: inSamples ? model.widthSamples : model.widthFrames,
    halo: job.haloFrames * (inSamples ? stride : 1),
  })
  const input = new SlidingInput(source)
  const join = joiner(job)
  const configureMs = await timed(() => inferOnce(job, new Float32Array(model.widthSamples + 2 * stride), 0)).then(({ ms }) => ms)
  const latenciesMs: number[] = []
  let done = 0
  for (const [i, tile] of plan.entries()) {
    job.signal.throwIfAborted()
    const firstFrame = inSamples ? tile.start / stride : tile.start
    const firstSample = (firstFrame - 1) * stride
    const { value: answer, ms } = await timed(() => inferOnce(job, input.window(firstSample, model.widthSamples + 2 * stride), firstFrame))
    latenciesMs.push(ms)
    const pieces = join(answer, tile).map(piece => piece.subarray(0, total - done))
    const count = pieces[0]!.length
    job.onBlock(input.window(done, count), pieces)
    done += count
    input.forget(Math.min(done, firstSample))
    job.onWindow?.(i + 1, plan.length)
  }
  return { windows: plan.length, configureMs, latenciesMs, samples: done }
}

async function timed<T>(work: () => Promise<T>): Promise<{ value: T; ms: number }> {
  const startedMs = performance.now()
  const value = await work()
  return { value, ms: performance.now() - startedMs }
}

/** Feed one window: `samples` begins one stride before the sample under the window's first frame. */
async function inferOnce(job: Separation, samples: Float32Array, firstFrame: number): Promise<Float32Array> {
  const { model, layout, layout: { stride } } = job
  const shape = model.input.shape.map(Number)
  const feed = model.feed === 'samples'
    ? samples.slice(stride, stride + model.widthSamples)
    : frameSignal(samples, layout, { firstFrame, frames: model.widthFrames, firstSample: (firstFrame - 1) * stride }).data
  const results = await job.backend.infer({ [model.input.name]: float32(shape, feed) })
  const answer = results[model.output.name]!.data as Float32Array
  const odd = answer.findIndex(value => !Number.isFinite(value))
  if (odd < 0) return answer
  throw new RunbookError('fail', `Cannot use the answer of "${model.output.name}": value ${odd} is ${answer[odd]}`, 'look at the weights and the quantisation')
}

/** The kept part of each answer as samples, one array per source. */
function joiner({ model, layout }: Separation): (answer: Float32Array, tile: Tile) => Float32Array[] {
  if (model.answer === 'audio') {
    const width = model.widthSamples
    return (answer, { from, to }) => Array.from({ length: model.sources }, (_, s) => answer.slice(s * width + from, s * width + to))
  }
  const overlap = new OverlapAdd({ ...layout, sources: model.sources })
  return (answer, { start, from, to }) => overlap.push(answer, { columns: model.widthFrames, firstFrame: start, from, to })
}

/** A view that slides over the recording: what was read stays until it is forgotten; outside the recording there is silence. */
class SlidingInput {
  readonly #source: MonoSource
  #held = new Float32Array(0)
  #first = 0

  constructor(source: MonoSource) {
    this.#source = source
  }

  /** `count` samples from `first` on, as a copy. */
  window(first: number, count: number): Float32Array {
    const missing = first + count - (this.#first + this.#held.length)
    if (missing > 0) {
      const more = this.#source.read(missing)
      const all = new Float32Array(this.#held.length + more.length)
      all.set(this.#held)
      all.set(more, this.#held.length)
      this.#held = all
    }
    const window = new Float32Array(count)
    const from = Math.max(first, this.#first)
    window.set(this.#held.subarray(from - this.#first, Math.max(0, first + count - this.#first)), from - first)
    return window
  }

  /** Let go of everything before `first`. */
  forget(first: number): void {
    if (first <= this.#first) return
    this.#held = this.#held.slice(first - this.#first)
    this.#first = first
  }
}
