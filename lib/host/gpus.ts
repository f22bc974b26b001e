/**
 * Names the NVIDIA GPUs that a program started here would see, without loading a library.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Models of the GPUs, as the driver tells them, then what `CUDA_VISIBLE_DEVICES` leaves of them; empty without a
 * driver.
 * @param o where to look, for tests
 */
export function hostGpus(o: { root?: string; env?: Readonly<Record<string, string | undefined>> } = {}): string[] {
  const { root = '/proc/driver/nvidia/gpus', env = process.env } = o
  const visible = env.CUDA_VISIBLE_DEVICES
  const models = foldersIn(root).map(folder => modelIn(join(root, folder, 'information')))
  return models.length > 0 && visible !== undefined ? [...models, `CUDA_VISIBLE_DEVICES=${visible}`] : models
}

function foldersIn(root: string): string[] {
  try {
    return readdirSync(root).toSorted()
  } catch {
    return []
  }
}

function modelIn(path: string): string {
  try {
    return /^Model:\s*(.*\S)/m.exec(readFileSync(path, 'utf8'))?.[1] ?? 'unnamed GPU'
  } catch {
    return 'unnamed GPU'
  }
}
