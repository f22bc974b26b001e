import assert from 'node:assert/strict'
import test from 'node:test'
import { fakeMachine, type FakeMachine, found, ownerOfFiles } from '../../testing/machine/fake-machine.ts'
import { nvidiaFacts } from './nvidia.ts'

const pci = {
  '/sys/bus/pci/devices/0000:41:00.0/vendor': '0x10de\n',
  '/sys/bus/pci/devices/0000:41:00.0/device': '0x2335\n',
  '/sys/bus/pci/devices/0000:41:00.0/class': '0x030200\n',
  '/sys/bus/pci/devices/0000:41:00.1/vendor': '0x10de\n',
  '/sys/bus/pci/devices/0000:41:00.1/class': '0x040300\n',
  '/sys/bus/pci/devices/0000:41:00.1/device': '0x22ba\n',
}
const open =
  'NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build  (dvs-builder)\nGCC ' +
  'version: 12.2.0'
const closed = 'NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024'
const smi = '0, NVIDIA H200, 9.0, 143771 MiB, 570.86.15'
const box: FakeMachine = {
  files: { ...pci, '/proc/driver/nvidia/version': open, '/dev/nvidia0': 0o666, '/dev/nvidiactl': 0o666 },
  programs: { 'nvidia-smi': smi },
}
const wsl = { '/proc/version': 'Linux version 5.15.167.4-microsoft-standard-WSL2' }
const facts = (o: FakeMachine) => nvidiaFacts(fakeMachine(o))
const saying = (text: string, exit: number) => ({
  ...box,
  programs: { 'nvidia-smi': `#!/bin/sh\necho "${text}"; exit ${exit}\n` },
})

test('nvidiaFacts() finds driver and GPU, of the open and of the closed module', async () => {
  const all = await facts(box)
  assert.deepEqual(
    all.map(({ status, name, state }) => `${status} ${name}: ${state}`),
    [
      'ok NVIDIA driver: 570.86.15',
      'ok NVIDIA GPU: 0: NVIDIA H200, compute capability 9.0, 143771 MiB',
      `ok NVIDIA node: /dev/nvidia0 (rw-rw-rw- ${ownerOfFiles}), /dev/nvidiactl (rw-rw-rw- ${ownerOfFiles})`,
    ],
  )
  assert.equal(
    (await facts({ ...box, files: { ...box.files, '/proc/driver/nvidia/version': closed } }))[0]!.state,
    '550.54.15',
  )
})

test('nvidiaFacts() has a line for each GPU', async () => {
  const all = await facts({ ...box, programs: { 'nvidia-smi': `${smi}\n1, NVIDIA T4, 7.5, 15360 MiB, 570.86.15` } })
  assert.deepEqual(
    all.map(({ name }) => name),
    ['NVIDIA driver', 'NVIDIA GPU', 'NVIDIA GPU', 'NVIDIA node'],
  )
})

test('nvidiaFacts() says of a bare laptop that both are missing', async () => {
  const all = await facts({})
  assert.deepEqual(
    all.map(({ status, needs }) => [status, needs]),
    [
      ['missing', ['nvidia']],
      ['missing', ['nvidia']],
    ],
  )
})

test('nvidiaFacts() calls a GPU without a driver broken, and an audio function no GPU', async () => {
  const [driver, gpu] = await facts({ files: pci })
  assert.match(driver!.state, /^1 on the PCI bus, and no kernel module serves it/)
  assert.deepEqual([driver!.status, gpu!.status], ['broken', 'missing'])
})

test('nvidiaFacts() believes what nvidia-smi says, and not that it leaves with 0', async () => {
  const none = (await facts(saying('No devices were found', 0)))[1]!
  assert.deepEqual([none.status, none.state], ['broken', 'nvidia-smi finds no device'])
  assert.match(none.fix!, /^in a container give it its GPU: docker run --gpus all/)
})

test('nvidiaFacts() names what mends each failure of nvidia-smi', async () => {
  const mismatch = (await facts(saying('Failed to initialize NVML: Driver/library version mismatch', 18)))[1]!
  assert.match(mismatch.fix!, /^reboot/)
  const unloaded = (
    await facts(saying("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", 9))
  )[1]!
  assert.match(unloaded.fix!, /modprobe nvidia/)
  const other = (await facts(saying('Unable to determine the device handle', 15)))[1]!
  assert.match(other.state, /exit code 15 and says "Unable to determine/)
})

test('nvidiaFacts() finds the node that this user may not open, though nvidia-smi answers', async () => {
  const machine = fakeMachine({ ...box, files: { ...box.files, '/dev/nvidia0': 0o600 } })
  const all = await nvidiaFacts({ ...machine, user: { uid: 4_000_000, gids: [1], name: 'ada' } })
  assert.deepEqual(
    all.map(({ status }) => status),
    ['ok', 'ok', 'broken'],
  )
  assert.match(all[2]!.state, /\/dev\/nvidia0 \(rw------- .*ada may not/)
})

test('nvidiaFacts() calls a GPU broken when the driver is loaded and there is no nvidia-smi', async () => {
  const all = await facts({ ...box, programs: {} })
  assert.deepEqual([all[0]!.status, all[1]!.status], ['ok', 'broken'])
  assert.equal(all[1]!.state, 'the driver is loaded, and nvidia-smi cannot be asked: not on PATH')
})

test('nvidiaFacts() finds a Jetson and WSL, whose GPUs are on no bus', async () => {
  const jetson = await facts({
    files: {
      '/etc/nv_tegra_release': '# R36 (release), REVISION: 4.3',
      '/proc/device-tree/model': 'NVIDIA Jetson Orin Nano\0',
    },
  })
  assert.deepEqual(
    jetson.map(({ status, state }) => `${status} ${state}`),
    ['ok of Jetson: R36 (release), REVISION: 4.3', 'ok NVIDIA Jetson Orin Nano'],
  )
  const windows = await facts({
    files: { ...wsl, '/dev/dxg': 0o666, '/usr/lib/wsl/lib/libcuda.so.1': '' },
    programs: { 'usr/lib/wsl/lib/nvidia-smi': smi },
  })
  assert.deepEqual(
    windows.map(({ status, name }) => `${status} ${name}`),
    ['ok NVIDIA driver', 'ok NVIDIA GPU', 'ok NVIDIA node'],
  )
})

test('nvidiaFacts() sends the user of WSL to Windows for a driver, and never to apt', async () => {
  const cases: FakeMachine[] = [
    { files: wsl },
    { files: { ...wsl, '/dev/dxg': 0o666 } },
    { files: { ...wsl, '/dev/dxg': 0o666, '/usr/lib/wsl/lib/libcuda.so.1': '' } },
  ]
  for (const o of cases) {
    const lacking = (await facts(o)).filter(({ fix }) => fix !== null)
    assert.ok(lacking.length > 0)
    for (const { fix } of lacking)
      assert.match(fix!, /^NVIDIA's driver belongs into Windows, never into WSL itself; .*wsl --update/)
  }
})

test('nvidiaFacts() calls a driver broken that is too old for the CUDA runtime', async () => {
  const cuda = (version: string, driverVersion: string) =>
    facts({ ...box, probed: { cuda: found({ version, driverVersion }) } })
  const [old] = await cuda('12.8', '11.4')
  assert.deepEqual(
    [old!.status, old!.state],
    ['broken', '570.86.15, serves CUDA 11.4: too old for the CUDA runtime 12.8 here'],
  )
  assert.equal(old!.fix, "install NVIDIA's driver 525.60 or newer: sudo apt install nvidia-driver # then reboot")
  assert.equal((await cuda('12.8', '12.2'))[0]!.state, '570.86.15, serves CUDA 12.2')
  assert.equal((await cuda('12.8', '0.0'))[0]!.state, '570.86.15')
  const [bare] = await facts({ files: { ...pci, '/etc/os-release': 'ID=pop\nID_LIKE="ubuntu debian"' } })
  assert.match(bare!.fix!, /^sudo ubuntu-drivers install/)
})

test('nvidiaFacts() has a container on a Jetson given the runtime, and no GPU put in', async () => {
  const all = await nvidiaFacts(
    fakeMachine({ files: { '/proc/device-tree/model': 'NVIDIA Jetson Orin Nano\0', '/.dockerenv': '' } }),
  )
  assert.deepEqual(
    all.map(({ status }) => status),
    ['broken', 'broken'],
  )
  for (const { fix } of all) assert.match(fix!, /docker run --runtime nvidia/)
})

test('nvidiaFacts() has a container given its GPU, before it speaks of drivers', async () => {
  const all = await nvidiaFacts(fakeMachine({ files: { '/.dockerenv': '' } }))
  for (const { status, fix } of all)
    assert.deepEqual([status, fix!.startsWith('give it its GPU: docker run --gpus')], ['missing', true])
})
