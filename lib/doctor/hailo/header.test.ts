import assert from 'node:assert/strict'
import test from 'node:test'
import { needsTool } from '../../testing/needs.ts'
import { absent, fakeMachine, found, type FakeMachine } from '../../testing/machine/fake-machine.ts'
import { hailortHeader } from '../../../ffi/testing/hailort-header.ts'
import { hailortAbiFact } from './header.ts'

const skip = needsTool('gcc')

const machine = (text: string | null, o: FakeMachine = {}) =>
  fakeMachine({
    files: { '/usr/include/hailo/hailort.h': text, ...o.files },
    programs: { gcc: skip ? 'x' : '-> /usr/bin/gcc', ...o.programs },
    probed: { hailort: found({ version: '4.23.0' }), ...o.probed },
    env: { PATH: process.env.PATH! },
  })
const factOf = async (text: string, o: FakeMachine = {}) => hailortAbiFact(machine(text, o))

test(
  'hailortAbiFact() agrees with a header that is laid out as the table says, for each shape of the interface',
  { skip },
  async () => {
    for (const version of ['4.17.0', '4.20.0', '4.23.0', '5.2.0']) {
      const fact = await factOf(hailortHeader(version), { probed: { hailort: found({ version }) } })
      assert.deepEqual(
        [fact.status, fact.state],
        ['ok', `/usr/include/hailo/hailort.h of ${version} agrees with the ABI table`],
      )
      assert.deepEqual(fact.needs, ['hailo'])
    }
  },
)

test('hailortAbiFact() names the member that moved', { skip }, async () => {
  const fact = await factOf(hailortHeader('4.23.0', { grown: 'hailo_vdevice_params_t' }))
  assert.deepEqual([fact.status, fact.needs], ['broken', ['hailo']])
  assert.match(
    fact.state,
    /contradicts the ABI table 2 times: hailo_vdevice_params_t: the header has 44, and the table 40/,
  )
})

test('hailortAbiFact() names the constant that has another value', { skip }, async () => {
  const fact = await factOf(hailortHeader('4.23.0', { constants: { HAILO_TIMEOUT: 40, HAILO_FORMAT_TYPE_FLOAT32: 9 } }))
  assert.match(
    fact.state,
    /contradicts the ABI table 2 times: HAILO_FORMAT_TYPE_FLOAT32: the header has 9, and the table 3/,
  )
})

test('hailortAbiFact() tells a header of another version than the library from a good one', { skip }, async () => {
  const fact = await factOf(hailortHeader('4.19.0'), { probed: { hailort: found({ version: '4.23.0' }) } })
  assert.equal(fact.status, 'broken')
})

test('hailortAbiFact() quotes the compiler when the header does not compile', { skip }, async () => {
  const fact = await factOf('#error "not for this compiler"\n')
  assert.equal(fact.status, 'broken')
  assert.match(fact.state, /not for this compiler/)
  assert.doesNotMatch(fact.state, /doctor-header/, "the scratch folder is nobody's business")
})

test(
  'hailortAbiFact() takes the version from the package when the library does not open, and needs one of both',
  { skip },
  async () => {
    const cmake = {
      '/usr/lib/aarch64-linux-gnu/cmake/HailoRT/HailoRTConfigVersion.cmake': 'set(PACKAGE_VERSION "4.20.0")\n',
    }
    const fact = await factOf(hailortHeader('4.20.0'), { files: cmake, probed: { hailort: absent('HailoRT') } })
    assert.match(fact.state, /of 4\.20\.0 agrees/)
    const untold = await factOf(hailortHeader('4.20.0'), { probed: { hailort: absent('HailoRT') } })
    assert.deepEqual([untold.status, /nothing tells its version/.test(untold.state)], ['missing', true])
  },
)

test('hailortAbiFact() blames a compiler that compiles nothing, and not the table', async () => {
  const gcc = '#!/bin/sh\necho "gcc: fatal error: cannot execute cc1: No such file or directory" >&2; exit 1\n'
  const fact = await hailortAbiFact(
    fakeMachine({
      files: { '/usr/include/hailo/hailort.h': '' },
      programs: { gcc },
      probed: { hailort: found({ version: '4.23.0' }) },
    }),
  )
  assert.deepEqual([fact.status, fact.needs], ['broken', []])
  assert.match(fact.state, /gcc compiles nothing: cannot execute cc1/)
})

test('hailortAbiFact() looks where HAILORT_INCLUDE says, and names the package of the board that is here', async () => {
  const pci = {
    '/sys/bus/pci/devices/1/vendor': '0x1e60',
    '/sys/bus/pci/devices/1/device': '0x45c4',
    '/sys/bus/pci/devices/1/class': '0x120000',
  }
  const ten = await hailortAbiFact(
    fakeMachine({ files: { ...pci, '/usr/include/hailo/hailort.h': '' }, env: { HAILORT_INCLUDE: '/opt/h' } }),
  )
  assert.deepEqual([ten.status, ten.needs], ['missing', []])
  assert.match(ten.fix!, /^sudo dpkg -i hailort_\*\.deb # of release 5\.x.*hailo-h10-all/)
  assert.match(
    (await hailortAbiFact(fakeMachine())).fix!,
    /^sudo dpkg -i hailort_\*\.deb # of release 4\.x .*hailo-all, for a Hailo-10H hailo-h10-all/,
  )
})

test('hailortAbiFact() looks beside the library before it looks in the usual folders', { skip }, async () => {
  const beside = { '/opt/hailort/include/hailo/hailort.h': hailortHeader('4.20.0') }
  const library = '/opt/hailort/lib/libhailort.so.4.20.0'
  const opened = await factOf('#error "of another version"', {
    files: beside,
    probed: { hailort: found({ version: '4.20.0', path: library }) },
  })
  assert.deepEqual(
    [opened.status, opened.state],
    ['ok', '/opt/hailort/include/hailo/hailort.h of 4.20.0 agrees with the ABI table'],
  )
  const named = fakeMachine({ files: beside, env: { HAILORT_LIB: library }, probed: { hailort: absent('HailoRT') } })
  assert.match((await hailortAbiFact(named)).state, /^\/opt\/hailort\/include\/hailo\/hailort\.h is here/)
})

test('hailortAbiFact() tells of a version in no table what its header said when the library was opened', async () => {
  const of = async (shapeFrom?: 'header' | 'force') =>
    factOf('', { probed: { hailort: found({ version: '5.3.0', ...(shapeFrom && { shapeFrom }) }) } })
  const agreed = await of('header')
  assert.deepEqual(
    [agreed.status, agreed.state],
    ['ok', '5.3.0 is in no table, and the header agrees with a known shape'],
  )
  for (const fact of [await of('force'), await of()]) {
    assert.equal(fact.status, 'broken')
    assert.match(fact.state, /^5\.3\.0 is in no table/)
    assert.match(fact.fix!, /export HAILORT_INCLUDE=.*export HAILO_ABI=force/)
  }
})

test('hailortAbiFact() is missing without a header, and without a compiler', async () => {
  assert.equal((await hailortAbiFact(machine(null))).status, 'missing')
  const none = { ...machine(''), env: { PATH: '/nowhere' } }
  const fact = await hailortAbiFact(none)
  assert.deepEqual([fact.status, fact.fix], ['missing', 'sudo apt install gcc'])
  assert.match(fact.state, /is here, and gcc is not on PATH/)
})
