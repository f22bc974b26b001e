/**
 * A service manager and a service that a test installs into a folder: `systemctl` as systemd answers it, and an HTTP
 * server that is there from a restart until a stop. Account programs are the machine's own.
 */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { capture } from '../../host/exec.ts'
import type { CommandRunner } from '../../deploy/target.ts'

/** What a test sees of it. */
export interface ServiceManager extends AsyncDisposable {
  readonly run: CommandRunner
  /** Every `systemctl` command so far, without the program's name. */
  readonly commands: readonly string[]
  readonly state: { isEnabled: boolean }
}

/** A free port of this machine. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}

/** @param port where the service listens once it runs; it answers 200 to everything */
export function serviceManager(port: number): ServiceManager {
  const commands: string[] = []
  const state = { isEnabled: false }
  let server: Server | null = null
  const stop = async () => {
    const open = server
    server = null
    open?.closeAllConnections()
    if (open) await new Promise(resolve => open.close(resolve))
  }
  const start = async () => {
    await stop()
    server = createServer((_, response) => void response.end('{}'))
    await new Promise<void>(resolve => void server!.listen(port, '127.0.0.1', resolve))
  }
  const systemctl = async (verb: string | undefined) => {
    if (verb === 'is-active')
      return server ? { exitCode: 0, stdout: 'active\n' } : { exitCode: 3, stdout: 'inactive\n' }
    if (verb === 'is-enabled') {
      return state.isEnabled ? { exitCode: 0, stdout: 'enabled\n' } : { exitCode: 1, stdout: 'disabled\n' }
    }
    if (verb === 'enable' || verb === 'disable') state.isEnabled = verb === 'enable'
    if (verb === 'restart') await start()
    if (verb === 'stop') await stop()
    return { exitCode: 0, stdout: '' }
  }
  return {
    commands,
    state,
    async run(argv) {
      if (argv[0] !== 'systemctl') return await capture(argv)
      const words = argv.slice(1).filter(word => !word.startsWith('--'))
      commands.push(words.join(' '))
      return { stderr: '', ...(await systemctl(words[0])) }
    },
    [Symbol.asyncDispose]: stop,
  }
}
