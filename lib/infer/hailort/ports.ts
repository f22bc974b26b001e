/**
 * Holds the memory of each stream on our side, and how its frames are turned.
 *
 * One port for each input and output: what it is called and how it is shaped, how its frames are turned, and memory
 * that is used for every frame.
 */
import { describeStream, type StreamInfo } from '../../../ffi/hailort/stream-info.ts'
import { usageError } from '../../base/errors.ts'
import type { HailortTensorInfo } from './types.ts'
import { layoutOfStream, type StreamLayout } from './layout.ts'

/** A stream and its memory. */
export interface Port {
  readonly info: HailortTensorInfo
  readonly layout: StreamLayout
  /** What travels. */
  readonly frame: Float32Array
  /** What is given back; the frame itself where both lie alike. */
  readonly tensor: Float32Array
}

/** All streams of a model. */
export interface Ports {
  readonly inputs: readonly Port[]
  /** In the order that the HEF gives them. */
  readonly outputs: readonly Port[]
}

/**
 * A port for each stream.
 *
 * @throws RunbookError usage for a stream that is turned into no array here
 */
export function portsOf(streams: readonly StreamInfo[], outputNames: readonly string[]): Ports {
  const rank = ({ name }: StreamInfo) => outputNames.indexOf(name) >>> 0
  const outputs = streams.filter(({ isInput }) => !isInput).toSorted((a, b) => rank(a) - rank(b))
  return { inputs: streams.filter(({ isInput }) => isInput).map(portOf), outputs: outputs.map(portOf) }
}

function portOf(stream: StreamInfo): Port {
  const layout = layoutOfStream(stream)
  const frame = new Float32Array(layout.frameValues)
  const values = layout.shape.reduce((product, n) => product * n, 1)
  const info = {
    name: stream.name,
    dtype: 'float32' as const,
    shape: layout.shape,
    layout: describeStream(stream).slice(stream.name.length + 1),
    quantisation: stream.quantisation,
  }
  return { info, layout, frame, tensor: layout.isPlain ? frame : new Float32Array(values) }
}

/**
 * The library says how many bytes a frame has; what we would send must be just as many.
 *
 * @throws RunbookError usage
 */
export function mustFit({ info, frame }: Port, frameBytes: number): void {
  if (frameBytes === frame.byteLength) return
  const state = `${info.layout} takes ${frame.byteLength} bytes, and HailoRT wants ${frameBytes}`
  throw usageError(`Cannot use "${info.name}": ${state}`, 'report it, with the HEF')
}
