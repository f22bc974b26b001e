import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { decodeModel, encodeModel } from '../../lib/formats/onnx/index.ts'
import { float32 } from '../../lib/formats/tensors/tensor.ts'
import { halves, modelFile, scratch, tinyModel } from '../../lib/testing/infer/fixtures.ts'
import { GraphBuilder } from '../../lib/onnx/builder.ts'
import { logSeverity, optimizationLevels, type SessionOptions } from './options.ts'
import { openOnnxRuntime } from './runtime.ts'

const runtime = openOnnxRuntime({ env: {} })
test.after(() => runtime.close())
const model = encodeModel(halves(2))
const runs = async (options: SessionOptions) => {
  const session = await runtime.openSession(model, options)
  const slot = session.openSlot()
  slot.inputs.input!.data.set([2, 4] as never)
  slot.run()
  assert.deepEqual([...slot.outputs.output!.data], [1, 2, 1, 2])
  await session.close()
}
const threadsNow = () => readdirSync('/proc/self/task').length
const noProc = existsSync('/proc/self/task') ? false : 'tool: /proc'

test('openSession() runs at every level of optimisation and of logging', async () => {
  for (const optimization of Object.keys(optimizationLevels) as (keyof typeof optimizationLevels)[])
    await runs({ optimization })
  for (const level of Object.keys(logSeverity).slice(2) as (keyof typeof logSeverity)[])
    await runs({ logSeverity: level })
})

test(
  'openSession() starts as many threads as are asked for: one fewer, since the caller works as well',
  { skip: noProc },
  async () => {
    const countWith = async (threads: number) => {
      const before = threadsNow()
      const session = await runtime.openSession(model, { threads })
      const started = threadsNow() - before
      await session.close()
      return started
    }
    await countWith(1)
    assert.deepEqual([await countWith(1), await countWith(4)], [0, 3])
  },
)

test('openSession() takes inter-op threads, spinning on and off, and further entries', async () => {
  await runs({ interOpThreads: 2, threads: 2, allowSpinning: false })
  await runs({ allowSpinning: true, threads: 0 })
  await runs({ config: { 'session.set_denormal_as_zero': '1' } })
})

test('openSession() lets idle threads sleep when spinning is off', { skip: noProc }, async () => {
  const busyMs = async (allowSpinning: boolean) => {
    const graph = new GraphBuilder({ name: 'wide' })
    graph.node(
      'MatMul',
      [
        graph.input('input', 'float32', [256, 256]),
        graph.weight('w', float32([256, 256], new Float32Array(256 * 256))),
      ],
      { output: 'output' },
    )
    graph.output('output', 'float32', [256, 256])
    const session = await runtime.openSession(encodeModel(graph.build()), { threads: 3, allowSpinning })
    const slot = session.openSlot()
    for (let i = 0; i < 20; i++) slot.run()
    const before = process.cpuUsage()
    for (let i = 0; i < 20; i++) {
      slot.run()
      await new Promise(resolve => setTimeout(resolve, 5))
    }
    const { user, system } = process.cpuUsage(before)
    await session.close()
    return (user + system) / 1000
  }
  const [asleep, spinning] = [await busyMs(false), await busyMs(true)]
  assert.ok(asleep < spinning, `${asleep} ms asleep, ${spinning} ms spinning`)
})

test('openSession() writes the optimised graph, which gives the same answers', async () => {
  const path = tinyModel()
  const optimizedModelPath = join(scratch(), 'optimised.onnx')
  const before = (await runtime.openSession(path, { optimization: 'extended', optimizedModelPath })).openSlot()
  const after = (await runtime.openSession(optimizedModelPath, { optimization: 'disabled' })).openSlot()
  for (const slot of [before, after]) {
    for (let i = 0; i < 400; i++) slot.inputs.input!.data[i] = Math.cos(i / 3)
    slot.run()
  }
  const difference = Math.max(
    ...[...before.outputs.output!.data].map((value, i) =>
      Math.abs(Number(value) - Number(after.outputs.output!.data[i])),
    ),
  )
  assert.ok(difference < 1e-5, `${difference}`)
  assert.notEqual(
    decodeModel(readFileSync(optimizedModelPath)).graph.node.length,
    decodeModel(readFileSync(path)).graph.node.length,
  )
})

test('openSession() refuses counts of threads that are none, and names the call that the library refuses', async () => {
  for (const count of [-1, 1.5, Number.NaN, 1e6]) {
    await assert.rejects(runtime.openSession(model, { threads: count }), {
      kind: 'usage',
      message: /threads: it is no count of threads/,
    })
    await assert.rejects(runtime.openSession(model, { interOpThreads: count }), {
      kind: 'usage',
      message: /interOpThreads/,
    })
  }
  await assert.rejects(runtime.openSession(model, { config: { '': '1' } }), {
    kind: 'status',
    message: /AddSessionConfigEntry\(\) answers/,
  })
  await assert.rejects(runtime.openSession(model, { optimizedModelPath: join(scratch(), 'none', 'x.onnx') }), {
    name: 'FfiError',
    kind: 'status',
  })
})

test('openSession() says nothing on stderr when a model or a run fails, unless told to', () => {
  const said = (severity: string) => {
    const script = `
      const { openOnnxRuntime } = await import(${JSON.stringify(join(import.meta.dirname, 'runtime.ts'))})
      const runtime = openOnnxRuntime({ env: {} })
      await runtime.openSession(Buffer.from('text')).catch(() => {})
      const slot = (await runtime.openSession(process.argv[1], { logSeverity: '${severity}' })).openSlot()
      slot.inputs.index.data[0] = 7n
      try { slot.run() } catch (e) { console.error('caught', e.kind) }
      await runtime.close()`
    const args = [
      '--import',
      'tsx',
      '--input-type=module',
      '-e',
      `console.error = console.log;${script}`,
      modelFile(gather()),
    ]
    return execFileSync('sh', ['-c', '"$0" "$@" 2>&1', process.execPath, ...args], { encoding: 'utf8' }).trim()
  }
  assert.equal(said('fatal'), 'caught status')
  assert.match(said('error'), /Non-zero status code/)
})

function gather() {
  const graph = new GraphBuilder({ name: 'pick' })
  graph.node('Gather', [graph.weight('table', float32([2], [1, 2])), graph.input('index', 'int64', [1])], {
    output: 'output',
  })
  graph.output('output', 'float32', [1])
  return graph.build()
}
