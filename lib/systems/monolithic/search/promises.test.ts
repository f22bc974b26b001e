import assert from 'node:assert/strict'
import test from 'node:test'
import { networkOptions, voicesContract } from '../training/contract.ts'
import { ladderConfigs, monolithicContract } from '../contract.ts'
import { promisesOf } from './promises.ts'

const shipped = { mix: 'a.wav', references: ['b.wav', 'c.wav'], from: 'shipped' } as const
const large = networkOptions('large')

test('promisesOf asks trained weights to take the voices of a shipped recording apart', () => {
  const siSdriDbMin = voicesContract().gates.worstSiSdriDbMin.large
  assert.deepEqual(promisesOf(large, { weights: undefined, recording: shipped }), { mixtureDbMin: null, siSdriDbMin })
})

test('promisesOf asks nothing of trained weights when the voices are unknown, or cannot be scored', () => {
  for (const recording of [{ ...shipped, from: 'MIX_WAV' } as const, { ...shipped, references: null }]) {
    assert.equal(promisesOf(large, { weights: undefined, recording }).siSdriDbMin, null)
  }
})

test('promisesOf asks seeded weights for sources that add up to the mixture', () => {
  const rung = ladderConfigs('plan')[0]!
  const mixtureDbMin = monolithicContract().gates.mixtureSnrDbMinInt8
  assert.deepEqual(promisesOf(rung, { weights: undefined, recording: shipped }), { mixtureDbMin, siSdriDbMin: null })
  const relu = { ...rung, maskAct: 'relu' } as const
  assert.equal(promisesOf(relu, { weights: undefined, recording: shipped }).mixtureDbMin, null)
})

test("promisesOf asks nothing of somebody's own weights", () => {
  const none = { mixtureDbMin: null, siSdriDbMin: null }
  assert.deepEqual(promisesOf(large, { weights: 'own.safetensors', recording: shipped }), none)
})
