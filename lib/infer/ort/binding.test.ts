import assert from 'node:assert/strict'
import test from 'node:test'
import { GraphBuilder } from '../../onnx/builder.ts'
import { halves, modelFile } from '../../testing/infer/fixtures.ts'
import { boundTensor } from './binding.ts'
import { openOrtC } from './c-api.ts'

test('openBinding() runs a model on tensors of the caller, beside its slots', async () => {
  await using model = await openOrtC(modelFile(halves(2)), { threads: 1 })
  await using binding = model.openBinding()
  const [input, output] = [boundTensor('float32', [1, 1, 1, 2]), boundTensor('float32', [1, 2, 1, 2])]
  binding.setInput('input', input)
  binding.setOutput('output', output)
  input.data.set([2, 4] as never)
  binding.runSync()
  assert.deepEqual([...output.data], [1, 2, 1, 2])
  input.data.set([6, 8] as never)
  await binding.run()
  assert.deepEqual([...output.data], [3, 4, 3, 4])
})

test('Binding refuses what does not fit with an operating error, and fails in words of the library', async () => {
  const graph = new GraphBuilder({ name: 'grow', opset: 13 })
  const past = graph.input('past', 'float32', ['n'])
  graph.node('Concat', [past, past], { output: 'present', attributes: { axis: 0 } })
  graph.output('present', 'float32', ['m'])
  await using model = await openOrtC(modelFile(graph.build()), { threads: 1 })
  await using binding = model.openBinding()
  assert.throws(() => binding.setInput('nobody', boundTensor('float32', [1])), { exit: 'usage', message: /"nobody"/ })
  assert.throws(() => boundTensor('float32', [-1]), { exit: 'usage', message: /no whole number/ })
  binding.setOutput('present')
  assert.throws(() => binding.runSync(), {
    exit: 'fail',
    message: /^Cannot infer with ".*": RunWithBinding\(\) answers/,
  })
  await assert.rejects(binding.run(), { exit: 'fail' })
  binding.setInput('past', boundTensor('float32', [3]))
  for (const size of [6, 12, 24]) {
    binding.runSync()
    const [made] = binding.take('present')
    assert.deepEqual(made!.shape, [size])
    made!.release()
    binding.feedBack({ present: 'past' })
  }
})

test('openBinding() refuses after close', async () => {
  const model = await openOrtC(modelFile(halves(2)))
  await model[Symbol.asyncDispose]()
  assert.throws(() => model.openBinding(), { exit: 'usage', message: /closed/ })
})
