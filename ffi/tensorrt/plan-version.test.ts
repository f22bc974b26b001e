import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { densePlan, planBytes } from '../testing/tensorrt/plan.ts'
import { planVersionOf } from './plan-version.ts'

const plan = planBytes(densePlan(), { major: 10, minor: 13, patch: 3 })

test('planVersionOf() reads the version at bytes 24 to 27', () => {
  assert.deepEqual(planVersionOf(plan), { major: 10, minor: 13, patch: 3, build: 9 })
  assert.deepEqual(planVersionOf(plan.subarray(0, 28)), { major: 10, minor: 13, patch: 3, build: 9 })
})

test('planVersionOf() reads a view into a larger buffer', () => {
  const padded = Buffer.concat([Buffer.alloc(5, 0xff), plan])
  assert.deepEqual(planVersionOf(padded.subarray(5)), { major: 10, minor: 13, patch: 3, build: 9 })
})

test('planVersionOf() says why a file is no plan', () => {
  assert.equal(planVersionOf(new Uint8Array(0)), 'it is empty')
  assert.match(String(planVersionOf(Buffer.from('version https://git-lfs'))), /not a TensorRT plan \(it begins with "version /)
  assert.match(String(planVersionOf(plan.subarray(0, 20))), /cut short after 20 bytes/)
  assert.match(String(planVersionOf(plan.subarray(0, 3))), /not a TensorRT plan/)
  const later = Buffer.from(plan)
  later.writeUInt32LE(7, 4)
  assert.match(String(planVersionOf(later)), /serialization version 7/)
})

test('planVersionOf() never throws, whatever the bytes', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), bytes => {
    const answer = planVersionOf(bytes)
    return typeof answer === 'string' ? answer.length > 0 : bytes.length >= 28
  }), { numRuns: 500 })
})
