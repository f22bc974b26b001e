/**
 * Finds Hailo's Dataflow Compiler on this machine, and makes sure that it is that.
 *
 * Its program is called `hailo`, and so is another one that HailoRT installs on a board and that compiles nothing. It
 * is asked for the help of its parser, which only the compiler has, in a folder of its own, because it leaves logs
 * where it is started.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { capture, type Captured } from '../../host/exec.ts'
import { sha256File } from '../../host/digest.ts'
import { findProgram } from '../../host/program.ts'
import { blockedError, RunbookError } from '../../base/errors.ts'
import { containerCall, imageId, imageOf } from './docker.ts'
import { dfcVersionIn } from './log.ts'
import { lastErrorBlock } from '../../failure/log-reading.ts'
import { linesOf } from '../../failure/log/digest.ts'
import type { Availability } from '../toolchain.ts'

/** Where the compiler is, and in which environment it runs. */
export interface DfcOptions {
  /** The `hailo` program, a virtualenv, its `bin` folder, or `docker:IMAGE`; looked up on PATH when absent. */
  readonly program?: string | undefined
  /** Added to our own environment for every call; `undefined` takes a name out. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  /**
   * For one question to the program; 120 s when absent, because its first answer loads TensorFlow and checks the
   * machine.
   */
  readonly probeTimeoutMs?: number | undefined
}

/** How to get the compiler, for a hint. */
export const installHint =
  "get hailo_dataflow_compiler-*-linux_x86_64.whl from Hailo's developer zone, then: " +
  'python3.10 -m venv dfc && dfc/bin/pip install hailo_dataflow_compiler-*.whl, and --dfc dfc'

/**
 * The absolute path of `hailo`.
 * @throws RunbookError blocked when it is absent or cannot run
 */
export function findHailo(o: DfcOptions): string {
  const env = { ...process.env, ...o.env }
  if (o.program === undefined) return findProgram('hailo', { env })
  const given = resolve(o.program)
  if (!kindOf(given)?.isDirectory()) return findProgram(existsSync(given) ? given : o.program, { env })
  const inside = ['bin/hailo', 'hailo'].map(name => join(given, name)).find(path => kindOf(path)?.isFile())
  if (inside !== undefined) return findProgram(inside)
  throw blockedError(`Cannot find the Dataflow Compiler in "${o.program}": there is no bin/hailo in it`, installHint)
}

/**
 * A command line that runs `hailo` as its activated virtualenv would, with its output unbuffered: Python would
 * otherwise keep what it prints to a file until the end, and a time-out would find an empty log.
 */
export function hailoCommand(program: string, o: DfcOptions, words: readonly string[]): string[] {
  const path = `${dirname(program)}${delimiter}${o.env?.PATH ?? process.env.PATH ?? ''}`
  const env: Record<string, string | undefined> = { PYTHONUNBUFFERED: '1', ...o.env, PATH: path }
  const unset = Object.entries(env).flatMap(([name, value]) => (value === undefined ? ['-u', name] : []))
  const set = Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]))
  return ['/usr/bin/env', ...unset, ...set, program, ...words]
}

/** One call of `hailo`, wherever it is. */
export interface HailoCall {
  readonly command: readonly string[]
  /** Called when the call was cut short: ends what would outlive it. */
  abandon(): Promise<void>
}

/**
 * The call that runs `hailo` with these words.
 * @param at.folder where it works, and may write
 * @param at.reads files elsewhere that it reads
 * @throws RunbookError blocked when `hailo`, or Docker, is absent
 */
export function hailoCall(
  o: DfcOptions,
  words: readonly string[],
  at: { readonly folder: string; readonly reads?: readonly string[] },
): HailoCall {
  const image = imageOf(o.program)
  if (image !== null) return containerCall({ image, words, env: o.env, ...at })
  return { command: hailoCommand(findHailo(o), o, words), abandon: () => Promise.resolve() }
}

/** Whether the compiler is here, which version, or why not and how to get it. Never throws. */
export async function dfcAvailability(o: DfcOptions): Promise<Availability> {
  let program: string | null = null
  const image = imageOf(o.program)
  try {
    const id = image === null ? null : await imageId(image, o.env)
    program = image === null ? findHailo(o) : `docker:${image}`
    return await probe(program, o, id)
  } catch (thrown) {
    if (thrown instanceof RunbookError) {
      const isUnfound = program === null && image === null
      return absent(program, thrown.message, isUnfound ? installHint : thrown.hint)
    }
    return absent(program, `Cannot ask "${program}": ${String(thrown)}`, installHint)
  }
}

/** A machine that the compiler is not made for is told so, rather than how to install it. */
function absent(where: string | null, why: string, hint: string): Availability {
  const { platform, arch } = process
  const none = { found: false, where, version: null }
  if (platform === 'linux' && arch === 'x64') return { ...none, why, hint }
  return {
    ...none,
    why: `${why}; the Dataflow Compiler exists for Linux on x86_64 only, and this is ${platform} on ${arch}`,
    hint: 'compile on an x86_64 machine and copy the .hef here, or --toolchain host',
  }
}

async function probe(program: string, o: DfcOptions, imageId: string | null): Promise<Availability> {
  const cwd = mkdtempSync(join(tmpdir(), 'hailo-probe-'))
  const timeoutMs = o.probeTimeoutMs ?? 120_000
  const ask = async (...words: string[]) => {
    const call = hailoCall(o, words, { folder: cwd })
    const said = await capture(call.command, { cwd, timeoutMs })
    if (said.timedOut) await call.abandon()
    return said
  }
  try {
    const help = await ask('parser', '--help')
    const why = whyNotDfc(program, help, timeoutMs)
    if (why !== null) return { ...absent(program, why, installHint), isOther: isRuntime(textOf(help)) }
    const beside = imageId === null ? wheelVersion(program) : null
    const version = dfcVersionIn(textOf(help)) ?? beside ?? dfcVersionIn(textOf(await ask('--version')))
    // Results are cached by version, so two compilers of unknown version must not be taken for one.
    return {
      found: true,
      where: program,
      version: version ?? `unknown-${(imageId ?? sha256File(program)).replace('sha256:', '').slice(0, 8)}`,
      why: '',
      hint: '',
    }
  } finally {
    rmSync(cwd, { recursive: true, force: true })
  }
}

const textOf = (said: Captured) => `${said.stdout}\n${said.stderr}`

/** HailoRT brings a program of the same name, which knows no parser. */
const isRuntime = (help: string): boolean => /invalid choice:? '?parser/i.test(help)

function whyNotDfc(program: string, help: Captured, timeoutMs: number): string | null {
  const text = textOf(help)
  const lines = linesOf(text)
    .map(line => line.trim())
    .filter(line => line !== '')
  if (isRuntime(text)) {
    return `Cannot compile with "${program}": it is HailoRT's hailo, which runs models and has no parser`
  }
  if (help.timedOut) return `Cannot ask "${program}" for the help of its parser: no answer within ${timeoutMs / 1000} s`
  if (help.exitCode !== 0) {
    const said = lastErrorBlock(lines).join(' ') || lines.at(-1) || 'it said nothing'
    return `Cannot use "${program}": it ended with exit code ${help.exitCode ?? 'none'} (${said.slice(0, 300)})`
  }
  if (/\bonnx\b/i.test(text)) return null
  return `Cannot compile with "${program}": the help of its parser does not name ONNX, so it is some other program`
}

/** The version of the wheel that lies beside the program in its virtualenv. */
function wheelVersion(program: string): string | null {
  const lib = join(dirname(program), '../lib')
  const packages = listed(lib)
    .filter(name => name.startsWith('python'))
    .flatMap(name => listed(join(lib, name, 'site-packages')))
  const versions = packages.flatMap(name => /^hailo_dataflow_compiler-(.+)\.dist-info$/.exec(name)?.[1] ?? [])
  return versions[0] ?? null
}

const kindOf = (path: string) => statSync(path, { throwIfNoEntry: false })
const listed = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder) : [])
