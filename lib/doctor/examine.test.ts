import assert from 'node:assert/strict'
import test from 'node:test'
import { checks, examine, type Check } from './examine.ts'
import { ok } from './fact.ts'
import { fakeMachine, found } from './fake-machine.ts'

const machine = fakeMachine()

test('examine() tells a bare laptop that all is well for the main job, and what would install the rest', async () => {
  const facts = await examine(machine)
  const main = facts.filter(({ needs }) => needs.includes('main'))
  assert.deepEqual(main.map(({ name }) => name), [
    'node', 'bash', 'zx', 'tsx', 'koffi', 'onnxruntime-node', 'other packages', 'ONNX Runtime',
  ])
  assert.ok(main.every(({ status }) => status === 'ok'))
  assert.deepEqual(facts.filter(({ status }) => status === 'broken'), [])
  const lacking = facts.filter(({ status }) => status === 'missing').map(({ name }) => name)
  assert.deepEqual(lacking, [
    'Dataflow Compiler', 'HailoRT', 'HailoRT header', 'Hailo board', 'Hailo driver', 'hailortcli', 'NVIDIA driver', 'NVIDIA GPU',
    'CUDA runtime', 'TensorRT', 'TensorRT header', 'trtexec', 'polygraphy', 'slurm',
  ])
})

test('examine() gives every fact that is not ok a fix, and every fact one line', async () => {
  const files = { '/proc/1/comm': 'init', '/dev/hailo0': 0o600 }
  const facts = await examine(fakeMachine({ files, programs: { ffmpeg: null, bash: null } }))
  for (const { name, status, state, fix } of facts) {
    assert.equal(status === 'ok', fix === null, name)
    if (fix !== null) assert.ok(fix.length > 5, `${name}: ${fix}`)
    assert.doesNotMatch(`${name}${state}${fix ?? ''}`, /\n|undefined|null|\[object/, name)
  }
})

test('examine() turns a check that throws, at once or later, into a broken line with its message and needs', async () => {
  const bad: Check[] = [
    { name: 'now', needs: ['hailo'], look: () => { throw Object.assign(new Error('no such thing\nmore'), { hint: 'do that' }) } },
    { name: 'later', needs: [], look: () => Promise.reject(new Error('gone')) },
    { name: 'odd', needs: [], look: () => Promise.reject('a word') },
    { name: 'fine', needs: [], look: () => ok('fine', 'yes') },
  ]
  const facts = await examine(machine, { checks: bad })
  assert.deepEqual(facts.map(({ name, status, state }) => `${status} ${name}: ${state}`), [
    'broken now: no such thing', 'broken later: gone', 'broken odd: a word', 'ok fine: yes',
  ])
  assert.deepEqual([facts[0]!.fix, facts[0]!.needs], ['do that', ['hailo']])
})

test('examine() goes on when a check hangs, and keeps the order of the table', async () => {
  const looked: string[] = []
  const facts = await examine(machine, {
    checks: [
      { name: 'hangs', needs: [], look: () => new Promise(() => {}), limitMs: 50 },
      ...['a', 'b', 'c', 'd', 'e'].map((name, i): Check => ({
        name, needs: [], look: async () => {
          await new Promise(resolve => { setTimeout(resolve, 20 - 4 * i) })
          return [ok(name, ''), ok(`${name}2`, '')]
        },
      })),
    ],
    looked: (done, total) => looked.push(`${done}/${total}`),
  })
  assert.deepEqual(facts.map(({ name }) => name), ['hangs', 'a', 'a2', 'b', 'b2', 'c', 'c2', 'd', 'd2', 'e', 'e2'])
  assert.match(facts[0]!.state, /no answer within 0.05 s/)
  assert.deepEqual(looked, ['1/6', '2/6', '3/6', '4/6', '5/6', '6/6'])
})

test('checks have names of their own, and together they speak of every need', () => {
  assert.equal(new Set(checks.map(({ name }) => name)).size, checks.length)
  for (const need of ['main', 'hailo', 'nvidia', 'dfc'] as const) assert.ok(checks.some(({ needs }) => needs.includes(need)), need)
})

test('examine() finds a Raspberry Pi with a Hailo-8L whole', async () => {
  const device = { id: '0001:01:00.0', architecture: 'HAILO8L', firmware: '4.23.0' }
  const facts = await examine(fakeMachine({
    files: {
      '/proc/device-tree/model': 'Raspberry Pi 5 Model B Rev 1.0\0', '/dev/hailo0': 0o666, '/sys/module/hailo_pci/version': '4.23.0\n',
      '/sys/class/hailo_chardev/hailo0/board_location': '0001:01:00.0', '/sys/bus/pci/devices/0001:01:00.0/vendor': '0x1e60\n',
      '/sys/bus/pci/devices/0001:01:00.0/device': '0x2864\n', '/sys/bus/pci/devices/0001:01:00.0/class': '0x120000\n',
    },
    programs: {
      hailortcli: '#!/bin/sh\n[ "$1" = --version ] && echo "HailoRT-CLI version 4.23.0" || echo "Device Architecture: HAILO8L"\n',
    },
    probed: { hailort: found({ version: '4.23.0', path: '/usr/lib/libhailort.so', words: 'ABI profile C', devices: [device] }) },
    machine: { arch: 'arm64' },
  }))
  const hailo = facts.filter(({ name }) => /^[Hh]ailo/.test(name) && name !== 'HailoRT header')
  assert.deepEqual(hailo.map(({ status, name }) => `${status} ${name}`), [
    'ok HailoRT', 'ok Hailo board', 'ok Hailo driver', 'ok Hailo node', 'ok Hailo device', 'ok hailortcli',
  ])
})
