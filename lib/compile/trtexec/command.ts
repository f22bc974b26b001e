/**
 * Puts a request into the words of one trtexec.
 *
 * TensorRT 8.6 and 10 take the precision as a flag. From 11 on a network is strongly typed: it computes in the types of
 * its ONNX file, and no flag changes that.
 */
import { blockedError, usageError } from '../../base/errors.ts'
import type { Trtexec } from './program.ts'
import { shapesText, type EngineRequest } from './request.ts'

/** The first major whose networks are always strongly typed. */
const firstStronglyTyped = 11

/** Whether a TensorRT takes the precision from the ONNX file alone. */
export const isStronglyTyped = ({ major }: { major: number }): boolean => major >= firstStronglyTyped

/**
 * The command for one engine.
 * @throws RunbookError blocked when this trtexec cannot build the precision; usage when an int8 engine has no ranges
 */
export function buildCommand(trtexec: Trtexec, request: EngineRequest): string[] {
  const { profile, timingCache, workspaceMiB, optimizationLevel } = request
  const optional = (flag: string, value?: string | number) =>
    trtexec.flags.has(flag) ? [value === undefined ? `--${flag}` : `--${flag}=${value}`] : []
  // A model without open dimensions takes no shapes: trtexec refuses them.
  const shapes = Object.keys(profile).length === 0 ? [] : shapeWords(request)
  return [
    trtexec.path,
    `--onnx=${request.onnx}`,
    `--saveEngine=${request.plan}`,
    ...shapes,
    ...(timingCache === undefined ? [] : optional('timingCacheFile', timingCache)),
    ...(workspaceMiB === undefined ? [] : optional('memPoolSize', `workspace:${workspaceMiB}`)),
    ...(optimizationLevel === undefined ? [] : optional('builderOptimizationLevel', optimizationLevel)),
    ...optional('skipInference'),
    ...precisionWords(trtexec, request),
  ]
}

const shapeWords = ({ profile }: EngineRequest): string[] =>
  (['min', 'opt', 'max'] as const).map((word, i) => `--${word}Shapes=${shapesText(profile, i as 0 | 1 | 2)}`)

function precisionWords(trtexec: Trtexec, { precision, int8 }: EngineRequest): string[] {
  const { major, flags, path, version } = trtexec
  const untyped = flags.has('noTF32') ? ['--noTF32'] : []
  if (precision === 'fp32') return untyped
  mustHaveRanges(precision, int8)
  const cache = typeof int8 === 'object' ? int8.cache : undefined
  if (major >= firstStronglyTyped) {
    if (cache === undefined) return untyped
    throw blockedError(
      `Cannot build int8 from "${cache}": TensorRT ${version} takes no calibration cache, only a quantised graph`,
      'leave out the calibration cache: the graph is then quantised before it is built',
    )
  }
  if (!flags.has(precision)) {
    throw blockedError(
      `Cannot build ${precision} engines with "${path}": TensorRT ${version} has no --${precision}`,
      precision === 'bf16' ? 'give --precision fp16' : 'use another trtexec: --trtexec PATH',
    )
  }
  return [`--${precision}`, ...(cache === undefined ? [] : [`--calib=${cache}`])]
}

/** Without ranges trtexec makes some up from random numbers, and ends well. */
export function mustHaveRanges(precision: EngineRequest['precision'], int8: EngineRequest['int8']): void {
  if (precision !== 'int8' || int8 !== undefined) return
  throw usageError(
    'Cannot build int8: neither a quantised graph nor a calibration cache is given',
    'give a graph with QuantizeLinear and DequantizeLinear, or a calibration cache',
  )
}
