/**
 * Describes where a run happened: commit, runtime, machine and package versions.
 *
 * What is not known is null; nothing here throws or waits for long. The device and the digests of contracts are added
 * by those who open them.
 */
import { existsSync, readFileSync } from 'node:fs'
import { arch, availableParallelism, cpus, platform, release, totalmem, version } from 'node:os'
import { join } from 'node:path'
import { capture } from './exec.ts'
import { currentRuntime, starterOf } from './typescript.ts'

const project = join(import.meta.dirname, '../..')

/**
 * The host's and the project's fingerprint, as plain JSON: `git` ({ sha, dirty } or null), `runtime` ({ name,
 * version, started }: what runs this, and how a person started it), `node`, `platform`, `arch`,
 * `os`, `kernel`, `board` (a single-board computer's model, else null), `cpu` ({ model, count }), `memoryBytes`, and
 * `packages` (the installed version of every dependency; null when it is absent).
 * @param root the project's folder
 */
export async function fingerprint({ root = project }: { root?: string } = {}): Promise<Record<string, unknown>> {
  const git = gitState(root)
  const plain = {
    runtime: runtimeNow(),
    node: process.version,
    platform: platform(),
    arch: arch(),
    os: osName(),
    kernel: release(),
    board: text('/proc/device-tree/model')?.replace(/\0.*$/s, '') ?? null,
    cpu: { model: cpus()[0]?.model.trim() || null, count: availableParallelism() },
    memoryBytes: totalmem(),
    packages: packageVersions(root),
  }
  return { git: await git, ...plain }
}

function runtimeNow(): { name: string; version: string; started: string } {
  const { name, version } = currentRuntime()
  return { name, version, started: starterOf() }
}

/**
 * The commit and whether anything differs from it, new files included; null without git, or outside a checkout of its
 * own.
 */
async function gitState(root: string): Promise<{ sha: string | null; dirty: boolean } | null> {
  // A plain copy that lies inside somebody else's checkout must not get that one's commit.
  if (!existsSync(join(root, '.git'))) return null
  try {
    // One command tells both. Without the lock it cannot disturb a git that works at the same time.
    const env = {
      GIT_OPTIONAL_LOCKS: '0',
      GIT_DIR: undefined,
      GIT_WORK_TREE: undefined,
      GIT_INDEX_FILE: undefined,
      LC_ALL: 'C',
    }
    const command = ['git', 'status', '--porcelain=v2', '--branch', '--untracked-files=normal']
    const { stdout, exitCode } = await capture(command, { cwd: root, env, timeoutMs: 5000 })
    if (exitCode !== 0) return null
    const sha = /^# branch\.oid ([0-9a-f]{40,64})$/m.exec(stdout)?.[1] ?? null
    return { sha, dirty: /^[^#\n]/m.test(stdout) }
  } catch {
    return null
  }
}

function osName(): string {
  const pretty = /^PRETTY_NAME=(?:"(.*)"|'(.*)'|(.*))$/m.exec(text('/etc/os-release') ?? '')
  return pretty?.[1] ?? pretty?.[2] ?? pretty?.[3] ?? version()
}

function packageVersions(root: string): Record<string, string | null> {
  const names = Object.keys(field(join(root, 'package.json'), 'dependencies') ?? {})
  return Object.fromEntries(
    names.map(name => {
      const found = field(join(root, 'node_modules', name, 'package.json'), 'version')
      return [name, typeof found === 'string' ? found : null]
    }),
  )
}

/** One field of a JSON file; undefined when the file or the field is absent, or it is not JSON. */
function field(path: string, name: string): unknown {
  try {
    return (JSON.parse(text(path) ?? '{}') as Record<string, unknown> | null)?.[name]
  } catch {
    return undefined
  }
}

function text(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}
