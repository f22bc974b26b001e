import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import test from 'node:test'
import { dataPath, needsData, needsTool } from '../../lib/testing/needs.ts'
import { hailortStandin } from '../testing/hailort.ts'

// What any HailoRT must answer, with a device and without one: the library that HAILORT_LIB names (`npm run
// test:hailort`), else the stand-in. It runs in a process of its own, for a real library may crash.

const named = process.env.HAILORT_LIB
const skip = !named && needsTool('gcc')

/** Lines that a script prints; `hailort` and the room's modules are at hand. */
function ask(script: string, argv: readonly string[] = []): { title: string; lines: string[] } {
  const preamble = `
    import assert from 'node:assert/strict'
    import { readFileSync } from 'node:fs'
    const { openHailort } = await import('./ffi/hailort/library.ts')
    const { scan, VDevice } = await import('./ffi/hailort/device.ts')
    const { Hef } = await import('./ffi/hailort/hef.ts')
    const hailort = openHailort()
    console.log(hailort.title + ' (' + hailort.library.path + ')')
  `
  const { status, stdout, stderr, signal } = spawnSync(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '-e', preamble + script, ...argv],
    {
      cwd: join(import.meta.dirname, '../..'),
      encoding: 'utf8',
      timeout: 600_000,
      env: {
        ...process.env,
        HAILORT_LIB: named ?? hailortStandin({ profile: 'C' }),
        ...(!named && { HAILO_STANDIN_DEVICES: '0' }),
      },
    },
  )
  const words = stderr
    .trim()
    .split('\n')
    .filter(line => !/^ +at |^node:|^ *\^/.test(line))
    .join('\n')
  assert.ok(status === 0, `${signal ?? `exit ${status}`}: ${words}`)
  const [title = '', ...lines] = stdout.trim().split('\n')
  return { title: `${named ? 'HAILORT_LIB: ' : 'the stand-in, for HAILORT_LIB names no library: '}${title}`, lines }
}

test('a HailoRT tells its version and its devices, and opens one or says why not', { skip }, t => {
  const { title, lines } = ask(`
    const devices = scan(hailort)
    console.log(devices.length)
    try {
      const vdevice = await VDevice.open(hailort, { groupId: 'rungbook' })
      const { architecture, firmware } = vdevice.devices()[0].identify()
      console.log('opened', architecture, [firmware.major, firmware.minor, firmware.revision].join('.'))
      await vdevice[Symbol.asyncDispose]()
    } catch ({ status, kind, message, hint }) {
      console.log('not opened', kind, status, message, '|', hint)
    }`)
  t.diagnostic(`asked ${title}`)
  t.diagnostic(`devices: ${lines.join('; ')}`)
  assert.match(title, /HailoRT \d+\.\d+\.\d+ \(profile [ABCD]/)
  if (lines[0] === '0') assert.match(lines[1]!, /^not opened absent (64|74) .* \| \S/)
  else assert.match(lines[1]!, /^opened HAILO\w+ \d+\.\d+\.\d+$|^not opened (absent|refused) /)
})

test('a HailoRT reads our own HEFs, and refuses damaged ones by name', { skip }, () => {
  const { lines } = ask(`
    const { tinyModel } = await import('./lib/testing/hef/models.ts')
    for (const hefVersion of [0, 1]) {
      const { hef } = tinyModel({ hefVersion })
      const read = await Hef.fromBuffer(hailort, hef)
      console.log(read.vstreams().map(({ name, image }) => name + ' ' + image.width + 'x' + image.features).join())
      const damaged = hef.map((byte, i) => (i === 300 ? byte ^ 255 : byte))
      await Hef.fromBuffer(hailort, damaged).catch(
      thrown => console.log(thrown.kind, thrown.message.includes('HEF')))
    }
    await Hef.fromBuffer(hailort, Buffer.from('DUMMY_HEF_CONTENT'.padEnd(60))).catch(
      thrown => console.log(thrown.kind, thrown.message.includes('HEF')))`)
  const streams = 'net/mix 64x1,net/voices 64x2,net/noise 64x1'
  assert.deepEqual(lines, [streams, 'usage true', streams, 'usage true', 'usage true'])
})

test(
  "a HailoRT lists HEFs of a vendor's compiler as our own reader does, from a file and from memory",
  { skip: skip || needsData('hef/arcface_mobilefacenet.hef') },
  () => {
    const paths = ['mnist_cnn_0cd51b2', 'mnist_cnn_bf0ae4d', 'arcface_mobilefacenet'].map(name =>
      dataPath(`hef/${name}.hef`),
    )
    const { lines } = ask(
      `
    const { readHef } = await import('./lib/formats/hef/read.ts')
    for (const path of process.argv.slice(1)) {
      const [group] = readHef(path).groups
      for (const hef of [await Hef.fromFile(hailort, path), await Hef.fromBuffer(hailort, readFileSync(path))]) {
        assert.deepEqual(hef.vstreams().map(({ name, network, isInput, order, type, image, quantisation }) =>
          [name, network, isInput, order, type.toLowerCase(), { ...image }, quantisation?.scale]),
        [...group.inputs, ...group.outputs].map(({ name, network, direction, order, dtype, shape, quantization }) =>
          [name, network, direction === 'input', order, dtype, { ...shape }, Math.fround(quantization.scale)]))
        assert.deepEqual(hef.outputNames(), group.outputs.map(({ name }) => name))
        assert.equal(hef.bottleneckFps(), group.bottleneckFps)
        await hef[Symbol.asyncDispose]()
      }
      console.log(group.name)
    }`,
      paths,
    )
    assert.deepEqual(lines, ['MNIST_CNN', 'MNIST_CNN', 'arcface_mobilefacenet'])
  },
)
