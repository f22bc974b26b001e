import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import test from 'node:test'
import { constantFrom, assert as property, asyncProperty, integer, sample, tuple, uint8Array } from 'fast-check'
import { encodeModel } from '../../lib/formats/onnx/index.ts'
import { float32 } from '../../lib/formats/tensors/tensor.ts'
import { forked, halves, modelFile, scratch, single, tinyModel } from '../../lib/testing/infer/fixtures.ts'
import { GraphBuilder } from '../../lib/onnx/builder.ts'
import { needsPlainMemory } from '../../lib/testing/needs.ts'
import { openOnnxRuntime } from './runtime.ts'

const env = {}
const runtime = openOnnxRuntime({ env })
test.after(() => runtime.close())

test('openOnnxRuntime() says which library, version and table it runs on', () => {
  assert.match(runtime.version, /^1\.\d+\.\d+$/)
  assert.ok(statSync(runtime.path).isFile())
  assert.match(runtime.buildInfo, /^ORT Build Info/)
  assert.ok(runtime.apiVersion >= 16)
})

test('openOnnxRuntime() runs a model through the oldest table that is tested as through the newest', async () => {
  for (const apiVersion of [16, 22, 30]) {
    const older = openOnnxRuntime({ env, apiVersion })
    const slot = (await older.openSession(encodeModel(halves(4)))).openSlot()
    slot.inputs.input!.data.set([2, 4, 6, 8] as never)
    slot.run()
    assert.deepEqual([...slot.outputs.output!.data], [1, 2, 3, 4, 1, 2, 3, 4])
    await older.close()
  }
})

test('openSession() gives the same answers from a file and from its bytes', async () => {
  const path = tinyModel()
  const answers = await Promise.all(
    [path, readFileSync(path)].map(async model => {
      const slot = (await runtime.openSession(model)).openSlot()
      for (let i = 0; i < 400; i++) slot.inputs.input!.data[i] = Math.sin(i)
      slot.run()
      return [...slot.outputs.output!.data]
    }),
  )
  assert.deepEqual(answers[0], answers[1])
  assert.ok(answers[0]!.some(value => value !== 0))
})

test('openSession() copies the bytes that it is given', async () => {
  const bytes = encodeModel(halves(2))
  const slot = (await runtime.openSession(bytes)).openSlot()
  bytes.fill(255)
  slot.inputs.input!.data.set([2, 4] as never)
  slot.run()
  assert.equal(slot.outputs.output!.data[1], 2)
})

test('openSession() takes a path with spaces and letters that are not ASCII', async () => {
  const session = await runtime.openSession(modelFile(halves(2), 'ein Modell – größer π.onnx'))
  assert.equal(session.inputs[0]!.name, 'input')
})

test('openSession() names the call, the code and the file when the library refuses it', async () => {
  const cut = tinyModel()
  truncateSync(cut, readFileSync(cut).length - 500)
  const text = join(scratch(), 'text.onnx')
  writeFileSync(text, 'this is text, not a graph')
  const cases: [string | Uint8Array, RegExp][] = [
    [cut, /Cannot open ".*model\.onnx": CreateSession\(\) answers \w+: /],
    [text, /CreateSession\(\) answers INVALID_PROTOBUF/],
    [join(scratch(), 'none.onnx'), /CreateSession\(\) answers NO_SUCHFILE/],
    [scratch(), /CreateSession\(\) answers \w+: /],
    [new Uint8Array(0), /CreateSessionFromArray\(\) answers INVALID_ARGUMENT/],
    [Buffer.from('text'), /Cannot open a model of 4 bytes: CreateSessionFromArray\(\) answers INVALID_PROTOBUF/],
    [encodeModel(single('Cnov', { input: [1], output: [1] })), /Cnov/],
  ]
  for (const [model, message] of cases)
    await assert.rejects(runtime.openSession(model), { kind: 'status', message, hint: /cut short/ })
  await assert.rejects(runtime.openSession('a\0b'), { kind: 'usage', message: /zero byte/ })
})

test('openSession() refuses after close, close() may be called twice, and another runtime goes on', async () => {
  const other = openOnnxRuntime({ env })
  const session = await other.openSession(encodeModel(halves(2)))
  await Promise.all([other.close(), other.close()])
  await other.close()
  assert.equal(session.isOpen, false)
  await assert.rejects(other.openSession(encodeModel(halves(2))), { kind: 'usage', message: /ONNX Runtime was closed/ })
  assert.ok(await runtime.openSession(encodeModel(halves(2))))
})

test('close() of a runtime waits for models that are being opened and for runs that are under way', async () => {
  const other = openOnnxRuntime({ env })
  const slot = (await other.openSession(tinyModel())).openSlot()
  const run = slot.runAsync()
  const opening = other.openSession(tinyModel())
  await other.close()
  await run
  assert.equal((await opening).isOpen, false)
})

test(
  'openSession() gives back what it took: 200 models opened, run and closed',
  { skip: needsPlainMemory() },
  async () => {
    const bytes = readFileSync(tinyModel())
    const cycle = async (times: number) => {
      for (let i = 0; i < times; i++) {
        const session = await runtime.openSession(bytes, { threads: 1 })
        session.openSlot().run()
        await session.openSlot().runAsync()
        await session.close()
      }
      return process.memoryUsage().rss
    }
    const before = await cycle(100)
    const after = await cycle(200)
    assert.ok(after - before < 24 << 20, `${(after - before) >> 20} MiB more after 200 models`)
  },
)

test(
  'openOnnxRuntime() gives back what it took: 60 times from nothing to nothing',
  { skip: needsPlainMemory() },
  () => {
    // In a process of its own, so that the environment really goes: no other runtime holds it.
    const script = `
    const { openOnnxRuntime } = await import(${JSON.stringify(join(import.meta.dirname, 'runtime.ts'))})
    const cycle = async n => { for (let i = 0; i < n; i++) {
      const runtime = openOnnxRuntime({ env: {} })
      const slot = (await runtime.openSession(process.argv[1], { threads: 2 })).openSlot()
      await slot.runAsync(); slot.run(); await runtime.close() } return process.memoryUsage().rss }
    const before = await cycle(30)
    console.log(((await cycle(60)) - before) / 1048576)`
    const mib = Number(
      execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script, tinyModel()], {
        encoding: 'utf8',
      }),
    )
    assert.ok(mib < 24, `${mib} MiB more after 60 runtimes`)
  },
)

/** Opens and runs each file in a process of its own; what it says of each, and how it ended. */
async function verdictsOf(paths: readonly string[]): Promise<{ lines: string[]; signal: string | null }> {
  const script = `
    const { openOnnxRuntime } = await import(${JSON.stringify(join(import.meta.dirname, 'runtime.ts'))})
    const { writeSync } = await import('node:fs')
    const runtime = openOnnxRuntime({ env: {} })
    for (const path of process.argv.slice(1)) {
      writeSync(1, path + ' ')
      const verdict = await (async () => {
        const session = await runtime.openSession(path, { threads: 1 })
        try { await session.openSlot({ shapes: {} }).runAsync(); return 'ran' }
        finally { await session.close() }
      })().catch(e => e.name === 'FfiError' && e.message.length > 20 && e.hint ? e.kind : 'UNCLEAR ' + e)
      writeSync(1, verdict + '\\n')
    }
    await runtime.close()`
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script, ...paths], {
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: 600_000,
    killSignal: 'SIGKILL',
  })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
  const [, signal] = (await once(child, 'close')) as [number, string | null]
  return { lines: text.trim().split('\n'), signal }
}

test('openSession() survives 500 models with bytes changed, each with a clear error or an answer', async () => {
  const folder = scratch()
  const bases = [
    encodeModel(forked(3)),
    readFileSync(tinyModel()),
    encodeModel(single('Neg', { input: [2, 2], output: [2, 2] })),
  ]
  // Weights are most of a file and any weight is valid: aim at the head and the tail, where the graph is.
  const edit = tuple(
    integer({ min: 0, max: 1 << 30 }),
    integer({ min: 0, max: 255 }),
    constantFrom('set' as const, 'cut' as const, 'insert' as const),
  )
  const mutants = sample(tuple(constantFrom(...bases), tuple(edit, edit, edit)), { numRuns: 500, seed: 20_260_223 })
  const paths = mutants.map(([base, edits], i) => {
    let bytes = Buffer.from(base)
    for (const [place, value, kind] of edits.slice(0, 1 + (i % 3))) {
      const at = place % (i % 2 === 0 ? Math.min(bytes.length, 900) : bytes.length)
      if (kind === 'set') bytes[at] = value
      else if (kind === 'insert') bytes = Buffer.concat([bytes.subarray(0, at), Buffer.of(value), bytes.subarray(at)])
      else bytes = bytes.subarray(0, Math.max(1, at))
    }
    const path = join(folder, `mutant-${i}.onnx`)
    writeFileSync(path, bytes)
    return path
  })
  const { lines, signal } = await verdictsOf(paths)
  assert.equal(signal, null, `it was killed at ${lines.at(-1)}`)
  assert.deepEqual(
    lines.filter(line => !/ (ran|status|refused|usage)$/.test(line)),
    [],
  )
  assert.equal(lines.length, 500)
  assert.ok(lines.some(line => line.endsWith(' ran')) && lines.some(line => line.endsWith(' status')))
})

test('openSession() refuses any bytes that are no model', async () => {
  await property(
    asyncProperty(uint8Array({ maxLength: 300 }), async bytes => {
      await assert.rejects(runtime.openSession(bytes), { name: 'FfiError', kind: 'status' })
    }),
    { numRuns: 100 },
  )
})

test('openSession() reads weights beside a model only when it is opened by its path', async () => {
  const model = single('Neg', { input: [2], output: [2] })
  const location = [{ key: 'location', value: 'weights.bin' }]
  const initializer = [
    {
      name: 'w',
      dataType: 1,
      dims: [2n],
      dataLocation: 1,
      externalData: location,
    } as (typeof model.graph.initializer)[0],
  ]
  const split = {
    ...model,
    graph: { ...model.graph, initializer, node: [{ ...model.graph.node[0]!, opType: 'Add', input: ['input', 'w'] }] },
  }
  const path = modelFile(split)
  writeFileSync(join(dirname(path), 'weights.bin'), new Uint8Array(Float32Array.of(10, 20).buffer))
  const slot = (await runtime.openSession(path)).openSlot()
  slot.run()
  assert.deepEqual([...slot.outputs.output!.data], [10, 20])
  await assert.rejects(runtime.openSession(encodeModel(split)), { kind: 'status' })
})

test('openSession() opens a model of many megabytes from its bytes', async () => {
  const graph = new GraphBuilder({ name: 'large' })
  const sum = graph.node(
    'MatMul',
    [
      graph.input('input', 'float32', [1, 2048]),
      graph.weight('w', float32([2048, 2048], new Float32Array(2048 * 2048).fill(1))),
    ],
    { output: 'output' },
  )
  graph.output(sum, 'float32', [1, 2048])
  const slot = (await runtime.openSession(encodeModel(graph.build()))).openSlot()
  slot.inputs.input!.data.fill(0.5 as never)
  await slot.runAsync()
  assert.equal(slot.outputs.output!.data[2047], 1024)
})
