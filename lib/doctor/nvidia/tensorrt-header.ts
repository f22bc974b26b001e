/**
 * Compares TensorRT's headers on this machine with the table of vtable slots.
 *
 * A pointer to a virtual method holds its slot, so a program that only names the methods tells where they are. Methods
 * that are overloaded, or that the table calls by a name of its own, cannot be named so; they are counted and left to
 * the canaries. Without headers nothing is lacking; under a table that they contradict no GPU is used.
 */
import { findTool, type Machine } from '../machine.ts'
import { broken, missing, ok, type Fact, type Need } from '../fact.ts'
import { brokenCompiler, folderWith, printedBy } from '../header-probe.ts'

const name = 'TensorRT header'
const needs: readonly Need[] = ['nvidia']
const includes = [
  '/usr/include',
  '/usr/include/x86_64-linux-gnu',
  '/usr/include/aarch64-linux-gnu',
  '/usr/local/include',
  '/usr/local/tensorrt/include',
  '/opt/tensorrt/include',
]
const cudaIncludes = ['/usr/local/cuda/include', '/usr/include']

/** The comparison for the headers that are installed. */
export async function tensorRtAbiFact(machine: Machine): Promise<Fact> {
  const include = folderWith(machine, includes, 'NvInfer.h')
  if (include === null) {
    return missing(
      name,
      'no NvInfer.h, so the slots are not checked here',
      'sudo apt install libnvinfer-headers-dev libnvonnxparsers-dev',
    )
  }
  const compiler = findTool(machine, 'g++', { name, install: 'sudo apt install g++' })
  if (typeof compiler !== 'string')
    return { ...compiler, state: `${include}/NvInfer.h is here, and g++ is ${compiler.state}` }
  const cuda = folderWith(machine, cudaIncludes, 'cuda_runtime_api.h')
  if (cuda === null) {
    return missing(
      name,
      `${include}/NvInfer.h is here, and cuda_runtime_api.h is not`,
      'sudo apt install cuda-cudart-dev-12-8',
    )
  }
  const ask = (source: string) =>
    printedBy(machine, { compiler, name: 'probe.cpp', source, include: [include, cuda], flags: ['-std=c++17'] })
  const version = await ask(versionSource)
  if ('complaint' in version)
    return broken(name, `${include}/NvInferVersion.h: ${version.complaint}`, 'reinstall the headers')
  const [major = 0, minor = 0, patch = 0] = version.printed.trim().split('.').map(Number)
  const { abiOf, abiTables, knownVersions, versionText } = await import('../../../ffi/tensorrt/abi/abi.ts')
  const text = versionText({ major, minor, patch })
  const table = abiTables().majors[major]
  if (!isKnown(table, { minor, patch })) {
    return broken(
      name,
      `${include}/NvInfer.h is of ${text}, which the table does not know`,
      `install a version that it knows: ${knownVersions()}`,
    )
  }
  const printed = await ask(slotsSource({ table, isPure: abiOf({ major, minor: table.minorMin, patch: 0 }).isPure }))
  if ('complaint' in printed) {
    const trouble = await brokenCompiler(machine, compiler, 'empty.cpp')
    if (trouble !== null)
      return broken(name, `g++ compiles nothing: ${trouble}`, 'sudo apt install --reinstall g++ libc6-dev')
    const fix = 'install the CUDA headers of this TensorRT: sudo apt install cuda-cudart-dev-12-8 cuda-crt-12-8'
    return broken(name, `${include}/NvInfer.h does not compile: ${printed.complaint}`, fix)
  }
  const moved = abiTables().exceptions.filter(exception => exception.major === major && exception.minor === minor)
  const { compared, unnamed, problems } = compareSlots({ printed: printed.printed, table, moved })
  if (problems.length > 0) {
    return broken(
      name,
      `${text} contradicts the table ${problems.length} times: ${problems[0]}`,
      'do not use TensorRT here, and report it: the table of slots is wrong for this version',
      needs,
    )
  }
  if (compared === 0) {
    return broken(
      name,
      `${text}: no method could be compared`,
      'report it: the headers are laid out as in no known version',
      needs,
    )
  }
  return ok(
    name,
    `${include}/NvInfer.h of ${text} agrees with the table in ${compared} slots and values (${unnamed} are ` +
      'left to the canaries)',
    needs,
  )
}

type AbiTables = ReturnType<(typeof import('../../../ffi/tensorrt/abi/abi.ts'))['abiTables']>
type Table = AbiTables['majors'][string]

/** Early accesses, and minors before or after those that the table describes, have methods elsewhere. */
function isKnown(table: Table | undefined, { minor, patch }: { minor: number; patch: number }): table is Table {
  if (table === undefined) return false
  const { minorMin, minorMax, patchMin = 0 } = table
  const isLateEnough = minor > minorMin || (minor === minorMin && patch >= patchMin)
  return isLateEnough && (minorMax === null || minor <= minorMax)
}

const versionSource = `#include <cstdio>
#include "NvInferVersion.h"
int main() { std::printf("%d.%d.%d\\n", NV_TENSORRT_MAJOR, NV_TENSORRT_MINOR, NV_TENSORRT_PATCH); }
`

/** A class as the headers name it: methods of most are virtual on the implementation behind the object. */
function className(type: string, isPure: boolean): string {
  if (type.startsWith('IParser')) return `nvonnxparser::${type}`
  return isPure ? `nvinfer1::${type}` : `nvinfer1::apiv::V${type.slice(1)}`
}

/** Prints `IRuntime.getLogger 11` for each method, -1 where it cannot be named, then sizes and flags. */
function slotsSource({ table, isPure }: { table: Table; isPure: (type: string) => boolean }): string {
  const all = Object.entries(table.slots).flatMap(([type, slots]) =>
    Object.keys(slots).map(method => ({ type, method })),
  )
  const methods = all.filter(({ method }) => !method.startsWith('~'))
  // Chosen only where both class and method exist and the method is one and no more.
  const asks = methods.map(
    ({ method }, i) => `template<class C> auto ask${i}(int) -> decltype(slotOf(&C::${method}))
{ return slotOf(&C::${method}); }
template<class C> long ask${i}(...) { return -1; }`,
  )
  const prints = methods.map(({ type, method }, i) => {
    const print = `  std::printf("${type}.${method} %ld\\n", ask${i}<${className(type, isPure(type))}>(0));`
    return type.startsWith('IParser') ? `#ifdef HAS_PARSER\n${print}\n#endif` : print
  })
  const flags = (enumName: string, values: Readonly<Record<string, number>>) =>
    Object.keys(values).map(
      flag => `  std::printf("${enumName}.${flag} %ld\\n", (long)nvinfer1::${enumName}::k${flag});`,
    )
  return `#include <cstdio>
#include <cstring>
#include "NvInfer.h"
#if __has_include("NvOnnxParser.h")
#include "NvOnnxParser.h"
#define HAS_PARSER
#endif
template<class F> long slotOf(F f)
{
  long words[2] = {0, 0};
  static_assert(sizeof f == sizeof words, "a pointer to a method");
  std::memcpy(words, &f, sizeof f);
#ifdef __aarch64__
  return words[1] & 1 ? words[0] / 8 : -1;
#else
  return words[0] & 1 ? (words[0] - 1) / 8 : -1;
#endif
}
${asks.join('\n')}
int main()
{
${prints.join('\n')}
  std::printf("sizeof.Dims %zu\\n", sizeof(nvinfer1::Dims));
${flags('BuilderFlag', table.builderFlags).join('\n')}
${flags('NetworkDefinitionCreationFlag', table.networkFlags).join('\n')}
}
`
}

/**
 * What the headers say against the table. Slots that moved in this very minor are expected to differ, and are left out.
 */
function compareSlots({ printed, table, moved }: { printed: string; table: Table; moved: AbiTables['exceptions'] }) {
  const prefixed = (prefix: string, values: Readonly<Record<string, number>>) =>
    Object.entries(values).map(([key, value]): [string, number] => [`${prefix}.${key}`, value])
  const wanted = new Map([
    ...Object.entries(table.slots).flatMap(([type, slots]) => prefixed(type, slots)),
    ...prefixed('sizeof', { Dims: table.dims.bytes }),
    ...prefixed('BuilderFlag', table.builderFlags),
    ...prefixed('NetworkDefinitionCreationFlag', table.networkFlags),
  ])
  const said = printed
    .trim()
    .split('\n')
    .map(line => ({ what: line.split(' ')[0]!, number: Number(line.split(' ')[1]) }))
  const isMoved = (what: string) =>
    moved.some(({ interface: type, fromSlot }) => what.startsWith(`${type}.`) && wanted.get(what)! >= fromSlot)
  const named = said.filter(({ what, number }) => number !== -1 && !isMoved(what))
  const problems = named
    .filter(({ what, number }) => wanted.get(what) !== number)
    .map(({ what, number }) => `${what} is ${number} in the header and ${wanted.get(what) ?? 'nothing'} in the table`)
  return { compared: named.length, unnamed: said.length - named.length, problems }
}
