/**
 * Fetches a HEF through hailo-apps, the vendor's own resource downloader, from a copy that is adapted to this service.
 *
 * The copy keeps its resources under the service's state, and gets the package markers that the original lacks. The
 * model's group and name are looked up in the copy's own table before anything is fetched, and the file is looked for
 * afterwards, because the downloader's exit code does not tell.
 */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { blockedError, usageError } from '../../../base/errors.ts'
import { treeStep } from '../../../deploy/files.ts'
import { mustRun, pathIn, type Target } from '../../../deploy/target.ts'
import { differs, holds, type Step } from '../../../deploy/steps.ts'
import { paths } from './layout.ts'

/** The group of speech models in hailo-apps' table, and the architecture that has any. */
export const hailoAppsGroup = 'whisper_chat'
const arch = 'hailo10h'

/** Packages of hailo-apps that lack their `__init__.py`. */
const packages = ['hailo_apps', 'hailo_apps/installation', 'hailo_apps/python']
const definitions = 'hailo_apps/python/core/common/defines.py'
const table = 'hailo_apps/config/resources_config.yaml'

/** A copy of hailo-apps with its resource root and package markers set right, in a folder that the caller removes. */
export function adaptHailoApps(from: string): { folder: string; remove: () => void } {
  if (!existsSync(join(from, table))) {
    throw usageError(
      `Cannot use "${from}": there is no ${table} in it`,
      'give whisper-install --hailo-apps a checkout of hailo-apps',
    )
  }
  const folder = join(mkdtempSync(join(tmpdir(), 'hailo-apps-')), 'copy')
  cpSync(from, folder, { recursive: true, filter: path => !/\/(\.git|__pycache__)$/.test(path) })
  for (const name of packages) {
    const file = join(folder, name, '__init__.py')
    if (existsSync(dirname(file)) && !existsSync(file)) writeFileSync(file, '')
  }
  const file = join(folder, definitions)
  if (existsSync(file)) {
    const text = readFileSync(file, 'utf8')
    const patched = text.replace(/^(RESOURCES_ROOT_PATH_DEFAULT\s*=\s*).*$/m, `$1"${paths.resources}"`)
    if (patched === text && !text.includes(`"${paths.resources}"`)) {
      throw usageError(
        `Cannot adapt "${from}": ${definitions} sets no RESOURCES_ROOT_PATH_DEFAULT`,
        'try another version',
      )
    }
    writeFileSync(file, patched)
  }
  return { folder, remove: () => rmSync(dirname(folder), { recursive: true, force: true }) }
}

/**
 * Names of the models that hailo-apps has in the group for a Hailo-10H.
 *
 * @throws {RunbookError} usage, for a table of another form
 */
export async function hailoAppsModels(folder: string): Promise<string[]> {
  const { parse } = await import('yaml')
  const config = parse(readFileSync(join(folder, table), 'utf8')) as Record<string, unknown>
  const group = config[hailoAppsGroup] as { models?: Record<string, unknown> } | undefined
  const models = group?.models?.[arch]
  if (models === undefined) {
    throw usageError(
      `Cannot use "${folder}": its table has no ${hailoAppsGroup} for ${arch}`,
      'try another version of hailo-apps',
    )
  }
  return namesIn(models)
}

/** The table writes a model as `{name, source}`, in lists under `default` and `extra`. */
function namesIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (Array.isArray(value)) return value.flatMap(namesIn)
  if (typeof value !== 'object' || value === null) return []
  const { name } = value as { name?: unknown }
  return typeof name === 'string' ? [name] : Object.values(value).flatMap(namesIn)
}

/** Copy hailo-apps, give it a virtualenv that sees the system's packages, and fetch the model with it. */
export function hailoAppsSteps(target: Target, o: { adapted: string; model: string }): Step[] {
  const python = join(paths.venv, 'bin/python3')
  const hef = join(paths.hailoModels, `${o.model}.hef`)
  return [
    treeStep(target, paths.hailoApps, { from: o.adapted, owner: 'root:root' }),
    {
      name: `venv ${paths.venv}`,
      check({ changed }) {
        if (!existsSync(pathIn(target, python))) return differs('absent', 'python3 -m venv')
        return changed.has(`tree ${paths.hailoApps}`) ? differs('hailo-apps changed', 'pip install') : holds('there')
      },
      async apply() {
        const hint = 'sudo apt install python3-venv'
        const venv = pathIn(target, paths.venv)
        if (!existsSync(pathIn(target, python))) {
          await mustRun(target, ['python3', '-m', 'venv', '--system-site-packages', venv], hint)
        }
        await mustRun(
          target,
          [pathIn(target, python), '-m', 'pip', 'install', '--no-deps', pathIn(target, paths.hailoApps)],
          hint,
        )
      },
      confirm: () => (existsSync(pathIn(target, python)) ? holds('there') : differs('absent', 'python3 -m venv')),
    },
    {
      name: `model ${o.model}`,
      async check() {
        const names = await hailoAppsModels(o.adapted)
        if (!names.includes(o.model)) {
          throw usageError(
            `Cannot fetch "${o.model}": hailo-apps has ${names.join(', ')} for ${arch}`,
            `set model.name in ${paths.yaml}`,
          )
        }
        const size = statSync(pathIn(target, hef), { throwIfNoEntry: false })?.size ?? 0
        return size > 0 ? holds(`${hef}, ${size} bytes`) : differs('absent', 'download_resources')
      },
      async apply() {
        if (!target.isLive)
          throw blockedError(`Cannot fetch "${o.model}": this root has no running system`, 'install into /')
        const what = ['--group', hailoAppsGroup, '--arch', arch, '--resource-type', 'model', '--resource-name', o.model]
        const module = 'hailo_apps.installation.download_resources'
        await mustRun(
          target,
          [pathIn(target, python), '-m', module, ...what, '--include-gen-ai', '--no-parallel'],
          'check the network',
        )
      },
    },
  ]
}
