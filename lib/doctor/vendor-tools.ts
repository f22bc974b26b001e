/**
 * Finds the vendors' programs, and whether their exit codes can be trusted.
 *
 * They cannot, so what each prints decides: `hailortcli fw-control identify` says nothing and leaves with 0 where there
 * is no device, `hailo` is the name of two programs, and `trtexec` ends with a line of its own.
 */
import { dfcAvailability } from '../compile/dfc/program.ts'
import { ask, at, findTool, isThere, oddAnswer, type Machine } from './machine.ts'
import { broken, missing, ok, versionIn, type Fact } from './fact.ts'
import { hailoBoards, installHailort, servedBoards } from './hailo/board.ts'

/**
 * The Dataflow Compiler: the program `hailo` that has a parser. Its first answer loads TensorFlow, which takes long.
 */
export async function dfcFact(machine: Machine): Promise<Fact> {
  const name = 'Dataflow Compiler'
  if (machine.dfc !== undefined) return namedDfcFact(name, machine.dfc, machine)
  const found = findTool(machine, 'hailo')
  const program = typeof found === 'string' ? found : undefined
  const asked = { program, env: machine.env, probeTimeoutMs: dfcProbeMs }
  const { found: isHere, where, version, why, hint, isOther } = await dfcAvailability(asked)
  if (isHere) return ok(name, `${version} (${where})`, ['dfc'])
  if (typeof found !== 'string' && found.status === 'missing') {
    return missing(
      name,
      'no program hailo on ' +
        `PATH${machine.arch === 'x64' ? '' : `; it exists for x86_64 only, and this is ${machine.arch}`}`,
      hint,
      ['dfc'],
    )
  }
  return isOther === true ? missing(name, why, hint, ['dfc']) : broken(name, why, hint, ['dfc'])
}

/** A compiler that somebody named is never replaced by another one. */
async function namedDfcFact(name: string, program: string, machine: Machine): Promise<Fact> {
  const { PATH } = machine.env
  const { found, where, version, why, hint } = await dfcAvailability({
    program,
    env: { PATH },
    probeTimeoutMs: dfcProbeMs,
  })
  return found ? ok(name, `${version} (${where})`, ['dfc']) : missing(name, why, hint, ['dfc'])
}

/** For each question to the compiler. */
export const dfcProbeMs = 30_000

/** HailoRT's command line: its version, and whether it identifies a device where there is one. */
export async function hailortcliFact(machine: Machine): Promise<Fact> {
  const name = 'hailortcli'
  const install = installHailort(machine, (await hailoBoards(machine))[0]?.series ?? null)
  const said = await ask(machine, ['hailortcli', '--version'], { install })
  if ('fact' in said) return said.fact
  const version = /HailoRT-CLI version (\d+\.\d+\.\d+)/i.exec(said.text)?.[1]
  const reinstall = "install hailortcli of the library's version"
  if (version === undefined) return broken(name, oddAnswer(said), reinstall)
  const words = `${version} (${said.path})`
  const probed = await machine.probe('hailort')
  if (probed.ok && probed.found.version !== version) {
    return broken(name, `${words}, but the library is ${probed.found.version}`, reinstall)
  }
  if (servedBoards(machine).length === 0) return ok(name, `${words}; its exit code is 0 without a device too`)
  const identity = await ask(machine, ['hailortcli', 'fw-control', 'identify'])
  if ('fact' in identity) return identity.fact
  const architecture = /Device Architecture: *(\S+)/.exec(identity.text)?.[1]
  if (architecture !== undefined) return ok(name, `${words} identifies a ${architecture}`)
  const silence =
    identity.text === '' ? `identify says nothing (exit code ${identity.exitCode ?? 'none'})` : oddAnswer(identity)
  return broken(name, `${words}, but ${silence}`, 'see the lines of driver, node and device')
}

/** trtexec announces itself with the version, and ends with PASSED or FAILED whatever the exit code. */
export async function trtexecFact(machine: Machine): Promise<Fact> {
  const name = 'trtexec'
  const install = 'sudo apt install libnvinfer-bin'
  const usual = ['/usr/src/tensorrt/bin', '/usr/local/tensorrt/bin', '/opt/tensorrt/bin'].find(folder =>
    isThere(machine, `${folder}/trtexec`),
  )
  const said = await ask(machine, ['trtexec', '--help'], { install })
  if ('fact' in said) {
    if (said.fact.status !== 'missing' || usual === undefined) return said.fact
    return broken(name, `${at(machine, usual)}/trtexec is there and not on PATH`, `export PATH="$PATH:${usual}"`)
  }
  const number = /\[TensorRT v(\d+)\]/.exec(said.text)?.[1]
  if (number === undefined || /^&&&& FAILED/m.test(said.text)) return broken(name, oddAnswer(said), install)
  const { versionFromNumber, versionText } = await import('../../ffi/tensorrt/abi/abi.ts')
  const version = versionText(versionFromNumber(Number(number)))
  const probed = await machine.probe('tensorrt')
  const words = `${version} (${said.path})`
  if (probed.ok && minorOf(probed.found.version ?? '') !== minorOf(version)) {
    return broken(
      name,
      `${words}, but the library is ${probed.found.version}: its plans would not load`,
      'put both of one version first on PATH and LD_LIBRARY_PATH',
    )
  }
  const habit =
    Number.parseInt(version, 10) >= 11
      ? 'this trtexec knows no --fp16 and measures with CUDA graphs unless told'
      : 'TF32 is on unless trtexec is told --noTF32'
  return ok(name, `${words}; ${habit}; believe its last line, PASSED or FAILED`)
}

const minorOf = (version: string) => version.split('.').slice(0, 2).join('.')

/** NVIDIA's polygraphy, which inspects and compares models. */
export async function polygraphyFact(machine: Machine): Promise<Fact> {
  const name = 'polygraphy'
  const install =
    'python3 -m venv ~/polygraphy && ~/polygraphy/bin/pip install polygraphy && export ' +
    'PATH="$PATH:$HOME/polygraphy/bin"'
  const said = await ask(machine, ['polygraphy', '--version'], { install, timeoutMs: 4000 })
  if ('fact' in said) return said.fact
  const version = versionIn(/Version: *\S+/.exec(said.text)?.[0] ?? '')
  if (version === null) return broken(name, oddAnswer(said), `reinstall it: ${install}`)
  return ok(name, `${version} (${said.path}); TF32 is off unless polygraphy is told --tf32, other than in trtexec`)
}
