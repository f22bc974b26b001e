import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import test from 'node:test'
import { checks, examine, type Check } from './examine.ts'
import { ok } from './fact.ts'
import { fakeMachine, found, type FakeMachine } from '../testing/machine/fake-machine.ts'

const machine = fakeMachine()

test('examine() tells a bare laptop that all is well for the main job, and what would install the rest', async () => {
  const facts = await examine(machine)
  const main = facts.filter(({ needs }) => needs.includes('main'))
  assert.deepEqual(
    main.map(({ name }) => name),
    ['node', 'bash', 'zx', 'tsx', 'koffi', 'onnxruntime-node', 'other packages', 'ONNX Runtime'],
  )
  assert.ok(main.every(({ status }) => status === 'ok'))
  assert.deepEqual(
    facts.filter(({ status }) => status === 'broken'),
    [],
  )
  const lacking = facts.filter(({ status }) => status === 'missing').map(({ name }) => name)
  assert.deepEqual(lacking, [
    'Dataflow Compiler',
    'HailoRT',
    'HailoRT header',
    'Hailo board',
    'Hailo driver',
    'hailortcli',
    'NVIDIA driver',
    'NVIDIA GPU',
    'CUDA runtime',
    'TensorRT',
    'TensorRT header',
    'trtexec',
    'polygraphy',
    'slurm',
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

const onBus = (vendor: string, device: string, kind: string) => ({
  '/sys/bus/pci/devices/0001:01:00.0/vendor': vendor,
  '/sys/bus/pci/devices/0001:01:00.0/device': device,
  '/sys/bus/pci/devices/0001:01:00.0/class': kind,
})
const wsl = { '/proc/version': 'Linux version 5.15.167.4-microsoft-standard-WSL2', '/proc/1/comm': 'init' }
const hailoOf = (version: string, architecture: string) => ({
  hailort: found({
    version,
    path: '/usr/lib/libhailort.so',
    devices: [{ id: '0001:01:00.0', architecture, firmware: version }],
  }),
})

/** Machines with something wrong, for what must hold whatever is wrong. */
const troubled: Record<string, FakeMachine> = {
  'a bare laptop': { programs: { 'g++': null, ffmpeg: null, python3: null, chromium: null } },
  'a Pi whose driver and library differ': {
    files: {
      ...onBus('0x1e60', '0x2864', '0x120000'),
      '/dev/hailo0': 0o660,
      '/sys/module/hailo_pci/version': '4.20.0',
      '/sys/class/hailo_chardev/hailo0/x': '',
    },
    programs: { hailortcli: '4.23.0', sbatch: 'x', sinfo: 'slurm 22.05.8' },
    probed: hailoOf('4.23.0', 'HAILO8L'),
    machine: { user: { uid: 4_000_000, gids: [4_000_000], name: 'ada' } },
  },
  'a Hailo-10H without compiler and node': {
    files: onBus('0x1e60', '0x45c4', '0x120000'),
    programs: { 'g++': null },
    probed: hailoOf('5.2.0', 'HAILO10H'),
  },
  'a GPU whose driver is too old': {
    files: {
      ...onBus('0x10de', '0x2330', '0x030200'),
      '/sys/module/nvidia/version': '470.256.02',
      '/dev/nvidia0': 0o600,
      '/etc/os-release': 'ID=ubuntu',
    },
    probed: { cuda: found({ version: '12.8', driverVersion: '11.4' }) },
    machine: { user: { uid: 4_000_000, gids: [1], name: 'ada' } },
  },
  'a GPU without a driver': {
    files: onBus('0x10de', '0x2330', '0x030200'),
    programs: { 'nvidia-smi': 'NVIDIA-SMI: No devices were found' },
  },
  WSL: { files: wsl },
  'WSL with a GPU': { files: { ...wsl, '/dev/dxg': 0o666, '/usr/lib/wsl/lib/libcuda.so.1': '' } },
}

test('examine() gives fixes that a shell takes as they stand, where they begin with a command', async t => {
  const programs = /^(apt|docker|echo|export|npm|npx|pip|printf|python3|reboot|rm|sudo|unset|wsl)\b(?! the machine)/
  for (const [name, o] of Object.entries(troubled)) {
    await t.test(name, async () => {
      const fixes = (await examine(fakeMachine(o))).flatMap(({ fix }) => fix ?? []).filter(fix => programs.test(fix))
      assert.ok(fixes.length > 3)
      for (const fix of fixes) {
        const { status, stderr } = spawnSync('bash', ['-n', '-c', fix], { encoding: 'utf8' })
        assert.equal(status, 0, `${fix}: ${stderr}`)
        assert.doesNotMatch(fix.replace(/ # .*/, ''), /, (?:then|or) |; (?:in|or) |<\w+>/, fix)
      }
    })
  }
})

test('examine() turns a check that throws into a broken line with its message and needs', async () => {
  const bad: Check[] = [
    {
      name: 'now',
      needs: ['hailo'],
      look: () => {
        throw Object.assign(new Error('no such thing\nmore'), { hint: 'do that' })
      },
    },
    { name: 'later', needs: [], look: () => Promise.reject(new Error('gone')) },
    { name: 'odd', needs: [], look: () => Promise.reject('a word') },
    { name: 'fine', needs: [], look: () => ok('fine', 'yes') },
  ]
  const facts = await examine(machine, { checks: bad })
  assert.deepEqual(
    facts.map(({ name, status, state }) => `${status} ${name}: ${state}`),
    ['broken now: no such thing', 'broken later: gone', 'broken odd: a word', 'ok fine: yes'],
  )
  assert.deepEqual([facts[0]!.fix, facts[0]!.needs], ['do that', ['hailo']])
})

test('examine() goes on when a check hangs, and keeps the order of the table', async () => {
  const looked: string[] = []
  const facts = await examine(machine, {
    checks: [
      { name: 'hangs', needs: [], look: () => new Promise(() => {}), limitMs: 50 },
      ...['a', 'b', 'c', 'd', 'e'].map((name, i): Check => ({
        name,
        needs: [],
        look: async () => {
          await new Promise(resolve => {
            setTimeout(resolve, 20 - 4 * i)
          })
          return [ok(name, ''), ok(`${name}2`, '')]
        },
      })),
    ],
    looked: (done, total) => looked.push(`${done}/${total}`),
  })
  assert.deepEqual(
    facts.map(({ name }) => name),
    ['hangs', 'a', 'a2', 'b', 'b2', 'c', 'c2', 'd', 'd2', 'e', 'e2'],
  )
  assert.match(facts[0]!.state, /no answer within 0.05 s/)
  assert.deepEqual(looked, ['1/6', '2/6', '3/6', '4/6', '5/6', '6/6'])
})

test('checks have names of their own, and together they speak of every need', () => {
  assert.equal(new Set(checks.map(({ name }) => name)).size, checks.length)
  for (const need of ['main', 'hailo', 'nvidia', 'dfc'] as const)
    assert.ok(
      checks.some(({ needs }) => needs.includes(need)),
      need,
    )
})

test('examine() finds a Raspberry Pi with a Hailo-8L whole', async () => {
  const device = { id: '0001:01:00.0', architecture: 'HAILO8L', firmware: '4.23.0' }
  const facts = await examine(
    fakeMachine({
      files: {
        '/proc/device-tree/model': 'Raspberry Pi 5 Model B Rev 1.0\0',
        '/dev/hailo0': 0o666,
        '/sys/module/hailo_pci/version': '4.23.0\n',
        '/sys/class/hailo_chardev/hailo0/board_location': '0001:01:00.0',
        '/sys/bus/pci/devices/0001:01:00.0/vendor': '0x1e60\n',
        '/sys/bus/pci/devices/0001:01:00.0/device': '0x2864\n',
        '/sys/bus/pci/devices/0001:01:00.0/class': '0x120000\n',
      },
      programs: {
        hailortcli:
          '#!/bin/sh\n[ "$1" = --version ] && echo "HailoRT-CLI version 4.23.0" || echo "Device ' +
          'Architecture: HAILO8L"\n',
      },
      probed: {
        hailort: found({
          version: '4.23.0',
          path: '/usr/lib/libhailort.so',
          words: 'ABI profile C',
          devices: [device],
        }),
      },
      machine: { arch: 'arm64' },
    }),
  )
  const hailo = facts.filter(({ name }) => /^[Hh]ailo/.test(name) && name !== 'HailoRT header')
  assert.deepEqual(
    hailo.map(({ status, name }) => `${status} ${name}`),
    ['ok HailoRT', 'ok Hailo board', 'ok Hailo driver', 'ok Hailo node', 'ok Hailo device', 'ok hailortcli'],
  )
})
