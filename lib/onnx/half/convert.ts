/**
 * Converts a float32 graph to float16 where it pays: products with weights, and tables that are looked up.
 *
 * Everything else stays an island of float32: norms, softmax, sums, recurrent layers, products of two activations, and
 * every weight that float16 cannot hold. Inputs and outputs keep their types, so that a converted graph takes the place
 * of its original. TensorRT 11 takes the precision of an engine from such a graph.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import {
  dataTypes,
  encodeModel,
  isExternal,
  newNode,
  protoFromTensor,
  readModel,
  tensorFromProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
} from '../../formats/onnx/index.ts'
import { halfFromFloat32, halfMax } from '../../formats/tensors/half.ts'
import { sizeOf, type FloatTensor, type Tensor } from '../../formats/tensors/tensor.ts'
import { fileError, writeFileAtomic } from '../../host/files.ts'
import { attributeFrom } from '../builder.ts'

/** Which input of an operator is the weight that makes it worth converting, and which others are float too. */
const converted: Readonly<Record<string, { readonly weight: number; readonly floats: readonly number[] }>> = {
  MatMul: { weight: 1, floats: [0, 1] },
  Gemm: { weight: 1, floats: [0, 1, 2] },
  Conv: { weight: 1, floats: [0, 1, 2] },
  Gather: { weight: 0, floats: [0] },
}

/** Where large weights go that do not go into the graph. */
interface HalfSink {
  readonly location: string
  append(bytes: Uint8Array): { readonly offset: number; readonly length: number }
}

/** How a graph is converted. */
export interface HalfOptions {
  /** Nodes that stay in float32, for a graph that is known to need them so. */
  readonly keep?: (node: NodeProto) => boolean
}

/** What a conversion did. */
export interface HalfFacts {
  /** Nodes that compute or look up in float16, and those of the same operators that stay in float32. */
  readonly converted: number
  readonly islands: number
}

/**
 * Convert a graph.
 * @param o.folder where the graph's own weights lie that it keeps in another file
 * @throws RunbookError usage when weights cannot be read
 */
export function convertToHalf(
  model: ModelProto,
  o: HalfOptions & { readonly folder?: string; readonly sink?: HalfSink } = {},
): { model: ModelProto } & HalfFacts {
  const { graph } = model
  const weights = new Map(graph.initializer.map(tensor => [tensor.name ?? '', tensor]))
  const halves = new Map<string, TensorProto | null>()
  const half = (name: string): TensorProto | null => {
    if (!halves.has(name)) halves.set(name, halfOf(weights.get(name)!, o))
    return halves.get(name)!
  }
  const nodes: NodeProto[] = []
  let [count, islands] = [0, 0]
  for (const node of graph.node) {
    const rule = converted[node.opType]
    if (rule === undefined || !weights.has(node.input[rule.weight] ?? '')) nodes.push(node)
    else if (
      o.keep?.(node) !== true &&
      rule.floats.every(i => !weights.has(node.input[i] ?? '') || half(node.input[i]!) !== null)
    ) {
      count++
      nodes.push(...wrapped(node, rule.floats, weights))
    } else {
      islands++
      nodes.push(node)
    }
  }
  const used = new Set([...nodes.flatMap(({ input }) => input), ...graph.output.map(({ name }) => name)])
  const kept = [...weights.values()].filter(({ name }) => used.has(name ?? ''))
  const added = [...halves.values()].filter(tensor => tensor !== null && used.has(tensor.name ?? '')) as TensorProto[]
  const own = { ...graph, node: nodes, initializer: [...kept, ...added], valueInfo: [] }
  return { model: { ...model, graph: own }, converted: count, islands }
}

const halfName = (name: string) => `${name}.float16`

/** A weight in float16; null where it is none of float32, or float16 cannot hold it. */
function halfOf(tensor: TensorProto, { folder, sink }: { folder?: string; sink?: HalfSink }): TensorProto | null {
  if (tensor.dataType !== dataTypes.float32) return null
  const { shape, data } = tensorFromProto(tensor, folder === undefined ? {} : { folder }) as FloatTensor
  // Also false for what is no number.
  if (!data.every(x => Math.abs(x) <= halfMax)) return null
  const values: Tensor = { dtype: 'float16', shape, data: halfFromFloat32(data) }
  const name = halfName(tensor.name ?? '')
  if (sink === undefined || sizeOf(shape) < 1024) return protoFromTensor(name, values)
  const bytes = new Uint8Array(values.data.buffer, values.data.byteOffset, values.data.byteLength)
  const place = { location: sink.location, ...sink.append(bytes) }
  const { rawData: _, ...proto } = protoFromTensor(name, { ...values, shape: [0], data: new Uint16Array(0) })
  const externalData = Object.entries(place).map(([key, value]) => ({ key, value: String(value) }))
  return { ...proto, dims: shape.map(BigInt), dataLocation: 1, externalData }
}

/** A node between casts: its activations come down to float16, and its output goes up again. */
function wrapped(node: NodeProto, floats: readonly number[], weights: ReadonlyMap<string, TensorProto>): NodeProto[] {
  const before: NodeProto[] = []
  const input = node.input.map((name, i) => {
    if (!floats.includes(i) || name === '') return name
    if (weights.has(name)) return halfName(name)
    const lowered = `${node.output[0]}.input${i}.float16`
    before.push(cast(name, lowered, dataTypes.float16))
    return lowered
  })
  const raw = `${node.output[0]}.float16`
  return [...before, { ...node, input, output: [raw] }, cast(raw, node.output[0]!, dataTypes.float32)]
}

const cast = (from: string, to: string, type: number): NodeProto =>
  newNode({ opType: 'Cast', name: `${to}.cast`, input: [from], output: [to], attribute: [attributeFrom('to', type)] })

/** Above this, weights go into a file beside the graph: one protobuf holds 2 GiB. */
const inlineBytesMax = 2 ** 28

/**
 * Convert a file. Weights of a graph that keeps its own in another file, or holds many, go into `<to>.data`.
 * @throws RunbookError blocked when a file is absent or the disk is full; usage when weights cannot be read
 */
export function convertFileToHalf(from: string, to: string, options: HalfOptions = {}): HalfFacts {
  const model = readModel(from)
  const bytes = model.graph.initializer.reduce((sum, { rawData }) => sum + (rawData?.length ?? 0), 0)
  const isLarge = bytes > inlineBytesMax || model.graph.initializer.some(isExternal)
  using sink = isLarge ? openSink(`${to}.data`) : undefined
  const { model: half, ...facts } = convertToHalf(model, {
    ...options,
    folder: dirname(from),
    ...(sink && { sink }),
  })
  writeFileAtomic(to, encodeModel(half))
  return facts
}

function openSink(path: string): HalfSink & Disposable {
  const attempt = <T>(work: () => T): T => {
    try {
      return work()
    } catch (thrown) {
      throw fileError('write', path, thrown)
    }
  }
  const file = attempt(() => openSync(path, 'w'))
  let at = 0
  return {
    location: basename(path),
    append(bytes) {
      const offset = Math.ceil(at / 64) * 64
      attempt(() => {
        for (let done = 0; done < bytes.length;)
          done += writeSync(file, bytes, done, bytes.length - done, offset + done)
      })
      at = offset + bytes.length
      return { offset, length: bytes.length }
    },
    [Symbol.dispose]: () => closeSync(file),
  }
}
