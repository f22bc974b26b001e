/**
 * Separates a recording of any length with a model of a fixed window.
 *
 * Windows with a halo are joined where both neighbours agree (`tiles`), so that a minute of sound has no seam and
 * equals what one endless network would say. Everything streams: the mixture comes in pieces, and each piece of the
 * answer goes to `onBlock`.
 */
import { performance } from 'node:perf_hooks'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { RunbookError } from '../../../base/errors.ts'
import { framesOf, OverlapAdd, paddedSamples, tiles, type Tile } from '../../../signal/frames.ts'
import { indexOfNonFinite, type Backend } from '../../../infer/backend.ts'
import type { MonoSource } from '../../../signal/mono-source.ts'
import { windowFeed } from './halo.ts'
import { joinedAnswer, type SeparationModel } from './model.ts'

/** An open model and the recording that goes through it. */
export interface Separation {
  readonly backend: Backend
  readonly model: SeparationModel
  /** Frames at a window's edge whose answer is thrown away. */
  readonly haloFrames: number
  readonly source: Pick<MonoSource, 'totalSamples' | 'read'>
  readonly signal: AbortSignal
  /**
   * The next samples of the mixture and of each source, equally long. They are views: copy what must outlive the call.
   */
  readonly onBlock: (mix: Float32Array, sources: readonly Float32Array[]) => void
  readonly onWindow?: (done: number, total: number) => void
}

/** What a separation took. */
export interface SeparationTimes {
  readonly windows: number
  /** One inference of silence before the first window, in ms: what the runtime sets up on first use. */
  readonly configureMs: number
  /** The model alone, one entry a window, in ms; cutting and joining windows is not in it. */
  readonly latenciesMs: readonly number[]
  readonly samples: number
}

/**
 * Separate a whole recording.
 *
 * @throws RunbookError usage when the halo leaves nothing of a window, fail when the model answers NaN, interrupted
 *   when the signal says so
 */
export async function separate(job: Separation): Promise<SeparationTimes> {
  const { model, source } = job
  const { stride } = model.layout
  const total = source.totalSamples
  const plan = planOf(job)
  const join = joiner(job)
  const window = new SlidingWindow(source, model.widthSamples + 2 * stride)
  const { ms: configureMs } = await answerOf(job, window.samples, 0)
  const latenciesMs: number[] = []
  let done = 0
  for (const [i, tile] of plan.entries()) {
    // A runtime may answer without ever leaving the event loop, and then Ctrl-C would wait for the last window.
    await nextTurn()
    refuseInterrupted(job.signal)
    const firstFrame = model.answer === 'audio' ? tile.start / stride : tile.start
    window.moveTo((firstFrame - 1) * stride)
    const { answer, ms } = await answerOf(job, window.samples, firstFrame)
    latenciesMs.push(ms)
    const pieces = join(answer, tile).map(piece => piece.subarray(0, total - done))
    const count = pieces[0]!.length
    job.onBlock(window.view(done, count), pieces)
    done += count
    job.onWindow?.(i + 1, plan.length)
  }
  return { windows: plan.length, configureMs, latenciesMs, samples: done }
}

/**
 * A graph that answers with samples is tiled in samples, because each sample needs two neighbouring frames; others in
 * frames.
 */
function planOf({ model, source, haloFrames }: Separation): Tile[] {
  const { stride } = model.layout
  const padded = paddedSamples(source.totalSamples, stride)
  if (model.answer === 'audio') return tiles({ total: padded, width: model.widthSamples, halo: haloFrames * stride })
  return tiles({ total: framesOf(padded, stride), width: model.widthFrames, halo: haloFrames })
}

function refuseInterrupted(signal: AbortSignal): void {
  if (!signal.aborted) return
  const how = typeof signal.reason === 'string' ? ` (${signal.reason})` : ''
  throw new RunbookError('interrupted', `Cannot finish the separation: interrupted${how}`, 'run the same command again')
}

/** Ask about one window, which begins one stride before the sample under its first frame. */
async function answerOf(
  job: Separation,
  window: Float32Array,
  firstFrame: number,
): Promise<{ answer: Float32Array; ms: number }> {
  const { backend, model } = job
  const feeds = { ...model.zeros, [model.input.name]: windowFeed(model, window) }
  const startedMs = performance.now()
  const results = await backend.infer(feeds)
  const ms = performance.now() - startedMs
  const answer = joinedAnswer(model, results)
  const odd = indexOfNonFinite(answer)
  if (odd < 0) return { answer, ms }
  throw new RunbookError(
    'fail',
    `Cannot use the answer of "${model.outputs[0]!.name}": ` +
      `value ${odd} of the window at frame ${firstFrame} is ${answer[odd]}`,
    'look at the weights and at the quantisation (the summary of the sweep holds its SNR)',
  )
}

/** The kept part of each answer as samples, one array per source. */
function joiner({ model }: Separation): (answer: Float32Array, tile: Tile) => Float32Array[] {
  if (model.answer === 'audio') {
    const { sources, widthSamples: width } = model
    return (answer, { from, to }) =>
      Array.from({ length: sources }, (_, s) => answer.subarray(s * width + from, s * width + to))
  }
  const overlap = new OverlapAdd({ ...model.layout, sources: model.sources })
  return (answer, { start, from, to }) =>
    overlap.push(answer, { columns: model.widthFrames, firstFrame: start, from, to })
}

/** One buffer that slides over the recording, forwards only. Before and behind the recording there is silence. */
class SlidingWindow {
  readonly samples: Float32Array
  readonly #source: Separation['source']
  /** Index in the recording of `samples[0]`. */
  #first: number

  constructor(source: Separation['source'], length: number) {
    this.#source = source
    this.samples = new Float32Array(length)
    this.#first = -length
  }

  /** Let the buffer begin at `first`, at most its own length further on. */
  moveTo(first: number): void {
    const { length } = this.samples
    const shift = first - this.#first
    if (shift < 0 || shift > length) throw new Error(`the window cannot move from ${this.#first} to ${first}`)
    this.samples.copyWithin(0, shift)
    const fresh = this.#source.read(shift)
    this.samples.set(fresh, length - shift)
    this.samples.fill(0, length - shift + fresh.length)
    this.#first = first
  }

  /** A view of `count` samples from `first` on, all of them inside the window. */
  view(first: number, count: number): Float32Array {
    return this.samples.subarray(first - this.#first, first - this.#first + count)
  }
}
