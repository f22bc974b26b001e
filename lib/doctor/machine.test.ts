import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { fakeMachine } from '../testing/machine/fake-machine.ts'
import { ask, findTool, namesIn, oddAnswer, pciDevices, textAt, thisMachine } from './machine.ts'

const factOf = (answer: Awaited<ReturnType<typeof ask>>) =>
  'fact' in answer ? answer.fact : assert.fail('it answered')
const pci = (slot: string, vendor: string, device: string, kind: string) => ({
  [`/sys/bus/pci/devices/${slot}/vendor`]: `0x${vendor}\n`,
  [`/sys/bus/pci/devices/${slot}/device`]: `0x${device}\n`,
  [`/sys/bus/pci/devices/${slot}/class`]: `0x${kind}00\n`,
})

test('thisMachine() is the one under us, and asks nothing before it is asked', () => {
  const machine = thisMachine()
  assert.deepEqual([machine.root, machine.node, machine.arch], ['/', process.version, process.arch])
  assert.ok(machine.user.gids.length > 0)
})

test('ask() gives what a program says, run in a scratch folder that is gone afterwards', async () => {
  const machine = fakeMachine({
    programs: { tool: '#!/bin/sh\necho out; echo err >&2; echo log > tool.log; pwd; exit 3\n' },
  })
  const said = await ask(machine, ['tool', 'word'])
  assert.ok('stdout' in said)
  assert.deepEqual([said.exitCode, said.stdout.split('\n')[0], said.stderr.trim()], [3, 'out', 'err'])
  const scratch = said.stdout.split('\n')[1]!
  assert.ok(scratch.startsWith(join(tmpdir(), 'doctor-')), scratch)
  assert.deepEqual(
    readdirSync(tmpdir()).filter(name => join(tmpdir(), name) === scratch),
    [],
  )
})

test('ask() calls a program missing when it is nowhere, with what installs it', async () => {
  const fact = factOf(await ask(fakeMachine(), ['nowhere'], { name: 'Nowhere', install: 'sudo apt install nowhere' }))
  assert.deepEqual(fact, {
    name: 'Nowhere',
    status: 'missing',
    state: 'not on PATH',
    fix: 'sudo apt install nowhere',
    needs: [],
  })
})

test('ask() calls a program broken when it is there and cannot run', async () => {
  const machine = fakeMachine({ programs: { moved: '#!/gone/python3\n' }, files: { '/usr/bin/plain': 0o644 } })
  const moved = factOf(await ask(machine, ['moved']))
  assert.equal(moved.status, 'broken')
  assert.match(moved.state, /its interpreter "\/gone\/python3" is absent/)
  const plain = factOf(await ask(machine, ['plain']))
  assert.deepEqual([plain.status, /chmod \+x/.test(plain.fix!)], ['broken', true])
})

test('ask() ends a program that does not end', async () => {
  const machine = fakeMachine({
    programs: { slow: '#!/bin/sh\ntrap "" TERM\nwhile :; do read line < /dev/zero; done\n' },
  })
  const said = await ask(machine, ['slow'], { timeoutMs: 300 })
  assert.ok('timedOut' in said && said.timedOut)
  assert.equal(oddAnswer(said), 'it does not answer in time')
})

test('oddAnswer() quotes the last line and the exit code, and says so when nothing was said', async () => {
  const machine = fakeMachine({
    programs: { talks: '#!/bin/sh\necho one; echo two; exit 9\n', mute: '#!/bin/sh\nexit 0\n' },
  })
  const [talks, mute] = [await ask(machine, ['talks']), await ask(machine, ['mute'])]
  assert.ok('text' in talks && 'text' in mute)
  assert.equal(oddAnswer(talks), 'it ends with exit code 9 and says "two"')
  assert.equal(oddAnswer(mute), 'it ends with exit code 0 and says nothing')
})

test('findTool() looks into /usr/sbin too, which PATH often lacks', () => {
  const machine = fakeMachine({ programs: { 'usr/sbin/modinfo': 'x' } })
  assert.equal(findTool(machine, 'modinfo'), join(machine.root, 'usr/sbin/modinfo'))
})

test('findTool() takes the usual folders when PATH is not set', () => {
  const machine = { ...fakeMachine(), env: {} }
  assert.equal(findTool(machine, 'ffmpeg'), join(machine.root, 'usr/bin/ffmpeg'))
})

test("pciDevices() reads the kernel's list and asks no program", async () => {
  const machine = fakeMachine({
    files: { ...pci('0000:01:00.0', '1e60', '2864', '1200'), ...pci('0000:02:00.0', '8086', '1234', '0300') },
  })
  assert.deepEqual(await pciDevices(machine, '1e60'), [{ slot: '0000:01:00.0', device: '2864', kind: '1200' }])
  assert.deepEqual(await pciDevices(machine, '10de'), [])
})

test('pciDevices() asks lspci where the kernel shows no list, and finds nothing where there is no lspci', async () => {
  const machine = fakeMachine({ programs: { lspci: '0000:01:00.0 1200: 1e60:45c4 (rev 01)' } })
  assert.deepEqual(await pciDevices(machine, '1e60'), [{ slot: '0000:01:00.0', device: '45c4', kind: '1200' }])
  assert.deepEqual(await pciDevices(fakeMachine(), '1e60'), [])
})

test('textAt() and namesIn() give null and nothing for what cannot be read', () => {
  const machine = fakeMachine({ files: { '/proc/device-tree/model': 'Raspberry Pi 5\0' } })
  assert.equal(textAt(machine, '/proc/device-tree/model'), 'Raspberry Pi 5')
  assert.equal(textAt(machine, '/proc/device-tree'), null)
  assert.deepEqual(namesIn(machine, '/sys/class/none'), [])
})
