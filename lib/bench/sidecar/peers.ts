/**
 * Starts the servers that the sidecar is measured against, each in a process of its own.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { blockedError } from '../../base/errors.ts'
import { startTypescript } from '../../host/typescript.ts'
import { edgeinferContract } from '../../systems/edgeinfer/contract.ts'

/** A server in another process. */
export interface Peer extends AsyncDisposable {
  readonly url: string
  readonly pid: number
}

/** The plain server of `plain-server.ts`. */
export async function startPlain(model: string): Promise<Peer> {
  const child = startTypescript(join(import.meta.dirname, 'plain-server.ts'), [], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  child.send(model)
  const [{ url }] = (await once(child, 'message')) as [{ url: string }]
  return peerOf(child, url, () => child.disconnect())
}

/**
 * The Python server of `fastapi-server.py`.
 * @param o.python a Python that has fastapi, uvicorn, numpy and onnxruntime
 * @throws RunbookError blocked when it does not start
 */
export async function startFastapi(o: { python: string; model: string }): Promise<Peer> {
  const { mean, std } = edgeinferContract().normalization
  const script = join(import.meta.dirname, 'fastapi-server.py')
  const child = spawn(o.python, [script, o.model, mean.join(','), std.join(',')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const first = createInterface({ input: child.stdout })[Symbol.asyncIterator]().next()
  const failed = once(child, 'error').then(([error]) => Promise.reject(error as Error))
  try {
    const { value, done } = await Promise.race([first, failed])
    if (done === true) throw new Error('it ended before it listened')
    const { port } = JSON.parse(value) as { port: number }
    return peerOf(child, `http://127.0.0.1:${port}`, () => child.kill())
  } catch (thrown) {
    throw blockedError(
      `Cannot start the FastAPI peer with "${o.python}": ${(thrown as Error).message}`,
      `${o.python} -m pip install fastapi uvicorn numpy onnxruntime`,
      thrown,
    )
  }
}

function peerOf(child: ChildProcess, url: string, stop: () => void): Peer {
  const gone = once(child, 'exit')
  return {
    url,
    pid: child.pid!,
    [Symbol.asyncDispose]: async () => {
      stop()
      await gone
    },
  }
}
