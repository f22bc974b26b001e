/**
 * How many frames at a window's edge must be thrown away?
 *
 * An ONNX file that we authored says it in its metadata. A compiled file carries none, but its name is the run's tag,
 * which holds
 * blocks and repeats. Otherwise the caller must say it: a guess would put seams into the sound.
 */
import { basename, extname } from 'node:path'
import { usageError } from '../../../base/errors.ts'
import { decodeModel } from '../../../formats/onnx/index.ts'
import { readFile } from '../../../host/files.ts'
import { optionsFromModel } from '../../../models/convtasnet/graph.ts'
import { haloFrames } from '../../../models/convtasnet/options.ts'

/** Frames of halo of a model. Errors: usage when neither file nor name tells; blocked when the file is absent. */
export function haloOf(path: string): number {
  const options = extname(path).toLowerCase() === '.onnx' ? optionsFromModel(decodeModel(readFile(path))) : null
  if (options) return haloFrames(options)
  const tag = /_b(\d+)_r(\d+)_t\d+/.exec(basename(path))
  // The kernel of the ladder's blocks is 3, and the encoder may be the padded one, which spoils one frame more.
  if (tag) return Number(tag[2]) * (2 ** Number(tag[1]) - 1) + 1
  throw usageError(
    `Cannot tell the halo of "${path}": neither its metadata nor its name says how far its blocks reach`,
    'give --halo-frames N, or name it by its run tag (mono_…_b2_r1_t16000)',
  )
}
