import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { RunbookError } from '../base/errors.ts'
import { sha256, sha256File, sha256Json } from './digest.ts'
import { fileError, makeFolder, readFile, readHead, readJson, writeFileAtomic } from './files.ts'
import { readNdjson } from './ndjson.ts'

const scratch = () => mkdtempSync(join(tmpdir(), 'files-'))
const refused = (exit: string, message: RegExp) => (error: unknown) =>
  error instanceof RunbookError && error.exit === exit && message.test(error.message)

test('writeFileAtomic() creates the folder, replaces the file and leaves no sibling', () => {
  const folder = scratch()
  const path = join(folder, 'a/b/c.txt')
  writeFileAtomic(path, 'one')
  writeFileAtomic(path, 'two')
  assert.equal(readFileSync(path, 'utf8'), 'two')
  assert.deepEqual(readdirSync(join(folder, 'a/b')), ['c.txt'])
})

test('writeFileAtomic() keeps the old file and leaves no sibling when it cannot write', () => {
  const folder = scratch()
  mkdirSync(join(folder, 'taken'))
  assert.throws(() => writeFileAtomic(join(folder, 'taken'), 'x'))
  assert.deepEqual(readdirSync(folder), ['taken'])
})

test('readFile() is blocked by a file that is not there, and refuses a folder', () => {
  assert.throws(() => readFile(join(scratch(), 'no')), refused('blocked', /Cannot read ".*no": ENOENT/))
  assert.throws(() => readFile(scratch()), refused('usage', /it is a folder/))
})

test('readFile() reads a large file in pieces, whole and in order', () => {
  const path = join(scratch(), 'large')
  const bytes = Buffer.from(Array.from({ length: 1000 }, (_, i) => (i * 7) % 251))
  writeFileSync(path, bytes)
  for (const pieceBytes of [1, 3, 333, 500, 999, 1000, 1001]) assert.deepEqual(readFile(path, { pieceBytes }), bytes)
})

test('readFile() refuses a file that no Buffer holds, with both sizes, before it takes memory for it', () => {
  const path = join(scratch(), 'sparse')
  writeFileSync(path, 'plan')
  truncateSync(path, 5 * 2 ** 30)
  assert.throws(
    () => readFile(path, { bytesMax: 4 * 2 ** 30 }),
    (error: unknown) =>
      refused('usage', /Cannot read ".*sparse": it has 5\.0 GiB, and at most 4\.0 GiB can be read whole/)(error) &&
      (error as RunbookError).hint.startsWith('give a smaller file'),
  )
})

test('readHead() gives the first bytes, or all of a short file, and the errors of readFile()', () => {
  const path = join(scratch(), 'a')
  writeFileSync(path, 'abcdef')
  assert.deepEqual(
    [4, 6, 100].map(bytes => readHead(path, bytes).toString()),
    ['abcd', 'abcdef', 'abcdef'],
  )
  assert.throws(() => readHead(`${path}.no`, 4), refused('blocked', /ENOENT/))
  assert.throws(() => readHead(scratch(), 4), refused('usage', /it is a folder/))
})

test(
  'makeFolder() is blocked, and does not try for ever, where the system makes no folder',
  { skip: !existsSync('/proc/self') },
  () => {
    assert.throws(() => makeFolder('/proc/nope/deeper'), refused('blocked', /ENOENT/))
  },
)

test('makeFolder() is blocked where a file is in the way', () => {
  const folder = scratch()
  writeFileSync(join(folder, 'file'), '')
  assert.throws(() => makeFolder(join(folder, 'file')), refused('blocked', /EEXIST/))
  assert.throws(() => makeFolder(join(folder, 'file/deeper')), refused('blocked', /ENOTDIR|EEXIST/))
})

test('fileError() gives a full disk a hint, and passes on what is no error of the system', () => {
  const full = fileError('write', 'x', Object.assign(new Error('x'), { code: 'ENOSPC' }))
  assert.ok(full instanceof RunbookError && /disk is full/.test(full.hint))
  const bug = new TypeError('x')
  assert.equal(fileError('write', 'x', bug), bug)
})

test('readJson() and readNdjson() name what is not JSON', () => {
  const path = join(scratch(), 'a')
  writeFileSync(path, '{"a": 1}\n\n{"a": 2}\n')
  assert.deepEqual(readNdjson(path), [{ a: 1 }, { a: 2 }])
  assert.throws(() => readJson(path), refused('usage', /it is not JSON/))
  writeFileSync(path, '{"a": 1}\n{"a"')
  assert.throws(() => readNdjson(path), refused('usage', /line 2 is not JSON/))
  writeFileSync(path, ' \n')
  assert.throws(() => readNdjson(path), refused('usage', /holds no row/))
})

test('sha256File() agrees with sha256() over a file of several pieces', () => {
  const path = join(scratch(), 'a')
  const bytes = Buffer.alloc(3_000_001, 7)
  writeFileSync(path, bytes)
  assert.equal(sha256File(path), sha256(bytes))
  assert.equal(sha256(''), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
  assert.throws(() => sha256File(join(scratch(), 'no')), refused('blocked', /ENOENT/))
  assert.ok(existsSync(path))
})

test('sha256Json() does not see the order of keys, and sees everything else', () => {
  assert.equal(sha256Json({ a: 1, b: { c: [1, 2], d: null } }), sha256Json({ b: { d: null, c: [1, 2] }, a: 1 }))
  assert.notEqual(sha256Json({ a: [1, 2] }), sha256Json({ a: [2, 1] }))
  assert.notEqual(sha256Json({ a: 1 }), sha256Json({ a: '1' }))
})
