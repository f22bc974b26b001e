import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { hailortStandin } from '../../../ffi/testing/hailort.ts'
import { leavesDaemon, rogueLibrary } from '../../../ffi/testing/rogue.ts'
import { encodeModel } from '../../formats/onnx/index.ts'
import { float32 } from '../../formats/tensors/tensor.ts'
import { RunbookError } from '../../base/errors.ts'
import { GraphBuilder } from '../../onnx/builder.ts'
import { tinyModel, withHefFile } from '../../testing/hef/models.ts'
import { needsTool } from '../../testing/needs.ts'
import { processesWith } from '../../testing/processes.ts'
import { until } from '../../testing/until.ts'
import { openBackend } from '../open.ts'
import { openIsolated } from './parent.ts'

const folder = mkdtempSync(join(tmpdir(), 'isolate-'))

function model(): string {
  const graph = new GraphBuilder({ name: 'double' })
  graph.input('x', 'float32', [1, 4])
  graph.node('Add', ['x', 'x'], { output: 'y' })
  graph.output('y', 'float32', [1, 4])
  const path = join(folder, 'double.onnx')
  writeFileSync(path, encodeModel(graph.build()))
  return path
}
/** Signal every isolated child of this test. */
function signalChildren(signal: NodeJS.Signals): void {
  const found = processesWith('isolate/child.ts', process.pid)
  assert.ok(found.length > 0)
  for (const { pid } of found) process.kill(pid, signal)
}
const feed = { x: float32([1, 4], [1, 2, 3, 4]) }
const refused = (exit: string, message: RegExp) => (error: unknown) =>
  error instanceof RunbookError && error.exit === exit && message.test(error.message)

test('openIsolated() answers as the backend itself does, and says the same of itself', async () => {
  await using here = await openBackend(model())
  await using there = await openBackend(model(), { isolate: true })
  assert.deepEqual(
    [there.name, there.device, there.inputs, there.outputs],
    [here.name, here.device, here.inputs, here.outputs],
  )
  assert.deepEqual((await there.infer(feed)).y, { dtype: 'float32', shape: [1, 4], data: Float32Array.of(2, 4, 6, 8) })
})

test('openIsolated() passes on operating errors with their exit and hint, and goes on after them', async () => {
  await assert.rejects(openIsolated(join(folder, 'no.onnx')), refused('blocked', /no\.onnx/))
  await using child = await openIsolated(model())
  await assert.rejects(child.infer({ z: feed.x }), refused('usage', /Cannot feed "z"/))
  assert.deepEqual([...((await child.infer(feed)).y!.data as Float32Array)], [2, 4, 6, 8])
})

test('openIsolated() names signal and call when its process is killed, and may be opened again', async () => {
  const child = await openIsolated(model())
  // Held still, so that the question is under way when the process dies.
  signalChildren('SIGSTOP')
  const asked = child.infer(feed)
  signalChildren('SIGKILL')
  await assert.rejects(asked, refused('fail', /its process ended \(SIGKILL\) during "infer"$/))
  await assert.rejects(child.infer(feed), refused('fail', /SIGKILL/))
  await child[Symbol.asyncDispose]()
  await using again = await openIsolated(model())
  assert.equal((await again.infer(feed)).y!.shape[1], 4)
})

test('openIsolated() names the signal also when the process is dead before it is asked', async () => {
  for (let i = 0; i < 2; i++) {
    const child = await openIsolated(model())
    signalChildren('SIGKILL')
    await assert.rejects(child.infer(feed), refused('fail', /its process ended \(SIGKILL\)/))
    await child[Symbol.asyncDispose]()
  }
})

test('openIsolated() ends a child that does not answer', async () => {
  const child = await openIsolated(model(), { callTimeoutMs: 3000 })
  signalChildren('SIGSTOP')
  await assert.rejects(child.infer(feed), refused('fail', /did not answer "infer" within 3000 ms/))
})

test(
  'openIsolated() gives each question its own time, however many wait before it',
  { skip: needsTool('gcc') },
  async () => {
    await withHefFile(tinyModel().hef, async path => {
      const env = { HAILORT_LIB: hailortStandin({ profile: 'C' }), HAILO_STANDIN_LATENCY_US: '900000' }
      await using child = await openIsolated(path, { env, callTimeoutMs: 4000 })
      const answers = await Promise.all(
        Array.from({ length: 5 }, () => child.infer({ 'net/mix': float32([1, 1, 1, 64], new Float32Array(64)) })),
      )
      assert.equal(answers.length, 5)
    })
  },
)

test('openIsolated() passes on group, device, warnings and vitals', { skip: needsTool('gcc') }, async () => {
  await withHefFile(tinyModel({ arch: 'hailo8l' }).hef, async path => {
    const env = { HAILORT_LIB: hailortStandin({ profile: 'C' }) }
    await using child = await openIsolated(path, { env, hailort: { deviceId: '0000:01:00.0', group: 'net' } })
    assert.match(child.warnings!.join(), /compiled for hailo8l and runs slower/)
    assert.ok((await child.vitals!()).temperatureC! >= 40)
    await assert.rejects(
      openIsolated(path, { env, hailort: { group: 'other' } }),
      refused('usage', /it has the groups net/),
    )
    await assert.rejects(
      openIsolated(path, { env, hailort: { deviceId: '0000:09:00.0' } }),
      refused('blocked', /0000:09:00\.0/),
    )
  })
})

test('openIsolated() names the native function that a crash came from', { skip: needsTool('gcc') }, async () => {
  await withHefFile(tinyModel().hef, async path => {
    const open = (crash: string) =>
      openIsolated(path, {
        env: { HAILORT_LIB: hailortStandin({ profile: 'C' }), HAILO_STANDIN_CRASH: crash },
      })
    await assert.rejects(
      open('hailo_configure_vdevice'),
      refused('fail', /ended \(SIGSEGV\) during "open", in hailo_configure_vdevice$/),
    )
    const child = await open('hailo_vstream_read_raw_buffer:2')
    await assert.rejects(
      child.infer({ 'net/mix': float32([1, 1, 1, 64], new Float32Array(64)) }),
      refused('fail', /ended \(SIGSEGV\) during "infer", in hailo_vstream_read_raw_buffer$/),
    )
  })
})

test('openIsolated() answers what was asked before close, and refuses what is asked after it', async () => {
  for (let i = 0; i < 2; i++) {
    const child = await openIsolated(model())
    const asked = child.infer(feed)
    const closing = child[Symbol.asyncDispose]()
    await assert.rejects(child.infer(feed), /is closed/)
    assert.equal((await asked).y!.shape[1], 4)
    await closing
  }
})

test(
  'a child ends with its parent, also when that is killed while native code is busy',
  { skip: needsTool('gcc') },
  async () => {
    await withHefFile(tinyModel().hef, async path => {
      const script = `
      const { openIsolated } = await import(${JSON.stringify(join(import.meta.dirname, 'parent.ts'))})
      const child = await openIsolated(${JSON.stringify(path)}, { hailort: { timeoutMs: 60_000 } })
      void child.infer({ 'net/mix': { dtype: 'float32', shape: [1, 1, 1, 64], data: new Float32Array(64) } })
      setTimeout(() => console.log('asked'), 100)`
      const parent = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
        cwd: join(import.meta.dirname, '../../..'),
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, HAILORT_LIB: hailortStandin({ profile: 'C' }), HAILO_STANDIN_LATENCY_US: '60000000' },
      })
      await once(parent.stdout, 'data')
      const [child] = processesWith('isolate/child.ts', parent.pid)
      parent.kill('SIGKILL')
      await until(
        () => processesWith('isolate/child.ts').every(({ pid }) => pid !== child!.pid),
        'the end of the child',
      )
    })
  },
)

test(
  'openIsolated() ends what a library left behind, also one in a session of its own with no environment and no parent',
  { skip: needsTool('gcc') },
  async () => {
    await withHefFile(tinyModel().hef, async path => {
      for (const [seconds, more] of [
        [71_431, ''],
        [71_432, '\n  *(volatile int *)0 = 0;'],
      ] as const) {
        const env = { HAILORT_LIB: rogueLibrary({ atLoad: leavesDaemon(seconds) + more }) }
        await assert.rejects(openIsolated(path, { env }), RunbookError)
        const left = processesWith(`sleep ${seconds}`)
        // After a crash the kernel gives the process to another parent before anybody can look.
        for (const { pid } of left) process.kill(pid, 'SIGKILL')
        if (more === '') assert.deepEqual(left, [])
      }
    })
  },
)

test(
  'openIsolated() and the trace are not disturbed by a library that writes to every low descriptor',
  { skip: needsTool('gcc') },
  async () => {
    await withHefFile(tinyModel().hef, async path => {
      const atLoad = '\n  for (int fd = 3; fd < 20; fd++) (void)!write(fd, "garbage\\n", 8);'
      const none = 'int hailo_create_vdevice(void *p, void **out) { (void)p; *out = 0; return 74; }'
      const env = { HAILORT_LIB: rogueLibrary({ atLoad, functions: { hailo_create_vdevice: none } }) }
      await assert.rejects(openIsolated(path, { env }), refused('blocked', /HAILO_OUT_OF_PHYSICAL_DEVICES/))
    })
  },
)

test(
  'openIsolated() refuses a library that gives nothing, or tells of impossible counts',
  { skip: needsTool('gcc') },
  async () => {
    await withHefFile(tinyModel().hef, async path => {
      const hailo_create_vdevice =
        'int hailo_create_vdevice(void *p, void **out) { (void)p; *out = (void *)8; return 0; }'
      const hailo_get_physical_devices =
        'int hailo_get_physical_devices(void *d, void *m, size_t *n) { (void)d; (void)m; *n = 1ul << 40; return 0; }'
      for (const [functions, state] of [
        [{}, /hailo_create_vdevice succeeds and gives nothing/],
        [{ hailo_create_vdevice, hailo_get_physical_devices }, /tells of 1099511627776, and at most 32 can be/],
      ] as const) {
        const env = { HAILORT_LIB: rogueLibrary({ functions }) }
        await assert.rejects(openIsolated(path, { env }), refused('blocked', state))
      }
    })
  },
)

test('openIsolated() and openBackend() refuse a pipe as a model at once', { skip: needsTool('mkfifo') }, async () => {
  for (const name of ['pipe.onnx', 'pipe.hef', 'pipe.plan']) {
    const path = join(folder, name)
    execFileSync('mkfifo', [path])
    await assert.rejects(openBackend(path), refused('usage', /it is a pipe/))
  }
})

test('openIsolated() refuses questions after close, and closes twice without harm', async () => {
  const child = await openIsolated(model())
  await child[Symbol.asyncDispose]()
  await child[Symbol.asyncDispose]()
  await assert.rejects(child.infer(feed), /is closed/)
})

test('openNull() answers zeros in the shapes of the model, and checks feeds as the others do', async () => {
  const none = await openBackend(model(), { backend: 'null' })
  assert.deepEqual((await none.infer(feed)).y, { dtype: 'float32', shape: [1, 4], data: new Float32Array(4) })
  await assert.rejects(none.infer({ x: float32([1, 3], [1, 2, 3]) }), refused('usage', /it takes float32\[1, 4\]/))
  await none[Symbol.asyncDispose]()
  await assert.rejects(none.infer(feed), /is closed/)
})
