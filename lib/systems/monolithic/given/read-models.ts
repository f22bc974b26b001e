/**
 * Looks at given models and at their calibration before any is compiled.
 */
import { RunbookError, usageError } from '../../../base/errors.ts'
import type { Feeds } from '../../../infer/backend.ts'
import { readGiven, shapesOf } from '../../../ladder/given-case.ts'
import type { SampleSource } from '../../../ladder/sample-source.ts'

/** A model as it was read. */
export interface ReadModel {
  /** The shapes of its own inputs. */
  readonly shapes: ReadonlyMap<string, readonly number[]>
  /** Why it cannot be compiled; null when it can. */
  readonly refusal: RunbookError | null
  /** What a person should see of its calibration. */
  readonly notes: readonly string[]
}

/** What every model is read with. */
export interface ReadSetting {
  readonly shapes: ReadonlyMap<string, readonly number[]>
  readonly source: SampleSource
  readonly count: number
}

/**
 * Read every model. One that cannot be used must not keep the others from their turn; when none can be used, there is
 * nothing to do.
 * @throws RunbookError what the first says when none can be used; usage for a shape of an input that no model has
 */
export function readModels(paths: readonly string[], o: ReadSetting): ReadModel[] {
  const { shapes, source, count } = o
  const read = paths.map((path): ReadModel => {
    try {
      const own = paths.length === 1 ? shapes : shapesOf(path, shapes)
      const { inputs } = readGiven(path, own)
      const samples = source.samples(inputs, count)
      return { shapes: own, refusal: null, notes: source.isRandom ? [] : notesOn(samples) }
    } catch (thrown) {
      if (thrown instanceof RunbookError) return { shapes, refusal: thrown, notes: [] }
      throw thrown
    }
  })
  if (read.every(({ refusal }) => refusal !== null)) throw read[0]!.refusal!
  const unused = [...shapes.keys()].find(name => !read.some(({ refusal, shapes: own }) => !refusal && own.has(name)))
  if (unused === undefined) return read
  throw usageError(`Cannot shape "${unused}": none of the models has such an input`, 'give the name of an input')
}

/** The range of every float input, which shows a wrong scale, and a single sample, which is measured with itself. */
function notesOn(samples: readonly Feeds[]): string[] {
  const names = Object.keys(samples[0] ?? {})
  const ranges = names.flatMap(name => {
    const arrays = samples.map(feeds => feeds[name]!.data)
    if (!(arrays[0] instanceof Float32Array)) return []
    let [min, max] = [Infinity, -Infinity]
    for (const array of arrays as Float32Array[]) {
      for (const value of array) {
        if (value < min) min = value
        if (value > max) max = value
      }
    }
    return [`calibration of "${name}": ${samples.length} samples from ${short(min)} to ${short(max)}`]
  })
  const single = 'one sample: int8 is measured with the very sample that it was calibrated with'
  return samples.length === 1 ? [...ranges, single] : ranges
}

const short = (value: number): string => String(Number(value.toPrecision(4)))

/** A refusal as the failure of one case, with what helps. */
export const asCase = ({ message, hint }: RunbookError): RunbookError => usageError(`${message}; ${hint}`, hint)
