import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { dataPath, needsData } from '../testing/needs.ts'
import { fileKind, fileKindBytes } from './file-kind.ts'

const kindOf = (text: string) => fileKind(Buffer.from(text, 'latin1'))

test('fileKind() knows files by their first bytes', () => {
  const heads: Record<string, string> = {
    '': 'empty',
    '\x01HEF\0\0\0\x03': 'hef',
    'ftrt\0\0\0\0': 'plan',
    'vtrt\0\0\0\0': 'rtx',
    'version https://git-lfs.github.com/spec/v1\n': 'lfs',
    '\n <!DOCTYPE html>': 'html',
    '<?xml version="1.0"?>': 'html',
    '{ "mock_hef": true }': 'mock',
    '{"a": 1}': 'json',
    '[1, 2]': 'json',
    '\x18\0\0\0ORTM': 'ort',
    '\x1c\0\0\0TFL3': 'tflite',
    '\x40\0\0\0\0\0\0\0{"a"': 'safetensors',
    'PK\x03\x04\x14': 'zip',
    '\x1f\x8b\x08': 'gzip',
    '\x93NUMPY\x01': 'npy',
    '\x80\x04\x95': 'pickle',
    '\x7fELF\x02': 'elf',
    'RIFF....WAVE': 'wav',
    'plain words\n': 'text',
  }
  for (const [head, id] of Object.entries(heads)) assert.equal(kindOf(head)?.id, id, JSON.stringify(head))
})

test('fileKind() knows a .har, which is a tar archive', () => {
  const tar = Buffer.alloc(600)
  tar.write('model.hn', 'latin1')
  tar.write('ustar', 257, 'latin1')
  assert.equal(fileKind(tar)?.id, 'tar')
  assert.match(fileKind(tar)!.hint, /hailo compiler/)
  // A head that ends before the mark says nothing.
  assert.equal(fileKind(tar.subarray(0, 250)), null)
})

test('fileKind() quotes the first line of a text and no more than 40 characters of it', () => {
  assert.equal(kindOf('one\ntwo\n')?.name, 'a text that begins "one"')
  assert.equal(kindOf('x'.repeat(100))?.name, `a text that begins "${'x'.repeat(40)}"`)
  assert.equal(kindOf('say "hi"')?.name, 'a text that begins "say \\"hi\\""')
})

test('fileKind() tells a placeholder from other texts', () => {
  assert.equal(kindOf('PLACEHOLDER for the model')?.id, 'mock')
  assert.equal(kindOf('the dummy model is elsewhere')?.id, 'text')
})

test('fileKind() looks at its first bytes alone, and at no more than it says', () => {
  assert.equal(kindOf(`{"a": 1${' '.repeat(fileKindBytes)}"mock_hef": true}`)?.id, 'json')
})

test('fileKind() says nothing of bytes that it does not know', () => {
  for (const head of ['\0\x01\x02\x03', '\x08\x07\x12\x04', '\x01HE']) assert.equal(kindOf(head), null)
})

test(
  'fileKind() names both files of the data that only claim to be HEFs',
  { skip: needsData('hef/tcn_encoder_v72pct.hef') },
  () => {
    const nameOf = (name: string) => fileKind(readFileSync(dataPath(`hef/${name}`)))?.name
    assert.match(nameOf('tcn_encoder_v0.1.0.hef')!, /^a placeholder text that begins "DUMMY_HEF_CONTENT_Mon /)
    assert.match(nameOf('tcn_encoder_v72pct.hef')!, /^a JSON text that calls itself "mock_hef"/)
  },
)
