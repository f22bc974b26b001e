/**
 * Writes the plans that the stand-in of TensorRT runs.
 *
 * A header as NVIDIA writes it (magic, serialization version, library version at bytes 24 to 27), then a small network
 * of our own. The same layout stands in `graph.h`, which reads it.
 */
import type { TensorRtVersion } from '../../tensorrt/abi/abi.ts'

/** TensorRT's numbers of element types. */
export const planTypes = {
  float32: 0,
  float16: 1,
  int8: 2,
  int32: 3,
  bool: 4,
  uint8: 5,
  fp8: 6,
  bfloat16: 7,
  int64: 8,
  int4: 9,
} as const

/** An input or output of a plan. */
export interface PlanTensor {
  readonly name: string
  readonly role: 'inner' | 'input' | 'output'
  readonly dtype?: keyof typeof planTypes
  /** -1 where it is open. */
  readonly shape: readonly number[]
}

/** y = Wx + b over the last axis, with `weight` [rows][cols] row by row. */
interface DenseOp {
  readonly kind: 'dense'
  readonly from: string
  readonly to: string
  readonly rows: number
  readonly cols: number
  readonly weight: readonly number[]
  readonly bias: readonly number[]
  readonly relu?: boolean
}

/** y is a row of the table `weight` [rows][cols] for each integer of `from`: an axis more. */
interface EmbedOp extends Omit<DenseOp, 'kind' | 'relu' | 'bias'> {
  readonly kind: 'embed'
}

/** Tensors are named. `addRow` adds `and` again and again along `from`. */
export type PlanOp =
  | DenseOp
  | EmbedOp
  | { readonly kind: 'add' | 'addRow'; readonly from: string; readonly and: string; readonly to: string }
  | { readonly kind: 'relu' | 'copy'; readonly from: string; readonly to: string }

type ShapeRange = readonly [min: readonly number[], opt: readonly number[], max: readonly number[]]

/** What a plan of the stand-in computes. */
export interface PlanNetwork {
  readonly name?: string
  readonly tensors: readonly PlanTensor[]
  readonly ops: readonly PlanOp[]
  /** By profile, then by input. */
  readonly profiles?: readonly Readonly<Record<string, ShapeRange>>[]
}

const roles = { inner: 0, input: 1, output: 2 } as const
const kinds = { dense: 0, add: 1, relu: 2, copy: 3, embed: 4, addRow: 5 } as const

/** The bytes of a plan that a version would write. */
export function planBytes(network: PlanNetwork, { major, minor, patch }: TensorRtVersion): Uint8Array {
  const body = bodyOf(network)
  const head = Buffer.alloc(32)
  head.write('ftrt', 0, 'latin1')
  head.writeBigUInt64LE(BigInt(body.length), 8)
  head.writeBigUInt64LE(fnv(body), 16)
  head.set([major, minor, patch, 9], 24)
  return Buffer.concat([head, body])
}

function bodyOf({ name = 'unnamed', tensors, ops, profiles = [] }: PlanNetwork): Buffer {
  const parts: Buffer[] = []
  const words = (...values: readonly number[]) => parts.push(Buffer.from(Int32Array.from(values).buffer))
  const floats = (values: readonly number[]) => parts.push(Buffer.from(Float32Array.from(values).buffer))
  const text = (value: string) => {
    words(Buffer.byteLength(value))
    parts.push(Buffer.from(value))
  }
  const index = (wanted: string) => {
    const found = tensors.findIndex(tensor => tensor.name === wanted)
    if (found < 0) throw new Error(`the plan has no tensor "${wanted}"`)
    return found
  }
  text(name)
  words(tensors.length)
  for (const { name: called, role, dtype = 'float32', shape } of tensors) {
    text(called)
    words(roles[role], planTypes[dtype], shape.length, ...shape)
  }
  words(profiles.length)
  const inputs = tensors.filter(({ role }) => role === 'input')
  for (const profile of profiles) for (const input of inputs) words(...profile[input.name]!.flat())
  words(ops.length)
  for (const op of ops) {
    words(kinds[op.kind], index(op.from), 'and' in op ? index(op.and) : index(op.from), index(op.to))
    if (op.kind !== 'dense' && op.kind !== 'embed') {
      words(0, 0, 0)
      continue
    }
    words(op.rows, op.cols, op.kind === 'dense' && op.relu ? 1 : 0)
    floats(op.weight)
    floats(op.kind === 'dense' ? op.bias : Array.from({ length: op.rows }, () => 0))
  }
  return Buffer.concat(parts)
}

function fnv(bytes: Uint8Array): bigint {
  let hash = 14695981039346656037n
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 1099511628211n)
  return hash
}

/** y = relu(Wx + b), from [batch, 3] to [batch, 2]; the batch is 1 to 8 where `isOpen`. */
export function densePlan({ isOpen = false }: { isOpen?: boolean } = {}): PlanNetwork {
  const batch = isOpen ? -1 : 1
  return {
    name: 'dense',
    tensors: [
      { name: 'x', role: 'input', shape: [batch, 3] },
      { name: 'y', role: 'output', shape: [batch, 2] },
    ],
    ops: [
      {
        kind: 'dense',
        from: 'x',
        to: 'y',
        rows: 2,
        cols: 3,
        weight: [1, 2, 3, -1, 0.5, 0],
        bias: [0.25, 0],
        relu: true,
      },
    ],
    ...(isOpen
      ? {
          profiles: [
            {
              x: [
                [1, 3],
                [4, 3],
                [8, 3],
              ],
            },
          ],
        }
      : {}),
  }
}

/** What `densePlan` computes, in double precision. */
export const denseAnswer = ([a, b, c]: readonly number[]): number[] =>
  [a! + 2 * b! + 3 * c! + 0.25, -a! + 0.5 * b!].map(value => Math.max(0, value))
