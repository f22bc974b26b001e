import assert from 'node:assert/strict'
import { join } from 'node:path'
import test from 'node:test'
import { readJson } from '../../../host/files.ts'
import { recordingRecipes } from '../recordings.ts'
import { haloFrames, latentFrames } from '../../../models/convtasnet/options.ts'
import { networkNames, networkOptions, programFolder, voicePackages, voicesContract, voicesRecipe } from './contract.ts'

test('networkOptions gives a graph of a fine frame and a wide reach', () => {
  const large = networkOptions('large')
  assert.deepEqual([large.kernelSize, large.stride, latentFrames(large), haloFrames(large)], [128, 64, 251, 63])
  assert.equal(networkOptions('small', { inputLen: 48_000 }).inputLen, 48_000)
})

test('voicesContract bounds every network, and the largest the most', () => {
  const { meanSiSdriDbMin, worstSiSdriDbMin } = voicesContract().gates
  for (const bounds of [meanSiSdriDbMin, worstSiSdriDbMin]) {
    assert.deepEqual(Object.keys(bounds), networkNames)
    assert.equal(Math.max(...Object.values(bounds)), bounds.large)
  }
})

test('voicePackages pins every package by its digest', () => {
  const packages = voicePackages()
  assert.equal(new Set(packages.map(({ name }) => name)).size, 5)
  for (const { sha256 } of packages) assert.match(sha256, /^[0-9a-f]{64}$/)
})

test('voicesRecipe holds the prompts of the shipped recordings back', () => {
  const { trained } = readJson(join(programFolder, 'voices.json')) as { trained: Record<string, { test: string[] }> }
  const held = new Set(Object.values(trained).flatMap(({ test: prompts }) => prompts))
  for (const { file } of recordingRecipes.flatMap(({ sources }) => sources)) {
    assert.ok(held.has(file.replace(/\.\w+$/, '')), file)
  }
})

test('voicesRecipe holds no prompt back twice', () => {
  const { trained } = readJson(join(programFolder, 'voices.json')) as {
    trained: Record<string, Record<'excluded' | 'validation' | 'test', string[]>>
  }
  assert.deepEqual(Object.keys(trained), Object.keys(voicesRecipe().trained))
  for (const { excluded, validation, test: held } of Object.values(trained)) {
    const all = [...excluded, ...validation, ...held]
    assert.equal(new Set(all).size, all.length)
  }
})
