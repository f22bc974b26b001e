/**
 * Looks at what the main job needs: node, bash and whole packages.
 *
 * Packages are compared with the lock file, and those with a binary or a loader of their own are loaded.
 */
import { ask, findTool, isMusl, oddAnswer, type Machine } from './machine.ts'
import { broken, isAtLeast, missing, ok, versionIn, type Fact, type Need } from './fact.ts'
import type { Probed, Subject } from './probe/probe.ts'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const main: readonly Need[] = ['main']
const nodeHint = 'https://nodejs.org/en/download, or: npx -y -p node@22 node --version'

/** The node that runs this, against `engines` of `package.json`. */
export function nodeFact(machine: Machine): Fact {
  const wanted = /\d+(?:\.\d+)*/.exec(field(machine, 'package.json', 'engines', 'node'))?.[0] ?? '20.19'
  const words = `${machine.node} on ${machine.platform} ${machine.arch} (${wanted} or newer)`
  return isAtLeast(machine.node, wanted)
    ? ok('node', words, main)
    : broken('node', words, `install a newer one: ${nodeHint}`, main)
}

/** Nothing where programs are linked to glibc; native libraries of the vendors open nowhere else. */
export function libcFact(machine: Machine): Fact[] {
  if (!isMusl(machine)) return []
  const state = 'musl, as on Alpine: ONNX Runtime, HailoRT and TensorRT are built for glibc and do not open'
  return [
    broken('C library', state, 'use an image with glibc: docker run -it node:22-bookworm', ['main', 'hailo', 'nvidia']),
  ]
}

/** zx speaks to bash, and every command goes through zx. */
export function bashFact(machine: Machine): Fact {
  const found = findTool(machine, 'bash', { install: 'sudo apt install bash' })
  return typeof found === 'string' ? ok('bash', found, main) : { ...found, needs: main }
}

/** Packages that are loaded, and not only looked at: each brings a binary, or is a loader. */
const loaded = ['zx', 'tsx', 'koffi', 'onnxruntime-node'] as const satisfies readonly Subject[]

/** One fact for each package that is loaded, and one for all others that `package.json` asks for. */
export async function packageFacts(machine: Machine): Promise<Fact[]> {
  const names = Object.keys(record(machine, 'package.json', 'dependencies'))
  const others = names.filter(name => !(loaded as readonly string[]).includes(name))
  return [...(await Promise.all(loaded.map(name => loadedFact(machine, name)))), othersFact(machine, others)]
}

async function loadedFact(machine: Machine, name: (typeof loaded)[number]): Promise<Fact> {
  const problem = problemOf(machine, name)
  if (problem !== null) return problem
  const probed = await machine.probe(name)
  if (!probed.ok) return broken(name, `${installed(machine, name)} does not load: ${firstLine(probed)}`, 'npm ci', main)
  const words = name === 'onnxruntime-node' && probed.found.words ? `, built for ${probed.found.words}` : ''
  return ok(name, `${installed(machine, name)} loads${words}`, main)
}

function othersFact(machine: Machine, names: readonly string[]): Fact {
  const problems = names.flatMap(name => problemOf(machine, name) ?? [])
  if (problems.length === 0) return ok('other packages', `${names.length} as package-lock.json has them`, main)
  const words = problems.map(({ name, state }) => `${name} ${state}`).join('; ')
  const isMissing = problems.every(({ status }) => status === 'missing')
  return isMissing ? missing('other packages', words, 'npm ci', main) : broken('other packages', words, 'npm ci', main)
}

/** What is wrong with a package on the disk, or null. */
function problemOf(machine: Machine, name: string): Fact | null {
  const version = installed(machine, name)
  if (version === null) return missing(name, 'not installed', 'npm ci', main)
  const { version: wanted } = record(machine, 'package-lock.json', 'packages', `node_modules/${name}`)
  if (typeof wanted !== 'string' || wanted === version) return null
  return broken(name, `${version} is installed, and package-lock.json has ${wanted}`, 'npm ci', main)
}

function installed(machine: Machine, name: string): string | null {
  const { version } = record(machine, `node_modules/${name}/package.json`)
  return typeof version === 'string' ? version : null
}

const firstLine = (probed: Probed & { ok: false }) => probed.message.split('\n')[0]!

/** A record in a JSON file of the project; empty when there is none. */
function record(machine: Machine, file: string, ...path: readonly string[]): Record<string, unknown> {
  try {
    const whole = JSON.parse(readFileSync(join(machine.project, file), 'utf8')) as unknown
    const inside = path.reduce((value, key) => (value as Record<string, unknown>)[key], whole)
    return typeof inside === 'object' && inside !== null ? (inside as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

const field = (machine: Machine, file: string, part: string, name: string): string => {
  const value = record(machine, file, part)[name]
  return typeof value === 'string' ? value : ''
}

/** Programs that tests, stand-ins and reports use; nothing that the main job needs. */
export async function toolFacts(machine: Machine): Promise<Fact[]> {
  return Promise.all([ffmpeg(machine), compiler(machine), chromium(machine), nbformat(machine)])
}

async function ffmpeg(machine: Machine): Promise<Fact> {
  const said = await ask(machine, ['ffmpeg', '-version'], { install: 'sudo apt install ffmpeg' })
  if ('fact' in said) return said.fact
  const version = /ffmpeg version (\S+)/.exec(said.text)?.[1]
  return version === undefined
    ? broken('ffmpeg', oddAnswer(said), 'sudo apt install --reinstall ffmpeg')
    : ok('ffmpeg', `${version} (${said.path})`)
}

async function compiler(machine: Machine): Promise<Fact> {
  const name = 'C++ compiler'
  const install = 'sudo apt install g++'
  const said = await ask(machine, ['g++', '--version'], { name, install })
  if ('fact' in said) return said.fact
  const version = versionIn(said.text.split('\n')[0]!.replace(/\(.*\)/, ''))
  return version === null || said.exitCode !== 0
    ? broken(name, oddAnswer(said), 'sudo apt install --reinstall g++')
    : ok(name, `g++ ${version} (${said.path})`)
}

/** Debian's launcher prints complaints of its own before the version. */
async function chromium(machine: Machine): Promise<Fact> {
  const names = ['chromium', 'chromium-browser', 'google-chrome']
  const name = names.find(tool => typeof findTool(machine, tool) === 'string') ?? 'chromium'
  const said = await ask(machine, [name, '--version'], { name: 'chromium', install: 'sudo apt install chromium' })
  if ('fact' in said) return said.fact
  const version = /(?:Chromium|Chrome) ([\d.]+)/.exec(said.text)?.[1]
  return version === undefined
    ? broken('chromium', oddAnswer(said), 'sudo apt install --reinstall chromium')
    : ok('chromium', `${version} (${said.path})`)
}

/** Debian packages it for its own Python, which need not be the first on PATH. */
async function nbformat(machine: Machine): Promise<Fact> {
  const name = 'python nbformat'
  const install = 'sudo apt install python3 python3-nbformat'
  const script = 'import nbformat; print(nbformat.__version__)'
  const absent = findTool(machine, 'python3', { name, install })
  if (typeof absent !== 'string') return absent
  const pythons = [...new Set([absent, join(machine.root, 'usr/bin/python3')])]
  for (const python of pythons) {
    const said = await ask(machine, [python, '-c', script], { name, install })
    if ('fact' in said) continue
    if (said.exitCode === 0) return ok(name, `${said.stdout.trim()} (${python})`)
    if (!/No module named|ModuleNotFoundError/.test(said.text)) return broken(name, oddAnswer(said), install)
  }
  return missing(name, `no Python has it: ${pythons.join(', ')}`, install)
}
