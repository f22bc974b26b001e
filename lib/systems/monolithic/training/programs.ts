/**
 * Finds the programs that a training needs, and runs them.
 *
 * PyTorch comes from Debian, which has a build for the CPU alone. Its linear algebra comes from a library that Debian
 * chooses: the plain one is six times slower than OpenBLAS, so both packages are asked for.
 */
import { join } from 'node:path'
import { blockedError, RunbookError } from '../../../base/errors.ts'
import { capture, exec } from '../../../host/exec.ts'
import { readFile } from '../../../host/files.ts'
import { findProgram } from '../../../host/program.ts'

/** The command that installs what a training needs. */
export const installCommand =
  'apt-get install --no-install-recommends python3-torch python3-numpy libopenblas0-pthread ffmpeg'

/** A Python that has PyTorch, and which versions it brings. */
export interface TorchPython {
  readonly program: string
  readonly python: string
  readonly torch: string
  readonly numpy: string
  /** The library of linear algebra that was loaded: openblas, mkl, or blas for the plain one. */
  readonly blas: string
}

/** Asked of a Python: its versions, and the library of linear algebra by the files that are mapped. */
const question = `
import json, os, platform
import numpy, torch
torch.mm(torch.ones(64, 64), torch.ones(64, 64))
maps = open('/proc/self/maps').read() if os.path.exists('/proc/self/maps') else ''
# PyTorch's own build holds MKL inside it.
has_mkl = 'mkl' in torch.__config__.show().lower().split('lapack')[0] and 'libblas' not in maps
blas = 'openblas' if 'openblas' in maps else 'mkl' if has_mkl else 'blas'
versions = {'python': platform.python_version(), 'torch': torch.__version__, 'numpy': numpy.__version__}
print(json.dumps({**versions, 'blas': blas}))
`

/**
 * A Python with PyTorch and NumPy: the one that is named, else `python3` on PATH, else the system's own.
 * @throws RunbookError blocked when none has both, with the command that installs them
 */
export async function findTorch(given?: string): Promise<TorchPython> {
  const candidates = given === undefined ? ['python3', '/usr/bin/python3'] : [given]
  for (const candidate of candidates) {
    const program = pathOf(candidate)
    if (program === null) continue
    const { stdout, exitCode } = await capture([program, '-c', question], { timeoutMs: 120_000 })
    if (exitCode !== 0) continue
    return { program, ...(JSON.parse(stdout.trim().split('\n').at(-1)!) as Omit<TorchPython, 'program'>) }
  }
  const state = `no Python with PyTorch and NumPy is here (looked at ${candidates.join(', ')})`
  throw blockedError(`Cannot train: ${state}`, `${installCommand}, or name another Python with --python`)
}

/**
 * What was found, for a person, with a note where it is slow or other than what made the shipped weights.
 * @param shipped the version of PyTorch that made the shipped weights, as far as it matters
 */
export function torchText(found: TorchPython, shipped: string): string {
  return [
    `${found.program}: Python ${found.python}, PyTorch ${found.torch}, NumPy ${found.numpy}, ${found.blas}`,
    ...(found.torch.startsWith(shipped) ? [] : [`note: the shipped weights were made by ${shipped}`]),
    ...(found.blas === 'blas'
      ? ['note: the plain BLAS is six times slower: apt-get install libopenblas0-pthread']
      : []),
  ].join('\n')
}

function pathOf(name: string): string | null {
  try {
    return findProgram(name)
  } catch (thrown) {
    if (thrown instanceof RunbookError) return null
    throw thrown
  }
}

/**
 * Whether these programs are on PATH.
 * @throws RunbookError blocked naming those that are absent, with the command that installs them
 */
export function needPrograms(names: readonly string[]): void {
  const absent = names.filter(name => pathOf(name) === null)
  if (absent.length === 0) return
  const state = `${absent.join(', ')} ${absent.length > 1 ? 'are' : 'is'} not on PATH`
  const isDebian = absent.every(name => name === 'ffmpeg')
  throw blockedError(`Cannot train: ${state}`, isDebian ? installCommand : 'run it on Debian or Ubuntu')
}

/** A program of the training, and where it works. */
export interface Step {
  readonly command: readonly string[]
  /** Names the log below `folder`. */
  readonly name: string
  readonly folder: string
  readonly signal: AbortSignal
  /** Gets each line of its output that is a JSON object. */
  readonly onFacts?: (facts: Readonly<Record<string, unknown>>) => void
}

// WHY: more threads than one gain little at this size, and a training shares its machine.
// SOURCE: decision D-201
// CONTRACT: a training uses one core.
const oneThread = { OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1', MKL_NUM_THREADS: '1' }

/**
 * Run a program that has to succeed.
 * @throws RunbookError fail with its last line when it does not, interrupted when it was stopped
 */
export async function mustRun({ command, name, folder, signal, onFacts }: Step): Promise<void> {
  const logFile = join(folder, 'logs', `${name}.log`)
  const onLine = onFacts && ((line: string) => line.startsWith('{') && onFacts(JSON.parse(line)))
  const { exitCode, aborted } = await exec(command, {
    logFile,
    signal,
    env: { ...oneThread, PYTHONUNBUFFERED: '1', PYTHONDONTWRITEBYTECODE: '1' },
    ...(onLine ? { onLine: line => void onLine(line) } : {}),
  })
  if (aborted) {
    throw new RunbookError('interrupted', `Cannot finish "${name}": interrupted`, 'run the same command again')
  }
  if (exitCode === 0) return
  const words = readFile(logFile).toString('utf8').trim().split('\n').at(-1) ?? ''
  throw new RunbookError('fail', `Cannot run "${name}": exit code ${exitCode}, ${words}`, `read ${logFile}`)
}
