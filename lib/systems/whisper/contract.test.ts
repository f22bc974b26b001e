import assert from 'node:assert/strict'
import test from 'node:test'
import { RunbookError } from '../../base/errors.ts'
import { modelNames, namedModel, whisperContract } from './contract.ts'

test('namedModel knows every published name, and what whisper-small-int8 stands for', () => {
  assert.deepEqual(modelNames(), ['tiny.en', 'tiny', 'base.en', 'base', 'small.en', 'small', 'whisper-small-int8'])
  for (const name of modelNames()) assert.ok(namedModel(name).model.files.length >= 2, name)
  const { published, precision } = namedModel('whisper-small-int8')
  assert.deepEqual([published, precision], ['small', 'int8'])
})

test('namedModel refuses another name, and proposes the nearest', () => {
  assert.throws(() => namedModel('base.fr'), { exit: 'usage', hint: /base/ })
  assert.throws(() => namedModel(''), RunbookError)
  assert.throws(() => namedModel('__proto__'), RunbookError)
})

test('every file of a model has a digest and one origin', () => {
  for (const [name, { files, alignmentHeads, dims }] of Object.entries(whisperContract().models)) {
    for (const { sha256, url, members } of files) {
      assert.match(sha256, /^[0-9a-f]{64}$/, name)
      assert.equal((url === undefined) === (members === undefined), false, name)
    }
    assert.ok(
      alignmentHeads.every(([layer, head]) => layer < dims.decoderLayers && head < dims.heads),
      name,
    )
    assert.equal(dims.heads * 64, dims.width)
  }
})
