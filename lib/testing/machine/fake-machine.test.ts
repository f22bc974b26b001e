import assert from 'node:assert/strict'
import fc from 'fast-check'
import test from 'node:test'
import type { Fact } from '../../doctor/fact.ts'
import { fakeMachine, found } from './fake-machine.ts'
import { hailoFacts } from '../../doctor/hailo/hailo.ts'
import { nvidiaFacts } from '../../doctor/nvidia/nvidia.ts'
import type { Probed } from '../../doctor/probe/probe.ts'
import { slurmFact, systemdFact } from '../../doctor/system.ts'
import { hailortcliFact, polygraphyFact, trtexecFact } from '../../doctor/vendor-tools.ts'

/** What a line must be, whatever the machine says. */
function check(facts: readonly Fact[]): void {
  assert.ok(facts.length > 0)
  for (const { name, status, state, fix } of facts) {
    assert.ok(['ok', 'missing', 'broken'].includes(status))
    assert.equal(status === 'ok', fix === null, `${name}: ${state}`)
    assert.doesNotMatch(`${name}${state}${fix ?? ''}`, /[\x00-\x1f\x7f]/, 'one line, without control characters')
  }
}

const odd = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    '',
    '\n',
    '0',
    '4.23.0',
    '4.23',
    'x.y.z',
    '0x1e60',
    '0x10de',
    '-1',
    '\u0000\u0001',
    '999999999999.1.1',
  ),
)

test('the doctor makes whole lines of whatever /sys, /proc and /dev hold', async () => {
  const device = fc.record({ id: odd, architecture: odd, firmware: odd })
  const probed: fc.Arbitrary<Probed> = fc.oneof(
    fc.record({ version: odd, path: odd, words: odd, devices: fc.array(device) }).map(found),
    fc.record({
      ok: fc.constant(false as const),
      kind: fc.constantFrom('absent', 'crash', 'refused', 'bug'),
      message: odd,
      hint: fc.option(odd),
    }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(odd, { minLength: 9, maxLength: 9 }), probed, async (texts, hailort) => {
      const machine = fakeMachine({
        files: {
          '/sys/bus/pci/devices/0/vendor': texts[0]!,
          '/sys/bus/pci/devices/0/device': texts[1]!,
          '/sys/bus/pci/devices/0/class': texts[2]!,
          '/sys/module/hailo_pci/version': texts[3]!,
          '/sys/class/hailo_chardev/hailo0/board_location': texts[4]!,
          '/dev/hailo0': 0o600,
          '/proc/driver/nvidia/version': texts[5]!,
          '/etc/group': texts[6]!,
          '/etc/passwd': texts[7]!,
          '/proc/1/comm': texts[8]!,
          '/proc/device-tree/model': texts[0]!,
        },
        probed: { hailort },
        machine: { user: { uid: 7, gids: [7], name: 'ada' } },
      })
      check([...(await hailoFacts(machine)), ...(await nvidiaFacts(machine)), systemdFact(machine)])
    }),
    { numRuns: 40 },
  )
})

test('the doctor makes whole lines of whatever a program says, and of every exit code', async () => {
  const names = ['hailortcli', 'trtexec', 'polygraphy', 'sinfo', 'sbatch', 'nvidia-smi', 'lspci', 'modinfo']
  const machine = fakeMachine({
    files: { '/sys/class/hailo_chardev/hailo0/board_location': 'x' },
    programs: Object.fromEntries(names.map(name => [name, 'x'])),
  })
  const said = fc.record({
    stdout: odd,
    stderr: odd,
    exitCode: fc.option(fc.integer({ min: 0, max: 255 })),
    timedOut: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(said, async answer => {
      const asked = { ...machine, run: () => Promise.resolve(answer) }
      check([
        await hailortcliFact(asked),
        await trtexecFact(asked),
        await polygraphyFact(asked),
        await slurmFact(asked),
        ...(await hailoFacts(asked)),
        ...(await nvidiaFacts(asked)),
      ])
    }),
    { numRuns: 200 },
  )
})

test('fakeMachine() is a laptop unless told, and null takes away', async () => {
  const { namesIn, textAt } = await import('../../doctor/machine.ts')
  const machine = fakeMachine({ files: { '/proc/1/comm': null, '/dev/hailo0': 0o666 }, programs: { ffmpeg: null } })
  assert.equal(textAt(machine, '/proc/1/comm'), null)
  assert.deepEqual(namesIn(machine, '/dev'), ['hailo0'])
  assert.ok(!namesIn(machine, '/usr/bin').includes('ffmpeg'))
  assert.ok(namesIn(machine, '/usr/bin').includes('bash'))
  assert.deepEqual(await machine.probe('zx'), { ok: true, found: {} })
})
