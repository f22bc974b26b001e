/**
 * Finds the file that runs under a name, or says why there is none.
 *
 * Asked before a start, because afterwards a shell's exit code 127 looks like any other failure. A file that is there
 * but cannot run (no permission, a script whose interpreter is gone, as after a virtualenv was moved) is told apart
 * from an absent one.
 */
import { accessSync, closeSync, constants, existsSync, openSync, readSync, statSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
import { blockedError, RunbookError, usageError } from '../base/errors.ts'

/** Where a shell looks when nobody has set PATH. */
const fallbackPath = '/usr/local/bin:/usr/bin:/bin'

/**
 * The absolute path of a program: a name is looked up on PATH, anything with a "/" is a path from `cwd`.
 *
 * @throws RunbookError blocked (absent, not executable, its interpreter is absent), usage (an empty name, a folder)
 */
export function findProgram(
  name: string,
  o: { env?: Readonly<Record<string, string | undefined>>; cwd?: string } = {},
): string {
  if (name === '') throw usageError('Cannot run "": the program has no name', 'give the name or the path of a program')
  const cwd = o.cwd ?? process.cwd()
  const isPath = name.includes('/')
  const folders = isPath ? [''] : ((o.env ?? process.env).PATH ?? fallbackPath).split(delimiter)
  const candidates = folders.map(folder => resolve(cwd, isPath ? name : join(folder, name)))
  const found = candidates.find(path => existsSync(path) && canRun(path))
  if (found !== undefined) return withInterpreter(name, found)
  const here = candidates.find(path => existsSync(path))
  if (isPath && here !== undefined && statSync(here).isDirectory()) {
    throw usageError(`Cannot run "${name}": it is a folder`, 'name the program inside it')
  }
  if (here !== undefined) throw blockedError(`Cannot run "${name}": "${here}" is not executable`, `chmod +x "${here}"`)
  const state = isPath ? 'there is no such file' : 'it is not on PATH'
  const hint = isPath ? `check the path (\`ls -l ${name}\`)` : `install ${name}, or add its folder to PATH`
  throw new RunbookError('blocked', `Cannot run "${name}": ${state}`, hint, { code: 'ENOENT' })
}

function canRun(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

/** The path again, when the interpreter of its first line (`#!`) is there. */
function withInterpreter(name: string, path: string): string {
  const interpreter = /^#!\s*(\S+)/.exec(firstBytes(path))?.[1]
  if (interpreter === undefined || !interpreter.startsWith('/') || existsSync(interpreter)) return path
  const state = `its interpreter "${interpreter}" is absent`
  throw blockedError(`Cannot run "${name}": ${state}`, `reinstall it, or mend the first line of "${path}"`)
}

function firstBytes(path: string): string {
  const bytes = Buffer.alloc(256)
  try {
    const fd = openSync(path, 'r')
    try {
      return bytes.toString('latin1', 0, readSync(fd, bytes))
    } finally {
      closeSync(fd)
    }
  } catch {
    return '' // A program that may be run but not read has no first line for us.
  }
}
