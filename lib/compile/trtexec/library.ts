/**
 * Builds engines through libnvinfer itself, for machines that have the library and not trtexec.
 *
 * The calls are in `library-stage.ts`, a process of its own: a build takes minutes and may crash. What it cannot do
 * here it leaves as an operating error in a file, so that an absent library is told from a graph that does not build.
 */
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { blockedError, RunbookError } from '../../base/errors.ts'
import { capture } from '../../host/exec.ts'
import { readJson, writeFileAtomic } from '../../host/files.ts'
import { typescriptCommand } from '../../host/typescript.ts'
import { runStageCommand } from '../stage-command.ts'
import { mustHaveRanges } from './command.ts'
import type { RawBuilder } from './types.ts'
import { runbookCommand } from '../../host/typescript.ts'

/** An operating error of the child, or nothing. */
export interface LibraryRefusal {
  readonly exit: RunbookError['exit']
  readonly message: string
  readonly hint: string
}

/** What the child says of the library. */
export interface LibraryFacts {
  readonly path: string
  readonly version: string
  readonly major: number
}

const script = join(import.meta.dirname, 'library-stage.ts')
const probeMs = 60_000

/**
 * The builder that libnvinfer has.
 * @throws RunbookError blocked when the library or its parser is absent, refused, or does not answer
 */
export async function openLibraryBuilder(): Promise<RawBuilder> {
  const said = await capture(typescriptCommand(script, ['version']), { timeoutMs: probeMs })
  const answer = parsed(said.stdout)
  if (answer === null) {
    const state = said.timedOut
      ? `no answer within ${probeMs / 1000} s`
      : said.stderr.trim().split('\n').at(-1) || 'it died'
    throw blockedError(
      `Cannot ask TensorRT's library: ${state}`,
      runbookCommand('runbooks/doctor.ts', ['--need', 'nvidia']),
    )
  }
  if ('exit' in answer) throw new RunbookError(answer.exit, answer.message, answer.hint)
  const { path, version, major } = answer
  return {
    way: 'ffi',
    where: path,
    version,
    major,
    commandOf(request) {
      mustHaveRanges(request.precision, request.int8)
      return typescriptCommand(script, ['build', `${request.plan}.request.json`])
    },
    async run(command, request, bounds) {
      const [asked, refusal] = [`${request.plan}.request.json`, `${request.plan}.refusal.json`]
      rmSync(refusal, { force: true })
      writeFileAtomic(asked, `${JSON.stringify(request, null, 2)}\n`)
      const finished = await runStageCommand(command, bounds)
      rmSync(asked, { force: true })
      if (!existsSync(refusal)) return finished
      const { exit, message, hint } = readJson(refusal) as LibraryRefusal
      rmSync(refusal, { force: true })
      if (exit === 'blocked') throw new RunbookError(exit, message, hint)
      return finished
    },
  }
}

function parsed(text: string): LibraryFacts | LibraryRefusal | null {
  try {
    return JSON.parse(text) as LibraryFacts | LibraryRefusal
  } catch {
    return null
  }
}
