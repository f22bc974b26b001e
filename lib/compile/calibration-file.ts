/**
 * Writes calibration samples as the one file that a toolchain reads, and reads it back.
 *
 * One input: a `.npy` with the samples first. Several inputs: a `.npz` with one such array for each, by the input's
 * name. Samples are stacked along their first axis where that is 1, else along a new one.
 */
import { join } from 'node:path'
import { usageError } from '../base/errors.ts'
import { decodeNpy, encodeNpy } from '../formats/tensors/npy.ts'
import { readNpz, writeNpz } from '../formats/tensors/npz.ts'
import { bytesFromTensor, tensorFromBytes } from '../formats/tensors/tensor-bytes.ts'
import { describe, float32, sizeOf, type Tensor } from '../formats/tensors/tensor.ts'
import { sha256, sha256File } from '../host/digest.ts'
import { readFile, writeFileAtomic } from '../host/files.ts'
import type { Feeds } from '../infer/backend.ts'
import type { CalibrationFile, Toolchain } from './toolchain.ts'

/** Samples, the inputs that they feed, and the order of axes that the toolchain wants. */
export interface CalibrationSamples {
  readonly inputs: readonly string[]
  readonly samples: readonly Feeds[]
  readonly layout: Toolchain['calibrationLayout']
}

/**
 * Write samples into `folder`.
 * @throws RunbookError usage when there are none, when one lacks an input, or when two have different shapes or types;
 *   blocked when the disk is full
 */
export async function writeCalibration(folder: string, o: CalibrationSamples): Promise<CalibrationFile> {
  const count = o.samples.length
  const stacked = o.inputs.map(name => [name, stack(name, o)] as const)
  if (stacked.length === 1) {
    const path = join(folder, 'calibration.npy')
    const bytes = encodeNpy(stacked[0]![1])
    writeFileAtomic(path, bytes)
    return { path, sha256: sha256(bytes), count }
  }
  const path = join(folder, 'calibration.npz')
  await writeNpz(path, Object.fromEntries(stacked))
  return { path, sha256: sha256File(path), count }
}

/** All samples of one input as one tensor, the samples first. */
function stack(name: string, { samples, layout }: CalibrationSamples): Tensor {
  const all = samples.map((feeds, i) => {
    const tensor = feeds[name]
    if (tensor !== undefined) return layout === 'nhwc' ? channelsLast(tensor) : tensor
    throw usageError(`Cannot calibrate: sample ${i} has no "${name}"`, 'give every input of the graph in every sample')
  })
  const [first] = all
  if (first === undefined) throw usageError('Cannot calibrate: there are no samples', 'give at least one')
  const odd = all.findIndex(({ dtype, shape }) => dtype !== first.dtype || shape.join() !== first.shape.join())
  if (odd >= 0) {
    const state = `sample ${odd} of "${name}" is ${describe(all[odd]!)}, and the first is ${describe(first)}`
    throw usageError(`Cannot calibrate: ${state}`, 'give samples of one shape')
  }
  const [lead, ...rest] = first.shape
  const shape = [all.length, ...(lead === 1 ? rest : first.shape)]
  return tensorFromBytes({ dtype: first.dtype, shape, bytes: Buffer.concat(all.map(bytesFromTensor)) })
}

/** float32[1, C, 1, W] as float32[1, 1, W, C]; a tensor of another rank or type as it is. */
function channelsLast(tensor: Tensor): Tensor {
  const { shape, data } = tensor
  if (shape.length !== 4 || !(data instanceof Float32Array)) return tensor
  const [count = 1, channels = 1, height = 1, width = 1] = shape
  const pixels = height * width
  const out = new Float32Array(data.length)
  for (let n = 0; n < count; n++) {
    for (let channel = 0; channel < channels; channel++) {
      const from = (n * channels + channel) * pixels
      for (let i = 0; i < pixels; i++) out[(n * pixels + i) * channels + channel] = data[from + i]!
    }
  }
  return float32([count, height, width, channels], out)
}

/**
 * The samples of a calibration file, in the graph's own layout.
 * @param path a file that `writeCalibration` wrote with the layout `nchw`
 * @param inputs the graph's inputs with their shapes, which tell how samples were stacked
 * @throws RunbookError blocked when the file is absent; usage when it lacks an input
 */
export async function readCalibration(
  path: string,
  inputs: readonly { readonly name: string; readonly shape: readonly number[] }[],
): Promise<Feeds[]> {
  const arrays = path.endsWith('.npy')
    ? new Map([[inputs[0]!.name, decodeNpy(readFile(path))]])
    : new Map([...(await readNpz(path))].map(([name, entry]) => [name, entry.tensor()]))
  const count = Math.min(...[...arrays.values()].map(({ shape }) => shape[0] ?? 0))
  return Array.from({ length: count }, (_, i) =>
    Object.fromEntries(
      inputs.map(({ name, shape }) => {
        const all = arrays.get(name)
        if (all === undefined) throw usageError(`Cannot read "${path}": it has no "${name}"`, 'write it again')
        const size = sizeOf(shape)
        return [name, { dtype: all.dtype, shape, data: all.data.subarray(i * size, (i + 1) * size) } as Tensor]
      }),
    ),
  )
}
