/**
 * Finds trtexec on this machine, and asks it which TensorRT it is and which flags it has.
 *
 * Its flags changed with every major version, so none is given that its own help does not name. A version whose flags
 * nobody looked up is refused.
 */
import { tmpdir } from 'node:os'
import { versionFromNumber, versionText } from '../../../ffi/tensorrt/abi/abi.ts'
import { blockedError, hasCode } from '../../base/errors.ts'
import { capture } from '../../host/exec.ts'
import { findProgram } from '../../host/program.ts'

/** A trtexec, with its version and the flags that its help names. */
export interface Trtexec {
  /** Absolute. */
  readonly path: string
  /** `10.16.0` */
  readonly version: string
  readonly major: number
  /** Without the leading dashes. */
  readonly flags: ReadonlySet<string>
}

// SOURCE: decision D-340
// CONTRACT: only these majors are driven; 8 from 8.6 on.
// WHY: another major may give a flag another meaning, and a plan that was built otherwise than it says is worse than
// none.
const knownMajors: Readonly<Record<number, { readonly minorMin: number }>> = {
  8: { minorMin: 6 },
  10: { minorMin: 0 },
  11: { minorMin: 0 },
}

/** Where trtexec comes from, for a hint. */
const installHint = 'sudo apt install libnvinfer-bin, or --trtexec /usr/src/tensorrt/bin/trtexec'

const probeMs = 60_000

/**
 * Find trtexec and ask it.
 * @param name a name on PATH, or a path
 * @throws RunbookError blocked when it is absent, does not answer, is another program, or is of a version that is not
 *   known
 */
export async function probeTrtexec(name: string, o: { signal?: AbortSignal } = {}): Promise<Trtexec> {
  const path = locate(name)
  // It writes into the folder in which it is started when it is asked for more than help.
  const said = await capture([path, '--help'], { cwd: tmpdir(), timeoutMs: probeMs, ...(o.signal && o) })
  const text = `${said.stdout}\n${said.stderr}`
  if (said.timedOut) throw blockedError(`Cannot ask "${path}": no answer within ${probeMs / 1000} s`, `${path} --help`)
  const flags = flagsIn(text)
  if (!flags.has('onnx') || !flags.has('saveEngine')) {
    throw blockedError(
      `Cannot build with "${path}": its help is not that of trtexec, with --onnx and --saveEngine`,
      installHint,
    )
  }
  const version = versionIn(text)
  if (version === null) {
    throw blockedError(`Cannot build with "${path}": it does not say which TensorRT it is`, installHint)
  }
  const known = knownMajors[version.major]
  if (known === undefined || version.minor < known.minorMin) {
    throw blockedError(
      `Cannot build with "${path}": it is of TensorRT ${versionText(version)}, and 8.6, 10 and 11 are known`,
      'use the trtexec of one of them: --trtexec PATH',
    )
  }
  return { path, version: versionText(version), major: version.major, flags }
}

function locate(name: string): string {
  try {
    return findProgram(name)
  } catch (thrown) {
    if (hasCode(thrown, 'ENOENT')) throw blockedError(thrown.message, installHint)
    throw thrown
  }
}

/** Flags that stand at the beginning of a line of help, with their second names; prose names flags that are gone. */
function flagsIn(help: string): Set<string> {
  const lines = help.split('\n').flatMap(line => /^\s*(--.*)$/.exec(line)?.[1] ?? [])
  const names = lines.flatMap(line => {
    const listed = /^(?:--?[A-Za-z][\w]*(?:=\S*)?(?:,\s*)?)+/.exec(line)?.[0] ?? ''
    return [...listed.matchAll(/--([A-Za-z]\w*)/g)].map(match => match[1]!)
  })
  return new Set(names)
}

/** The banner is `[TensorRT v101600]`, of 8.6 `[TensorRT v8601]`. */
function versionIn(text: string): ReturnType<typeof versionFromNumber> | null {
  const number = /\[TensorRT v(\d{4,6})\]/.exec(text)?.[1]
  return number === undefined ? null : versionFromNumber(Number(number))
}
