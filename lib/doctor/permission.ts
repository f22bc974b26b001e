/**
 * Says whether a user may read and write a device's node.
 *
 * Judged from owner, group and mode, so that the reason can be told. Access lists and what a container forbids are not
 * seen here; opening the device shows those.
 */
import type { Stats } from 'node:fs'
import { textAt, type Machine } from './machine.ts'

/** Whether a user may read and write a file, and the mode and owner in words. */
export interface Access {
  readonly isGranted: boolean
  /** `crw-rw---- root:video`, without the letter of the kind. */
  readonly words: string
  /** The command that puts the user into the group that may, where that is all it takes; else null. */
  readonly joining: string | null
}

const readWrite = 6

/** What the node's mode grants the machine's user. */
export function accessOf(machine: Machine, { mode, uid, gid }: Pick<Stats, 'mode' | 'uid' | 'gid'>): Access {
  const { user } = machine
  const share = uid === user.uid ? mode >> 6 : user.gids.includes(gid) ? mode >> 3 : mode
  const isGranted = user.uid === 0 || (share & readWrite) === readWrite
  const group = nameIn(textAt(machine, '/etc/group'), gid)
  const owner = nameIn(textAt(machine, '/etc/passwd'), uid)
  const groupMay = ((mode >> 3) & readWrite) === readWrite
  // Whoever is in the group root may do far more than to read a device.
  const isPlainGroup = gid !== 0
  const joining =
    !isGranted && groupMay && isPlainGroup ? `sudo usermod -aG ${group} ${user.name} # then log in again` : null
  return { isGranted, words: `${modeText(mode)} ${owner}:${group}`, joining }
}

/** The name of a number in `/etc/passwd` or `/etc/group`; the number itself when it has none. */
function nameIn(table: string | null, id: number): string {
  const line = table?.split('\n').find(row => row.split(':')[2] === String(id))
  return line?.split(':')[0] ?? String(id)
}

const modeText = (mode: number): string =>
  [6, 3, 0]
    .map(shift => ['r', 'w', 'x'].map((letter, i) => ((mode >> shift) & (4 >> i) ? letter : '-')).join(''))
    .join('')
