import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { needsTool } from '../../lib/testing/needs.ts'
import { FfiError } from '../errors.ts'
import { buildStandin } from '../testing/build.ts'
import { inChild } from '../testing/tensorrt/in-child.ts'
import { buildCudart } from '../testing/tensorrt/standin.ts'
import { koffi } from '../load.ts'
import { openCuda } from './cuda.ts'

const skip = needsTool('g++')
const open = () => {
  const path = buildCudart()
  const lib = koffi().load(path)
  const live = lib.func('int64_t standin_cuda_live(const char *kind)')
  lib.func('void standin_cuda_reset()')()
  return {
    cuda: openCuda({ env: { CUDART_LIB: path } }),
    live: () => ['device', 'host', 'stream', 'event'].map(kind => Number(live(kind))),
  }
}
const isError =
  (kind: FfiError['kind'], message: RegExp, hint = /./) =>
  (thrown: unknown) =>
    thrown instanceof FfiError && thrown.kind === kind && message.test(thrown.message) && hint.test(thrown.hint)
const withEnv = (env: Record<string, string>, body: () => void) => {
  Object.assign(process.env, env)
  try {
    body()
  } finally {
    for (const name of Object.keys(env)) delete process.env[name]
  }
}
const scratch = (body: (folder: string) => void) => {
  const folder = mkdtempSync(join(tmpdir(), 'cuda-test-'))
  try {
    body(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('openCuda() says what is there: versions, count, and facts of each device', { skip }, () => {
  const { cuda } = open()
  assert.deepEqual([cuda.runtimeVersion, cuda.driverVersion, cuda.deviceCount()], ['12.8', '12.8', 1])
  withEnv({ STANDIN_GPUS: '2' }, () => {
    assert.equal(cuda.deviceCount(), 2)
    const { totalBytes, freeBytes, ...facts } = cuda.device(1)
    assert.deepEqual(facts, {
      index: 1,
      name: 'Stand-in GPU 1',
      computeCapability: '8.7',
      multiprocessors: 16,
      pciBusId: '0000:02:00.0',
    })
    assert.equal(totalBytes, 2 ** 33)
    assert.ok(freeBytes <= totalBytes)
  })
})

test('openCuda() keeps the library open, with all that lives in it, when nobody holds what it gave', { skip }, () => {
  const path = buildCudart()
  const { stdout, stderr } = inChild(
    `
    const { readFileSync } = await import('node:fs')
    const env = { CUDART_LIB: process.env.CUDART_LIB }
    ;(() => openCuda({ env }).runtimeVersion)()
    for (let i = 0; i < 10; i++) {
      await new Promise(resolve => setTimeout(resolve, 5))
      gc()
    }
    console.log(readFileSync('/proc/self/maps', 'utf8').includes(process.env.CUDART_LIB),
      openCuda({ env }) === openCuda({ env }))`,
    { env: { CUDART_LIB: path }, flags: ['--expose-gc'] },
  )
  assert.equal(stdout, 'true true\n', stderr)
})

test('openCuda() is good without a driver, and the device question says that none is loaded', { skip }, () => {
  const path = buildCudart()
  const program = `
    const cuda = openCuda({ env: { CUDART_LIB: process.env.CUDART_LIB } })
    console.log(cuda.runtimeVersion, cuda.driverVersion, cuda.lastError())
    for (const ask of [() => cuda.deviceCount(), () => cuda.device(0)]) try { ask() }
      catch ({ kind, message, hint }) { console.log(kind, message, '|', hint) }`
  // The runtime of 12 says which it is; that of 11.8 does not.
  for (const [fault, version] of [
    ['', '12.8'],
    ['cudaRuntimeGetVersion=35', 'unknown'],
  ] as const) {
    const { stdout, stderr } = inChild(program, {
      env: { CUDART_LIB: path, STANDIN_DRIVER: '0', STANDIN_FAULT: fault },
    })
    const [first, count, device] = stdout.split('\n')
    assert.equal(first, `${version} 0.0 null`, stderr)
    const why = 'cudaErrorInsufficientDriver (35): no NVIDIA driver is loaded | install the NVIDIA driver and load it'
    assert.ok(count!.startsWith(`absent Cannot call cudaGetDeviceCount: ${why}`), count)
    assert.ok(device!.startsWith(`absent Cannot call cudaSetDevice: ${why}`), device)
  }
})

test('device() is absent when there is none, or the driver is too old, with what to look at', { skip }, () => {
  const { cuda } = open()
  withEnv({ STANDIN_GPUS: '0' }, () => {
    assert.throws(
      () => cuda.deviceCount(),
      isError('absent', /cudaErrorNoDevice \(100\): no CUDA-capable device/, /nvidia-smi.*CUDA_VISIBLE_DEVICES/),
    )
    assert.throws(() => cuda.device(0), isError('absent', /cudaSetDevice: cudaErrorInvalidDevice/))
    assert.throws(() => cuda.alloc(16), isError('absent', /cudaMalloc\(16\)/))
  })
  withEnv({ STANDIN_FAULT: 'cudaGetDeviceCount=35' }, () =>
    assert.throws(() => cuda.deviceCount(), isError('absent', /cudaErrorInsufficientDriver/, /driver/)),
  )
  assert.throws(() => cuda.device(1), isError('absent', /invalid device ordinal/))
})

test('a stream copies to the device and back, in order', { skip }, async () => {
  const { cuda, live } = open()
  const [from, to, device, other] = [cuda.allocPinned(4000), cuda.allocPinned(4000), cuda.alloc(4000), cuda.alloc(4000)]
  const stream = cuda.createStream()
  new Float32Array(from.view.buffer).forEach((_, i, all) => (all[i] = i * 0.5))
  stream.copy({ to: device.pointer, from: from.pointer, bytes: 4000, kind: 'hostToDevice' })
  stream.copy({ to: other.pointer, from: device.pointer, bytes: 4000, kind: 'deviceToDevice' })
  stream.copy({ to: to.pointer, from: other.pointer, bytes: 4000, kind: 'deviceToHost' })
  await stream.done()
  assert.equal(stream.isDone(), true)
  assert.deepEqual(new Float32Array(to.view.buffer), new Float32Array(from.view.buffer))
  assert.deepEqual(live(), [2, 2, 1, 0])
  for (const thing of [from, to, device, other]) {
    thing.free()
    thing.free()
  }
  stream.destroy()
  stream.destroy()
  assert.deepEqual(live(), [0, 0, 0, 0])
})

test('a copy that is not what it says, or too long, is refused before it happens', { skip }, () => {
  const { cuda } = open()
  const [host, device, stream] = [cuda.allocPinned(64), cuda.alloc(64), cuda.createStream()]
  const refused = isError('status', /cudaMemcpyAsync: cudaErrorInvalidValue \(1\)/)
  assert.throws(() => stream.copy({ to: host.pointer, from: device.pointer, bytes: 64, kind: 'hostToDevice' }), refused)
  assert.throws(() => stream.copy({ to: device.pointer, from: host.pointer, bytes: 65, kind: 'hostToDevice' }), refused)
  assert.throws(
    () => stream.copy({ to: device.pointer, from: host.pointer, bytes: 64, kind: 'deviceToDevice' }),
    refused,
  )
  assert.match(cuda.lastError() ?? '', /cudaErrorInvalidValue \(1\)/)
  assert.equal(cuda.lastError(), null)
  for (const thing of [host, device]) thing.free()
  stream.destroy()
})

test('isDone() is false while the stream works', { skip }, async () => {
  const { cuda } = open()
  const [host, device, stream] = [cuda.allocPinned(64), cuda.alloc(64), cuda.createStream()]
  process.env.STANDIN_WORK_US = '20000'
  stream.copy({ to: device.pointer, from: host.pointer, bytes: 64, kind: 'hostToDevice' })
  assert.equal(stream.isDone(), false)
  await stream.done()
  delete process.env.STANDIN_WORK_US
  assert.equal(stream.isDone(), true)
  stream.destroy()
  await assert.rejects(
    stream.done(),
    isError('status', /cudaStreamSynchronize: cudaErrorInvalidResourceHandle \(400\)/),
  )
  for (const thing of [host, device]) thing.free()
})

test('alloc() says how much was asked for when there is no room', { skip }, () => {
  const { cuda } = open()
  assert.throws(
    () => cuda.alloc(2 ** 40),
    isError('status', /cudaMalloc\(1099511627776\): cudaErrorMemoryAllocation \(2\): out of memory/, /nvidia-smi/),
  )
})

test(
  "openCuda() says what is wrong with a library: absent, another machine's, not a library, lacking a symbol",
  { skip },
  () => {
    scratch(folder => {
      const at = (name: string, bytes: Uint8Array | string) => {
        const path = join(folder, name)
        writeFileSync(path, bytes)
        return path
      }
      const elf = (bits: number, machine: number) => {
        const head = Buffer.alloc(64)
        head.set([0x7f, 0x45, 0x4c, 0x46, bits, 1, 1])
        head.writeUInt16LE(machine, 18)
        return head
      }
      const refused = (path: string, message: RegExp) =>
        assert.throws(() => openCuda({ env: { CUDART_LIB: path } }), isError('absent', message))
      refused(join(folder, 'no.so'), /no such file/)
      refused(at('small.so', elf(1, 3)), /wrong ELF class or architecture: it is 32-bit ia32/)
      refused(at('text.so', 'not a library'), /not an ELF library/)
      const lacking = at('lacking.c', 'int cudaMalloc(void) { return 0; }\n')
      refused(buildStandin([lacking], { out: 'libcudart.so' }), /it has no symbol cudaRuntimeGetVersion \(and \d+ more/)
    })
  },
)
