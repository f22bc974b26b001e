import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { dataPath, needsData } from '../testing/needs.ts'
import { bucketOf, buckets } from './buckets.ts'
import { families } from './signatures/index.ts'

test('buckets says for each kind why it happens and what helps', () => {
  for (const [name, { cause, nextKnob, exceptionType }] of Object.entries(buckets)) {
    assert.ok(cause.length > 10 && nextKnob !== '', name)
    assert.equal(exceptionType === '', name === 'not_a_failure' || name === 'info_tf32_disabled', name)
  }
})

test('buckets holds every bucket of the taxonomy', { skip: needsData('failures/buckets.json') }, () => {
  const known = JSON.parse(readFileSync(dataPath('failures/buckets.json'), 'utf8')) as {
    dfc: Record<string, string>
    tensorrt: string[]
  }
  for (const name of [...Object.keys(known.dfc), ...known.tensorrt]) assert.ok(Object.hasOwn(buckets, name), name)
})

test('bucketOf() calls a network infeasible for no environment, timeout, crash or quantisation', () => {
  const infeasible = Object.entries(buckets)
    .filter(([, { isInfeasible }]) => isInfeasible)
    .map(([name]) => name)
  assert.deepEqual(infeasible.toSorted(), [
    'allocator_infeasible',
    'kernel_unsupported',
    'reshape_layout',
    'reshape_layout_skip_concat_maskmul',
    'resource_exhausted_partition',
    'resource_exhausted_single_context',
    'resource_memory_units',
  ])
})

test('bucketOf() reads a name that is in no table as unknown', () => {
  assert.equal(bucketOf('toString'), buckets.unknown)
  assert.equal(bucketOf(''), buckets.unknown)
})

test('families name only buckets that exist, and every bucket has a signature', () => {
  const named = new Set(Object.values(families).flatMap(family => family.map(({ bucket }) => bucket)))
  for (const name of named) assert.ok(Object.hasOwn(buckets, name), name)
  // Two kinds are not known by words: the absence of any, and a finer kind of reshape_layout that its list of layers
  // tells.
  const without = Object.keys(buckets).filter(name => !named.has(name))
  assert.deepEqual(without.toSorted(), ['not_a_failure', 'reshape_layout_skip_concat_maskmul', 'unknown'])
})
