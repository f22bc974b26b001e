/**
 * Runs Hailo's Dataflow Compiler from a Docker image.
 *
 * The folders that a call needs are mounted under their own paths, so that what a log names can be opened here; files
 * belong to the user who calls; there is no network, and no image is fetched. A container does not end with the client
 * that started it, so it has a name, and a call that was cut short removes it.
 */
import { randomUUID } from 'node:crypto'
import { dirname } from 'node:path'
import { blockedError, RunbookError } from '../../base/errors.ts'
import { capture } from '../../host/exec.ts'
import { findProgram } from '../../host/program.ts'

type Env = Readonly<Record<string, string | undefined>>

/** The image of `docker:IMAGE`; null for a program or a folder. */
export const imageOf = (program: string | undefined): string | null =>
  /^docker:(.+)$/.exec(program ?? '')?.[1]?.trim() ?? null

/** One call of `hailo` in a container. */
export interface ContainerCall {
  readonly command: readonly string[]
  /** Remove the container, when the call was cut short. Never throws. */
  abandon(): Promise<void>
}

/** What a call in a container needs. */
export interface ContainerSetting {
  readonly image: string
  readonly words: readonly string[]
  /** Where it works, and may write. */
  readonly folder: string
  /** Files that it reads; their folders are mounted read-only where they lie elsewhere. */
  readonly reads?: readonly string[]
  readonly env?: Env | undefined
}

const installHint = 'sudo apt install docker.io, or give --dfc a virtualenv with the Dataflow Compiler'
const shortMs = 30_000

/**
 * The path of `docker`.
 * @throws RunbookError blocked when it is absent
 */
export function findDocker(env: Env | undefined): string {
  try {
    return findProgram('docker', { env: { ...process.env, ...env } })
  } catch (thrown) {
    if (thrown instanceof RunbookError && thrown.code === 'ENOENT') throw blockedError(thrown.message, installHint)
    throw thrown
  }
}

/**
 * The id of an image that is here.
 * @throws RunbookError blocked when Docker is absent, does not answer, or has no such image
 */
export async function imageId(image: string, env: Env | undefined): Promise<string> {
  const docker = findDocker(env)
  const ask = [docker, 'image', 'inspect', '--format', '{{.Id}}', image]
  const { exitCode, stdout, stderr, timedOut } = await capture(ask, { timeoutMs: shortMs, ...(env && { env }) })
  if (exitCode === 0) return stdout.trim()
  const said = timedOut ? `no answer within ${shortMs / 1000} s` : stderr.trim().split('\n').at(-1) || 'it said nothing'
  const isDaemon = timedOut || (!/No such image/i.test(said) && /daemon|permission denied|dial unix/i.test(said))
  const hint = isDaemon
    ? 'sudo systemctl start docker && sudo usermod -aG docker "$USER"'
    : 'docker load --input IMAGE.tar, then: docker images'
  throw blockedError(`Cannot use the image "${image}": ${said}`, hint)
}

/** A call of `hailo` in a container of its own. */
export function containerCall(o: ContainerSetting): ContainerCall {
  const docker = findDocker(o.env)
  const name = `rungbook-${randomUUID()}`
  const elsewhere = [...new Set((o.reads ?? []).map(path => dirname(path)))].filter(
    folder => folder !== o.folder && !folder.startsWith(`${o.folder}/`),
  )
  const variables = { PYTHONUNBUFFERED: '1', HOME: '/tmp', ...o.env }
  const command = [
    docker,
    'run',
    '--rm',
    '--init',
    '--name',
    name,
    '--network',
    'none',
    '--pull',
    'never',
    '--user',
    `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`,
    '--workdir',
    o.folder,
    '--volume',
    `${o.folder}:${o.folder}`,
    ...elsewhere.flatMap(folder => ['--volume', `${folder}:${folder}:ro`]),
    ...Object.entries(variables).flatMap(([key, value]) =>
      value === undefined || key === 'PATH' ? [] : ['--env', `${key}=${value}`],
    ),
    o.image,
    'hailo',
    ...o.words,
  ]
  return {
    command: o.env?.PATH === undefined ? command : ['/usr/bin/env', `PATH=${o.env.PATH}`, ...command],
    async abandon() {
      await capture([docker, 'rm', '--force', name], { timeoutMs: shortMs }).catch(() => undefined)
    },
  }
}
