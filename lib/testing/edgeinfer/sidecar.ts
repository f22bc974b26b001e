/**
 * A sidecar to test with, on an export of its own, and raw HTTP over a socket to ask it as no client library would.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readGolden, type GoldenWindow } from '../../systems/edgeinfer/export/golden.ts'
import { Sidecar, type SidecarOptions } from '../../systems/edgeinfer/sidecar/sidecar.ts'
import { makeExport } from './exports.ts'

/** An export and what is right for it. */
export interface SidecarBench {
  readonly folder: string
  /** The Conv2d form. */
  readonly model: string
  readonly golden: readonly GoldenWindow[]
  /** A sidecar on a free port with one slot, unless told otherwise. */
  start(o?: Partial<SidecarOptions>): Promise<Sidecar>
  /** Delete the folder. */
  end(): void
}

/** Write an export into a new folder. */
export async function sidecarBench(): Promise<SidecarBench> {
  const folder = mkdtempSync(join(tmpdir(), 'sidecar-'))
  const exported = join(folder, 'exports')
  await makeExport(exported)
  const model = join(exported, 'tcn_encoder_nchw.onnx')
  return {
    folder,
    model,
    golden: await readGolden(join(exported, 'golden.npz')),
    start: o =>
      Sidecar.start({
        host: '127.0.0.1',
        port: 0,
        modelPath: () => model,
        backend: 'auto',
        useRealModel: true,
        motifs: 12,
        slots: 1,
        ...o,
      }),
    end: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** A window as the rows of a JSON body. */
export const rowsOf = (window: Float32Array): number[][] =>
  Array.from({ length: 100 }, (_, t) => [...window.subarray(t * 9, t * 9 + 9)])

/** A connection to a service. */
export async function socketTo(url: string): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/** Everything that comes until the connection closes. */
export async function readToEnd(socket: Socket): Promise<Buffer> {
  const pieces: Buffer[] = []
  socket.on('data', piece => pieces.push(piece))
  if (!socket.closed) await once(socket, 'close')
  return Buffer.concat(pieces)
}

/** Send pieces as they are, each in a write of its own, and read the answer until the connection closes. */
export async function exchange(url: string, pieces: readonly (string | Uint8Array)[]): Promise<Buffer> {
  const socket = await socketTo(url)
  const answer = readToEnd(socket)
  for (const piece of pieces) {
    socket.write(piece)
    await new Promise(resolve => setImmediate(resolve))
  }
  return answer
}
