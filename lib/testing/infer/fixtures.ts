/**
 * Models, signals and files that tests of inference share.
 *
 * Small graphs that really run in ONNX Runtime: a ConvTasNet of sixteen filters, and graphs that only pass sound on.
 * Nothing here is used outside of tests.
 */
import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeModel, type ModelProto } from '../../formats/onnx/index.ts'
import { float32, type Dtype } from '../../formats/tensors/tensor.ts'
import { writeWav } from '../../formats/wav/index.ts'
import { convTasNetGraph } from '../../models/convtasnet/graph.ts'
import { convTasNetOptions, type ConvTasNetOptions } from '../../models/convtasnet/options.ts'
import { GraphBuilder } from '../../onnx/builder.ts'
import type { Backend, Feeds, Results, TensorInfo } from '../../infer/backend.ts'

/** The layout of every model here, as in the contract. */
export const layout = { kernel: 16, stride: 8 } as const
/** Of every signal here, in Hz. */
export const sampleRate = 16_000

const undo: (() => void)[] = []

/** A folder of one's own, removed when the process ends. */
export function scratch(): string {
  if (undo.length === 0) {
    process.on('exit', () => {
      for (const step of undo.toReversed()) step()
    })
  }
  const folder = mkdtempSync(join(tmpdir(), 'infer-'))
  undo.push(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A file system of one's own, such as `size=64k` or `ro`; null where this machine does not let us mount one. */
export function diskOf(options: string): string | null {
  const folder = scratch()
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder]).status !== 0) return null
  undo.push(() => spawnSync('umount', ['--lazy', folder]))
  return folder
}

/** Like a voice: hum and noise, loud and soft stretches, in [-0.3, 0.3]. */
export function voice(samples: number, seed = 5): Float32Array {
  let state = seed
  return Float32Array.from({ length: samples }, (_, i) => {
    state = (state * 48271) % 0x7fffffff
    const loudness = i % 4000 < 2600 ? 0.3 : 0.02
    return loudness * (0.6 * Math.sin(i * 0.05 * seed) + 0.2 * Math.sin(i * 0.31) + 0.2 * (state / 0x7fffffff - 0.5))
  })
}

/** A ConvTasNet that runs in a millisecond; windows of 400 samples, a halo of 4 frames (3 when framed). */
export const tinyOptions = (more: Partial<ConvTasNetOptions> = {}): ConvTasNetOptions =>
  convTasNetOptions({
    nFilters: 16,
    bnChan: 4,
    hidChan: 8,
    skipChan: 4,
    nBlocks: 2,
    nRepeats: 1,
    inputLen: 400,
    ...more,
  })

/** Write a model; gives its path. */
export function modelFile(model: ModelProto, name = 'model.onnx', folder = scratch()): string {
  const path = join(folder, name)
  writeFileSync(path, encodeModel(model))
  return path
}

/** Write the ConvTasNet of these options; gives its path. */
export const tinyModel = (more: Partial<ConvTasNetOptions> = {}, name?: string): string =>
  modelFile(convTasNetGraph(tinyOptions(more)), name)

/** Write a recording of 16-bit samples; gives its path. */
export function wavFile(
  channels: readonly Float32Array[],
  o: { sampleRate?: number; encoding?: 'pcm16' | 'float32' | 'mulaw'; path?: string } = {},
): string {
  const path = o.path ?? join(scratch(), 'mixture.wav')
  writeWav(path, channels, { sampleRate: o.sampleRate ?? sampleRate, encoding: o.encoding ?? 'pcm16' })
  return path
}

/** A recording that begins with a second of voice and goes on in silence; a sparse file, so that it takes no room. */
export function longRecording(seconds: number): string {
  const path = wavFile([voice(sampleRate)])
  const bytes = 44 + 2 * seconds * sampleRate
  truncateSync(path, bytes)
  const fd = openSync(path, 'r+')
  const length = Buffer.alloc(4)
  for (const [at, value] of [
    [4, bytes - 8],
    [40, bytes - 44],
  ] as const) {
    length.writeUInt32LE(value)
    writeSync(fd, length, 0, 4, at)
  }
  closeSync(fd)
  return path
}

/** A graph [1, 1, 1, width] -> [1, 2, 1, width] whose two sources are the sound times `gain` each. It costs nothing. */
export function halves(width: number, gain = 0.5): ModelProto {
  const graph = new GraphBuilder({ name: 'halves' })
  const sound = graph.input('input', 'float32', [1, 1, 1, width])
  const half = graph.node('Mul', [sound, graph.weight('gain', float32([1], [gain]))])
  graph.node('Concat', [half, half], { output: 'output', attributes: { axis: 1 } })
  graph.output('output', 'float32', [1, 2, 1, width])
  return graph.build()
}

/** Inputs `sound` and `bias`, outputs `quiet` (half of it each) and `loud` (all of it and nothing, plus the bias). */
export function forked(width: number): ModelProto {
  const graph = new GraphBuilder({ name: 'forked' })
  const sound = graph.input('sound', 'float32', [1, 1, 1, width])
  const bias = graph.input('bias', 'float32', [1, 1, 1, width])
  const half = graph.node('Mul', [sound, graph.weight('half', float32([1], [0.5]))])
  const none = graph.node('Mul', [sound, graph.weight('none', float32([1], [0]))])
  const all = graph.node('Add', [sound, bias])
  graph.node('Concat', [half, half], { output: 'quiet', attributes: { axis: 1 } })
  graph.node('Concat', [all, none], { output: 'loud', attributes: { axis: 1 } })
  graph.output('quiet', 'float32', [1, 2, 1, width])
  graph.output('loud', 'float32', [1, 2, 1, width])
  return graph.build()
}

/** A graph of one node over one input. */
export function single(
  op: string,
  o: { dtype?: Dtype; input: TensorInfo['shape']; output: TensorInfo['shape'] },
): ModelProto {
  const graph = new GraphBuilder({ name: op })
  graph.node(op, [graph.input('input', o.dtype ?? 'float32', o.input)], { output: 'output' })
  graph.output('output', o.dtype ?? 'float32', o.output)
  return graph.build()
}

/** A model that is a function. */
export function fakeBackend(
  inputs: readonly TensorInfo[],
  outputs: readonly TensorInfo[],
  answer: (feeds: Feeds) => Results,
): Backend {
  return {
    name: 'ort',
    device: 'a function',
    inputs,
    outputs,
    loadMs: 0,
    infer: feeds => Promise.resolve(answer(feeds)),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}

/**
 * The largest difference of two arrays over the largest value of the second; infinite for other lengths, silence and
 * NaN.
 */
export function relativeError(have: Float32Array, want: Float32Array): number {
  const loudest = want.reduce((top, value) => Math.max(top, Math.abs(value)), 0)
  if (have.length !== want.length || loudest === 0) return Infinity
  let worst = 0
  for (const [i, value] of have.entries()) {
    const difference = Math.abs(value - want[i]!)
    if (!(difference <= worst)) worst = Number.isNaN(difference) ? Infinity : difference
  }
  return worst / loudest
}

/** Several arrays as one. */
export function concat(pieces: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    all.set(piece, at)
    at += piece.length
  }
  return all
}
