import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { densePlan, planBytes } from '../../ffi/testing/tensorrt/plan.ts'
import { hailortStandin } from '../../ffi/testing/hailort.ts'
import { standinVersions, tensorRtStandin } from '../../ffi/testing/tensorrt/standin.ts'
import { encodeModel } from '../formats/onnx/index.ts'
import { float32, sizeOf, type Tensor } from '../formats/tensors/tensor.ts'
import { RunbookError } from '../base/errors.ts'
import { GraphBuilder } from '../onnx/builder.ts'
import { tinyModel } from '../testing/hef/models.ts'
import { needsTool } from '../testing/needs.ts'
import type { Backend, Feeds } from './backend.ts'
import { openBackend } from './open.ts'
import type { BackendName, BackendOptions } from './options.ts'

// The same questions to every backend, through the one door. Devices are the stand-ins.

const folder = mkdtempSync(join(tmpdir(), 'backends-'))
const at = (name: string, bytes: Uint8Array) => {
  writeFileSync(join(folder, name), bytes)
  return join(folder, name)
}

function graph(): Uint8Array {
  const builder = new GraphBuilder({ name: 'double' })
  builder.input('x', 'float32', [1, 3])
  builder.node('Add', ['x', 'x'], { output: 'y' })
  builder.output('y', 'float32', [1, 3])
  return encodeModel(builder.build())
}

interface Row {
  readonly name: BackendName
  readonly options?: BackendOptions
  readonly path: () => string
  readonly env?: () => Record<string, string>
}

const tensorRt = () => tensorRtStandin(standinVersions[1]!, { isLean: true })
const rows: Record<string, Row> = {
  'ort, C API': { name: 'ort', path: () => at('a.onnx', graph()) },
  'ort, node': { name: 'ort', options: { ort: { driver: 'node' } }, path: () => at('b.onnx', graph()) },
  'ort in a child': { name: 'ort', options: { isolate: true }, path: () => at('c.onnx', graph()) },
  null: { name: 'null', path: () => at('d.onnx', graph()) },
  hailort: {
    name: 'hailort',
    options: { isolate: false },
    path: () => at('e.hef', tinyModel().hef),
    env: () => ({ HAILORT_LIB: hailortStandin({ profile: 'C' }) }),
  },
  'hailort in a child': {
    name: 'hailort',
    path: () => at('f.hef', tinyModel().hef),
    env: () => ({ HAILORT_LIB: hailortStandin({ profile: 'B' }) }),
  },
  tensorrt: {
    name: 'tensorrt',
    options: { isolate: false },
    path: () => at('g.plan', planBytes(densePlan(), standinVersions[1]!)),
    env: () => tensorRt().env,
  },
  'tensorrt in a child': {
    name: 'tensorrt',
    path: () => at('h.plan', planBytes(densePlan(), standinVersions[1]!)),
    env: () => tensorRt().env,
  },
}

async function withRow(row: Row, body: (open: () => Promise<Backend>, path: string) => Promise<void>): Promise<void> {
  const path = row.path()
  const env = row.env?.() ?? {}
  Object.assign(process.env, env)
  try {
    await body(() => openBackend(path, { backend: row.name, ...row.options }), path)
  } finally {
    for (const name of Object.keys(env)) delete process.env[name]
  }
}

const feedsOf = (model: Backend, value: (i: number) => number): Feeds =>
  Object.fromEntries(
    model.inputs.map(({ name, shape }) => {
      const fixed = shape.map(Number)
      return [
        name,
        float32(
          fixed,
          Float32Array.from({ length: sizeOf(fixed) }, (_, i) => value(i)),
        ),
      ]
    }),
  )
const copied = (results: Readonly<Record<string, Tensor>>) =>
  Object.entries(results).map(([name, { data }]) => [name, [...(data as Float32Array)]])
const refused = (error: unknown) => error instanceof RunbookError && error.exit === 'usage' && error.hint.length > 0

test('every backend answers alike behind the one face', { skip: needsTool('g++') }, async t => {
  for (const [title, row] of Object.entries(rows)) {
    await t.test(title, () =>
      withRow(row, async open => {
        const model = await open()
        assert.equal(model.name, row.name)
        assert.ok(model.device.length > 0 && model.inputs.length > 0 && model.outputs.length > 0 && model.loadMs >= 0)
        const feeds = feedsOf(model, i => ((i % 7) - 3) / 10)
        const once = copied(await model.infer(feeds))
        assert.deepEqual(once.map(([name]) => name).toSorted(), model.outputs.map(({ name }) => name).toSorted())
        for (const { name, shape } of model.outputs)
          assert.equal((once.find(([found]) => found === name)![1] as number[]).length, sizeOf(shape.map(Number)))
        assert.deepEqual(copied(await model.infer(feeds)), once, 'the same question has the same answer')

        const [first] = model.inputs
        await assert.rejects(model.infer({ ...feeds, nobody: feeds[first!.name]! }), refused, 'an unknown name')
        await assert.rejects(model.infer({}), refused, 'a missing feed')
        await assert.rejects(model.infer({ ...feeds, [first!.name]: float32([1, 1], [0]) }), refused, 'a wrong shape')
        const shape = first!.shape.map(Number)
        await assert.rejects(
          model.infer({ ...feeds, [first!.name]: { dtype: 'int32', shape, data: new Int32Array(sizeOf(shape)) } }),
          refused,
          'a wrong type',
        )
        await assert.rejects(model.infer(feedsOf(model, i => (i === 1 ? Number.NaN : 0))), refused, 'NaN')
        assert.deepEqual(copied(await model.infer(feeds)), once, 'it goes on after refusals')

        await model[Symbol.asyncDispose]()
        await model[Symbol.asyncDispose]()
        await assert.rejects(model.infer(feeds), /closed/, 'a question after close')
        await using again = await open()
        assert.deepEqual(copied(await again.infer(feeds)), once, 'opened again')
      }),
    )
  }
})
