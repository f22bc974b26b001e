import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { writeHef } from '../testing/hef/write.ts'
import { encodeModel } from '../formats/onnx/index.ts'
import { float32, sizeOf } from '../formats/tensors/tensor.ts'
import { RunbookError } from '../base/errors.ts'
import { GraphBuilder } from '../onnx/builder.ts'
import { tinyModel } from '../testing/hef/models.ts'
import { dataPath, needsData } from '../testing/needs.ts'
import type { Backend } from './backend.ts'
import { openNull } from './null.ts'

const folder = mkdtempSync(join(tmpdir(), 'null-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
const at = (name: string, bytes: Uint8Array | string) => {
  writeFileSync(join(folder, name), bytes)
  return join(folder, name)
}
const shapes = ({ inputs, outputs }: Backend) =>
  [...inputs, ...outputs].map(({ name, dtype, shape }) => `${name} ${dtype} ${shape.join('x')}`)
const refusal = async (path: string, o?: { group: string }): Promise<string> => {
  const thrown = await (async () => openNull(path, o))().then(
    () => assert.fail('it opened'),
    (error: unknown) => error,
  )
  assert.ok(thrown instanceof RunbookError && thrown.exit === 'usage')
  return `${thrown.message}; ${thrown.hint}`.replace(folder, '')
}

test('openNull() answers zeros in the shapes of an ONNX model', async () => {
  const builder = new GraphBuilder({ name: 'double' })
  builder.input('x', 'float32', [1, 3])
  builder.node('Add', ['x', 'x'], { output: 'y' })
  builder.output('y', 'float32', [1, 3])
  await using model = await openNull(at('a.onnx', encodeModel(builder.build())))
  assert.deepEqual(shapes(model), ['x float32 1x3', 'y float32 1x3'])
  const { y } = await model.infer({ x: float32([1, 3], [1, 2, 3]) })
  assert.deepEqual([...(y!.data as Float32Array)], [0, 0, 0])
})

test('openNull() answers zeros in the shapes of a HEF, without HailoRT, whatever the file is called', async () => {
  for (const name of ['a.hef', 'named-wrong.onnx']) {
    await using model = await openNull(at(name, tinyModel({ arch: 'hailo10h' }).hef))
    assert.deepEqual(shapes(model), [
      'net/mix float32 1x1x1x64',
      'net/voices float32 1x2x1x64',
      'net/noise float32 1x1x1x64',
    ])
    assert.equal(model.device, 'none (zeros)')
    const results = await model.infer({ 'net/mix': float32([1, 1, 1, 64], new Float32Array(64).fill(1)) })
    for (const { name: output, shape } of model.outputs)
      assert.equal(results[output]!.data.length, sizeOf(shape.map(Number)))
  }
})

test('openNull() takes the group of a HEF that is named, and lists them when there is none of that name', async () => {
  const stream = (name: string, width: number) => ({ name, shape: { height: 1, width, features: 1 } })
  const groupOf = (name: string, width: number) => ({
    name,
    inputs: [stream(`${name}/i`, width)],
    outputs: [stream(`${name}/o`, width)],
  })
  const path = at('two.hef', writeHef({ groups: [groupOf('one', 8), groupOf('two', 4)] }))
  assert.deepEqual(shapes(await openNull(path)), ['one/i float32 1x1x1x8', 'one/o float32 1x1x1x8'])
  assert.deepEqual(shapes(await openNull(path, { group: 'two' })), ['two/i float32 1x1x1x4', 'two/o float32 1x1x1x4'])
  assert.match(await refusal(path, { group: 'three' }), /its network groups are: one, two/)
})

test('openNull() says who can list the streams when it is a plan or an .ort file', async () => {
  assert.equal(
    await refusal(at('a.plan', 'ftrt\0\0\0\0and more')),
    'Cannot answer zeros for "/a.plan": it is a TensorRT plan, and only TensorRT can say which streams it has; ' +
      'give --backend tensorrt to run it, or give the .onnx that it was made of',
  )
  assert.match(
    await refusal(at('a.ort', '\x18\0\0\0ORTM')),
    /own format \(\.ort\), and only ONNX Runtime can say which streams it has; give --backend ort/,
  )
})

test('openNull() names what a file is when it is no model, and speaks of no runtime', async () => {
  const words = await refusal(at('a.hef', 'version https://git-lfs.github.com/spec/v1\n'))
  assert.match(words, /it is a git-lfs pointer; run git lfs pull/)
  for (const [name, text] of [
    ['empty.onnx', ''],
    ['b.hef', '{ "mock_hef": true }'],
    ['c.onnx', 'PK\x03\x04'],
    ['d.onnx', 'words\n'],
  ] as const) {
    assert.doesNotMatch(await refusal(at(name, text)), /ONNX Runtime|HailoRT|TensorRT/, name)
  }
  assert.throws(
    () => openNull(join(folder, 'nowhere.hef')),
    (error: unknown) => error instanceof RunbookError && error.exit === 'blocked',
  )
})

test('openNull() describes real HEFs', { skip: needsData('hef/arcface_mobilefacenet.hef') }, async () => {
  await using model = await openNull(dataPath('hef/arcface_mobilefacenet.hef'))
  assert.deepEqual(shapes(model), [
    'arcface_mobilefacenet/input_layer1 float32 1x3x112x112',
    'arcface_mobilefacenet/fc1 float32 1x512',
  ])
})
