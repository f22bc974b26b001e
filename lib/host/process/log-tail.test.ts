import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { until } from '../../testing/until.ts'
import { LineSplitter, LogTail } from './log-tail.ts'

const folder = mkdtempSync(join(tmpdir(), 'log-tail-'))
after(() => rmSync(folder, { recursive: true, force: true }))

/** The lines of these chunks. */
function linesOf(...chunks: (string | Uint8Array)[]): string[] {
  const lines: string[] = []
  const splitter = new LineSplitter(line => lines.push(line))
  for (const chunk of chunks) splitter.push(typeof chunk === 'string' ? Buffer.from(chunk) : chunk)
  splitter.end()
  return lines
}

test('LineSplitter ends a line at "\\n", "\\r\\n" and "\\r", and keeps empty ones', () => {
  assert.deepEqual(linesOf('a\nb\r\nc\rd\n\ne\r\r\nf'), ['a', 'b', 'c', 'd', '', 'e', '', 'f'])
  assert.deepEqual(linesOf('a\n'), ['a'])
  assert.deepEqual(linesOf(''), [])
  assert.deepEqual(linesOf('\n'), [''])
})

test('LineSplitter gives the same lines wherever the bytes are cut', () => {
  const bytes = Buffer.from('10 %\r100 %\r\nGr\u00fc\u00dfe \u{1f600}\n\n\u2713 done\r\n\rlast')
  const whole = linesOf(bytes)
  assert.deepEqual(whole, ['10 %', '100 %', 'Gr\u00fc\u00dfe \u{1f600}', '', '\u2713 done', '', 'last'])
  for (let a = 0; a <= bytes.length; a++) {
    for (let b = a; b <= bytes.length; b++) {
      assert.deepEqual(
        linesOf(bytes.subarray(0, a), bytes.subarray(a, b), bytes.subarray(b)),
        whole,
        `cut at ${a} and ${b}`,
      )
    }
  }
  assert.deepEqual(linesOf(...[...bytes].map(byte => Uint8Array.of(byte))), whole)
})

test('LineSplitter hands out a line at its "\\r", before anything follows', () => {
  const lines: string[] = []
  const splitter = new LineSplitter(line => lines.push(line))
  splitter.push(Buffer.from('50 %\r'))
  assert.deepEqual(lines, ['50 %'])
  splitter.push(Buffer.from('\n60'))
  assert.deepEqual(lines, ['50 %'])
  splitter.end()
  assert.deepEqual(lines, ['50 %', '60'])
})

test('LineSplitter shows what is not UTF-8 as such, and loses nothing after it', () => {
  assert.deepEqual(linesOf(Uint8Array.of(0x61, 0xff, 0x62, 0x0a, 0x63, 0xe2)), ['a\ufffdb', 'c\ufffd'])
})

test('LineSplitter hands out a text without line ends in pieces', () => {
  const chunk = 'x'.repeat(300_000)
  const lines = linesOf(chunk, chunk, chunk, chunk, chunk)
  assert.ok(lines.length > 1)
  assert.equal(lines.join('').length, 1_500_000)
})

test('LogTail follows a growing file from a byte on', async () => {
  const path = join(folder, 'grow.log')
  writeFileSync(path, 'before\n')
  const lines: string[] = []
  const tail = new LogTail(path, { fromByte: 7, onLine: line => lines.push(line) })
  appendFileSync(path, 'one\ntw')
  await until(() => lines.length > 0, 'the first line')
  assert.deepEqual(lines, ['one'])
  appendFileSync(path, 'o\nthree')
  await tail.stop()
  assert.deepEqual(lines, ['one', 'two', 'three'])
})

test('LogTail keeps up with 300 000 lines written at once, in order', async () => {
  const path = join(folder, 'fast.log')
  writeFileSync(path, '')
  let count = 0
  let isOrdered = true
  const tail = new LogTail(path, {
    fromByte: 0,
    onLine: line => {
      isOrdered &&= line === `line ${count}`
      count++
    },
  })
  for (let n = 0; n < 300_000; n += 10_000) {
    appendFileSync(path, Array.from({ length: 10_000 }, (_, i) => `line ${n + i}\n`).join(''))
  }
  await tail.stop()
  assert.equal(count, 300_000)
  assert.equal(isOrdered, true)
})

test('LogTail rejects with what onLine threw, without an unhandled rejection', async () => {
  const path = join(folder, 'throw.log')
  writeFileSync(path, 'a\nb\n')
  const tail = new LogTail(path, {
    fromByte: 0,
    onLine: line => {
      throw new Error(`no ${line}`)
    },
  })
  await assert.rejects(tail.ended, /no a/)
  await assert.rejects(tail.stop(), /no a/)
})

test('LogTail rejects when the file is absent', async () => {
  const tail = new LogTail(join(folder, 'absent.log'), { fromByte: 0, onLine: () => {} })
  await assert.rejects(tail.stop(), { code: 'ENOENT' })
})

test('LogTail stops at the size that the file had then, though somebody goes on writing', async () => {
  const path = join(folder, 'endless.log')
  writeFileSync(path, 'x\n'.repeat(100_000))
  let count = 0
  const tail = new LogTail(path, {
    fromByte: 0,
    onLine: () => {
      if (count++ % 10_000 === 0) appendFileSync(path, 'y\n'.repeat(20_000))
    },
  })
  await tail.stop()
  assert.ok(count >= 100_000)
})
