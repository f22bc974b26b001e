import assert from 'node:assert/strict'
import test from 'node:test'
import { fakeMachine, type FakeMachine } from '../testing/machine/fake-machine.ts'
import { slurmFact, systemdFact } from './system.ts'

const sinfo = (answer: string) => `#!/bin/sh\nif [ "$1" = --version ]; then echo slurm 22.05.8; else ${answer}; fi\n`
const slurm = (programs: FakeMachine['programs'] & {}) => slurmFact(fakeMachine({ programs }))

test('slurmFact() names version and the partitions that are up', async () => {
  const fact = await slurm({ sbatch: 'x', sinfo: sinfo("printf 'debug* up 1\\ngpu down 2\\nlong up 3\\n'") })
  assert.deepEqual([fact.status, fact.state], ['ok', '22.05.8, partitions up: debug*, long'])
})

test('slurmFact() is missing without sbatch, and broken with half of it', async () => {
  assert.equal((await slurm({})).status, 'missing')
  assert.equal((await slurm({ sbatch: 'x' })).status, 'broken')
})

test('slurmFact() is broken when the controller does not answer, says so or hangs', async () => {
  const refused = 'slurm_load_partitions: Unable to contact slurm controller (connect failure)'
  const fact = await slurm({ sbatch: 'x', sinfo: sinfo(`echo "${refused}" >&2; exit 1`) })
  assert.equal(fact.status, 'broken')
  assert.match(fact.state, /22\.05\.8, but its controller does not answer: .*Unable to contact/)
  assert.match(fact.fix!, /scontrol ping/)
})

test('slurmFact() is broken when no partition is up', async () => {
  const fact = await slurm({ sbatch: 'x', sinfo: sinfo("echo 'debug* down 1'") })
  assert.deepEqual([fact.status, fact.state], ['broken', '22.05.8, but none of its 1 partitions is up'])
  assert.equal(fact.fix, 'sudo scontrol update PartitionName=debug State=UP')
})

test('systemdFact() says how WSL is told to start it', () => {
  const files = { '/proc/1/comm': 'init', '/proc/version': 'Linux version 5.15.167.4-microsoft-standard-WSL2' }
  assert.match(
    systemdFact(fakeMachine({ files })).fix!,
    /systemd=true.*\/etc\/wsl\.conf +# then in Windows: wsl --shutdown/,
  )
})

test('systemdFact() goes by process 1 and not by what is installed', () => {
  assert.equal(systemdFact(fakeMachine()).state, 'process 1')
  assert.match(systemdFact(fakeMachine({ files: { '/run/systemd/system/x': null } })).state, /not fully started/)
  const container = systemdFact(
    fakeMachine({ files: { '/proc/1/comm': 'tini' }, programs: { systemctl: 'systemd 252' } }),
  )
  assert.deepEqual([container.status, container.state], ['missing', 'process 1 is tini'])
  assert.equal(systemdFact(fakeMachine({ files: { '/proc/1/comm': null } })).state, 'process 1 is not shown')
})
