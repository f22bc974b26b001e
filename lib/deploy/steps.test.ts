import assert from 'node:assert/strict'
import test from 'node:test'
import { blockedError } from '../base/errors.ts'
import { applySteps, countSteps, differs, holds, notHere, type Step } from './steps.ts'

/** A switch that a step turns on; `sticks: false` is a command that says it worked and did nothing. */
function lamp(name: string, o: { isOn?: boolean; sticks?: boolean } = {}) {
  const state = { isOn: o.isOn ?? false, applied: 0 }
  const step: Step = {
    name,
    check: () => (state.isOn ? holds('on') : differs('off', 'switch it on')),
    apply() {
      state.applied++
      state.isOn = o.sticks ?? true
    },
  }
  return { step, state }
}
const statuses = async (steps: readonly Step[], options = {}) =>
  (await applySteps(steps, options)).map(({ status }) => status)

test('applySteps() changes what differs, and nothing in a second run', async () => {
  const [a, b] = [lamp('a'), lamp('b', { isOn: true })]
  assert.deepEqual(await statuses([a.step, b.step]), ['changed', 'ok'])
  assert.deepEqual(await statuses([a.step, b.step]), ['ok', 'ok'])
  assert.deepEqual([a.state.applied, b.state.applied], [1, 0])
})

test('applySteps() looks at every step and touches none when it is a dry run', async () => {
  const [a, b] = [lamp('a'), lamp('b')]
  assert.deepEqual(await statuses([a.step, b.step], { dryRun: true }), ['would change', 'would change'])
  assert.deepEqual([a.state.applied, b.state.applied], [0, 0])
})

test('applySteps() fails a step that still differs after its change, and takes none after it', async () => {
  const [a, b] = [lamp('a', { sticks: false }), lamp('b')]
  const [first, second] = await applySteps([a.step, b.step])
  assert.equal(first!.status, 'failed')
  assert.match(first!.detail, /still off/)
  assert.equal(second!.status, 'not reached')
  assert.equal(b.state.applied, 0)
})

test('applySteps() goes on after a failure when it keeps going, and keeps the hint of an operating error', async () => {
  const broken: Step = { ...lamp('a').step, apply: () => Promise.reject(blockedError('Cannot do "a": no', 'do b')) }
  const seen: string[] = []
  const results = await applySteps([broken, lamp('b').step], {
    keepGoing: true,
    onResult: ({ name }) => seen.push(name),
  })
  assert.deepEqual(
    results.map(({ status, hint }) => [status, hint]),
    [
      ['failed', 'do b'],
      ['changed', ''],
    ],
  )
  assert.deepEqual(seen, ['a', 'b'])
  assert.equal(countSteps(results).failed, 1)
})

test('applySteps() tells a step which steps before it changed something', async () => {
  const restart: Step = {
    name: 'restart',
    check: ({ changed }) => (changed.has('a') ? differs('old', 'restart') : holds('nothing new')),
    apply: () => {},
    confirm: () => holds('restarted'),
  }
  const { step } = lamp('a')
  assert.deepEqual(await statuses([step, restart], { dryRun: true }), ['would change', 'would change'])
  assert.deepEqual(await statuses([step, restart]), ['changed', 'changed'])
  assert.deepEqual(await statuses([step, restart]), ['ok', 'ok'])
})

test('applySteps() leaves a step alone that this target cannot take', async () => {
  const step: Step = { name: 'a', check: () => notHere('no manager'), apply: () => assert.fail('was applied') }
  assert.deepEqual(await statuses([step]), ['not here'])
})

test('applySteps() refuses two steps of one name', async () => {
  await assert.rejects(applySteps([lamp('a').step, lamp('a').step]), RangeError)
})
