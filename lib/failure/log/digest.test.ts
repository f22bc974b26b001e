import assert from 'node:assert/strict'
import { ftruncateSync, mkdtempSync, openSync, closeSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import test, { after } from 'node:test'
import { classifyFailure } from '../classify.ts'
import { digestFile, linesOf, LogDigest, readLogText } from './digest.ts'

const folder = mkdtempSync(join(tmpdir(), 'digest-'))
after(() => rmSync(folder, { recursive: true }))
const fileOf = (content: string | Uint8Array) => {
  const path = join(folder, 'a.log')
  writeFileSync(path, content)
  return path
}

test('LogDigest keeps a short log whole, in whichever pieces it comes', () => {
  const log = 'a\r\nb\n\x1b[31mred\x1b[0m\nlast without an end'
  for (const size of [1, 3, 100]) {
    const digest = new LogDigest()
    for (let i = 0; i < log.length; i += size) digest.push(log.slice(i, i + size))
    assert.deepEqual(
      digest.lines().filter(line => line !== ''),
      ['a', 'b', 'red', 'last without an end'],
      String(size),
    )
  }
})

test('LogDigest keeps of a long log both ends and the telling lines between, the latest of the like', () => {
  const digest = new LogDigest()
  digest.add('first')
  for (let i = 0; i < 200_000; i++) digest.add(i % 50_000 === 777 ? `failed at ${i}` : `line ${i} of nothing`)
  digest.add('last')
  const lines = digest.lines()
  assert.deepEqual([lines[0], lines.at(-1)], ['first', 'last'])
  assert.deepEqual(
    lines.filter(line => line.startsWith('failed')),
    ['failed at 777', 'failed at 50777', 'failed at 100777', 'failed at 150777'],
  )
  assert.ok(lines.join('\n').length < 262_144)
  assert.deepEqual([...linesOf('x\ry\nz')], ['x', 'y', 'z'])
})

test('LogDigest holds no more of a log without line ends, or of ten thousand telling lines, than its bounds', () => {
  for (const text of ['x'.repeat(5_000_000), Array.from({ length: 40_000 }, (_, i) => `error ${i}`).join('\n')]) {
    const digest = new LogDigest()
    digest.push(text)
    assert.ok(digest.lines().join('\n').length < 262_144)
  }
})

test('digestFile() reads a long log in pieces, and finds the error at its end', () => {
  const path = join(folder, 'large.log')
  const file = openSync(path, 'w')
  writeSync(file, '[info] Starting Hailo allocation and compilation flow\n')
  // A hole in the file reads as zeros and takes no room on the disk.
  const end = 40 * 2 ** 20
  ftruncateSync(file, end)
  writeSync(file, '\nNo successful assignments: dw6 errors:\n\tAgent infeasible\n', end)
  closeSync(file)
  const { text } = digestFile(path)
  assert.ok(text.length < 300_000)
  assert.equal(classifyFailure(text).bucket, 'allocator_infeasible')
  assert.equal(digestFile(path, end).text.includes('Starting'), false)
})

test('readLogText() reads UTF-8, the UTF-16 of PowerShell and a stream, and refuses what is no text', async () => {
  assert.equal(await readLogText(fileOf('\uFEFFAgent')), 'Agent')
  assert.equal(await readLogText(fileOf(Buffer.from('\uFEFFAgent', 'utf16le'))), 'Agent')
  assert.equal(await readLogText('it', Readable.from([Buffer.from('Ag'), Buffer.from('ent\nx')])), 'Agent\nx')
  for (const content of ['', ' \n\t\n', '\uFEFF'])
    await assert.rejects(readLogText(fileOf(content)), { exit: 'usage', message: /a\.log": it is empty/ })
  await assert.rejects(readLogText(fileOf(Buffer.from([1, 72, 69, 70, 0, 0, 0, 1]))), { message: /it is no text/ })
  await assert.rejects(readLogText(join(folder, 'absent')), { exit: 'blocked' })
  await assert.rejects(readLogText(folder), { exit: 'usage' })
})
