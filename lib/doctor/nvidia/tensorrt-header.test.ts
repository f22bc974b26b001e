import assert from 'node:assert/strict'
import test from 'node:test'
import { needsTool } from '../../testing/needs.ts'
import { fakeMachine, type FakeMachine } from '../../testing/machine/fake-machine.ts'
import { tensorRtAbiFact } from './tensorrt-header.ts'

const skip = needsTool('g++')

interface Bend {
  /** One method too many before a method of a class. */
  readonly extraBefore?: string
  readonly dimsBytes?: number
  readonly flags?: Readonly<Record<string, number>>
  /** A method that is there twice. */
  readonly overloaded?: string
}

/** Headers whose classes have their methods at the slots of the table; a test bends them. */
async function headers(version: string, bend: Bend = {}): Promise<Record<string, string>> {
  const { abiTables } = await import('../../../ffi/tensorrt/abi/abi.ts')
  const { majors, objects } = abiTables()
  const [major, minor, patch] = version.split('.')
  const table = majors[major!] ?? majors['10']!
  const classOf = (type: string) => {
    const isPure = objects.pure.includes(type)
    const at = new Map(Object.entries(table.slots[type]!).map(([method, slot]) => [slot, method]))
    const destructor = isPure ? (table.slots[type]!['~D0'] ?? Infinity) - 1 : 0
    const lines = Array.from({ length: Math.max(...at.keys()) + 1 }, (_, slot) => {
      const method = at.get(slot)
      if (slot === destructor) return `virtual ~${isPure ? type : `V${type.slice(1)}`}() {}`
      if (slot === destructor + 1) return ''
      const extra = `${type}.${method}` === bend.extraBefore ? 'virtual void extra() = 0; ' : ''
      const twin = `${type}.${method}` === bend.overloaded ? `void ${method}(int, int) {} ` : ''
      return `${extra}${twin}virtual void ${method ?? `unknown${slot}`}() = 0;`
    })
    return `class ${isPure ? type : `V${type.slice(1)}`} { public:\n${lines.join('\n')}\n};`
  }
  const types = Object.keys(table.slots)
  const within = (name: string, some: readonly string[]) => `namespace ${name} {\n${some.map(classOf).join('\n')}\n}`
  const flags = (name: string, values: Readonly<Record<string, number>>) =>
    `namespace nvinfer1 { enum class ${name} { ${Object.entries(values)
      .map(([flag, value]) => `k${flag} = ${value}`)
      .join(', ')} }; }`
  return {
    '/usr/include/NvInferVersion.h': [
      `#define NV_TENSORRT_MAJOR ${major}`,
      `#define NV_TENSORRT_MINOR ${minor}`,
      `#define NV_TENSORRT_PATCH ${patch}`,
      '',
    ].join('\n'),
    '/usr/include/cuda_runtime_api.h': '',
    '/usr/include/NvInfer.h': [
      '#pragma once',
      '#include <cuda_runtime_api.h>',
      within(
        'nvinfer1',
        types.filter(type => objects.pure.includes(type) && !type.startsWith('IParser')),
      ),
      within(
        'nvinfer1::apiv',
        types.filter(type => !objects.pure.includes(type)),
      ),
      `namespace nvinfer1 { struct Dims { char bytes[${bend.dimsBytes ?? table.dims.bytes}]; }; }`,
      flags('BuilderFlag', { ...table.builderFlags, ...bend.flags }),
      flags('NetworkDefinitionCreationFlag', table.networkFlags),
      '',
    ].join('\n'),
    '/usr/include/NvOnnxParser.h': `${within(
      'nvonnxparser',
      types.filter(type => type.startsWith('IParser')),
    )}\n`,
  }
}
const factOf = async (version: string, bend: Bend = {}, files: FakeMachine['files'] = {}) =>
  tensorRtAbiFact(
    fakeMachine({ files: { ...(await headers(version, bend)), ...files }, env: { PATH: process.env.PATH! } }),
  )

test(
  'tensorRtAbiFact() agrees with headers that are laid out as the table says, for each major',
  { skip },
  async () => {
    for (const version of ['8.6.1', '10.13.3', '11.1.0']) {
      const fact = await factOf(version)
      assert.equal(fact.status, 'ok', fact.state)
      assert.ok(Number(/in (\d+) slots/.exec(fact.state)![1]) > 150, fact.state)
      assert.match(fact.state, /\(0 are left to the canaries\)$/)
    }
  },
)

test('tensorRtAbiFact() names the first of the methods that moved', { skip }, async () => {
  const fact = await factOf('10.13.3', { extraBefore: 'IExecutionContext.enqueueV3' })
  assert.deepEqual([fact.status, fact.needs], ['broken', ['nvidia']])
  assert.match(fact.state, /IExecutionContext\.enqueueV3 is 38 in the header and 37 in the table/)
})

test('tensorRtAbiFact() names a size and a flag that are not as in the table', { skip }, async () => {
  const fact = await factOf('10.13.3', { dimsBytes: 36 })
  assert.match(fact.state, /contradicts the table 1 times: sizeof\.Dims is 36 in the header and 72 in the table/)
  assert.match((await factOf('10.13.3', { flags: { TF32: 7 } })).state, /BuilderFlag\.TF32 is 7 in the header and 6/)
})

test('tensorRtAbiFact() leaves an overloaded method to the canaries and compares the rest', { skip }, async () => {
  const fact = await factOf('10.13.3', { overloaded: 'IRuntime.deserializeCudaEngine' })
  assert.equal(fact.status, 'ok', fact.state)
  assert.match(fact.state, /\(1 are left to the canaries\)$/)
})

test(
  'tensorRtAbiFact() expects the one minor whose slots moved to differ there and nowhere else',
  { skip },
  async () => {
    assert.equal((await factOf('10.8.0', { extraBefore: 'INetworkDefinition.markDebug' })).status, 'ok')
    assert.equal((await factOf('10.9.0', { extraBefore: 'INetworkDefinition.markDebug' })).status, 'broken')
  },
)

test("tensorRtAbiFact() does without the parser's header", { skip }, async () => {
  assert.equal((await factOf('10.13.3', {}, { '/usr/include/NvOnnxParser.h': null })).status, 'ok')
})

test('tensorRtAbiFact() does not compare a major that the table does not have', { skip }, async () => {
  const fact = await factOf('12.0.0')
  assert.deepEqual([fact.status, /12\.0\.0, which the table does not know/.test(fact.state)], ['broken', true])
  assert.match(fact.fix!, /^install a version that it knows: 8\.6\.1, 10\.0 and later 10\.x/)
})

test(
  'tensorRtAbiFact() does not compare a minor, or an early access, that the table does not describe',
  { skip },
  async () => {
    for (const version of ['8.6.0', '8.5.3']) {
      assert.match(
        (await factOf(version)).state,
        new RegExp(`NvInfer\\.h is of ${version}, which the table does not know`),
      )
    }
  },
)

test('tensorRtAbiFact() quotes the compiler when the headers do not compile', { skip }, async () => {
  const fact = await factOf('10.13.3', {}, { '/usr/include/cuda_runtime_api.h': '#error no CUDA for you\n' })
  assert.deepEqual(
    [fact.status, /does not compile: #error no CUDA for you/.test(fact.state)],
    ['broken', true],
    fact.state,
  )
})

test('tensorRtAbiFact() is missing without headers, without those of CUDA, and without a compiler', async () => {
  assert.equal((await tensorRtAbiFact(fakeMachine())).status, 'missing')
  const cuda = await factOf('10.13.3', {}, { '/usr/include/cuda_runtime_api.h': null })
  assert.match(cuda.state, /is here, and cuda_runtime_api\.h is not|g\+\+ is not on PATH/)
  const compiler = await tensorRtAbiFact(fakeMachine({ files: await headers('10.13.3'), programs: { 'g++': null } }))
  assert.deepEqual([compiler.status, compiler.fix], ['missing', 'sudo apt install g++'])
})
