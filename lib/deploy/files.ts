/**
 * Steps for folders and files: content, mode and owner, each looked at before it is touched.
 *
 * Owners are names of the machine's own accounts. Where this process may not give files away (it is not root), an owner
 * is neither checked nor set, and the step says so in what it found.
 */
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
} from 'node:fs'
import { join } from 'node:path'
import { blockedError } from '../base/errors.ts'
import { sha256 } from '../host/digest.ts'
import { fileError, writeFileAtomic } from '../host/files.ts'
import { accountsOf, pathIn, type Target } from './target.ts'
import { differs, holds, type Finding, type Step } from './steps.ts'

/** Mode and owner of a path. `owner` is `user:group`; absent, it is not looked at. */
export interface Access {
  /** Permission bits, such as 0o750. */
  readonly mode: number
  readonly owner?: string
}

const mayChown = () => process.getuid?.() === 0

/** A folder with its mode and owner, and its parents with the usual ones. */
export function folderStep(target: Target, path: string, access: Access): Step {
  const at = pathIn(target, path)
  return {
    name: `folder ${path}`,
    check() {
      const stat = statSync(at, { throwIfNoEntry: false })
      if (!stat) return differs('absent', 'create it')
      if (!stat.isDirectory())
        throw blockedError(`Cannot create the folder "${path}": a file is in its place`, `ls -l "${path}"`)
      return accessFinding(target, at, access) ?? holds(modeText(access.mode))
    },
    apply() {
      guard('create the folder', path, () => mkdirSync(at, { recursive: true }))
      setAccess(target, at, access)
    },
  }
}

/** What a file step writes. */
export interface FileOptions extends Access {
  /** The bytes, or a function that makes them when the step is looked at. */
  readonly content: string | Uint8Array | (() => string | Uint8Array)
  /** Keep what is there, whatever it says: for a file that people edit. Its mode and owner are kept too. */
  readonly ifAbsent?: boolean
}

/** A file with its content, mode and owner; written whole or not at all. */
export function fileStep(target: Target, path: string, options: FileOptions): Step {
  const at = pathIn(target, path)
  const content = () => Buffer.from(typeof options.content === 'function' ? options.content() : options.content)
  return {
    name: `file ${path}`,
    check() {
      if (!existsSync(at)) return differs('absent', 'write it')
      if (options.ifAbsent) return holds('there, left as it is')
      if (sha256(readFileSync(at)) !== sha256(content())) return differs('another content', 'write it again')
      return accessFinding(target, at, options) ?? holds(modeText(options.mode))
    },
    apply() {
      writeFileAtomic(at, content())
      setAccess(target, at, options)
    },
  }
}

/** A copy of a folder's tree: same files, same bytes, nothing beside them; every file and folder of one owner. */
export function treeStep(
  target: Target,
  path: string,
  o: { from: string; owner?: string; skip?: (path: string) => boolean },
): Step {
  const at = pathIn(target, path)
  const skip = o.skip ?? (() => false)
  const wanted = () => treeDigest(o.from, skip)
  const owner = { mode: 0, ...(o.owner !== undefined && { owner: o.owner }) }
  return {
    name: `tree ${path}`,
    check() {
      if (!existsSync(o.from)) throw blockedError(`Cannot copy "${o.from}": it is absent`, `ls "${o.from}"`)
      if (!existsSync(at)) return differs('absent', `copy ${o.from}`)
      if (treeDigest(at, () => false) !== wanted()) return differs('another content', `copy ${o.from} again`)
      const strange = paths(at, () => false).find(
        name => ownerDiffers(target, join(at, name), owner) || isOthersWritable(join(at, name)),
      )
      return strange === undefined
        ? holds('the same')
        : differs(`owner or mode of ${strange} differs`, 'set owners and modes')
    },
    apply() {
      guard('copy into', path, () => {
        rmSync(at, { recursive: true, force: true })
        cpSync(o.from, at, {
          recursive: true,
          verbatimSymlinks: true,
          filter: from => !skip(from.slice(o.from.length + 1)),
        })
      })
      for (const name of ['', ...paths(at, () => false)]) {
        const file = join(at, name)
        if (lstatSync(file).isSymbolicLink()) continue
        const { mode } = statSync(file)
        // Neither group nor others may write: the service must not be able to change its own program.
        setAccess(target, file, { ...owner, mode: mode & 0o7755 & ~0o022 })
      }
    },
  }
}

/** A path that should not be there: for removal. */
export function absentStep(target: Target, path: string): Step {
  const at = pathIn(target, path)
  return {
    name: `no ${path}`,
    check: () => (lstatSync(at, { throwIfNoEntry: false }) ? differs('there', 'remove it') : holds('absent')),
    apply: () => guard('remove', path, () => rmSync(at, { recursive: true, force: true })),
  }
}

const modeText = (mode: number) => `0${mode.toString(8)}`

function guard(act: string, path: string, change: () => void): void {
  try {
    change()
  } catch (thrown) {
    throw fileError(act, path, thrown)
  }
}

function accessFinding(target: Target, at: string, access: Access): Finding | null {
  const mode = statSync(at).mode & 0o7777
  if (mode !== access.mode) return differs(`mode ${modeText(mode)}`, `chmod ${modeText(access.mode)}`)
  if (!ownerDiffers(target, at, access)) return null
  return differs('another owner', `chown ${access.owner}`)
}

function ownerDiffers(target: Target, at: string, { owner }: Access): boolean {
  if (owner === undefined || !mayChown()) return false
  const ids = idsOf(target, owner)
  if (!ids) return true
  const { uid, gid } = lstatSync(at)
  return uid !== ids.uid || gid !== ids.gid
}

const isOthersWritable = (at: string) => {
  const stat = lstatSync(at)
  return !stat.isSymbolicLink() && (stat.mode & 0o022) !== 0
}

function setAccess(target: Target, at: string, { mode, owner }: Access): void {
  if (owner !== undefined && mayChown()) {
    const ids = idsOf(target, owner)
    if (!ids)
      throw blockedError(
        `Cannot give "${at}" to "${owner}": there is no such user and group`,
        `id ${owner.split(':')[0]}`,
      )
    guard('give away', at, () => chownSync(at, ids.uid, ids.gid))
  }
  guard('set the mode of', at, () => chmodSync(at, mode))
}

/** Numbers of `user:group`; root has its own in every root. */
function idsOf(target: Target, owner: string): { uid: number; gid: number } | null {
  const [user, group] = owner.split(':') as [string, string]
  const id = (kind: 'user' | 'group', name: string) =>
    name === 'root' ? 0 : accountsOf(target, kind).find(account => account.name === name)?.id
  const [uid, gid] = [id('user', user), id('group', group)]
  return uid === undefined || gid === undefined ? null : { uid, gid }
}

/** Every path under a folder, folders before what they hold, sorted. */
function paths(folder: string, skip: (path: string) => boolean, under = ''): string[] {
  return readdirSync(join(folder, under), { withFileTypes: true })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap(entry => {
      const path = join(under, entry.name)
      if (skip(path)) return []
      return entry.isDirectory() ? [path, ...paths(folder, skip, path)] : [path]
    })
}

function treeDigest(folder: string, skip: (path: string) => boolean): string {
  return sha256(
    paths(folder, skip)
      .map(path => {
        const at = join(folder, path)
        const stat = lstatSync(at)
        if (stat.isSymbolicLink()) return `${path} -> ${readlinkSync(at)}`
        return stat.isDirectory() ? `${path}/` : `${path} ${stat.mode & 0o111 ? 'x' : '-'} ${sha256(readFileSync(at))}`
      })
      .join('\n'),
  )
}
