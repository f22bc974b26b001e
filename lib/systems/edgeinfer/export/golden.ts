/**
 * Reads and writes golden windows: raw windows with the latents that a reference gave for them.
 */
import { readNpz, writeNpz } from '../../../formats/tensors/npz.ts'
import { float32 } from '../../../formats/tensors/tensor.ts'
import { usageError } from '../../../base/errors.ts'
import { referenceLatent } from '../../../models/tcn/reference.ts'
import type { TcnWeights } from '../../../models/tcn/weights.ts'
import { edgeinferContract } from '../contract.ts'
import { standardise, windowChannels, windowSamples, windowSize } from '../window/layout.ts'
import { runbookCommand } from '../../../host/typescript.ts'

/** One golden window. */
export interface GoldenWindow {
  /** Row-major [100, 9], raw units. */
  readonly window: Float32Array
  /** What the reference gave. */
  readonly latent: Float32Array
}

const { latentSize } = edgeinferContract().model

/**
 * Golden windows of a file.
 * @throws RunbookError blocked when it is absent; usage when it is another file
 */
export async function readGolden(path: string): Promise<GoldenWindow[]> {
  const entries = await readNpz(path)
  const [windows, latents] = ['window', 'latent'].map(name => entries.get(name)?.tensor())
  const count = windows?.shape[0] ?? 0
  const fits =
    windows?.dtype === 'float32' &&
    latents?.dtype === 'float32' &&
    windows.shape.join() === [count, windowSamples, windowChannels].join() &&
    latents.shape.join() === [count, latentSize].join()
  if (!fits || count === 0) {
    throw usageError(
      `Cannot read the golden windows "${path}": no float32 window [n, ${windowSamples}, ${windowChannels}] ` +
        `and latent [n, ${latentSize}]`,
      `export again: ${runbookCommand('runbooks/edgeinfer-export.ts')}`,
    )
  }
  return Array.from({ length: count }, (_, i) => ({
    window: (windows.data as Float32Array).slice(i * windowSize, (i + 1) * windowSize),
    latent: (latents.data as Float32Array).slice(i * latentSize, (i + 1) * latentSize),
  }))
}

/** Write the same windows with latents computed in float64 for these weights. */
export async function writeReferenceGolden(
  path: string,
  o: { windows: readonly Float32Array[]; weights: TcnWeights },
): Promise<void> {
  const latents = o.windows.map(window => referenceLatent(o.weights, standardise(window)))
  await writeNpz(path, {
    window: float32([o.windows.length, windowSamples, windowChannels], joined(o.windows)),
    latent: float32([latents.length, latentSize], joined(latents)),
  })
}

/** Rows one after another. */
export function joined(rows: readonly (Float32Array | Float64Array)[]): Float32Array {
  const size = rows[0]?.length ?? 0
  const all = new Float32Array(rows.length * size)
  for (const [i, row] of rows.entries()) all.set(row, i * size)
  return all
}
