/**
 * Ends an HTTP server without cutting a request that is on its way.
 */
import type { Server } from 'node:http'
import { Server as NetServer } from 'node:net'

/** How long connections are silent before nobody is thought to be sending, in ms. */
const silentMs = 300

/**
 * Stop accepting. Connections stay, idle ones too, which `close` of an HTTP server cuts: a request may be on its way on
 * one of them, and is to be refused in words.
 */
export function stopAccepting(server: Server): void {
  if (server.listening) NetServer.prototype.close.call(server)
}

/**
 * Whether somebody is connected who may be sending.
 *
 * @param latestMs when the last request came, by `performance.now`
 */
export async function mayAsk(server: Server, latestMs: number): Promise<boolean> {
  if (performance.now() - latestMs > silentMs) return false
  return new Promise(resolve => {
    server.getConnections((_, count) => resolve(count > 0))
  })
}
