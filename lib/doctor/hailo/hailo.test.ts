import assert from 'node:assert/strict'
import test from 'node:test'
import type { Fact } from '../fact.ts'
import { absent, fakeMachine, type FakeMachine, found, ownerOfFiles } from '../../testing/machine/fake-machine.ts'
import { hailoFacts } from './hailo.ts'

const pci = (device: string) => ({
  '/sys/bus/pci/devices/0001:01:00.0/vendor': '0x1e60\n',
  '/sys/bus/pci/devices/0001:01:00.0/device': `0x${device}\n`,
  '/sys/bus/pci/devices/0001:01:00.0/class': '0x120000\n',
})
const device = { id: '0001:01:00.0', architecture: 'HAILO8L', firmware: '4.23.0' }
const library = (version: string, devices: readonly object[] = [{ ...device, firmware: version }]) =>
  found({ version, path: '/usr/lib/libhailort.so', devices: devices as (typeof device)[] })

const ofPi = { '/proc/device-tree/model': 'Raspberry Pi 5 Model B Rev 1.0\0' }

/** A Raspberry Pi 5 with a Hailo-8L on which everything is right; what is given changes it. */
const pi = (o: FakeMachine = {}): FakeMachine => ({
  ...o,
  files: {
    '/proc/device-tree/model': 'Raspberry Pi 5 Model B Rev 1.0\0',
    ...pci('2864'),
    '/dev/hailo0': 0o666,
    '/sys/module/hailo_pci/version': '4.23.0\n',
    '/sys/class/hailo_chardev/hailo0/board_location': '0001:01:00.0\n',
    ...o.files,
  },
  probed: { hailort: library('4.23.0'), ...o.probed },
})
const facts = (o: FakeMachine) => hailoFacts(fakeMachine(o))
const words = (all: readonly Fact[]) =>
  all.map(({ status, name }) => `${status} ${name.replace('Hailo ', '')}`).join(', ')
const only = (all: readonly Fact[], status: Fact['status']) => {
  const some = all.filter(fact => fact.status === status)
  assert.equal(some.length, 1, words(all))
  return some[0]!
}

test('hailoFacts() finds a Raspberry Pi with a Hailo-8L whole', async () => {
  const all = await facts(pi())
  assert.equal(words(all), 'ok board, ok driver, ok node, ok device')
  assert.deepEqual(
    all.map(({ state }) => state),
    [
      'Hailo-8 or Hailo-8L at 0001:01:00.0',
      'hailo_pci 4.23.0, as the library',
      `/dev/hailo0 (rw-rw-rw- ${ownerOfFiles})`,
      'HAILO8L 0001:01:00.0 firmware 4.23.0',
    ],
  )
})

test('hailoFacts() says of a bare laptop only that board and driver are missing', async () => {
  const all = await facts({})
  assert.equal(words(all), 'missing board, missing driver')
  assert.ok(all.every(({ needs }) => needs.includes('hailo')))
})

test('hailoFacts() tells the owner of a Raspberry Pi about its PCIe connector', async () => {
  const [board] = await facts({ files: { '/proc/device-tree/model': 'Raspberry Pi 5 Model B' } })
  assert.match(board!.fix!, /dtparam=pciex1/)
})

test('hailoFacts() names both versions when driver and library differ in the last digit', async () => {
  const mismatch = { ...device, error: 'Cannot open "Hailo device": status 76\nmore', hint: 'install one version' }
  const files = { '/sys/module/hailo_pci/version': '4.23.1' }
  const all = await facts(pi({ files, probed: { hailort: library('4.23.0', [mismatch]) } }))
  assert.equal(words(all), 'ok board, broken driver, ok node, broken device')
  assert.match(all[1]!.state, /hailo_pci 4\.23\.1, but the library is 4\.23\.0/)
  assert.match(all[1]!.fix!, /one version of both.*host's driver: 4\.23\.1/)
  assert.deepEqual(
    [all[3]!.state, all[3]!.fix],
    ['0001:01:00.0: Cannot open "Hailo device": status 76', 'install one version'],
  )
})

test('hailoFacts() names user, mode and the group to join when the node may not be opened', async () => {
  const machine = fakeMachine(pi({ files: { '/dev/hailo0': 0o660, '/etc/group': 'ada:x:1000:\n' } }))
  // The node belongs to whoever runs the test; this machine's user is somebody else.
  const user = { uid: 4_000_000, gids: [4_000_000], name: 'ada' }
  const denied = only(await hailoFacts({ ...machine, user }), 'broken')
  assert.equal(denied.name, 'Hailo node')
  assert.match(denied.state, /\/dev\/hailo0 \(rw-rw---- .*\): ada may not read and write it/)
  assert.match(denied.fix!, /usermod -aG \S+ ada|udev/)
})

test("hailoFacts() gives the udev rule of the node's own subsystem when the mode lets nobody in", async () => {
  const machine = fakeMachine({ ...pi(), files: { ...pi().files, '/dev/hailo0': 0o600, '/dev/h1x-0': 0o600 } })
  const all = await hailoFacts({ ...machine, user: { uid: 4_000_000, gids: [1], name: 'ada' } })
  const denied = all.filter(({ name }) => name === 'Hailo node')
  assert.equal(denied.length, 2)
  assert.match(denied[0]!.fix!, /SUBSYSTEM=="hailo1x", MODE="0666"/)
  assert.match(denied[1]!.fix!, /SUBSYSTEM=="hailo_chardev", MODE="0666"/)
})

const hpp = '/usr/include/hailo/hailort.hpp'
const ten = (o: FakeMachine = {}): FakeMachine => ({
  ...o,
  files: {
    ...pci('45c4'),
    '/dev/h1x-0': 0o666,
    '/sys/module/hailo1x_pci/version': '5.2.0',
    '/sys/class/hailo1x/h1x-0/device_id': '0001:01:00.0',
    [hpp]: '',
    ...o.files,
  },
  probed: { hailort: library('5.2.0', [{ id: '0001:01:00.0', architecture: 'HAILO10H', firmware: '5.2.0' }]) },
})

test('hailoFacts() finds a Hailo-10H by its own driver, class and node, and its compiler', async () => {
  const all = await facts(ten())
  assert.equal(words(all), 'ok board, ok driver, ok node, ok device, ok Hailo-10H compiler')
  assert.match(all[0]!.state, /^Hailo-10H at/)
  assert.equal(all[4]!.state, `g++ 12.2.0, ${hpp}: what runs models there is compiled on first use`)
})

test('hailoFacts() misses compiler and headers on a Hailo-10H, and nowhere else', async () => {
  const cases: [FakeMachine, RegExp][] = [
    [{ programs: { 'g++': null } }, /^g\+\+ is not on PATH: no model runs/],
    [
      { files: { [hpp]: null } },
      /^hailo\/hailort\.hpp is in none of \/usr\/include, \/usr\/local\/include: no model runs/,
    ],
    [{ env: { HAILORT_INCLUDE: '/opt/h' } }, /^hailo\/hailort\.hpp is in none of \/opt\/h: /],
    [
      { programs: { 'g++': null }, files: { [hpp]: null } },
      /^g\+\+ is not on PATH; hailo\/hailort\.hpp is in none of /,
    ],
  ]
  for (const [o, state] of cases) {
    const lacking = only(await facts(ten(o)), 'missing')
    assert.deepEqual([lacking.name, lacking.needs], ['Hailo-10H compiler', ['hailo']])
    assert.match(lacking.state, state)
    assert.match(lacking.fix!, /^sudo apt install g\+\+ hailo-h10-all +#/)
  }
  assert.ok(!words(await facts(pi({ programs: { 'g++': null } }))).includes('compiler'))
})

test('hailoFacts() calls a compiler broken that does not run on a Hailo-10H', async () => {
  const all = await facts(ten({ programs: { 'g++': '#!/bin/sh\necho "cannot execute cc1plus" >&2; exit 1\n' } }))
  assert.match(only(all, 'broken').state, /^g\+\+: it ends with exit code 1 and says "cannot execute cc1plus"/)
})

test('hailoFacts() looks at the driver that holds the board, where both are loaded', async () => {
  const both = { '/sys/module/hailo_pci/version': '4.23.0', '/sys/module/hailo1x_pci/version': '5.2.0' }
  assert.equal((await facts(ten({ files: both })))[1]!.state, 'hailo1x_pci 5.2.0, as the library')
  const held = { ...both, '/sys/bus/pci/devices/0001:01:00.0/driver': '-> ../../../bus/pci/drivers/hailo' }
  assert.match(
    (await facts(ten({ files: held })))[1]!.state,
    /^hailo_pci 4\.23\.0 does not serve this board, which wants 5\.x/,
  )
})

test("hailoFacts() asks for a reboot when the library's driver is installed and not yet loaded", async () => {
  const files = { '/sys/module/hailo_pci/version': '4.20.0' }
  const after = await facts(pi({ files, programs: { modinfo: '4.23.0' } }))
  assert.deepEqual(
    [after[1]!.fix, after[1]!.state.endsWith('4.23.0 is installed and not yet loaded')],
    ['sudo reboot', true],
  )
  assert.match(
    (await facts(pi({ files, programs: { modinfo: '4.20.0' } })))[1]!.fix!,
    /^install one version of both, then reboot: .*full-upgrade/,
  )
})

test("hailoFacts() names the module of the board's series when nothing made a node", async () => {
  const installed = async (device: string, module: string) =>
    (
      await facts({
        files: pci(device),
        programs: { modinfo: `#!/bin/sh\n[ "$3" = ${module} ] && echo 5.2.0 || exit 1\n` },
      })
    )[2]!
  assert.match((await installed('45c4', 'hailo1x_pci')).fix!, /^sudo modprobe hailo1x_pci;/)
  assert.match((await facts({ files: pci('45c4') }))[2]!.fix!, /see the line of Hailo driver/)
})

test('hailoFacts() sends nobody in WSL to look for a slot', async () => {
  const [board, driver] = await facts({
    files: { '/proc/version': 'Linux version 5.15.167.4-microsoft-standard-WSL2' },
  })
  assert.deepEqual(
    [board!.status, board!.fix],
    ['missing', 'start Linux on the machine itself: WSL hands no PCIe board on to Linux'],
  )
  assert.equal(driver!.fix, board!.fix)
})

test('hailoFacts() takes /dev/hailo0 for a Hailo-10H too, as its driver before 5.3 calls it', async () => {
  const all = await facts({
    files: {
      ...pci('45c4'),
      '/dev/hailo0': 0o666,
      '/sys/module/hailo1x_pci/version': '5.2.0',
      [hpp]: '',
      '/sys/class/hailo_chardev/hailo0/board_location': '0001:01:00.0',
    },
    probed: { hailort: library('5.2.0', [{ id: '0001:01:00.0', architecture: 'HAILO10H', firmware: '5.2.0' }]) },
  })
  assert.equal(words(all), 'ok board, ok driver, ok node, ok device, ok Hailo-10H compiler')
})

test('hailoFacts() calls a driver broken that serves the other series of boards', async () => {
  const eight = await facts({ files: { ...pci('2864'), '/sys/module/hailo1x_pci/version': '5.2.0' } })
  assert.match(eight[1]!.state, /hailo1x_pci 5\.2\.0 does not serve this board, which wants 4\.x/)
  assert.match(eight[1]!.fix!, /hailo-all/)
  const tenth = await facts({ files: { ...pci('45c4'), '/sys/module/hailo_pci/version': '4.23.0' } })
  assert.match(tenth[1]!.state, /which wants 5\.x/)
  assert.match(tenth[1]!.fix!, /hailo-h10-all/)
})

test('hailoFacts() tells a driver that is installed from one that is loaded', async () => {
  const modinfo = '#!/bin/sh\n[ "$3" = hailo_pci ] && echo 4.23.0 || exit 1\n'
  const all = await facts({ files: pci('2864'), programs: { 'usr/sbin/modinfo': modinfo } })
  assert.deepEqual([all[1]!.status, all[1]!.state], ['broken', 'hailo_pci 4.23.0 is installed and not loaded'])
  assert.match(all[1]!.fix!, /sudo modprobe hailo_pci/)
  assert.equal(words(all), 'ok board, broken driver, missing node, missing device')
})

test('hailoFacts() asks modinfo for the version that a loaded driver does not show', async () => {
  const files = { ...pi().files, '/sys/module/hailo_pci/version': null, '/sys/module/hailo_pci/refcnt': '0' }
  const all = await facts({ ...pi(), files, programs: { modinfo: '4.23.0' } })
  assert.equal(all[1]!.state, 'hailo_pci 4.23.0, as the library')
  const unknown = await facts({ ...pi(), files })
  assert.deepEqual([unknown[1]!.status, unknown[1]!.state], ['ok', 'hailo_pci of unknown version, as the library'])
})

test('hailoFacts() sees that a container was given no node', async () => {
  const files = { '/sys/class/hailo_chardev/hailo0/board_location': 'x', '/sys/module/hailo_pci/version': '4.23.0' }
  const all = await facts({ files, probed: { hailort: library('4.23.0') } })
  assert.equal(words(all), 'ok board, ok driver, broken node, ok device')
  assert.match(all[2]!.fix!, /docker run --device \/dev\/hailo0/)
})

test('hailoFacts() does not take a silent scan for the absence of a device that the driver serves', async () => {
  const all = await facts(pi({ probed: { hailort: library('4.23.0', []) } }))
  const silent = only(all, 'broken')
  assert.match(silent.fix!, /^install driver and library of one series/)
  assert.match(silent.state, /the driver serves hailo0, and the library's scan finds none/)
})

test('hailoFacts() tells why a scan failed, and holds the driver against the library all the same', async () => {
  const scanFailure = {
    kind: 'absent',
    message: 'Cannot scan: 85 HAILO_DRIVER_INVALID_RESPONSE\nmore',
    hint: 'sudo dmesg',
  } as const
  const failing = { hailort: found({ version: '4.23.0', path: '/usr/lib/libhailort.so', scanFailure }) }
  const all = await facts(pi({ probed: failing }))
  assert.equal(words(all), 'ok board, ok driver, ok node, broken device')
  assert.deepEqual(
    [all[1]!.state, all[3]!.state, all[3]!.fix],
    ['hailo_pci 4.23.0, as the library', 'Cannot scan: 85 HAILO_DRIVER_INVALID_RESPONSE', 'sudo dmesg'],
  )
  const bare = await facts({ files: pci('2864'), probed: failing })
  assert.equal(words(bare), 'ok board, missing driver, missing node, missing device')
  assert.equal(words(await facts({ probed: failing })), 'missing board, missing driver')
  const odd = { hailort: found({ version: '4.23.0', scanFailure: { ...scanFailure, kind: 'status' } }) }
  assert.equal(words(await facts({ probed: odd })), 'missing board, missing driver, missing node, broken device')
})

test('hailoFacts() says that a device was not asked when the library is not there', async () => {
  const all = await facts(pi({ probed: { hailort: absent('HailoRT') } }))
  assert.equal(words(all), 'ok board, ok driver, ok node, missing device')
  assert.equal(all[1]!.state, 'hailo_pci 4.23.0')
})

test('hailoFacts() holds firmware against the library by major and minor', async () => {
  const having = async (firmware: string) => {
    const all = await facts(pi({ probed: { hailort: library('4.23.0', [{ ...device, firmware }]) } }))
    return all.at(-1)!
  }
  assert.equal((await having('4.23.7')).status, 'ok')
  const old = await having('4.20.0')
  assert.equal(old.status, 'broken')
  assert.match(old.state, /firmware 4\.20\.0, but the library is 4\.23\.0/)
})

test('hailoFacts() tells each of several devices apart, and a board that it does not know', async () => {
  const devices = [device, { ...device, id: '0002:01:00.0', error: 'busy' }]
  const all = await facts(pi({ files: pci('ffff'), probed: { hailort: library('4.23.0', devices) } }))
  assert.match(all[0]!.state, /unknown device ffff/)
  assert.deepEqual(
    all.slice(3).map(({ status, state }) => `${status} ${state.split(' ')[0]}`),
    ['ok HAILO8L', 'broken 0002:01:00.0:'],
  )
})

test('hailoFacts() gives a Hailo-10H without a driver the packages of its own', async () => {
  const driver = (await facts({ files: { ...pci('45c4'), ...ofPi } }))[1]!
  assert.equal(driver.status, 'missing')
  assert.match(driver.fix!, /^sudo apt install hailo-h10-all # .*h10-hailort-pcie-driver.*reboot$/)
  assert.doesNotMatch(driver.fix!, /hailo-all|h10-hailort\b(?!-pcie)/)
})

test('hailoFacts() asks for headers and dkms when the driver was lost in an update of the kernel', async () => {
  for (const left of [
    '/usr/src/hailo_pci-4.23.0/dkms.conf',
    '/var/lib/dkms/hailo_pci/4.23.0/source',
    '/lib/modules/6.6.31+rpt/updates/dkms/hailo_pci.ko.xz',
  ]) {
    const driver = (
      await facts({ files: { ...pci('2864'), [left]: '' }, probed: { hailort: library('4.23.0', []) } })
    )[1]!
    assert.deepEqual([driver.status, /another kernel/.test(driver.state)], ['broken', true], left)
    assert.match(driver.fix!, /^sudo apt install dkms linux-headers-\$\(uname -r\) .*sudo modprobe hailo_pci/)
  }
})

test('hailoFacts() sends a container to its host for the driver, and has it given the node', async () => {
  for (const mark of ['/.dockerenv', '/run/.containerenv']) {
    const driver = (await facts({ files: { ...pci('2864'), [mark]: '' } }))[1]!
    assert.match(driver.fix!, /^install the driver on the host.*docker run --device \/dev\/hailo0/, mark)
    assert.doesNotMatch(driver.fix!, /apt install/)
  }
})

test('hailoFacts() names the other series when the library does not serve the board', async () => {
  const files = { ...pci('45c4'), '/sys/module/hailo1x_pci/version': '5.2.0' }
  const driver = (await facts({ files, probed: { hailort: library('4.23.0', []) } }))[1]!
  assert.deepEqual(
    [driver.status, /4\.23\.0, which does not serve this board: it wants 5\.x/.test(driver.state)],
    ['broken', true],
  )
  assert.match(driver.fix!, /hailo-h10-all/)
})

test('hailoFacts() judges each of two boards of two series', async () => {
  const second = Object.fromEntries(
    Object.entries(pci('45c4')).map(([path, text]) => [path.replace('0001:01', '0002:01'), text]),
  )
  const all = await facts({
    files: { ...pci('2864'), ...second, '/sys/module/hailo_pci/version': '4.23.0' },
    probed: { hailort: library('4.23.0', []) },
  })
  const drivers = all.filter(({ name }) => name.startsWith('Hailo driver'))
  assert.deepEqual(
    drivers.map(({ name, status }) => [name, status]),
    [
      ['Hailo driver of Hailo-8 or Hailo-8L', 'ok'],
      ['Hailo driver of Hailo-10H', 'broken'],
    ],
  )
  assert.match(drivers[1]!.fix!, /hailo-h10-all/)
})

test('hailoFacts() asks a desktop for headers and the packages of the release, and a Pi for its own', async () => {
  const driver = (await facts({ files: { ...pci('2864'), '/etc/os-release': 'ID=ubuntu\n' } }))[1]!
  assert.match(driver.fix!, /^sudo apt install dkms linux-headers-\$\(uname -r\) # .*hailort-pcie-driver.* 4\.x/)
  const onPi = (await facts({ files: { ...pci('2864'), ...ofPi } }))[1]!
  assert.match(onPi.fix!, /^sudo apt install hailo-all; then reboot$/)
})

test('hailoFacts() sends nobody with a Raspberry Pi 4 to look for a connector that it does not have', async () => {
  const board = async (model: string) => (await facts({ files: { '/proc/device-tree/model': model } }))[0]!.fix!
  assert.match(await board('Raspberry Pi 4 Model B Rev 1.4'), /^a Raspberry Pi 4 has no PCIe connector/)
  assert.match(await board('Raspberry Pi 5 Model B Rev 1.0'), /dtparam=pciex1/)
  assert.match(await board('Raspberry Pi Compute Module 4 Rev 1.1'), /dtparam=pciex1/)
})

test('hailoFacts() mends the rights of a container on its host, and blames no version for them', async () => {
  const files = {
    '/.dockerenv': '',
    '/dev/hailo0': 0o600,
    '/sys/class/hailo_chardev/hailo0/x': '',
    '/sys/module/hailo_pci/version': '4.23.0',
  }
  const machine = { user: { uid: 4242, gids: [4242], name: 'ada' } }
  const all = await facts({ files, machine, probed: { hailort: library('4.23.0', []) } })
  const [node, device] = ['Hailo node', 'Hailo device'].map(name => all.find(fact => fact.name === name)!)
  assert.match(node!.fix!, /^on the host: docker run --device \/dev\/hailo0 --group-add/)
  assert.equal(device!.fix, 'see the line of Hailo node')
})

test('hailoFacts() loads no driver of the other series for want of a node', async () => {
  const all = await facts({ files: { ...pci('45c4'), '/sys/module/hailo_pci/version': '4.23.0' } })
  assert.match(all.find(({ name }) => name === 'Hailo node')!.fix!, /see the line of Hailo driver/)
})
