import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { needsTool } from '../../testing/needs.ts'
import { prober } from './probe.ts'

const skip = needsTool('gcc')
const hailort = async (faults: Readonly<Record<string, string>> = {}) => {
  const { hailortStandin } = await import('../../../ffi/testing/hailort.ts')
  const orders = Object.fromEntries(Object.entries(faults).map(([name, value]) => [`HAILO_STANDIN_${name}`, value]))
  return prober({ env: { ...process.env, HAILORT_LIB: hailortStandin({ profile: 'C' }), ...orders } })('hailort')
}

test('the packages of this project load in a child, and ONNX Runtime is the one that they carry', async () => {
  const probe = prober({ env: { ...process.env, ONNXRUNTIME_LIB: undefined } })
  for (const subject of ['tsx', 'zx', 'koffi', 'onnxruntime-node'] as const)
    assert.ok((await probe(subject)).ok, subject)
  const ort = await probe('onnxruntime')
  assert.ok(ort.ok)
  assert.match(ort.found.path!, /node_modules\/onnxruntime-node\//)
  assert.match(ort.found.words!, /^C API \d+$/)
})

test('a file that is no library is told from one that is absent', async () => {
  const text = join(mkdtempSync(join(tmpdir(), 'probe-')), 'libhailort.so')
  writeFileSync(text, 'not a library')
  for (const [path, why] of [
    [text, /not an ELF/],
    ['/nowhere/libhailort.so', /no such file/],
  ] as const) {
    const answer = await prober({ env: { ...process.env, HAILORT_LIB: path } })('hailort')
    assert.ok(!answer.ok)
    assert.equal(answer.kind, 'absent')
    assert.match(answer.message, why)
  }
})

test('HailoRT tells version, profile and what its device says of itself', { skip }, async () => {
  const answer = await hailort({ ARCH: 'hailo8l', DEVICES: '1' })
  assert.ok(answer.ok, answer.ok ? '' : answer.message)
  assert.equal(answer.found.version, '4.23.0')
  assert.match(answer.found.words!, /profile C/)
  assert.deepEqual(
    answer.found.devices!.map(({ architecture, error }) => [architecture, error]),
    [['HAILO8L', undefined]],
  )
})

test('HailoRT with no device is a library without devices', { skip }, async () => {
  const answer = await hailort({ DEVICES: '0' })
  assert.ok(answer.ok)
  assert.deepEqual(answer.found.devices, [])
})

test("a driver of another version is the device's error and not the library's", { skip }, async () => {
  const answer = await hailort({ DRIVER_MISMATCH: '1' })
  assert.ok(answer.ok)
  const [device] = answer.found.devices!
  assert.match(device!.error!, /HAILO_INVALID_DRIVER_VERSION/)
  assert.match(device!.hint!, /install one version of both/)
})

test('a HailoRT whose scan fails is a library that opened, with what was said of the scan', { skip }, async () => {
  for (const [status, name] of [
    [85, 'HAILO_DRIVER_INVALID_RESPONSE'],
    [8, 'HAILO_INTERNAL_FAILURE'],
  ] as const) {
    const answer = await hailort({ STATUS: `hailo_scan_devices:${status}` })
    assert.ok(answer.ok)
    const { version, words, path, devices, scanFailure } = answer.found
    assert.deepEqual(
      [version, /profile C/.test(words!), path!.endsWith('libhailort.so'), devices],
      ['4.23.0', true, true, undefined],
    )
    assert.match(scanFailure!.message, new RegExp(`hailo_scan_devices answered ${status} ${name}`))
    assert.equal(scanFailure!.kind, status === 85 ? 'absent' : 'status')
  }
})

test('a HailoRT of before 4.23 that finds no driver is a library without devices', { skip }, async () => {
  const answer = await hailort({ STATUS: 'hailo_scan_devices:64' })
  assert.ok(answer.ok)
  assert.deepEqual([answer.found.devices, answer.found.scanFailure], [[], undefined])
})

test('a HailoRT that crashes while it scans ends its child and nothing else', { skip }, async () => {
  const answer = await hailort({ CRASH: 'hailo_scan_devices' })
  assert.ok(!answer.ok)
  assert.deepEqual([answer.kind, answer.message], ['crash', 'loading it crashes its process with SIGSEGV'])
})

test('a HailoRT of an unknown version is refused', { skip }, async () => {
  const { hailortStandin } = await import('../../../ffi/testing/hailort.ts')
  const env = { ...process.env, HAILORT_LIB: hailortStandin({ profile: 'D', version: [6, 0, 0] }) }
  const answer = await prober({ env })('hailort')
  assert.ok(!answer.ok)
  assert.deepEqual([answer.kind, /HailoRT 6\.0\.0/.test(answer.message)], ['refused', true])
})

test('TensorRT and CUDA tell their versions, and what of TensorRT is there', { skip: needsTool('g++') }, async () => {
  const { standinVersions, tensorRtStandin } = await import('../../../ffi/testing/tensorrt/standin.ts')
  const version = standinVersions.find(({ major }) => major === 10)!
  const probe = prober({ env: { ...process.env, ...tensorRtStandin(version).env } })
  const [cuda, tensorrt] = await Promise.all([probe('cuda'), probe('tensorrt')])
  assert.ok(cuda.ok && tensorrt.ok)
  assert.match(cuda.found.version!, /^\d+\.\d+$/)
  assert.match(cuda.found.driverVersion!, /^\d+\.\d+$/)
  assert.equal(tensorrt.found.version, `${version.major}.${version.minor}.${version.patch}`)
  assert.match(tensorrt.found.words!, /^slots of 10\.x.*, (with builder and ONNX parser|no ONNX parser)$/)
})

test(
  'TensorRT tells why a parser that is there does not open, and that there is none',
  { skip: needsTool('g++') },
  async () => {
    const { standinVersions, tensorRtStandin } = await import('../../../ffi/testing/tensorrt/standin.ts')
    const version = standinVersions.find(({ major }) => major === 10)!
    const text = join(mkdtempSync(join(tmpdir(), 'probe-')), 'libnvonnxparser.so.10')
    writeFileSync(text, 'not a library')
    const wordsWith = async (parser: string) => {
      const { env } = tensorRtStandin(version)
      const answer = await prober({ env: { ...process.env, ...env, TENSORRT_PARSER_LIB: parser } })('tensorrt')
      assert.ok(answer.ok)
      return answer.found.words!
    }
    assert.match(
      await wordsWith(text),
      /with builder, and an ONNX parser that does not open: .+libnvonnxparser\.so\.10: .*not an ELF/,
    )
    assert.match(await wordsWith('/nowhere/libnvonnxparser.so'), /, no ONNX parser$/)
  },
)
