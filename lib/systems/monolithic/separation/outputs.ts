/**
 * Writes separated audio, spectrograms and scores as blocks arrive, in memory that does not grow.
 *
 * Sound files appear under their names when everything has been measured; until then, and after an error, there are
 * none.
 */
import { join } from 'node:path'
import { createWav, type WavWriter } from '../../../formats/wav/index.ts'
import { usageError } from '../../../base/errors.ts'
import { SeparationScore, type SeparationResult } from '../../../signal/metrics.ts'
import { SnrSum } from '../../../signal/snr.ts'
import { Spectrogram, type SpectrogramResult } from '../../../signal/spectrogram.ts'
import { openMono, type MonoSource } from '../../../signal/mono-source.ts'

/** What is written, and how much of it. */
export interface OutputOptions {
  readonly folder: string
  readonly sampleRate: number
  /** Of the whole mixture. */
  readonly samples: number
  readonly sources: number
  /** The clean voices, one per source, or null. */
  readonly references: readonly string[] | null
}

/** What was written and measured. */
export interface FinishedOutputs {
  readonly files: { readonly mix: string; readonly sources: readonly string[] }
  readonly spectrograms: readonly { readonly title: string; readonly picture: SpectrogramResult }[]
  readonly score: SeparationResult | null
  readonly consistencyDb: number
  readonly clippedSamples: number
}

/** Sound files, pictures and scores that are being made. */
export interface SeparationOutputs extends Disposable {
  /** The next samples of the mixture and of each source, equally long. Errors: blocked when the disk is full. */
  push(mix: Float32Array, sources: readonly Float32Array[]): void
  /** Put the files in their place and give what was measured. */
  finish(): FinishedOutputs
}

/** The names of the sound files of a mixture and its sources, without their ending. */
export const soundNames = (sources: number): string[] => [
  'mix',
  ...Array.from({ length: sources }, (_, i) => `sep_src${i + 1}`),
]

/**
 * Open everything, or nothing.
 * Errors: usage when a reference is of another length than the mixture; blocked when the folder cannot be written.
 */
export function openOutputs(o: OutputOptions): SeparationOutputs {
  const { sampleRate } = o
  const names = soundNames(o.sources)
  const paths = names.map(name => join(o.folder, `${name}.wav`))
  const pictures = names.map(() => new Spectrogram({ sampleRate, totalSamples: o.samples }))
  const opened: Disposable[] = []
  const close = () => {
    for (const one of opened.splice(0)) one[Symbol.dispose]()
  }
  const keep = <T extends Disposable>(one: T): T => {
    opened.push(one)
    return one
  }
  try {
    const references = openReferences(o, keep)
    const writers = paths.map(path => keep(createWav(path, { sampleRate, channels: 1, encoding: 'pcm16' })))
    return { ...streamOf({ names, paths, pictures, writers, references }), [Symbol.dispose]: close }
  } catch (thrown) {
    close()
    throw thrown
  }
}

interface Parts {
  readonly names: readonly string[]
  readonly paths: readonly string[]
  readonly pictures: readonly Spectrogram[]
  readonly writers: readonly WavWriter[]
  readonly references: readonly MonoSource[] | null
}

function streamOf({
  names,
  paths,
  pictures,
  writers,
  references,
}: Parts): Omit<SeparationOutputs, typeof Symbol.dispose> {
  const score = references ? new SeparationScore(references.length) : null
  const consistency = new SnrSum()
  let sum = new Float32Array(0)
  return {
    push(mix, sources) {
      for (const [i, samples] of [mix, ...sources].entries()) {
        writers[i]!.append([samples])
        pictures[i]!.push(samples)
      }
      if (sum.length < mix.length) sum = new Float32Array(mix.length)
      consistency.push(sumInto(sum.subarray(0, mix.length), sources), mix)
      if (references)
        score?.push(
          mix,
          sources,
          references.map(reference => reference.read(mix.length)),
        )
    },
    finish() {
      const measured = {
        spectrograms: names.map((title, i) => ({ title, picture: pictures[i]!.result() })),
        score: score?.result() ?? null,
        consistencyDb: consistency.db(),
        clippedSamples: writers.reduce((clipped, writer) => clipped + writer.clippedSamples, 0),
      }
      for (const writer of writers) writer.close()
      return { ...measured, files: { mix: paths[0]!, sources: paths.slice(1) } }
    },
  }
}

/** The clean voices; a reference of another length than the mixture is an error, not a silent cut. */
function openReferences(o: OutputOptions, keep: <T extends Disposable>(one: T) => T): MonoSource[] | null {
  if (o.references === null || o.references.length !== o.sources) return null
  return o.references.map(path => {
    const reference = keep(openMono(path, o.sampleRate))
    if (reference.totalSamples === o.samples) return reference
    throw usageError(
      `Cannot score against "${path}": it has ${reference.totalSamples} samples at ${o.sampleRate} Hz, ` +
        `the mixture ${o.samples}`,
      'cut both to the same length, or move the reference away',
    )
  })
}

function sumInto(sum: Float32Array, sources: readonly Float32Array[]): Float32Array {
  sum.set(sources[0]!)
  for (const source of sources.slice(1)) for (let i = 0; i < sum.length; i++) sum[i]! += source[i]!
  return sum
}
