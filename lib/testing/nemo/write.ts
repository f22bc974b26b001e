/**
 * Writes tar archives and `.nemo` files for tests, whole ones and hostile ones.
 */
import type { Tensor } from '../../formats/tensors/tensor.ts'
import { torchStateDict } from '../torch/write.ts'

/** One entry; `type` is tar's: '0' a file, '5' a folder, '2' a symbolic link. */
export interface TarEntry {
  readonly name: string
  readonly bytes?: Uint8Array
  readonly type?: string
  /** A size to claim instead of the true one. */
  readonly size?: number
}

/** A ustar archive, with the two closing blocks. */
export function tarFile(entries: readonly TarEntry[]): Buffer {
  const parts = entries.flatMap(({ name, bytes = new Uint8Array(0), type = '0', size = bytes.length }) => {
    const header = Buffer.alloc(512)
    header.write(name, 0, 100)
    header.write('0000644\0', 100)
    if (size >= 8 ** 11) {
      header[124] = 0x80
      header.writeBigUInt64BE(BigInt(size), 128)
    } else header.write(`${size.toString(8).padStart(11, '0')}\0`, 124)
    header.write('        ', 148)
    header.write(type, 156)
    header.write('ustar\0' + '00', 257)
    const sum = header.reduce((total, byte) => total + byte, 0)
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
    return [header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]
  })
  return Buffer.concat([...parts, Buffer.alloc(1024)])
}

/** A `.nemo` of this configuration, these weights and these artifacts. */
export const nemoFile = (o: {
  config: string
  weights: ReadonlyMap<string, Tensor>
  artifacts?: Readonly<Record<string, Uint8Array>>
}): Buffer =>
  tarFile([
    { name: '.', type: '5' },
    ...Object.entries(o.artifacts ?? {}).map(([name, bytes]) => ({ name: `./${name}`, bytes })),
    { name: './model_config.yaml', bytes: Buffer.from(o.config) },
    { name: './model_weights.ckpt', bytes: torchStateDict(o.weights) },
  ])
