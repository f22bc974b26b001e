import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { densePlan, planBytes } from '../testing/tensorrt/plan.ts'
import { planVersionOf } from './plan-version.ts'

const plan = planBytes(densePlan(), { major: 10, minor: 13, patch: 3 })

test('planVersionOf() reads the version at bytes 24 to 27', () => {
  assert.deepEqual(planVersionOf(plan), { major: 10, minor: 13, patch: 3, build: 9 })
  assert.deepEqual(planVersionOf(plan.subarray(0, 29)), { major: 10, minor: 13, patch: 3, build: 9 })
})

test('planVersionOf() reads a header of each major that was laid by hand', () => {
  for (const [major, minor, patch, build] of [
    [8, 6, 1, 0],
    [10, 0, 0, 6],
    [10, 14, 1, 48],
    [11, 1, 0, 255],
  ] as const) {
    const head = Buffer.alloc(64)
    head.write('ftrt', 'latin1')
    head.set([major, minor, patch, build], 24)
    assert.deepEqual(planVersionOf(head), { major, minor, patch, build })
  }
})

test('planVersionOf() reads a view into a larger buffer', () => {
  const padded = Buffer.concat([Buffer.alloc(5, 0xff), plan])
  assert.deepEqual(planVersionOf(padded.subarray(5)), { major: 10, minor: 13, patch: 3, build: 9 })
})

test('planVersionOf() says why a file is no plan', () => {
  assert.equal(planVersionOf(new Uint8Array(0)), 'it is empty')
  assert.match(
    String(planVersionOf(Buffer.from('version https://git-lfs'))),
    /not a TensorRT plan \(it begins with "version /,
  )
  assert.match(String(planVersionOf(plan.subarray(0, 3))), /not a TensorRT plan/)
  const later = Buffer.from(plan)
  later.writeUInt32LE(7, 4)
  assert.match(String(planVersionOf(later)), /serialization has version 7/)
})

test('planVersionOf() names TensorRT-RTX when the plan is one of its own', () => {
  const head = Buffer.from('767472740000000002000000000000005c0e02000000000001070174', 'hex')
  assert.equal(
    planVersionOf(head),
    'it is a plan of TensorRT-RTX 1.7.1, which is not called here: build it with TensorRT itself',
  )
  assert.match(String(planVersionOf(head.subarray(0, 4))), /^it is a plan of TensorRT-RTX, which is not called here/)
})

test('planVersionOf() says both lengths at every cut of the header', () => {
  for (let length = 4; length < 28; length++) {
    assert.match(
      String(planVersionOf(plan.subarray(0, length))),
      new RegExp(`cut short: .* takes 28 bytes, and the file has ${length}$`),
    )
  }
  assert.equal(planVersionOf(plan.subarray(0, 28)), 'it ends with its header')
})

test('planVersionOf() refuses a version that no TensorRT of this layout has', () => {
  for (const [major, minor, patch] of [
    [0, 0, 0],
    [7, 2, 3],
  ]) {
    const older = Buffer.from(plan)
    older.set([major!, minor!, patch!], 24)
    assert.equal(
      planVersionOf(older),
      `its version reads ${major}.${minor}.${patch}: it is damaged, or was written before TensorRT 8.6`,
    )
  }
})

test('planVersionOf() never throws, whatever the bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), bytes => {
      const answer = planVersionOf(bytes)
      return typeof answer === 'string' ? answer.length > 0 : bytes.length >= 28
    }),
    { numRuns: 500 },
  )
})

test('planVersionOf() gives the four bytes or one clear sentence, for 500 plans with a few bytes changed', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(40), fc.nat(255)), { minLength: 1, maxLength: 6 }),
      fc.nat(128),
      (edits, length) => {
        const bytes = Buffer.from(plan.subarray(0, length))
        for (const [at, value] of edits) if (at < bytes.length) bytes[at] = value
        const answer = planVersionOf(bytes)
        if (typeof answer === 'string') assert.match(answer, /^it/)
        else assert.deepEqual([answer.major, answer.minor, answer.patch, answer.build], [...bytes.subarray(24, 28)])
      },
    ),
    { numRuns: 500 },
  )
})
