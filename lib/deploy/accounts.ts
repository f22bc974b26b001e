/**
 * Steps for the user and the group that a service runs as.
 *
 * They call `groupadd`, `useradd` and their kin, with `--prefix` in a root that is not the machine itself.
 */
import { mkdirSync, statSync } from 'node:fs'
import { blockedError } from '../base/errors.ts'
import { accountsOf, membersOf, mustRun, pathIn, type Target } from './target.ts'
import { differs, holds, notHere, type Step } from './steps.ts'

const prefix = ({ root }: Target): string[] => (root === '/' ? [] : ['--prefix', root])
const hint = 'run it as root, and see that the package passwd is installed'
const has = (target: Target, kind: 'user' | 'group', name: string) =>
  accountsOf(target, kind).some(account => account.name === name)

/** A system group. */
export const groupStep = (target: Target, name: string): Step => ({
  name: `group ${name}`,
  check: () => (has(target, 'group', name) ? holds('there') : differs('absent', 'groupadd --system')),
  async apply() {
    // groupadd locks a file beside the one that it writes, so the folder must be there.
    mkdirSync(pathIn(target, '/etc'), { recursive: true })
    await mustRun(target, ['groupadd', '--system', ...prefix(target), name], hint)
  },
})

/** A system user without a shell, of a group of the same name. */
export const userStep = (target: Target, name: string, o: { home: string }): Step => ({
  name: `user ${name}`,
  check: () => (has(target, 'user', name) ? holds('there') : differs('absent', 'useradd --system')),
  async apply() {
    const how = ['--system', '--no-create-home', '--home-dir', o.home, '--shell', '/usr/sbin/nologin', '--gid', name]
    await mustRun(target, ['useradd', ...prefix(target), ...how, name], hint)
  },
})

/** A user among the members of the group that owns a device node, such as `/dev/hailo0`. */
export function deviceGroupStep(target: Target, user: string, node: string): Step {
  const groupOf = () => {
    const stat = statSync(pathIn(target, node), { throwIfNoEntry: false })
    if (stat?.gid === 0) return 'root'
    return stat && (accountsOf(target, 'group').find(group => group.id === stat.gid)?.name ?? String(stat.gid))
  }
  return {
    name: `${user} may open ${node}`,
    check() {
      const group = groupOf()
      if (group === undefined) return notHere(`${node} is absent`)
      // Root's own group would give the service far more than one device; the unit's DeviceAllow opens it instead.
      if (group === 'root') return holds('the node belongs to root; the unit opens it')
      if (/^\d+$/.test(group)) {
        throw blockedError(
          `Cannot let "${user}" open "${node}": group ${group} has no name`,
          `groupadd --gid ${group} hailo`,
        )
      }
      return membersOf(target, group).includes(user)
        ? holds(`in ${group}`)
        : differs(`not in ${group}`, `usermod -aG ${group}`)
    },
    apply: async () =>
      void (await mustRun(target, ['usermod', ...prefix(target), '--append', '--groups', groupOf()!, user], hint)),
  }
}

/** No such user, for removal. */
export const noUserStep = (target: Target, name: string): Step => ({
  name: `no user ${name}`,
  check: () => (has(target, 'user', name) ? differs('there', 'userdel') : holds('absent')),
  apply: async () => void (await mustRun(target, ['userdel', ...prefix(target), name], hint)),
})

/** No such group, for removal; `userdel` often takes it along. */
export const noGroupStep = (target: Target, name: string): Step => ({
  name: `no group ${name}`,
  check: () => (has(target, 'group', name) ? differs('there', 'groupdel') : holds('absent')),
  apply: async () => void (await mustRun(target, ['groupdel', ...prefix(target), name], hint)),
})
