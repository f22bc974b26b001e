/**
 * Small HEFs that tests share.
 *
 * Only tests import this file.
 */
import { digestOf } from '../../formats/hef/checksum.ts'
import { encodeHefHeader } from './header.ts'
import { written, type FieldValue } from './message.ts'
import { quantizedLayer, writeHef, type HefDescription, type HefModel, type StreamDescription } from './write.ts'
import type { Pieces } from '../../formats/protobuf.ts'

/** height, width, features */
type Size = readonly [number, number, number]

/** A stream of that size. */
export const stream = (
  name: string,
  [height, width, features]: Size,
  more: Partial<StreamDescription> = {},
): StreamDescription => ({ name, shape: { height, width, features }, ...more })

/** One tap that halves the input: 8 values in, 16 out. */
export const halfModel = (): HefModel => ({
  inputs: 1,
  outputs: 1,
  layers: [
    quantizedLayer({
      source: 0,
      target: 1,
      height: 1,
      width: 8,
      weights: Float32Array.of(0.5, -0.5),
      bias: new Float32Array(2),
      from: { zeroPoint: 128, scale: 0.1 },
      to: { zeroPoint: 100, scale: 0.1 },
    }),
  ],
})

/** A whole HEF with one input and one output, and whatever is asked beside. */
export const smallHef = (more: Partial<HefDescription> = {}): Uint8Array =>
  writeHef({
    groups: [
      {
        name: 'net',
        bottleneckFps: 1250,
        latencyMs: 2,
        inputs: [stream('net/in', [1, 8, 1])],
        outputs: [stream('net/out', [1, 8, 2])],
      },
    ],
    ...more,
  })

/** Any description, sealed with a header of version 0: for what `writeHef` does not write. */
export function sealed(proto: Pieces): Uint8Array {
  const bytes = proto.join()
  const header = encodeHefHeader({
    version: 0,
    protoBytes: bytes.length,
    ccwsBytes: 0,
    paddingBytes: 0,
    additionalBytes: 0,
    digest: digestOf('md5', bytes),
    protoDigest: null,
  })
  return new Uint8Array(Buffer.concat([header, bytes]))
}

type Fields = Record<number, FieldValue>

/** A plain layer's information. */
export const layerInfo = (name: string, [h, w, c]: Size, base: Fields = {}): Pieces =>
  written({
    1: name,
    2: written({ 1: h, 2: h, 3: w, 4: w, 5: c, 6: c, 12: 1, 13: [written({})], ...base }),
    3: written({ 2: { float: 1 } }),
  })

/** An edge layer: its direction (0 in, 1 out), its type, and the body under the type's field. */
export function edge(
  direction: 0 | 1,
  body: Pieces,
  type: 'info' | 'mux' | 'planes' = 'info',
  more: Fields = {},
): Pieces {
  const field = { info: 3, mux: 4, planes: 8 }[type]
  return written({ 1: direction, 2: { info: 0, mux: 1, planes: 2 }[type], [field]: body, ...more })
}

/**
 * A HEF of one group with these edge layers and sorted outputs; `group` and `metadata` add or replace fields,
 * `extensions` and `optional` are numbers.
 */
export function hefOfEdges(
  edges: readonly Pieces[],
  sorted: readonly string[],
  more: {
    group?: Fields
    extensions?: readonly number[]
    optional?: readonly number[]
    metadata?: Fields
    hwArch?: number
  } = {},
): Uint8Array {
  const group = {
    1: written({ 1: 'net', ...more.metadata }),
    3: [written({ 3: written({ 2: edges }) })],
    4: sorted,
    ...more.group,
  }
  const numbered = (list: readonly number[] = []) => list.map(index => written({ 1: index }))
  return sealed(
    written({
      1: written({ 1: more.hwArch ?? 1, 3: '3.27.0', 4: 4 }),
      2: [written(group)],
      5: numbered([26, ...(more.extensions ?? [])]),
      6: numbered(more.optional),
    }),
  )
}
