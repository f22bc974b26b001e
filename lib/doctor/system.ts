/**
 * Looks at services of the system: a queue for sweeps, and an init for deployments.
 *
 * Only asked whether they answer; nothing is submitted or started.
 */
import { ask, findTool, isThere, isWsl, oddAnswer, textAt, type Machine } from './machine.ts'
import { broken, missing, ok, versionIn, type Fact } from './fact.ts'

/** sinfo tells whether a controller answers; its version alone says only that the package is installed. */
export async function slurmFact(machine: Machine): Promise<Fact> {
  const name = 'slurm'
  const install = 'sudo apt install slurm-client # and slurmctld, slurmd on the cluster'
  const sbatch = findTool(machine, 'sbatch', { name, install })
  if (typeof sbatch !== 'string') return sbatch
  const version = await ask(machine, ['sinfo', '--version'], { name, install })
  if ('fact' in version) return broken(name, `sbatch is there, and sinfo is ${version.fact.state}`, install)
  const words = versionIn(version.text) ?? 'of unknown version'
  const said = await ask(machine, ['sinfo', '-h', '-o', '%P %a %D'], { name, install, timeoutMs: 4000 })
  if ('fact' in said) return said.fact
  if (said.exitCode !== 0 || said.timedOut) {
    return broken(
      name,
      `${words}, but its controller does not answer: ${oddAnswer(said)}`,
      'scontrol ping; sudo systemctl restart munge slurmctld slurmd',
    )
  }
  const partitions = said.stdout.split('\n').filter(line => line.trim() !== '')
  const up = partitions.filter(line => line.split(/\s+/)[1] === 'up')
  if (up.length === 0) {
    return broken(
      name,
      `${words}, but none of its ${partitions.length} partitions is up`,
      `sudo scontrol update PartitionName=${partitions[0]?.split(/[\s*]/)[0] || 'debug'} State=UP`,
    )
  }
  return ok(name, `${words}, partitions up: ${up.map(line => line.split(/\s+/)[0]).join(', ')}`)
}

/** `systemctl` may be installed where another program is process 1, as in containers. */
export function systemdFact(machine: Machine): Fact {
  const name = 'systemd'
  const first = textAt(machine, '/proc/1/comm')
  if (first === 'systemd')
    return ok(name, isThere(machine, '/run/systemd/system') ? 'process 1' : 'process 1, not fully started')
  const words = `process 1 is ${first ?? 'not shown'}`
  if (isWsl(machine)) {
    const write = "printf '[boot]\\nsystemd=true\\n' | sudo tee -a /etc/wsl.conf"
    return missing(name, words, `${write} # then in Windows: wsl --shutdown; services can still be rendered here`)
  }
  return missing(
    name,
    words,
    'boot a machine or a container whose init is systemd; services can still be rendered here',
  )
}
