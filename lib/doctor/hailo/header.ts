/**
 * Compares HailoRT's header on this machine with the table that the bindings were made from.
 *
 * Sizes, offsets, enums and status codes: compiled here, with the vendor's own header, and compared number by number
 * with `contracts/abi/hailort.json` in the version of the library. Without header or compiler there is nothing to
 * compare, and nothing is lacking; but a table that is wrong would let the library write where it must not, so no
 * device is used under it.
 */
import { findTool, textAt, namesIn, type Machine } from '../machine.ts'
import { broken, missing, ok, type Fact, type Need } from '../fact.ts'
import { hailoBoards, installHailort } from './board.ts'
import { hailortIncludes } from './includes.ts'
import { brokenCompiler, folderWith, printedBy, type Printed } from '../header-probe.ts'

const name = 'HailoRT header'
const needs: readonly Need[] = ['hailo']

/** The comparison for the header that is installed. */
export async function hailortAbiFact(machine: Machine): Promise<Fact> {
  const include = folderWith(machine, await hailortIncludes(machine), 'hailo/hailort.h')
  if (include === null) {
    const install = installHailort(machine, (await hailoBoards(machine))[0]?.series ?? null)
    return missing(name, 'no hailo/hailort.h, so the ABI table is not checked here', install)
  }
  const compiler = findTool(machine, 'gcc', { name, install: 'sudo apt install gcc' })
  const here = `${include}/hailo/hailort.h is here`
  if (typeof compiler !== 'string') return { ...compiler, state: `${here}, and gcc is ${compiler.state}` }
  const version = await versionOf(machine)
  if (version === null) {
    return missing(
      name,
      `${include}/hailo/hailort.h is here, and nothing tells its version`,
      'install the library beside it',
    )
  }
  const { parseVersion, isTested } = await import('../../../ffi/hailort/abi/profiles.ts')
  if (!isTested(parseVersion(version))) return ofUnknownVersion(machine, version)
  const problems = await problemsOf(machine, { compiler, include, version })
  const where = `${include}/hailo/hailort.h of ${version}`
  if (problems.length === 0) return ok(name, `${where} agrees with the ABI table`, needs)
  const trouble = await brokenCompiler(machine, compiler, 'empty.c')
  if (trouble !== null)
    return broken(name, `${here}, and gcc compiles nothing: ${trouble}`, 'sudo apt install --reinstall gcc libc6-dev')
  return broken(
    name,
    `${where} contradicts the ABI table ${problems.length} times: ${problems[0]}`,
    'install header and library of one version; if they are, the table is wrong: report it and do not use the device',
    needs,
  )
}

/** A version that no table knows was held against the known shapes when the library was opened. */
async function ofUnknownVersion(machine: Machine, version: string): Promise<Fact> {
  const { parseVersion, unknownVersion } = await import('../../../ffi/hailort/abi/profiles.ts')
  const probed = await machine.probe('hailort')
  const from = probed.ok ? probed.found.shapeFrom : undefined
  const state = `${version} is in no table`
  if (from === 'header') return ok(name, `${state}, and the header agrees with a known shape`, needs)
  const { hint } = unknownVersion(parseVersion(version))
  return broken(name, from === 'force' ? `${state}, and was taken by force` : state, hint, needs)
}

/** The library's version; else that which HailoRT's package tells CMake. */
async function versionOf(machine: Machine): Promise<string | null> {
  const probed = await machine.probe('hailort')
  if (probed.ok && probed.found.version !== undefined) return probed.found.version
  const multiarch = namesIn(machine, '/usr/lib').filter(folder => folder.endsWith('-linux-gnu'))
  const libs = ['/usr/lib', '/usr/local/lib', ...multiarch.map(folder => `/usr/lib/${folder}`)]
  const texts = libs.map(lib => textAt(machine, `${lib}/cmake/HailoRT/HailoRTConfigVersion.cmake`) ?? '')
  return (
    texts.map(text => /PACKAGE_VERSION "(\d+\.\d+\.\d+)/.exec(text)?.[1]).find(version => version !== undefined) ?? null
  )
}

async function problemsOf(
  machine: Machine,
  o: { compiler: string; include: string; version: string },
): Promise<string[]> {
  const { compareProbe, probeSource } = await import('../../../ffi/hailort/abi/probe.ts')
  const { abiTable } = await import('../../../ffi/hailort/abi/table.ts')
  const { parseVersion } = await import('../../../ffi/hailort/abi/profiles.ts')
  const version = parseVersion(o.version)
  const structs = Object.keys(abiTable().structs)
  const header = 'hailo/hailort.h'
  const ask = (source: string) =>
    printedBy(machine, { compiler: o.compiler, name: 'probe.c', source, include: [o.include] })
  const sources = [probeSource({ header, structs, version }), await constantsSource(header, o.version)]
  const [layout, constants] = (await Promise.all(sources.map(ask))) as [Printed, Printed]
  return [
    ...('complaint' in layout ? [layout.complaint] : compareProbe({ output: layout.printed, structs, version })),
    ...('complaint' in constants
      ? [constants.complaint]
      : compareConstants(constants.printed, await constantsOf(o.version))),
  ]
}

/** Every name with a number that the table has for a version: enums and statuses. */
async function constantsOf(text: string): Promise<ReadonlyMap<string, number>> {
  const { abiTable, enumOf, statusName } = await import('../../../ffi/hailort/abi/table.ts')
  const { parseVersion } = await import('../../../ffi/hailort/abi/profiles.ts')
  const version = parseVersion(text)
  const codes = [...new Set(abiTable().status.flatMap(({ names }) => Object.keys(names)))].map(Number)
  const statuses = codes.flatMap((code): [string, number][] => {
    const status = statusName(code, version)
    return status === undefined ? [] : [[status, code]]
  })
  return new Map([
    ...Object.keys(abiTable().enums).flatMap(enumName => Object.entries(enumOf(enumName, version))),
    ...statuses,
  ])
}

async function constantsSource(header: string, version: string): Promise<string> {
  const names = [...(await constantsOf(version)).keys()]
  const lines = names.map(constant => `  printf("${constant} %lld\\n", (long long)${constant});`)
  return ['#include <stdio.h>', `#include "${header}"`, 'int main(void)', '{', ...lines, '  return 0;', '}', ''].join(
    '\n',
  )
}

function compareConstants(printed: string, wanted: ReadonlyMap<string, number>): string[] {
  const said = new Map(
    printed
      .trim()
      .split('\n')
      .map(line => line.split(' ') as [string, string]),
  )
  return [...wanted]
    .filter(([constant, value]) => said.get(constant) !== String(value))
    .map(
      ([constant, value]) => `${constant}: the header has ${said.get(constant) ?? 'nothing'}, and the table ${value}`,
    )
}
