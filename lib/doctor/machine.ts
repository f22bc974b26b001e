/**
 * Reads files of a machine and asks its programs; a test makes the machine up.
 *
 * Everything that the doctor looks at goes through here, so that a test can build a machine: files lie under `root`,
 * programs are found on the PATH of `env`, and native libraries are opened by `probe`, in a process that may crash.
 * Nothing is written but a scratch folder, and nothing needs root.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, type Stats } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { basename, delimiter, join } from 'node:path'
import { capture, type Captured } from '../host/exec.ts'
import { findProgram } from '../host/program.ts'
import { hasCode, RunbookError } from '../base/errors.ts'
import { broken, missing, type Fact } from './fact.ts'
import { prober, type Probe } from './probe/probe.ts'

/** What is examined: the files, programs, user and libraries of a machine, which a test makes up. */
export interface Machine {
  /** Where `/dev`, `/proc`, `/sys`, `/usr` lie: `/`, but for a test. */
  readonly root: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** The folder of `package.json` and `node_modules`. */
  readonly project: string
  /** As node writes its own: `v20.20.2`. */
  readonly node: string
  readonly platform: string
  readonly arch: string
  readonly user: { readonly uid: number; readonly gids: readonly number[]; readonly name: string }
  readonly run: typeof capture
  /** Where a person says that the Dataflow Compiler is: a program, a virtualenv, or `docker:IMAGE`. */
  readonly dfc?: string | undefined
  readonly probe: Probe
}

/** The machine under us, as it is when asked. */
export function thisMachine(): Machine {
  const { env, version, platform, arch } = process
  const uid = process.getuid?.() ?? 0
  const gids = [...new Set([process.getgid?.() ?? 0, ...(process.getgroups?.() ?? [])])]
  const project = join(import.meta.dirname, '../..')
  const user = { uid, gids, name: userName() }
  return { root: '/', env, project, node: version, platform, arch, user, run: capture, probe: prober({ env }) }
}

/** A container may run under a number that has no name. */
function userName(): string {
  try {
    return userInfo().username
  } catch {
    return '$USER'
  }
}

/** A path of the machine where we can read it. */
export const at = (machine: Machine, path: string): string => join(machine.root, path)

/** A text file without the white space around it, or null when it cannot be read. */
export function textAt(machine: Machine, path: string): string | null {
  try {
    return readFileSync(at(machine, path), 'utf8').replaceAll('\0', '').trim()
  } catch {
    return null
  }
}

/** The last name of what a link points to, or null when it is no link. */
export function linkAt(machine: Machine, path: string): string | null {
  try {
    return basename(readlinkSync(at(machine, path)))
  } catch {
    return null
  }
}

/** Whether it is Linux inside Windows, whose kernel has Windows' drivers and no boards of its own. */
export const isWsl = (machine: Machine): boolean => /microsoft/i.test(textAt(machine, '/proc/version') ?? '')

/** Whether we are in a container, which has the host's kernel and only those devices that it was given. */
export const isContainer = (machine: Machine): boolean =>
  ['/.dockerenv', '/run/.containerenv'].some(path => isThere(machine, path)) ||
  /docker|containerd|kubepods|libpod|lxc/.test(textAt(machine, '/proc/1/cgroup') ?? '')

/** Whether programs are linked to musl, as on Alpine: libraries that were built for glibc do not open there. */
export const isMusl = (machine: Machine): boolean =>
  isThere(machine, '/etc/alpine-release') || namesIn(machine, '/lib').some(name => name.startsWith('ld-musl-'))

/** Whether the board is a Jetson, whose GPU is on no bus. */
export const isJetson = (machine: Machine): boolean => /Jetson/.test(textAt(machine, '/proc/device-tree/model') ?? '')

/** The names in a folder, in order; none when it cannot be read. */
export function namesIn(machine: Machine, folder: string): string[] {
  try {
    return readdirSync(at(machine, folder)).toSorted()
  } catch {
    return []
  }
}

/** Whether the machine has a file or folder at a path. */
export const isThere = (machine: Machine, path: string): boolean => existsSync(at(machine, path))

/** What the system tells of a path; undefined where there is nothing. */
export const statAt = (machine: Machine, path: string): Stats | undefined =>
  statSync(at(machine, path), { throwIfNoEntry: false })

/** A device on the PCI bus. */
export interface PciDevice {
  /** `0000:01:00.0` */
  readonly slot: string
  /** `2864`, four hex digits. */
  readonly device: string
  /** `0302`, the first four hex digits of the class. */
  readonly kind: string
}

/**
 * Devices of a vendor (`1e60`), as the kernel lists them; from `lspci` where the kernel shows no list, as in some
 * containers.
 */
export async function pciDevices(machine: Machine, vendor: string): Promise<PciDevice[]> {
  const slots = namesIn(machine, '/sys/bus/pci/devices')
  const hex = (slot: string, name: string) =>
    textAt(machine, `/sys/bus/pci/devices/${slot}/${name}`)?.replace(/^0x/, '').toLowerCase() ?? ''
  if (slots.length > 0) {
    return slots
      .filter(slot => hex(slot, 'vendor') === vendor)
      .map(slot => ({ slot, device: hex(slot, 'device'), kind: hex(slot, 'class').slice(0, 4) }))
  }
  const said = await ask(machine, ['lspci', '-D', '-n', '-d', `${vendor}:`])
  if ('fact' in said) return []
  return [...said.stdout.matchAll(/^(\S+) ([\da-f]{4}): [\da-f]{4}:([\da-f]{4})/gm)].map(([, slot, kind, device]) => ({
    slot: slot!,
    device: device!,
    kind: kind!,
  }))
}

/** What a program said; `text` is both its outputs, one after the other. */
export type Answer = Captured & { readonly path: string; readonly text: string }

/** How a program is asked, and what stands in the fact when it is not there. */
export interface AskOptions {
  /** How the thing is called, and what installs it. */
  readonly name?: string
  readonly install?: string
  /** 3000 unless told. */
  readonly timeoutMs?: number
}

/**
 * Run a program of the machine and keep what it says. It runs in a scratch folder, because some leave logs where they
 * start.
 *
 * @returns what it said; or a fact when it is not there (`missing`) or cannot run (`broken`)
 */
export async function ask(
  machine: Machine,
  command: readonly string[],
  o: AskOptions = {},
): Promise<Answer | { readonly fact: Fact }> {
  const found = findTool(machine, command[0]!, o)
  if (typeof found !== 'string') return { fact: found }
  const cwd = mkdtempSync(join(tmpdir(), 'doctor-'))
  try {
    const env = { ...machine.env, PATH: toolPath(machine), LC_ALL: 'C', HAILORT_LOGGER_PATH: 'NONE' }
    const said = await machine.run([found, ...command.slice(1)], {
      cwd,
      env,
      timeoutMs: o.timeoutMs ?? 3000,
      graceMs: 200,
    })
    return { ...said, path: found, text: `${said.stdout}\n${said.stderr}`.trim() }
  } finally {
    rmSync(cwd, { recursive: true, force: true })
  }
}

/** The absolute path of a program, or the fact that there is none. */
export function findTool(machine: Machine, name: string, o: AskOptions = {}): string | Fact {
  try {
    return findProgram(name, { env: { PATH: toolPath(machine) } })
  } catch (thrown) {
    if (hasCode(thrown, 'ENOENT')) return missing(o.name ?? name, 'not on PATH', o.install ?? `install ${name}`)
    if (thrown instanceof RunbookError) return broken(o.name ?? name, thrown.message, thrown.hint)
    throw thrown
  }
}

/** A user's PATH often lacks the folders of system programs that anybody may ask, such as modinfo. */
function toolPath(machine: Machine): string {
  const usual = machine.env.PATH === undefined ? ['/usr/local/bin', '/usr/bin', '/bin'] : []
  const added = [...usual, '/usr/sbin', '/sbin'].map(folder => at(machine, folder))
  return [...(machine.env.PATH === undefined ? [] : [machine.env.PATH]), ...added].join(delimiter)
}

/** What a program that should have answered did instead, in words. */
export function oddAnswer(said: Answer): string {
  if (said.timedOut) return 'it does not answer in time'
  const last = said.text
    .split('\n')
    .map(line => line.trim())
    .findLast(line => line !== '')
  const words = last === undefined ? 'nothing' : JSON.stringify(last.slice(0, 160))
  return `it ends with exit code ${said.exitCode ?? 'none'} and says ${words}`
}
