import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { needsTool } from '../../lib/testing/needs.ts'
import { FfiError } from '../errors.ts'
import { buildStandin, sanitizerEnv } from '../testing/build.ts'
import { hailortStandin, standinOf } from '../testing/hailort.ts'
import { handlesIn, memoryOf, openHailort } from './library.ts'
import { profileNames } from './abi/profiles.ts'

const skip = needsTool('gcc')
const root = join(import.meta.dirname, '../..')

/** Runs a script in a node of its own: what crashes there crashes nothing here. */
function runNode(
  script: string,
  env: Record<string, string>,
): { status: number | null; signal: string | null; stdout: string; stderr: string } {
  const result = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    cwd: root,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    timeout: 600_000,
  })
  return { status: result.status, signal: result.signal, stdout: result.stdout, stderr: result.stderr }
}

/** A library made of one C file. */
function smallLibrary(source: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'library-test-'))
  try {
    writeFileSync(join(folder, 'it.c'), source)
    return buildStandin([join(folder, 'it.c')], { out: 'libhailort.so' })
  } finally {
    rmSync(folder, { recursive: true })
  }
}
const versionOnly = (major: number, minor: number, status = 0) =>
  smallLibrary(
    `#include <stdint.h>\nint hailo_get_library_version(uint32_t *v);\nint ` +
      `hailo_get_library_version(uint32_t *v) { v[0] = ${major}; v[1] = ${minor}; v[2] = 0; return ${status}; ` +
      `}\n`,
  )

test('openHailort() asks the library for its version, and declares the shape that goes with it', { skip }, () => {
  const titles = profileNames.map(profile => openHailort({ env: { HAILORT_LIB: hailortStandin({ profile }) } }).title)
  assert.deepEqual(titles, [
    'HailoRT 4.19.0 (profile A)',
    'HailoRT 4.20.0 (profile B)',
    'HailoRT 4.23.0 (profile C)',
    'HailoRT 5.2.0 (profile D)',
  ])
})

test('openHailort() gives one object when one library is opened twice', { skip }, () => {
  const env = { HAILORT_LIB: hailortStandin({ profile: 'C' }) }
  assert.equal(openHailort({ env }), openHailort({ env }))
})

test('openHailort() is an absent library when there is none, with where it looked and what mends it', () => {
  assert.throws(
    () => openHailort({ env: { HAILORT_LIB: '/nowhere/libhailort.so' } }),
    (thrown: unknown) =>
      thrown instanceof FfiError &&
      thrown.kind === 'absent' &&
      thrown.message.includes('/nowhere/libhailort.so') &&
      thrown.hint.startsWith('unset HAILORT_LIB # ') &&
      thrown.hint.includes('export HAILORT_LIB='),
  )
})

test('openHailort() refuses a version that was never measured, before it asks for anything else', { skip }, () => {
  const library = versionOnly(4, 99)
  assert.throws(
    () => openHailort({ env: { HAILORT_LIB: library } }),
    (thrown: unknown) =>
      thrown instanceof FfiError &&
      thrown.kind === 'refused' &&
      thrown.message.includes('4.99.0') &&
      thrown.hint.includes('HAILO_ABI=force'),
  )
  // Forced, it comes to the symbols, of which this library has none.
  assert.throws(
    () => openHailort({ env: { HAILORT_LIB: library, HAILO_ABI: 'force' } }),
    (thrown: unknown) =>
      thrown instanceof FfiError && thrown.kind === 'absent' && thrown.message.includes('it has no symbol hailo_'),
  )
})

test('openHailort() takes an unknown version when forced, and says so', { skip }, () => {
  const library = hailortStandin({ profile: 'C', version: [4, 24, 0] })
  assert.throws(() => openHailort({ env: { HAILORT_LIB: library } }), FfiError)
  assert.equal(
    openHailort({ env: { HAILORT_LIB: library, HAILO_ABI: 'force' } }).title,
    'HailoRT 4.24.0 (profile C, forced)',
  )
})

test('openHailort() tells the status when a library cannot even tell its version', { skip }, () => {
  const library = versionOnly(4, 23, 8)
  assert.throws(
    () => openHailort({ env: { HAILORT_LIB: library } }),
    (thrown: unknown) =>
      thrown instanceof FfiError &&
      thrown.message.includes('hailo_get_library_version answered 8 HAILO_INTERNAL_FAILURE'),
  )
})

test('openHailort() is an absent symbol when a library is not HailoRT', { skip }, () => {
  const library = smallLibrary('int unrelated;\n')
  assert.throws(
    () => openHailort({ env: { HAILORT_LIB: library } }),
    (thrown: unknown) =>
      thrown instanceof FfiError && thrown.kind === 'absent' && thrown.message.includes('hailo_get_library_version'),
  )
})

test('importing the bindings opens nothing, and needs no library', () => {
  const script = `await Promise.all(['library', 'device', 'hef', 'network-group', 'vstreams'].map(
      n => import('./ffi/hailort/' + n + '.ts')))
    const { readFileSync } = await import('node:fs')
    console.log(/koffi.*\\.node|hailort/.test(readFileSync('/proc/self/maps', 'utf8')))`
  assert.equal(runNode(script, {}).stdout.trim(), 'false')
})

test('a crash inside the library ends only the process that called it', { skip }, () => {
  const script = `
    const { openHailort } = await import('./ffi/hailort/library.ts')
    const { VDevice } = await import('./ffi/hailort/device.ts')
    const hailort = openHailort()
    console.log(hailort.title)
    await VDevice.open(hailort)
    console.log('not reached')`
  const { signal, stdout } = runNode(script, {
    HAILORT_LIB: hailortStandin({ profile: 'C' }),
    HAILO_STANDIN_CRASH: 'hailo_create_vdevice',
  })
  assert.equal(signal, 'SIGSEGV')
  assert.equal(stdout, 'HailoRT 4.23.0 (profile C)\n')
})

test('a crash at the third frame comes after two answers', { skip }, () => {
  const script = `
    const { openHailort } = await import('./ffi/hailort/library.ts')
    const { VDevice } = await import('./ffi/hailort/device.ts')
    const { Hef } = await import('./ffi/hailort/hef.ts')
    const { configure } = await import('./ffi/hailort/network-group.ts')
    const { tinyModel } = await import('./lib/testing/hef/models.ts')
    const hailort = openHailort()
    const device = await VDevice.open(hailort)
    const group = await configure(device, await Hef.fromBuffer(hailort, tinyModel().hef))
    const [inputs, outputs] = [await group.openInputs(), await group.openOutputs()]
    for (let i = 0; i < 5; i++) {
      await Promise.all([
        inputs[0].write(new Float32Array(64)),
        outputs[0].read(new Float32Array(128)),
        outputs[1].read(new Float32Array(64)),
      ])
      console.log('frame', i)
    }`
  const { signal, stdout } = runNode(script, {
    HAILORT_LIB: hailortStandin({ profile: 'C' }),
    HAILO_STANDIN_CRASH: 'hailo_vstream_write_raw_buffer:3',
  })
  assert.equal(signal, 'SIGSEGV')
  assert.deepEqual(stdout.trim().split('\n'), ['frame 0', 'frame 1'])
})

test('the whole flow is clean under AddressSanitizer when it is run with each profile', { skip }, () => {
  const script = `
    const { openHailort } = await import('./ffi/hailort/library.ts')
    const { scan, VDevice } = await import('./ffi/hailort/device.ts')
    const { Hef } = await import('./ffi/hailort/hef.ts')
    const { configure } = await import('./ffi/hailort/network-group.ts')
    const { tinyModel } = await import('./lib/testing/hef/models.ts')
    const { standinOf } = await import('./ffi/testing/hailort.ts')
    for (const library of process.env.LIBRARIES.split(':')) {
      const hailort = openHailort({ env: { HAILORT_LIB: library } })
      const tiny = tinyModel({ arch: hailort.version.major === 5 ? 'hailo15h' : 'hailo8', hefVersion: 1 })
      scan(hailort)
      const device = await VDevice.open(hailort, { groupId: 'shared' })
      for (const physical of device.devices()) { physical.identify(); physical.temperatureC(); await physical.powerW() }
      const hef = await Hef.fromBuffer(hailort, tiny.hef)
      hef.networkGroups(); hef.networks(); hef.vstreams(); hef.streams(); hef.outputNames(); hef.bottleneckFps()
      const group = await configure(device, hef, { measuresLatency: true })
      await hef[Symbol.asyncDispose]()
      const inputs = await group.openInputs({ timeoutMs: 500 })
      const outputs = await group.openOutputs({ timeoutMs: 500 })
      for (let i = 0; i < 20; i++) await Promise.all([
        inputs[0].write(new Float32Array(64)),
        outputs[0].read(new Float32Array(128)),
        outputs[1].read(new Float32Array(64)),
      ])
      await outputs[1].read(new Float32Array(64)).catch(thrown => console.log(thrown.statusName))
      console.log(group.latencyMs() > 0)
      const flipped = tiny.hef.map((byte, i) => (i === 200 ? byte ^ 255 : byte))
      for (const damaged of [tiny.hef.subarray(0, 90), flipped, Buffer.from('text'), tiny.hef.subarray(0, 13)]) {
        await Hef.fromBuffer(hailort, damaged).then(() => console.log('taken'), () => {})
      }
      await device[Symbol.asyncDispose]()
      console.log(hailort.title, standinOf(hailort).live(), standinOf(hailort).misuses())
    }`
  const libraries = profileNames.map(profile => hailortStandin({ profile, sanitize: true }))
  const { status, stdout, stderr } = runNode(script, { ...sanitizerEnv(), LIBRARIES: libraries.join(':') })
  assert.equal(status, 0, stderr)
  assert.doesNotMatch(stderr, /ERROR: AddressSanitizer|runtime error/)
  assert.deepEqual(
    stdout.trim().split('\n'),
    ['4.19.0 (profile A)', '4.20.0 (profile B)', '4.23.0 (profile C)', '5.2.0 (profile D)'].flatMap(title => [
      'HAILO_TIMEOUT',
      'true',
      `HailoRT ${title} 0 0`,
    ]),
  )
})

test('list() asks again when there are more devices than there was room for', { skip }, () => {
  const hailort = openHailort({ env: { HAILORT_LIB: hailortStandin({ profile: 'C' }) } })
  const standin = standinOf(hailort)
  standin.order('DEVICES', 5)
  try {
    const { items, memory } = hailort.list<{ id: string }>({
      name: 'hailo_scan_devices',
      struct: 'hailo_device_id_t',
      deed: { act: 'scan for', thing: 'devices' },
      fill: (room, count) => [null, room, count],
      room: 2,
    })
    assert.equal(items.length, 5)
    assert.equal(items[4]!.id, '0000:05:00.0')
    assert.equal(memory.length, 5 * 32)
  } finally {
    standin.reset()
  }
})

test("memoryOf() and handlesIn() are each other's inverse", () => {
  const handles = [1n, 0x7fff_1234_5678n, 2n ** 64n - 1n]
  assert.deepEqual(handlesIn(memoryOf(handles), 3), handles)
  assert.deepEqual(handlesIn(memoryOf([]), 0), [])
})
