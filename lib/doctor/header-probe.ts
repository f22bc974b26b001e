/**
 * Compiles a small program against a vendor's header, and gives what it prints.
 *
 * Writes a small program into a scratch folder, compiles it with the machine's compiler against the machine's header,
 * runs it and gives what it prints. Nothing is installed or kept.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { at, isThere, type Machine } from './machine.ts'

/** The first of some folders of the machine that has a file, or null. */
export const folderWith = (machine: Machine, folders: readonly string[], name: string): string | null =>
  folders.find(folder => isThere(machine, `${folder}/${name}`)) ?? null

/** A program to compile and run. */
export interface ProgramOptions {
  /** Absolute. */
  readonly compiler: string
  /** `probe.c` or `probe.cpp`: the compiler goes by it. */
  readonly name: string
  readonly source: string
  /** Folders of the machine that headers are looked for in. */
  readonly include: readonly string[]
  readonly flags?: readonly string[]
  /** For the compiler; 20 s unless told. */
  readonly timeoutMs?: number
}

/** What the program prints, or the first complaint of the compiler (or of the program). */
export type Printed = { readonly printed: string } | { readonly complaint: string }

/**
 * Compile and run.
 *
 * @throws RunbookError blocked when the compiler does not start
 */
export async function printedBy(machine: Machine, o: ProgramOptions): Promise<Printed> {
  const folder = mkdtempSync(join(tmpdir(), 'doctor-header-'))
  try {
    writeFileSync(join(folder, o.name), o.source)
    const include = o.include.map(path => `-I${at(machine, path)}`)
    const command = [
      o.compiler,
      '-w',
      ...(o.flags ?? []),
      ...include,
      '-o',
      join(folder, 'probe'),
      join(folder, o.name),
    ]
    const compiled = await machine.run(command, { cwd: folder, timeoutMs: o.timeoutMs ?? 20_000, env: { LC_ALL: 'C' } })
    if (compiled.timedOut) return { complaint: 'the compiler does not end in time' }
    if (compiled.exitCode !== 0) return { complaint: complaintIn(compiled.stderr) }
    const ran = await machine.run([join(folder, 'probe')], { cwd: folder, timeoutMs: 5000 })
    if (ran.exitCode === 0) return { printed: ran.stdout }
    return { complaint: `the compiled program ends with exit code ${ran.exitCode ?? 'none'}` }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** What keeps a compiler from compiling anything at all, or null when a header alone is to blame for a complaint. */
export async function brokenCompiler(machine: Machine, compiler: string, name: string): Promise<string | null> {
  const said = await printedBy(machine, {
    compiler,
    name,
    source: '#include <stdio.h>\nint main(void) { return 0; }\n',
    include: [],
  })
  return 'complaint' in said ? said.complaint : null
}

/** The first error of gcc or clang, without the scratch folder's name. */
function complaintIn(stderr: string): string {
  const line = stderr.split('\n').find(text => /\berror:/.test(text)) ?? stderr.split('\n')[0] ?? ''
  return line.replace(/^.*?\b(?:fatal )?error: /, '').slice(0, 200) || 'the compiler fails and says nothing'
}
