/**
 * Says why a test cannot run on this machine, for its `skip` option.
 *
 * Give the answer to `test` as its `skip` option: `false` when the need is met, else the reason. `.ci/run` installs
 * every tool, and there a skipped test is a failure. Data for measurements lies outside the project; `RUNGBOOK_DATA`
 * names its folder.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const dataFolder = process.env.RUNGBOOK_DATA ?? join(import.meta.dirname, '../../../shared/data')

/** Where a file of the data folder lies. */
export const dataPath = (name: string): string => join(dataFolder, name)

/** Whether the data folder is here at all. */
export const haveData = (): boolean => existsSync(dataFolder)

/** `false`, or why a test that wants this file of the data folder is skipped. */
export const needsData = (name: string): string | false =>
  existsSync(dataPath(name)) ? false : `data: ${name} is not on this machine`

/**
 * `false`, or why a test of this process's memory is skipped: a sanitizer holds back what is freed, to find later uses
 * of it.
 */
export const needsPlainMemory = (): string | false =>
  process.env.RUNGBOOK_SANITIZE === '1' ? 'sanitizer: it keeps freed memory' : false

/** `false`, or why a test that wants this program (a name on PATH, or an absolute path) is skipped. */
export function needsTool(name: string): string | false {
  const folders = name.startsWith('/') ? [''] : (process.env.PATH ?? '').split(delimiter)
  return folders.some(folder => existsSync(join(folder, name))) ? false : `tool: ${name} is not installed`
}

/** `false`, or why a test that wants PyTorch in the system's Python is skipped. */
export const needsTorch = (): string | false =>
  existsSync('/usr/lib/python3/dist-packages/torch') ? false : 'tool: python3-torch is not installed'

/** How a disk can be made here: the words before a command, or why not. */
export function namespaceWords(): { readonly words: readonly string[] } | { readonly why: string } {
  for (const flag of ['-m', '-rm']) {
    const { status } = spawnSync('unshare', [flag, 'sh', '-c', 'mount -t tmpfs tmpfs /mnt'], { stdio: 'ignore' })
    if (status === 0) return { words: ['unshare', flag] }
  }
  return { why: 'no file system can be mounted here: unshare of util-linux is absent, or this user may not' }
}
