import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import fc from 'fast-check'
import { readUpload } from './multipart.ts'

const type = 'multipart/form-data; boundary=b'
const part = (head: string, content: string | Buffer) =>
  Buffer.concat([Buffer.from(`--b\r\n${head}\r\n\r\n`), Buffer.from(content), Buffer.from('\r\n')])
const field = (name: string, value: string) => part(`Content-Disposition: form-data; name="${name}"`, value)
const file = (name: string, bytes: Buffer) =>
  part(`Content-Disposition: form-data; name="file"; filename="${name}"\r\nContent-Type: audio/wav`, bytes)
const form = (...parts: Buffer[]) => Buffer.concat([...parts, Buffer.from('--b--\r\n')])
const limits = { fileBytesMax: 1000 }

test('readUpload reads fields, repeated fields and a file, and removes the file when it is disposed of', async () => {
  const body = form(field('a', '1'), field('a', ''), file('x".wav'.replace('"', '%22'), Buffer.from('\r\n--a\r\n')))
  const upload = await readUpload(type, [body], limits)
  assert.deepEqual([...upload.fields], [['a', ['1', '']]])
  const [only] = upload.files
  assert.equal(only!.name, 'x".wav')
  assert.equal(only!.contentType, 'audio/wav')
  assert.equal(readFileSync(only!.path, 'latin1'), '\r\n--a\r\n')
  await upload[Symbol.asyncDispose]()
  assert.equal(existsSync(only!.path), false)
})

test('readUpload reads the same form however its bytes are cut', async () => {
  const content = Buffer.from('\r\n--\r\n-b\r\n--a-\r\rend')
  const body = form(field('m', 'v'), file('f', content))
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(body.length), { maxLength: 12 }), async cuts => {
      const at = [0, ...cuts.toSorted((a, b) => a - b), body.length]
      const pieces = at.slice(1).map((end, i) => body.subarray(at[i], end))
      await using upload = await readUpload(type, pieces, limits)
      assert.deepEqual(upload.fields.get('m'), ['v'])
      assert.deepEqual(readFileSync(upload.files[0]!.path), content)
    }),
    { numRuns: 60 },
  )
})

test('readUpload refuses what is malformed or too large, and leaves no file behind', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'multipart-'))
  const cases: [string, Buffer, number][] = [
    [type, Buffer.from('nothing'), 400],
    [type, form(file('f', Buffer.alloc(10))).subarray(0, 60), 400],
    [type, form(part('X: y', 'a')), 400],
    [type, form(part('Content-Disposition: form-data', 'a')), 400],
    [type, Buffer.from('--b tail\r\n\r\n'), 400],
    [type, form(file('f', Buffer.alloc(1001))), 413],
    [type, form(file('f', Buffer.alloc(1)), file('g', Buffer.alloc(1))), 413],
    [type, form(field('a', 'x'.repeat(70_000))), 413],
    ['application/json', form(), 415],
    ['multipart/form-data', form(), 400],
  ]
  for (const [header, body, status] of cases)
    await assert.rejects(readUpload(header, [body], { ...limits, folder }), { status })
  assert.deepEqual(readdirSync(folder), [])
  rmSync(folder, { recursive: true })
})

test('readUpload accepts exactly the largest file', async () => {
  await using upload = await readUpload(type, [form(file('f', Buffer.alloc(1000)))], limits)
  assert.equal(upload.files[0]!.bytes, 1000)
})
