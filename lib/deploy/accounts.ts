/**
 * Steps for the user and the group that a service runs as.
 *
 * They call `groupadd`, `useradd` and their kin, with `--prefix` in a root that is not the machine itself.
 */
import { statSync } from 'node:fs'
import { blockedError } from '../base/errors.ts'
import { accountsOf, membersOf, mustRun, pathIn, type Machine } from './machine.ts'
import { differs, holds, notHere, type Step } from './steps.ts'

const prefix = ({ root }: Machine): string[] => (root === '/' ? [] : ['--prefix', root])
const hint = 'run it as root, and see that the package passwd is installed'
const has = (machine: Machine, kind: 'user' | 'group', name: string) =>
  accountsOf(machine, kind).some(account => account.name === name)

/** A system group. */
export const groupStep = (machine: Machine, name: string): Step => ({
  name: `group ${name}`,
  check: () => (has(machine, 'group', name) ? holds('there') : differs('absent', 'groupadd --system')),
  apply: async () => void (await mustRun(machine, ['groupadd', '--system', ...prefix(machine), name], hint)),
})

/** A system user without a shell, of a group of the same name. */
export const userStep = (machine: Machine, name: string, o: { home: string }): Step => ({
  name: `user ${name}`,
  check: () => (has(machine, 'user', name) ? holds('there') : differs('absent', 'useradd --system')),
  async apply() {
    const how = ['--system', '--no-create-home', '--home-dir', o.home, '--shell', '/usr/sbin/nologin', '--gid', name]
    await mustRun(machine, ['useradd', ...prefix(machine), ...how, name], hint)
  },
})

/** A user among the members of the group that owns a device node, such as `/dev/hailo0`. */
export function deviceGroupStep(machine: Machine, user: string, node: string): Step {
  const groupOf = () => {
    const stat = statSync(pathIn(machine, node), { throwIfNoEntry: false })
    if (stat?.gid === 0) return 'root'
    return stat && (accountsOf(machine, 'group').find(group => group.id === stat.gid)?.name ?? String(stat.gid))
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
      return membersOf(machine, group).includes(user)
        ? holds(`in ${group}`)
        : differs(`not in ${group}`, `usermod -aG ${group}`)
    },
    apply: async () =>
      void (await mustRun(machine, ['usermod', ...prefix(machine), '--append', '--groups', groupOf()!, user], hint)),
  }
}

/** No such user, for removal. */
export const noUserStep = (machine: Machine, name: string): Step => ({
  name: `no user ${name}`,
  check: () => (has(machine, 'user', name) ? differs('there', 'userdel') : holds('absent')),
  apply: async () => void (await mustRun(machine, ['userdel', ...prefix(machine), name], hint)),
})

/** No such group, for removal; `userdel` often takes it along. */
export const noGroupStep = (machine: Machine, name: string): Step => ({
  name: `no group ${name}`,
  check: () => (has(machine, 'group', name) ? differs('there', 'groupdel') : holds('absent')),
  apply: async () => void (await mustRun(machine, ['groupdel', ...prefix(machine), name], hint)),
})
