/**
 * What must be there before the service is installed: looked at, never changed.
 *
 * Without a Hailo device the service runs on the CPU through ONNX Runtime. Only a configuration that asks for `hailort`
 * needs device and library.
 */
import { existsSync, statSync } from 'node:fs'
import { createConnection } from 'node:net'
import { blockedError } from '../../../base/errors.ts'
import { pathIn, type Target } from '../../../deploy/target.ts'
import { holds, notHere, warns, type Finding, type Step } from '../../../deploy/steps.ts'
import { findProgram } from '../../../host/program.ts'
import type { ServiceConfig } from '../service-config.ts'
import { deviceNodes, unitName } from './layout.ts'
import { runbookCommand } from '../../../host/typescript.ts'

/** What is known of the machine's HailoRT library, as the runbook asked it. */
export interface HailoLibrary {
  readonly found: boolean
  /** Version and path, or why it does not open. */
  readonly says: string
  readonly hint: string
}

/** What the looks before an installation need to know. */
export interface PreflightOptions {
  readonly config: ServiceConfig
  /** As node writes it: `v20.20.2`. */
  readonly nodeVersion: string
  readonly library: () => HailoLibrary | Promise<HailoLibrary>
  readonly env?: Readonly<Record<string, string | undefined>>
}

const look = (name: string, check: Step['check']): Step => ({ name, check, apply: () => {} })

/** The looks, in order. */
export function preflightSteps(target: Target, o: PreflightOptions): Step[] {
  const isHailoWanted = o.config.model.backend === 'hailort'
  return [
    look('run by root', () => rootFinding(target)),
    look('node 20.19 or newer', () => nodeFinding(o.nodeVersion)),
    look('ffmpeg', () => holds(findFfmpeg(o.env))),
    look('Hailo device', () => deviceFinding(target, isHailoWanted)),
    look('HailoRT', async () => libraryFinding(await o.library(), isHailoWanted)),
    look('hailortcli', () => identifyFinding(target)),
    look(`port ${o.config.server.port} free`, () => portFinding(target, o.config)),
  ]
}

function rootFinding(target: Target): Finding {
  if (process.getuid?.() === 0) return holds('root')
  if (target.root !== '/') return warns('not root: owners are not set in this root')
  throw blockedError(
    'Cannot install "hailo-whisper": this user is not root',
    `sudo ${runbookCommand('runbooks/whisper-install.ts')}`,
  )
}

function nodeFinding(version: string): Finding {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number)
  if (major > 20 || (major === 20 && minor >= 19)) return holds(version)
  throw blockedError(`Cannot install "hailo-whisper": node ${version} is too old`, 'install Node 20.19 or newer')
}

function findFfmpeg(env: PreflightOptions['env']): string {
  try {
    return findProgram('ffmpeg', env ? { env } : {})
  } catch (thrown) {
    throw blockedError('Cannot decode audio: ffmpeg is not on PATH', 'sudo apt install ffmpeg', thrown)
  }
}

function deviceFinding(target: Target, isWanted: boolean): Finding {
  const node = deviceNodes.find(path => existsSync(pathIn(target, path)))
  if (node !== undefined) return holds(node)
  if (!isWanted) return notHere(`no ${deviceNodes.join(', no ')}; ONNX Runtime answers on the CPU`)
  throw blockedError(
    `Cannot use "${deviceNodes[0]}": it is absent, and model.backend is hailort`,
    runbookCommand('runbooks/doctor.ts', ['--need', 'hailo']),
  )
}

function libraryFinding({ found, says, hint }: HailoLibrary, isWanted: boolean): Finding {
  if (found) return holds(says)
  if (!isWanted) return notHere(says)
  throw blockedError(`Cannot use "libhailort.so": ${says}`, hint)
}

/** hailortcli leaves with 0 also when it fails, so its words decide: an identity has a firmware or a board line. */
async function identifyFinding(target: Target): Promise<Finding> {
  if (!target.isLive) return notHere('this root has no running system')
  try {
    findProgram('hailortcli')
  } catch {
    return notHere('hailortcli is not on PATH')
  }
  const { stdout, stderr } = await target.run(['hailortcli', 'fw-control', 'identify'])
  const board = /^(?:Board Name|Device Architecture|Firmware Version):\s*(.+)$/m.exec(stdout)
  const problem = /\[HailoRT\][^\n]*\[error\][^\n]*|\bCHECK\b[^\n]*failed[^\n]*/.exec(`${stdout}\n${stderr}`)
  if (board && !problem) return holds(board[0])
  return warns(`hailortcli identifies no device: ${(problem?.[0] ?? `${stderr}${stdout}`.trim()) || 'it said nothing'}`)
}

async function portFinding(target: Target, { server }: ServiceConfig): Promise<Finding> {
  if (!target.isLive) return notHere('this root has no running system')
  if (!(await isListening(server.port))) return holds('free')
  const { stdout } = await target.run(['systemctl', 'is-active', unitName])
  if (stdout.trim() === 'active') return holds('taken by the service itself')
  return warns(`another program listens there: see \`ss -lntp\`, or change server.port`)
}

const isListening = async (port: number): Promise<boolean> =>
  await new Promise(resolve => {
    const socket = createConnection({ host: '127.0.0.1', port })
    const end = (isOpen: boolean) => {
      socket.destroy()
      resolve(isOpen)
    }
    socket.once('connect', () => end(true)).once('error', () => end(false))
    socket.setTimeout(1000, () => end(false))
  })

/** The device node that is there, or null. */
export const deviceNodeOf = (target: Target): string | null =>
  deviceNodes.find(path => statSync(pathIn(target, path), { throwIfNoEntry: false }) !== undefined) ?? null
