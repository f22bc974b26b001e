/**
 * Says whether this machine can compile what runs models on a Hailo-10H.
 *
 * Such a device runs models through HailoRT's C++ classes alone, and the functions before them are compiled on first
 * use: that takes a C++ compiler and HailoRT's headers. Nothing is compiled here.
 */
import { ask, isThere, oddAnswer, type Machine } from '../machine.ts'
import { broken, missing, ok, versionIn, type Fact, type Need } from '../fact.ts'
import type { HailoBoard } from './board.ts'
import { hailortIncludes } from './includes.ts'
import type { HailoAnswer } from '../probe/probe.ts'

const name = 'Hailo-10H compiler'
const needs: readonly Need[] = ['hailo']
const install = 'sudo apt install g++ hailo-h10-all # the headers may be in a package of their own, hailort-dev'

/** One fact where a board or a device is of that kind; none elsewhere. */
export async function compilerFacts(
  machine: Machine,
  { boards, devices }: { boards: readonly HailoBoard[]; devices: readonly HailoAnswer[] },
): Promise<Fact[]> {
  const isWanted =
    boards.some(board => board.name === 'Hailo-10H') ||
    devices.some(({ architecture }) => /10H/.test(architecture ?? ''))
  return isWanted ? [await compilerFact(machine)] : []
}

async function compilerFact(machine: Machine): Promise<Fact> {
  const folders = await hailortIncludes(machine)
  const headers = folders.find(folder => isThere(machine, `${folder}/hailo/hailort.hpp`))
  const compiler = machine.env.CXX ?? 'g++'
  const said = await ask(machine, [compiler, '--version'], { name, install })
  const lacking = [
    ...('fact' in said ? [`${compiler} is ${said.fact.state}`] : []),
    ...(headers === undefined ? [`hailo/hailort.hpp is in none of ${folders.join(', ')}`] : []),
  ]
  if (lacking.length > 0)
    return missing(name, `${lacking.join('; ')}: no model runs on a Hailo-10H without them`, install, needs)
  if ('fact' in said || said.exitCode !== 0) {
    return broken(
      name,
      `${compiler}: ${'fact' in said ? said.fact.state : oddAnswer(said)}`,
      'sudo apt install --reinstall g++',
      needs,
    )
  }
  const version = versionIn(said.text.split('\n')[0]!.replace(/\(.*\)/, '')) ?? 'of unknown version'
  return ok(
    name,
    `${compiler} ${version}, ${headers}/hailo/hailort.hpp: what runs models there is compiled on first use`,
    needs,
  )
}
