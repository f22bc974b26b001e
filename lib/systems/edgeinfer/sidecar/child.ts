/**
 * Runs a sidecar in a process of its own for a load test or a benchmark; the parent's channel is its life.
 */
import { Sidecar, type SidecarOptions } from './sidecar.ts'

/** What the parent sends first: options of a sidecar, its model as a path. */
export type ChildOptions = Omit<SidecarOptions, 'modelPath'> & { readonly model: string }

process.once('message', (message: ChildOptions) => {
  const { model, ...options } = message
  void Sidecar.start({ ...options, modelPath: () => model }).then(
    sidecar => {
      process.send!({ url: sidecar.url, notReady: sidecar.notReady(), readyMs: performance.now() })
      process.once('message', () => void stop(sidecar))
      process.once('disconnect', () => void stop(sidecar))
    },
    (thrown: unknown) => {
      process.send!({ error: String(thrown) })
      process.exitCode = 1
      process.disconnect()
    },
  )
})

async function stop(sidecar: Sidecar): Promise<void> {
  const lost = await sidecar.drain()
  if (process.connected) {
    process.send!({ lost })
    process.disconnect()
  }
}
