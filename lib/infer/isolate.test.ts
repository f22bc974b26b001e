import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { encodeModel } from '../formats/onnx.ts'
import { float32 } from '../formats/tensor.ts'
import { RunbookError } from '../notebook/errors.ts'
import { GraphBuilder } from '../onnx/builder.ts'
import { processesWith } from '../testing/processes.ts'
import { openBackend } from './backend.ts'
import { openIsolated } from './isolate.ts'

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
  const found = processesWith('isolate-child', process.pid)
  assert.ok(found.length > 0)
  for (const { pid } of found) process.kill(pid, signal)
}
const feed = { x: float32([1, 4], [1, 2, 3, 4]) }
const refused = (exit: string, message: RegExp) => (error: unknown) => error instanceof RunbookError && error.exit === exit && message.test(error.message)

test('openIsolated() answers as the backend itself does, and says the same of itself', async () => {
  await using here = await openBackend('ort', model())
  await using there = await openBackend('ort', model(), { isolate: true })
  assert.deepEqual([there.name, there.device, there.inputs, there.outputs], [here.name, here.device, here.inputs, here.outputs])
  assert.deepEqual((await there.infer(feed)).y, { dtype: 'float32', shape: [1, 4], data: Float32Array.of(2, 4, 6, 8) })
})

test('openIsolated() passes on operating errors with their exit and hint, and goes on after them', async () => {
  await assert.rejects(openIsolated('ort', join(folder, 'no.onnx')), refused('blocked', /no\.onnx/))
  await using child = await openIsolated('ort', model())
  await assert.rejects(child.infer({ z: feed.x }), refused('usage', /Cannot feed "z"/))
  assert.deepEqual([...((await child.infer(feed)).y!.data as Float32Array)], [2, 4, 6, 8])
})

test('openIsolated() names signal and call when its process is killed, and may be opened again', async () => {
  const child = await openIsolated('ort', model())
  // Held still, so that the question is under way when the process dies.
  signalChildren('SIGSTOP')
  const asked = child.infer(feed)
  signalChildren('SIGKILL')
  await assert.rejects(asked, refused('fail', /its process ended \(SIGKILL\) during "infer"/))
  await assert.rejects(child.infer(feed), refused('fail', /SIGKILL/))
  await child[Symbol.asyncDispose]()
  await using again = await openIsolated('ort', model())
  assert.equal((await again.infer(feed)).y!.shape[1], 4)
})

test('openIsolated() ends a child that does not answer', async () => {
  const child = await openIsolated('ort', model(), { callTimeoutMs: 3000 })
  signalChildren('SIGSTOP')
  await assert.rejects(child.infer(feed), refused('fail', /did not answer "infer" within 3000 ms/))
})

test('openIsolated() refuses questions after close, and closes twice without harm', async () => {
  const child = await openIsolated('ort', model())
  await child[Symbol.asyncDispose]()
  await child[Symbol.asyncDispose]()
  await assert.rejects(child.infer(feed), /is closed/)
})

test('openNull() answers zeros in the shapes of the model, and checks feeds as the others do', async () => {
  const none = await openBackend('null', model())
  assert.deepEqual((await none.infer(feed)).y, { dtype: 'float32', shape: [1, 4], data: new Float32Array(4) })
  await assert.rejects(none.infer({ x: float32([1, 3], [1, 2, 3]) }), refused('usage', /it takes float32\[1, 4\]/))
  await none[Symbol.asyncDispose]()
  await assert.rejects(none.infer(feed), /is closed/)
})
