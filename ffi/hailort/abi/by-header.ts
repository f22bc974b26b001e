/**
 * Finds the shape of a HailoRT that no table knows, by compiling a probe against the header that was installed with it.
 *
 * The header must be that of the library: HailoRT's own package tells its version to CMake, and header and library of
 * one prefix were installed together.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { headerFolders } from './header-folders.ts'
import { compareProbe, probeSource } from './probe.ts'
import { parseVersion, profileNames, profileOf, versionText, type ProfileName, type Version } from './profiles.ts'
import { structsOf } from './structs.ts'
import { enumOf, layoutOf } from './table.ts'

/** The shape that a header agrees with, or why none was found. */
export type HeaderVerdict = { readonly profile: ProfileName; readonly header: string } | { readonly problem: string }

type Environment = Readonly<Record<string, string | undefined>>

const header = 'hailo/hailort.h'
/** The first measured version of each shape: later ones add names to enums and keep the numbers of these. */
const measured: Readonly<Record<ProfileName, string>> = { A: '4.17.0', B: '4.20.0', C: '4.21.0', D: '5.1.0' }
const newestMeasured = '5.2.0'
/** Enums whose numbers the bindings read or write. */
const enums = ['hailo_device_architecture_t', 'hailo_format_order_t', 'hailo_format_type_t'] as const
const compileTimeoutMs = 60_000

/**
 * Compare the header beside a library with every known shape, the nearest first.
 *
 * @param o.library path of the library
 * @param o.env `HAILORT_INCLUDE` names the folder of headers, `CC` the compiler; gcc unless told
 */
export function profileByHeader(o: { library: string; version: Version; env: Environment }): HeaderVerdict {
  const folders = headerFolders(o.library, o.env)
  const folder = folders.find(candidate => existsSync(join(candidate, header)))
  if (folder === undefined) return { problem: `${header} is in none of ${folders.join(', ')}` }
  const foreign = foreignTo({ ...o, folder })
  if (foreign !== null) return { problem: foreign }
  const nearest = profileOf(o.version, { force: true })
  let problem: string | undefined
  for (const profile of [nearest, ...profileNames.filter(name => name !== nearest)]) {
    const contradiction = contradictionOf({ folder, profile, compiler: o.env.CC ?? 'gcc' })
    if (contradiction === null) return { profile, header: join(folder, header) }
    problem ??= contradiction
  }
  return { problem: `${join(folder, header)} agrees with no known shape: ${problem}` }
}

/** Why a header may not be the library's own; null when it is. */
function foreignTo(o: { library: string; version: Version; env: Environment; folder: string }): string | null {
  if (o.env.HAILORT_INCLUDE) return null
  const path = join(o.folder, header)
  const told = packageVersion(o.library)
  if (told !== null) return told === versionText(o.version) ? null : `${path} is of HailoRT ${told}`
  const prefix = dirname(o.folder)
  return o.library.startsWith(`${prefix}/lib`) ? null : `nothing tells of which version ${path} is`
}

/** The version that HailoRT's package tells CMake; null when it does not. */
export function packageVersion(library: string): string | null {
  const folders = [dirname(library), dirname(dirname(library))]
  for (const folder of folders) {
    const path = join(folder, 'cmake/HailoRT/HailoRTConfigVersion.cmake')
    const told = existsSync(path) ? /PACKAGE_VERSION "(\d+\.\d+\.\d+)/.exec(readFileSync(path, 'utf8'))?.[1] : undefined
    if (told !== undefined) return told
  }
  return null
}

/** The first thing in which a header differs from a shape; null when they agree. */
function contradictionOf(o: { folder: string; profile: ProfileName; compiler: string }): string | null {
  const version = parseVersion(measured[o.profile])
  const structs = structsOf(o.profile).names.filter(name => layoutOf(name, version) !== undefined)
  // Names came and went; a number that one version and the newest share is the same in what lies between and beyond.
  const newest = parseVersion(newestMeasured)
  const constants = enums.flatMap(name =>
    Object.entries(enumOf(name, version)).filter(([constant]) => constant in enumOf(name, newest)),
  )
  const layout = printedBy(probeSource({ header, structs, version }), o)
  if ('problem' in layout) return layout.problem
  const differences = compareProbe({ output: layout.printed, structs, version })
  if (differences.length > 0) return differences[0]!
  const numbers = printedBy(constantsSource(constants.map(([name]) => name)), o)
  if ('problem' in numbers) return numbers.problem
  const wanted = constants.map(([name, value]) => `${name} ${value}`)
  const lines = new Set(numbers.printed.split('\n'))
  const other = wanted.find(line => !lines.has(line))
  return other === undefined ? null : `it has another number than ${other}`
}

function constantsSource(names: readonly string[]): string {
  const lines = names.map(name => `  printf("${name} %lld\\n", (long long)${name});`)
  return ['#include <stdio.h>', `#include "${header}"`, 'int main(void) {', ...lines, '  return 0;', '}', ''].join('\n')
}

/** What a program prints that is compiled against a folder of headers. */
function printedBy(source: string, o: { folder: string; compiler: string }): { printed: string } | { problem: string } {
  const scratch = mkdtempSync(join(tmpdir(), 'hailort-header-'))
  try {
    const [file, program] = [join(scratch, 'probe.c'), join(scratch, 'probe')]
    writeFileSync(file, source)
    const options = { encoding: 'utf8', timeout: compileTimeoutMs, env: { ...process.env, LC_ALL: 'C' } } as const
    const compiled = spawnSync(o.compiler, ['-w', `-I${o.folder}`, '-o', program, file], options)
    if (compiled.error) {
      const { code = 'an error' } = compiled.error as NodeJS.ErrnoException
      return { problem: `${o.compiler}, which compares it, does not run (${code})` }
    }
    const complaint = compiled.stderr.split('\n').find(line => /\berror:/.test(line)) ?? compiled.stderr.split('\n')[0]!
    if (compiled.status !== 0) return { problem: complaint.replace(/^.*?\berror: /, '').slice(0, 200) }
    const ran = spawnSync(program, { encoding: 'utf8', timeout: compileTimeoutMs })
    return ran.status === 0 ? { printed: ran.stdout } : { problem: 'the compiled probe does not run' }
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}
