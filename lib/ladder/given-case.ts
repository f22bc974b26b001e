/**
 * Makes a rung of a ladder from somebody's ONNX file.
 *
 * Open dimensions are fixed, weights that lie beside the file are taken in, and samples are cut for every input. A file
 * that needs none of this is compiled where it lies.
 */
import { basename, dirname } from 'node:path'
import { encodeModel, readModel, type ModelProto } from '../formats/onnx/index.ts'
import { inspect } from '../onnx/inspect.ts'
import { modelInputs, pinShapes, withWeights, type PinnedModel } from '../onnx/pin.ts'
import type { SampleSource } from './sample-source.ts'
import type { LadderCase } from './types.ts'

/** What a given model is prepared with. */
export interface GivenSetting {
  /** Shapes of inputs, by name. */
  readonly shapes: ReadonlyMap<string, readonly number[]>
  readonly source: SampleSource
  /** Samples to calibrate with, at most. */
  readonly count: number
}

/** The file that a rung was made from. */
export interface GivenConfig {
  readonly path: string
}

/**
 * A given model, read and with fixed shapes.
 * @throws RunbookError blocked when it, or a file of its weights, is absent; usage when it is no model, or its shapes
 *   stay open
 */
export function readGiven(path: string, shapes: GivenSetting['shapes']): PinnedModel {
  return pinShapes(withWeights(readModel(path), dirname(path)), shapes)
}

/** Of these shapes, those whose input the model has: one list may serve several models. */
export function shapesOf(path: string, shapes: GivenSetting['shapes']): Map<string, readonly number[]> {
  const inputs = new Set(modelInputs(readModel(path)).map(({ name }) => name))
  return new Map([...shapes].filter(([name]) => inputs.has(name)))
}

/** A name for folders and files from a model's path: its name without the ending, of letters, digits, `-` and `_`. */
export const tagOf = (path: string): string =>
  basename(path)
    .replace(/\.onnx$/i, '')
    .replaceAll(/[^A-Za-z0-9_-]+/g, '_') || 'model'

/**
 * A rung made from a file.
 * @param o.tag names it; by default its own name
 * @param o.cut what to keep of the graph; the whole by default
 */
export function givenCase(
  path: string,
  setting: GivenSetting,
  o: { tag?: string; cut?: (whole: ModelProto) => ModelProto } = {},
): LadderCase<GivenConfig> {
  const { tag = tagOf(path), cut = whole => whole } = o
  return {
    tag,
    config: { path },
    prepare() {
      const { model: whole, inputs: all } = readGiven(path, setting.shapes)
      const model = cut(whole)
      const inputs = all.filter(({ name }) => model.graph.input.some(value => value.name === name))
      const { parameters, macs, weightBytes, peakActivationBytes } = inspect(model)
      return {
        onnx: encodeModel(model),
        inputs,
        outputs: model.graph.output.map(({ name }) => name),
        modelScript: '',
        facts: { parameters, macs, weightBytes, peakActivationBytes },
        samples: () => setting.source.samples(inputs, setting.count),
      }
    },
  }
}
