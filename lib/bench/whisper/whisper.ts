/**
 * Measures the Whisper pipeline: its front end, one step of its decoder, a whole recording, and its memory.
 *
 * Times are CPU times of this process with one thread, because wall time on a shared machine says little; the smallest
 * of several is the steadiest. A peer transcribes the same samples with the same weights in the same run.
 */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { blockedError } from '../../base/errors.ts'
import type { Inputs } from '../../notebook/inputs/inputs.ts'
import { table } from '../../notebook/display/show.ts'
import type { Tools } from '../../notebook/run/session.ts'
import { decodeAudio } from '../../signal/decode-audio.ts'
import { whisperContract } from '../../systems/whisper/contract.ts'
import { whisperFrontEnd } from '../../systems/whisper/features.ts'
import { openModel } from '../../systems/whisper/model.ts'
import type { Whisper } from '../../systems/whisper/pipeline.ts'
import { storeFolder, weightsFolder } from '../../systems/whisper/store.ts'
import { benchWhisperServer } from './server.ts'

/** What is measured, and beside whom. */
export interface WhisperBenchOptions {
  readonly model: string
  /** A recording; the shipped voices unless given. It is repeated, or cut, to the contract's length. */
  readonly audio: string | undefined
  /** A Python with faster-whisper in it. */
  readonly peerPython: string | undefined
  readonly repeats: number
  readonly requests: number
}

type BenchTools = Pick<Tools<Inputs>, 'run' | 'cell' | 'gate' | 'stamp' | 'line'>

const precisions = ['float32', 'int8'] as const
type Precision = (typeof precisions)[number]

/**
 * Measure, show and judge.
 * @throws RunbookError as `openModel` and `decodeAudio`
 */
export async function benchWhisper(tools: BenchTools, options: WhisperBenchOptions): Promise<void> {
  const { cell, gate, stamp } = tools
  const { bench, sha256 } = whisperContract()
  stamp({ contract: sha256, model: options.model })
  const samples = await recording(options.audio, bench.audioSeconds)
  const frontMs = await cell('Take the log-mel of 30 s', ({ print }) => {
    const ms = frontEndMs(samples, options.repeats)
    print(`${ms.toFixed(1)} ms`)
    return ms
  })
  gate('front end for 30 s', frontMs, { atMost: bench.frontEndMsMax }, { unit: 'ms' })
  for (const precision of precisions) {
    await using whisper = await openModel({ model: options.model, precision }, { threads: 1 })
    const step = await cell(`Step the decoder, ${precision}`, async ({ show }) => {
      const measured = await stepCost(whisper, options.repeats)
      show(table([measured]))
      return measured
    })
    gate(`a step over the bare graph, ${precision}`, step.ratio, { atMost: bench.stepRatioMax })
    const own = await cell(`Transcribe ${bench.audioSeconds} s, ${precision}`, async ({ show }) => {
      const runs = await transcribeCost(whisper, samples, options.repeats)
      show(table(runs, { title: whisper.device }))
      return Math.min(...runs.map(({ cpuMs }) => cpuMs))
    })
    tools.line(`${options.model} ${precision}: ${Math.round(own)} ms of CPU for ${bench.audioSeconds} s`)
    await judgePeer(tools, options, { precision, samples, ownMs: own })
    if (precision === 'float32') {
      await judgeMemory(tools, whisper, { samples, requests: options.requests })
      await benchWhisperServer(tools, { whisper, samples, requests: 500 })
    }
  }
}

/** The contract's seconds of speech. */
async function recording(path: string | undefined, seconds: number): Promise<Float32Array> {
  const shipped = join(import.meta.dirname, '../../../contracts/recordings/s1/ivrvoice-festvox-1.wav')
  const { samples } = await decodeAudio(path ?? shipped, { sampleRate: 16_000, secondsMax: 3600 })
  return Float32Array.from({ length: seconds * 16_000 }, (_, i) => samples[i % samples.length]!)
}

const cpuMs = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

function frontEndMs(samples: Float32Array, repeats: number): number {
  const front = whisperFrontEnd(80)
  const window = samples.subarray(0, 480_000)
  let least = Infinity
  for (let i = 0; i < 10 * repeats; i++) {
    const began = cpuMs()
    front.spectrogram(window)
    least = Math.min(least, cpuMs() - began)
  }
  return least
}

/** A step as the decoding rules ask for it, beside a bare run of the same graph on the same tensors; CPU ms. */
async function stepCost(
  { network }: Whisper,
  repeats: number,
): Promise<{ ownMs: number; bareMs: number; ratio: number }> {
  await network.listen(new Float32Array(network.mels * network.windowFrames))
  const steps = 40
  let [ownMs, bareMs] = [Infinity, Infinity]
  for (let round = 0; round < repeats; round++) {
    network.start()
    await network.append([[50_257]])
    const began = cpuMs()
    for (let i = 0; i < steps; i++) await network.append([[100 + i]])
    ownMs = Math.min(ownMs, (cpuMs() - began) / steps)
    const bare = network.bareStep()
    const beganBare = cpuMs()
    for (let i = 0; i < steps; i++) bare()
    bareMs = Math.min(bareMs, (cpuMs() - beganBare) / steps)
  }
  return { ownMs, bareMs, ratio: ownMs / bareMs }
}

async function transcribeCost(whisper: Whisper, samples: Float32Array, repeats: number) {
  const runs = []
  for (let i = 0; i < repeats; i++) {
    const began = cpuMs()
    const { segments, text } = await whisper.transcribe(samples, { language: 'en', temperatures: [0] })
    const tokens = segments.reduce((sum, segment) => sum + segment.tokens.length, 0)
    runs.push({ cpuMs: cpuMs() - began, tokens, text: text.slice(0, 60) })
  }
  return runs
}

interface Compared {
  readonly precision: Precision
  readonly samples: Float32Array
  readonly ownMs: number
}

async function judgePeer({ run, cell, gate, line }: BenchTools, o: WhisperBenchOptions, c: Compared): Promise<void> {
  const { bench } = whisperContract()
  const name = `CPU time over faster-whisper's, ${c.precision}`
  const { peerPython } = o
  if (peerPython === undefined) {
    gate.blocked(name, 'no peer: give --peer-python the path of a Python with faster-whisper')
    return
  }
  const peerMs = await cell(`Transcribe with faster-whisper, ${c.precision}`, async ({ show }) => {
    const path = run.write('samples.f32', new Uint8Array(c.samples.buffer))
    const script = join(import.meta.dirname, 'faster-whisper.py')
    const folder = weightsFolder(storeFolder(), o.model)
    const runs = await peer(peerPython, [script, folder, path, c.precision, String(o.repeats)])
    show(table(runs.map(({ text, ...rest }) => ({ ...rest, text: text.slice(0, 60) }))))
    return Math.min(...runs.map(each => each.cpuMs))
  })
  line(`faster-whisper ${c.precision}: ${Math.round(peerMs)} ms of CPU; ratio ${(c.ownMs / peerMs).toFixed(2)}`)
  gate(name, c.ownMs / peerMs, { atMost: c.precision === 'float32' ? bench.float32RatioMax : bench.int8RatioMax })
}

interface PeerRun {
  readonly cpuMs: number
  readonly wallMs: number
  readonly tokens: number
  readonly text: string
}

async function peer(python: string, argv: readonly string[]): Promise<PeerRun[]> {
  try {
    const { stdout } = await promisify(execFile)(python, argv, { timeout: 600_000, maxBuffer: 1 << 24 })
    return JSON.parse(stdout) as PeerRun[]
  } catch (thrown) {
    const words = thrown instanceof Error ? thrown.message.split('\n').at(-2) : String(thrown)
    throw blockedError(
      `Cannot run the peer with "${python}": ${words}`,
      `${python} -m pip install faster-whisper`,
      thrown,
    )
  }
}

/** What many short recordings leave behind in memory. */
async function judgeMemory(
  { cell, gate }: BenchTools,
  whisper: Whisper,
  { samples, requests }: { samples: Float32Array; requests: number },
): Promise<void> {
  const { bench } = whisperContract()
  const second = samples.slice(0, 16_000)
  const ask = () => whisper.transcribe(second, { language: 'en', temperatures: [0] })
  const growth = await cell(`Transcribe ${requests} short recordings`, async ({ advance, print }) => {
    // The first ones fill caches that stay.
    for (let i = 0; i < 5; i++) await ask()
    const before = process.memoryUsage().rss
    for (let i = 0; i < requests; i++) {
      await ask()
      advance(i + 1, requests)
    }
    const bytes = process.memoryUsage().rss - before
    print(`${(bytes / 2 ** 20).toFixed(1)} MiB more`)
    return bytes / 2 ** 20
  })
  gate('memory that stays', growth, { atMost: bench.memoryGrowthMiBMax }, { unit: 'MiB' })
}
