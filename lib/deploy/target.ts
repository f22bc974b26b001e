/**
 * What steps look at and change: a root folder, a way to run commands, and the accounts of that root.
 *
 * Everything goes through `root`, so that an installation can be made, checked and removed in a temporary folder. Such
 * a root has accounts of its own (`etc/passwd` and `etc/group` in it) but no running system: `isLive` is false, and
 * steps that would speak to a service manager or to a port say `not here`. Tests give a `run` of their own and set
 * `isLive`.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { blockedError, usageError } from '../base/errors.ts'

/** What a command said and how it ended. */
export interface CommandResult {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program with arguments, no shell in between, and resolves however it ends. */
export type CommandRunner = (argv: readonly string[]) => Promise<CommandResult>

/** What is installed into: this machine, or a folder that is treated as one. */
export interface Target {
  /** Absolute; `/` is this machine itself. */
  readonly root: string
  /** Whether services, ports and devices of this root can be asked. */
  readonly isLive: boolean
  readonly run: CommandRunner
}

/** An account name with its number, as `etc/passwd` and `etc/group` have it. */
export interface Account {
  readonly name: string
  readonly id: number
}

/** Options of {@linkcode openTarget}. */
export interface TargetOptions {
  /** `/` when absent. Created by the steps that write, not here. */
  readonly root?: string
  readonly run: CommandRunner
  /** For a root that is not `/`: say true only where `run` answers for it. */
  readonly isLive?: boolean
}

/**
 * A target by its root.
 *
 * @throws {RunbookError} usage, for a relative or empty root
 */
export function openTarget({ root = '/', run, isLive }: TargetOptions): Target {
  if (!root.startsWith('/'))
    throw usageError(`Cannot install into "${root}": it is not absolute`, `--root "${resolve(root)}"`)
  const own = resolve(root)
  return { root: own, run, isLive: isLive ?? own === '/' }
}

/** Where an absolute path of the target lies on this disk. */
export const pathIn = ({ root }: Target, path: string): string => (root === '/' ? path : join(root, path))

/** Users or groups of the target, from its own files; none where the file is absent. */
export function accountsOf(target: Target, kind: 'user' | 'group'): Account[] {
  const path = pathIn(target, kind === 'user' ? '/etc/passwd' : '/etc/group')
  if (!existsSync(path)) return []
  return readFileSync(path, 'utf8')
    .split('\n')
    .flatMap(line => {
      const [name, , id] = line.split(':')
      return name && id && /^\d+$/.test(id) ? [{ name, id: Number(id) }] : []
    })
}

/** Names of a group's members beside those whose own group it is. */
export function membersOf(target: Target, group: string): string[] {
  const path = pathIn(target, '/etc/group')
  if (!existsSync(path)) return []
  const line = readFileSync(path, 'utf8')
    .split('\n')
    .find(text => text.startsWith(`${group}:`))
  return line?.split(':')[3]?.split(',').filter(Boolean) ?? []
}

/**
 * Run a command that must succeed.
 * @throws {RunbookError} blocked, with the last line of what it said
 */
export async function mustRun(target: Target, argv: readonly string[], hint: string): Promise<CommandResult> {
  const result = await target.run(argv)
  if (result.exitCode === 0) return result
  const said =
    `${result.stderr}\n${result.stdout}`
      .trim()
      .split('\n')
      .findLast(line => line.trim() !== '') ?? 'it said nothing'
  throw blockedError(`Cannot run "${argv.join(' ')}": exit ${result.exitCode ?? 'by a signal'}, ${said.trim()}`, hint)
}
