/**
 * Gives calibration samples for the inputs of any model: from arrays by name, from a folder of recordings, or random.
 */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { usageError } from '../base/errors.ts'
import { decodeNpy } from '../formats/tensors/npy.ts'
import { readNpz } from '../formats/tensors/npz.ts'
import { arrayOf, describe, float32, sizeOf, type Dtype, type Tensor } from '../formats/tensors/tensor.ts'
import { fileError, readFile } from '../host/files.ts'
import { indexOfNonFinite, type Feeds } from '../infer/backend.ts'
import { openMono } from '../signal/mono-source.ts'

/** An input with every dimension a number. */
export interface SampledInput {
  readonly name: string
  readonly dtype: Dtype
  readonly shape: readonly number[]
}

/** Where samples come from. */
export interface SampleSource {
  /** In words. */
  readonly from: string
  /** Whether they are random: what is measured on them says little of real input. */
  readonly isRandom: boolean
  /**
   * Up to `count` samples, each a tensor for every input.
   * @throws RunbookError usage when the data does not fit the inputs
   */
  samples(inputs: readonly SampledInput[], count: number): Feeds[]
}

/**
 * Open calibration data.
 * @param word `random`, a `.npz` with an array for each input by its name, a `.npy` for a model with one input, or a
 *   folder of WAV files
 * @param o.sampleRate of the model, for a folder of recordings
 * @throws RunbookError blocked when the file is absent; usage when it is no such data
 */
export async function openSampleSource(word: string, o: { sampleRate: number }): Promise<SampleSource> {
  if (word === 'random') return { from: 'random numbers', isRandom: true, samples: randomSamples }
  if (statSync(word, { throwIfNoEntry: false })?.isDirectory()) return recordings(word, o.sampleRate)
  const arrays = /\.npy$/i.test(word)
    ? new Map([['', () => decodeNpy(readFile(word), word)]])
    : new Map([...(await readNpz(word))].map(([name, entry]) => [name, () => entry.tensor()]))
  return {
    from: word,
    isRandom: false,
    samples: (inputs, count) => samplesOf(word, { arrays, inputs, count }),
  }
}

interface ArraySamples {
  readonly arrays: ReadonlyMap<string, () => Tensor>
  readonly inputs: readonly SampledInput[]
  readonly count: number
}

function samplesOf(path: string, { arrays, inputs, count }: ArraySamples): Feeds[] {
  const rows = inputs.map(input => {
    const only = inputs.length === 1 && arrays.size === 1 ? [...arrays.values()][0] : undefined
    const read = arrays.get(input.name) ?? only
    if (read !== undefined) return rowsFor(path, input, read())
    const numbered = numberedArrays(arrays, input.name)
    if (numbered.length > 0) return numbered.flatMap(one => rowsFor(path, input, one()))
    throw usageError(
      `Cannot calibrate with "${path}": it has no "${input.name}", but ${[...arrays.keys()].join(', ') || 'nothing'}`,
      `save an array for each input by its name: ${inputs.map(({ name }) => name).join(', ')}`,
    )
  })
  const found = Math.min(count, ...rows.map(({ length }) => length))
  return Array.from({ length: found }, (_, i) => Object.fromEntries(inputs.map(({ name }, k) => [name, rows[k]![i]!])))
}

/** One array a sample, named `0|input`, `1|input` and so on. */
function numberedArrays(arrays: ArraySamples['arrays'], name: string): (() => Tensor)[] {
  const found: (() => Tensor)[] = []
  for (let i = 0; arrays.has(`${i}|${name}`); i++) found.push(arrays.get(`${i}|${name}`)!)
  return found
}

/** The samples of one input: `[N, ...shape]`, `[N, ...]` for a batch of one, or a single sample of the shape itself. */
function rowsFor(path: string, input: SampledInput, tensor: Tensor): Tensor[] {
  const { shape, dtype, name } = input
  const rest = shape[0] === 1 ? shape.slice(1) : shape
  const [count = 0, ...tail] = tensor.shape
  const isSingle = tensor.shape.join() === shape.join()
  const isRows = !isSingle && [shape.join(), rest.join()].includes(tail.join())
  if (!isSingle && !isRows) {
    throw usageError(
      `Unsupported calibration shape: expected (N, ${rest.join(', ')}), got (${tensor.shape.join(', ')}) ` +
        `for "${name}" from "${path}"`,
      'save samples first, each in the shape of the input',
    )
  }
  const data = dtype === 'float32' && tensor.data instanceof Float64Array ? Float32Array.from(tensor.data) : tensor.data
  if (!(data instanceof arrayOf[dtype]) || (tensor.dtype !== dtype && data === tensor.data)) {
    throw usageError(
      `Cannot calibrate "${name}" with "${path}": it is ${describe(tensor)}, and the model takes ${dtype}`,
      `save it as ${dtype}`,
    )
  }
  const isZero = (value: number | bigint) => Number(value) === 0
  if (data instanceof Float32Array && data.every(isZero)) {
    throw usageError(`Cannot calibrate "${name}" with "${path}": every value is 0`, 'give real input')
  }
  const odd = data instanceof Float32Array ? indexOfNonFinite(data) : -1
  if (odd >= 0) {
    throw usageError(
      `Cannot calibrate "${name}" with "${path}": element ${odd} is ${data[odd]}`,
      'give input without NaN and infinity',
    )
  }
  const size = sizeOf(shape)
  return Array.from(
    { length: isSingle ? 1 : count },
    (_, i) => ({ dtype, shape, data: data.subarray(i * size, (i + 1) * size) }) as Tensor,
  )
}

/** How many random samples are made: enough for ranges, few enough to be quick. */
const randomCount = 16

/** The same numbers every time: floats in [-1, 1], whole numbers 0 and 1. */
function randomSamples(inputs: readonly SampledInput[], count: number): Feeds[] {
  let state = 1
  const next = () => {
    state = (state * 48271) % 0x7fffffff
    return state / 0x7fffffff
  }
  const valueOf = (dtype: Dtype): number | bigint => {
    if (dtype === 'float32' || dtype === 'float64') return 2 * next() - 1
    const bit = next() < 0.5 ? 0 : 1
    return dtype === 'int64' || dtype === 'uint64' ? BigInt(bit) : bit
  }
  return Array.from({ length: Math.min(count, randomCount) }, () =>
    Object.fromEntries(
      inputs.map(({ name, dtype, shape }) => {
        const data = new arrayOf[dtype](sizeOf(shape))
        for (let i = 0; i < data.length; i++) data[i] = valueOf(dtype) as never
        return [name, { dtype, shape, data } as Tensor]
      }),
    ),
  )
}

function recordings(folder: string, sampleRate: number): SampleSource {
  const paths = wavsIn(folder)
  return {
    from: `${paths.length} recordings in ${folder}, at ${sampleRate} Hz`,
    isRandom: false,
    samples(inputs, count) {
      const [input] = inputs
      const samples = input?.shape.at(-1) ?? 0
      const isSound = inputs.length === 1 && input!.dtype === 'float32' && sizeOf(input!.shape) === samples
      if (!isSound) {
        throw usageError(
          `Cannot calibrate with the recordings in "${folder}": the model takes ${inputs.map(describe).join(', ')}`,
          'give --calib FILE.npz with an array for each input by its name',
        )
      }
      const each = Math.max(1, Math.ceil(count / paths.length))
      const windows = paths.flatMap(path => windowsOf(path, { sampleRate, samples, count: each })).slice(0, count)
      if (windows.length > 0) return windows.map(window => ({ [input!.name]: float32(input!.shape, window) }))
      throw usageError(
        `Cannot calibrate with the recordings in "${folder}": none is as long as ${samples} samples`,
        'give longer recordings',
      )
    },
  }
}

function wavsIn(folder: string): string[] {
  try {
    const names = readdirSync(folder).filter(name => /^[^.].*\.wav$/i.test(name))
    if (names.length > 0) return names.toSorted().map(name => join(folder, name))
  } catch (thrown) {
    throw fileError('list', folder, thrown)
  }
  throw usageError(`Cannot calibrate with "${folder}": there is no .wav in it`, 'give a folder of WAV files')
}

/** Windows at even steps over one recording that are not silent. */
function windowsOf(path: string, o: { sampleRate: number; samples: number; count: number }): Float32Array[] {
  using source = openMono(path, o.sampleRate)
  const sound = source.read(source.totalSamples)
  const last = sound.length - o.samples
  if (last < 0) return []
  const starts = Array.from({ length: o.count }, (_, i) => Math.floor((last * i) / Math.max(1, o.count - 1)))
  return [...new Set(starts)]
    .map(start => sound.slice(start, start + o.samples))
    .filter(window => window.some(value => value !== 0))
}
