import assert from 'node:assert/strict'
import { PerformanceObserver } from 'node:perf_hooks'
import test from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInThisContext } from 'node:vm'
import { constantFrom, assert as property, asyncProperty, array, integer, float } from 'fast-check'
import { encodeModel, type ModelProto } from '../../lib/formats/onnx/index.ts'
import { float32, type Tensor } from '../../lib/formats/tensors/tensor.ts'
import { forked, halves, single } from '../../lib/testing/infer/fixtures.ts'
import { GraphBuilder } from '../../lib/onnx/builder.ts'
import { turnsDuring } from '../../lib/testing/event-loop.ts'
import { elements, nativeTensor, type ElementType } from './elements.ts'
import { openOnnxRuntime } from './runtime.ts'
import type { OrtSlot, SlotOptions } from './slot.ts'
import { onnxruntimeNode } from '../../lib/host/onnxruntime-node.ts'

const runtime = openOnnxRuntime({ env: {} })
test.after(() => runtime.close())
const sessionOf = (model: ModelProto) => runtime.openSession(encodeModel(model), { threads: 1 })
const slotOf = async (model: ModelProto, options?: SlotOptions) => (await sessionOf(model)).openSlot(options)
const feed = (slot: OrtSlot, name: string, values: readonly (number | bigint)[]) =>
  slot.inputs[name]!.data.set(values as never)
const answer = (slot: OrtSlot, name = 'output') => [...slot.outputs[name]!.data]

/** What onnxruntime-node says of the same bytes. */
async function oracle(model: ModelProto, feeds: Record<string, Tensor>): Promise<Record<string, unknown[]>> {
  const ort = await onnxruntimeNode()
  const session = await ort.InferenceSession.create(encodeModel(model), { intraOpNumThreads: 1 })
  const given = Object.entries(feeds).map(
    ([name, t]) => [name, new ort.Tensor(t.dtype as 'float32', t.data as Float32Array, t.shape)] as const,
  )
  const results = await session.run(Object.fromEntries(given))
  const plain = Object.entries(results).map(([name, t]): [string, unknown[]] => [name, [...(t.data as Float32Array)]])
  await session.release()
  return Object.fromEntries(plain)
}

test('run() answers as onnxruntime-node does, for every type that both carry', async () => {
  const values: Partial<Record<ElementType, readonly (number | bigint)[]>> = {
    float32: [1.5, -0],
    float64: [1e300, -2],
    float16: [0x3c00, 0xc000],
    int8: [-128, 127],
    uint8: [255, 0],
    int32: [-(2 ** 31), 2],
    int64: [-(2n ** 63n), 3n],
    bool: [1, 0],
  }
  for (const [dtype, given] of Object.entries(values) as [ElementType, readonly number[]][]) {
    const model = single('Identity', { dtype, input: [2], output: [2] })
    const slot = await slotOf(model)
    feed(slot, 'input', given)
    slot.run()
    const data = new elements[dtype].array(given as never)
    assert.deepEqual(answer(slot), (await oracle(model, { input: { dtype, shape: [2], data } })).output, dtype)
    assert.deepEqual(answer(slot), given, dtype)
  }
})

test('run() computes in each type: casts to it and from it', async () => {
  for (const [dtype, expected] of Object.entries({
    float16: [0x3c00, 0x4200],
    int8: [1, 3],
    uint8: [1, 3],
    int32: [1, 3],
    int64: [1n, 3n],
    bool: [1, 1],
    float64: [1, 3],
  })) {
    const graph = new GraphBuilder({ name: 'cast' })
    const to = { float16: 10, int8: 3, uint8: 2, int32: 6, int64: 7, bool: 9, float64: 11 }[dtype]!
    graph.node('Cast', [graph.input('input', 'float32', [2])], { output: 'output', attributes: { to } })
    graph.output('output', dtype as ElementType, [2])
    const slot = await slotOf(graph.build())
    feed(slot, 'input', [1, 3])
    slot.run()
    assert.deepEqual(answer(slot), expected, dtype)
  }
})

test('run() and runAsync() read the same buffers again and again, and write to the same', async () => {
  const slot = await slotOf(forked(3))
  const { quiet, loud } = slot.outputs
  for (let i = 0; i < 50; i++) {
    feed(slot, 'sound', [i, 2 * i, 4])
    feed(slot, 'bias', [1, 1, -i])
    if (i % 2 === 0) slot.run()
    else await slot.runAsync()
    assert.deepEqual([...quiet!.data], [i / 2, i, 2, i / 2, i, 2])
    assert.deepEqual([...loud!.data], [i + 1, 2 * i + 1, 4 - i, 0, 0, 0])
  }
  assert.equal(slot.outputs.quiet, quiet)
})

test('run() carries NaN and infinities as they are', async () => {
  const slot = await slotOf(single('Neg', { input: [3], output: [3] }))
  feed(slot, 'input', [Number.NaN, Infinity, -0])
  slot.run()
  assert.deepEqual(answer(slot), [Number.NaN, -Infinity, 0])
})

test('run() answers as onnxruntime-node does for any numbers', async () => {
  const model = halves(4, 0.3)
  const slot = await slotOf(model)
  await property(
    asyncProperty(array(float({ noNaN: true }), { minLength: 4, maxLength: 4 }), async values => {
      const input = float32([1, 1, 1, 4], values)
      slot.inputs.input!.data.set(input.data as never)
      slot.run()
      assert.deepEqual(answer(slot), (await oracle(model, { input })).output)
    }),
    { numRuns: 20 },
  )
})

test('run() takes a graph whose output is its input, or a weight, or the same twice', async () => {
  const graph = new GraphBuilder({ name: 'through' })
  const input = graph.input('input', 'float32', [2])
  graph.node('Identity', [input], { output: 'same' })
  graph.node('Identity', [input], { output: 'again' })
  const weight = graph.node('Identity', [graph.weight('w', float32([1], [7]))], { output: 'weight' })
  graph.output('same', 'float32', [2])
  graph.output('again', 'float32', [2])
  graph.output(weight, 'float32', [1])
  const slot = await slotOf(graph.build())
  feed(slot, 'input', [3, 4])
  slot.run()
  feed(slot, 'input', [0, 0])
  assert.deepEqual([answer(slot, 'same'), answer(slot, 'again'), answer(slot, 'weight')], [[3, 4], [3, 4], [7]])
})

test('openSlot() wants the shape of an open input, and the first run tells that of an open output', async () => {
  const session = await sessionOf(single('Neg', { input: [2, 'frames'], output: [2, 'frames'] }))
  assert.throws(() => session.openSlot(), {
    kind: 'usage',
    message: /Cannot bind "input" of .* as float32\[2, frames\]: its dimension "frames" is open/,
  })
  const slot = session.openSlot({ shapes: { input: [2, 3] } })
  assert.equal(slot.outputs.output, undefined)
  feed(slot, 'input', [1, 2, 3, 4, 5, 6])
  slot.run()
  assert.deepEqual(slot.outputs.output!.shape, [2, 3])
  assert.deepEqual(answer(slot), [-1, -2, -3, -4, -5, -6])
  const { output } = slot.outputs
  feed(slot, 'input', [0, 0, 0, 0, 0, 9])
  await slot.runAsync()
  assert.equal(slot.outputs.output, output)
  assert.equal(answer(slot)[5], -9)
})

test('openSlot() gives two slots of one model shapes of their own', async () => {
  const session = await sessionOf(single('Neg', { input: ['n'], output: ['n'] }))
  const [short, long] = [session.openSlot({ shapes: { input: [1] } }), session.openSlot({ shapes: { input: [5] } })]
  feed(short, 'input', [1])
  feed(long, 'input', [1, 2, 3, 4, 5])
  await Promise.all([short.runAsync(), long.runAsync()])
  assert.deepEqual([answer(short), answer(long)], [[-1], [-1, -2, -3, -4, -5]])
})

test('run() tells which outputs are open when some are fixed, in any order', async () => {
  const graph = new GraphBuilder({ name: 'mixed' })
  const a = graph.input('a', 'float32', ['n'])
  const b = graph.input('b', 'float32', [2])
  for (const [name, from] of [
    ['open1', a],
    ['fixed', b],
    ['open2', a],
  ] as const)
    graph.node('Neg', [from], { output: name })
  graph.output('open1', 'float32', ['n'])
  graph.output('fixed', 'float32', [2])
  graph.output('open2', 'float32', ['n'])
  const slot = await slotOf(graph.build(), { shapes: { a: [3] } })
  feed(slot, 'a', [1, 2, 3])
  feed(slot, 'b', [8, 9])
  assert.deepEqual(Object.keys(slot.outputs), ['fixed'])
  slot.run()
  assert.deepEqual(
    [answer(slot, 'open1'), answer(slot, 'fixed'), answer(slot, 'open2')],
    [
      [-1, -2, -3],
      [-8, -9],
      [-1, -2, -3],
    ],
  )
})

test('run() gives a scalar, and an array of nothing', async () => {
  const scalar = await slotOf(single('Neg', { input: [], output: [] }))
  feed(scalar, 'input', [4])
  scalar.run()
  assert.deepEqual([scalar.outputs.output!.shape, answer(scalar)], [[], [-4]])
  const empty = await slotOf(single('Neg', { input: ['n', 2], output: ['n', 2] }), { shapes: { input: [0, 2] } })
  empty.run()
  await empty.runAsync()
  assert.deepEqual([empty.outputs.output!.shape, answer(empty)], [[0, 2], []])
})

test('run() and runAsync() give an output another array when its shape changes', async () => {
  const graph = new GraphBuilder({ name: 'found' })
  graph.node('NonZero', [graph.input('input', 'float32', [4])], { output: 'output' })
  graph.output('output', 'int64', [1, 'found'])
  const slot = await slotOf(graph.build())
  feed(slot, 'input', [0, 1, 0, 1])
  slot.run()
  assert.deepEqual(answer(slot), [1n, 3n])
  feed(slot, 'input', [1, 1, 1, 1])
  const before = slot.outputs.output!.data
  slot.run()
  assert.deepEqual(answer(slot), [0n, 1n, 2n, 3n])
  assert.deepEqual([...before], [1n, 3n], 'the array of the earlier shape stays as it was')
  feed(slot, 'input', [1, 0, 0, 0])
  await slot.runAsync()
  assert.deepEqual(answer(slot), [0n])
})

test('run() and runAsync() name the call when the graph cannot be computed for these numbers', async () => {
  const graph = new GraphBuilder({ name: 'pick' })
  graph.node('Gather', [graph.weight('table', float32([2], [1, 2])), graph.input('index', 'int64', [1])], {
    output: 'output',
  })
  graph.output('output', 'float32', [1])
  const slot = await slotOf(graph.build())
  feed(slot, 'index', [7n])
  const expected = {
    name: 'FfiError',
    kind: 'status',
    message: /Cannot run a model of \d+ bytes: RunWithBinding\(\) answers INVALID_ARGUMENT: .*(out of|bounds)/i,
  }
  assert.throws(() => slot.run(), expected)
  await assert.rejects(slot.runAsync(), expected)
  feed(slot, 'index', [1n])
  await slot.runAsync()
  assert.deepEqual(answer(slot), [2])
})

test('openSlot() refuses names, shapes and types that do not fit, and says what the model takes', async () => {
  const session = await sessionOf(forked(2))
  const refused = (options: SlotOptions, message: RegExp) =>
    assert.throws(() => session.openSlot(options), { kind: 'usage', message })
  refused({ shapes: { noise: [1] } }, /Cannot give a shape to "noise" .*: it has sound float32\[1, 1, 1, 2\], bias/)
  refused({ shapes: { quiet: [1, 2, 1, 2] } }, /Cannot give a shape to "quiet"/)
  refused(
    { shapes: { sound: [1, 1, 1, 3] } },
    /Cannot bind "sound" .* as float32\[1, 1, 1, 3\]: it takes float32\[1, 1, 1, 2\]/,
  )
  refused({ shapes: { sound: [1, 1, 2] } }, /it takes float32\[1, 1, 1, 2\]/)
  refused({ share: { nobody: nativeTensor('float32', [1]) } }, /Cannot share "nobody"/)
  refused({ share: { loud: nativeTensor('float32', [2, 2]) } }, /Cannot bind "loud"/)
  refused({ share: { sound: nativeTensor('int32', [1, 1, 1, 2]) } }, /Cannot bind "sound" .* as int32/)
  const open = await sessionOf(single('Neg', { input: ['n'], output: ['n'] }))
  for (const n of [-1, 0.5, Number.NaN])
    assert.throws(() => open.openSlot({ shapes: { input: [n] } }), { kind: 'usage', message: /no whole number/ })
})

test("openSlot() shares tensors: one slot's output is another's input, and nothing is copied", async () => {
  const graph = new GraphBuilder({ name: 'count' })
  graph.node('Add', [graph.input('state', 'float32', [2]), graph.weight('one', float32([1], [1]))], { output: 'next' })
  graph.output('next', 'float32', [2])
  const session = await sessionOf(graph.build())
  const ping = session.openSlot()
  const pong = session.openSlot({ share: { state: ping.outputs.next!, next: ping.inputs.state! } })
  for (let i = 0; i < 10; i++) {
    ping.run()
    await pong.runAsync()
  }
  assert.deepEqual([...ping.inputs.state!.data], [20, 20])
})

test('runAsync() refuses a second run in the same slot, and close() while it runs waits for it', async () => {
  const slot = await slotOf(halves(2))
  feed(slot, 'input', [2, 4])
  const first = slot.runAsync()
  assert.throws(() => slot.run(), { kind: 'usage', message: /a run is under way in this slot/ })
  await assert.rejects(slot.runAsync(), { kind: 'usage', message: /under way/ })
  await Promise.all([slot.close(), slot.close()])
  await first
  assert.deepEqual(answer(slot), [1, 2, 1, 2])
  await slot.close()
  assert.throws(() => slot.run(), { kind: 'usage', message: /it was closed/ })
  await assert.rejects(slot.runAsync(), { kind: 'usage', message: /it was closed/ })
})

test('run() and runAsync() refuse when a buffer went to someone else', async () => {
  const slot = await slotOf(halves(2))
  setFlagsFromString('--allow-natives-syntax')
  const detach = runInThisContext('buffer => %ArrayBufferDetach(buffer)') as (buffer: ArrayBufferLike) => void
  detach(slot.outputs.output!.data.buffer)
  const expected = { kind: 'usage', message: /the buffer of "output" was transferred away/ }
  assert.throws(() => slot.run(), expected)
  await assert.rejects(slot.runAsync(), expected)
  assert.throws(() => slot.run(), expected)
})

/** Eats processor time on one thread: a chain of products of width x width. */
function slow(steps: number, width = 256): ModelProto {
  const graph = new GraphBuilder({ name: 'slow' })
  let at = graph.input('input', 'float32', [width, width])
  const weight = graph.weight('w', float32([width, width], new Float32Array(width * width).fill(1 / width)))
  for (let i = 0; i < steps; i++) at = graph.node('MatMul', [at, weight], i === steps - 1 ? { output: 'output' } : {})
  graph.output('output', 'float32', [width, width])
  return graph.build()
}

test('runAsync() leaves the event loop alone while it computes; run() does not', async () => {
  const slot = await slotOf(slow(100))
  slot.run()
  const [aside, here] = [await turnsDuring(() => slot.runAsync()), await turnsDuring(() => slot.run())]
  assert.ok(aside > 20 && here === 0, `${aside} turns aside, ${here} here`)
})

test('runAsync() of several slots at once gives each its own answer', async () => {
  const session = await sessionOf(slow(4, 64))
  const slots = Array.from({ length: 4 }, () => session.openSlot())
  for (let round = 0; round < 20; round++) {
    slots.forEach((slot, i) => slot.inputs.input!.data.fill((i + 1 + round) as never))
    await Promise.all(slots.map(slot => slot.runAsync()))
    slots.forEach((slot, i) => {
      const values = answer(slot) as number[]
      assert.ok(
        values.every(value => Math.abs(value - (i + 1 + round)) < 1e-3),
        `slot ${i}`,
      )
    })
  }
})

test('run() makes nothing: less than 4 bytes of heap per call, and no collection', async () => {
  const slot = await slotOf(halves(8))
  for (let i = 0; i < 20_000; i++) slot.run()
  const calls = 100_000
  let collections = 0
  const observer = new PerformanceObserver(list => (collections += list.getEntries().length))
  observer.observe({ entryTypes: ['gc'] })
  const before = process.memoryUsage().heapUsed
  for (let i = 0; i < calls; i++) slot.run()
  const bytes = (process.memoryUsage().heapUsed - before) / calls
  await new Promise(resolve => setTimeout(resolve, 5))
  observer.disconnect()
  assert.ok(bytes < 4 && collections === 0, `${bytes} bytes per call, ${collections} collections`)
})

test('openSlot() and close() in any order leave the session as it was', async () => {
  const session = await sessionOf(halves(2))
  await property(
    asyncProperty(
      array(constantFrom('open', 'run', 'aside', 'close', 'close twice'), { maxLength: 20 }),
      integer(),
      async (steps, seed) => {
        const slots: OrtSlot[] = [session.openSlot()]
        for (const [i, step] of steps.entries()) {
          const slot = slots[Math.abs(seed + i) % slots.length]!
          if (step === 'open') slots.push(session.openSlot())
          else if (step === 'run')
            try {
              slot.run()
            } catch (thrown) {
              assert.match(String(thrown), /closed|under way/)
            }
          else if (step === 'aside')
            void slot.runAsync().catch((thrown: unknown) => assert.match(String(thrown), /closed|under way/))
          else await Promise.all(step === 'close' ? [slot.close()] : [slot.close(), slot.close()])
        }
        await Promise.all(slots.map(slot => slot.close()))
      },
    ),
    { numRuns: 50 },
  )
  const slot = session.openSlot()
  feed(slot, 'input', [2, 4])
  slot.run()
  assert.deepEqual(answer(slot), [1, 2, 1, 2])
})
