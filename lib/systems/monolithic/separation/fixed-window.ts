/**
 * Gives a model of any length a window: its open dimensions become numbers, in a file of the run's own.
 */
import { basename, dirname, extname, join } from 'node:path'
import { encodeModel, readModel } from '../../../formats/onnx/index.ts'
import { writeFileAtomic } from '../../../host/files.ts'
import { modelInputs, pinShapes, withWeights, type ModelInput } from '../../../onnx/pin.ts'

// CONTRACT: a model that takes sound of any length is given windows of about four seconds.
// SOURCE: decision D-107
// WHY: separation networks are trained on three to four seconds; a whole number of 256 samples suits their strides.
const windowSeconds = 4
const windowStep = 256

/** The file to open, and what was assumed of the model. */
export interface FixedModel {
  readonly path: string
  readonly assumed: readonly string[]
}

/**
 * The model itself where every dimension is a number, or where it is no ONNX file; else a copy with a fixed window.
 * @param o.folder where the copy goes
 * @throws RunbookError usage when a dimension stays open that is neither a batch nor the length of the sound
 */
export function withFixedWindow(path: string, o: { folder: string; sampleRate: number }): FixedModel {
  if (extname(path).toLowerCase() !== '.onnx') return { path, assumed: [] }
  const model = readModel(path)
  const open = modelInputs(model).filter(({ shape }) => shape.some(n => typeof n === 'string'))
  if (open.length === 0) return { path, assumed: [] }
  const samples = Math.max(1, Math.round((windowSeconds * o.sampleRate) / windowStep)) * windowStep
  const shapes = new Map(open.filter(isSound).map(input => [input.name, windowShape(input, samples)]))
  const pinned = pinShapes(withWeights(model, dirname(path)), shapes)
  const to = join(o.folder, `${basename(path).replace(/\.onnx$/i, '')}_${samples}.onnx`)
  writeFileAtomic(to, encodeModel(pinned.model))
  const windows = [...shapes.keys()].map(name => `"${name}" takes windows of ${samples} samples: its length is open`)
  return { path: to, assumed: [...windows, ...pinned.assumed] }
}

/** One row of samples whose length is open: every other dimension is 1, or a batch. */
const isSound = ({ dtype, shape }: ModelInput): boolean =>
  dtype === 'float32' &&
  typeof shape.at(-1) === 'string' &&
  shape.slice(0, -1).every((n, axis) => n === 1 || (axis === 0 && typeof n === 'string'))

const windowShape = ({ shape }: ModelInput, samples: number): number[] =>
  shape.map((_, axis) => (axis === shape.length - 1 ? samples : 1))
