import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { listSegments, readSegment, retainSegments } from './segments.ts'
import { TelemetryWriter, type TelemetryOptions } from './writer.ts'

const folders: string[] = []
test.after(() => folders.forEach(folder => rmSync(folder, { recursive: true, force: true })))
function fresh(): string {
  const folder = mkdtempSync(join(tmpdir(), 'telemetry-'))
  folders.push(folder)
  return folder
}

const options = (folder: string, more: Partial<TelemetryOptions> = {}): TelemetryOptions => ({
  folder,
  groupMs: 5,
  groupBytes: 1 << 16,
  segmentBytes: 1 << 20,
  segmentSeconds: 3600,
  keepDays: 7,
  keepBytes: 1 << 30,
  ...more,
})

async function readAll(folder: string) {
  const records: Record<string, unknown>[] = []
  let bad = 0
  for (const { path } of await listSegments(folder)) {
    for await (const { record } of readSegment(path)) {
      if (record) records.push(record)
      else bad++
    }
  }
  return { records, bad }
}
const seqs = (records: readonly Record<string, unknown>[]) => records.map(({ seq }) => seq)

test('TelemetryWriter writes records in order with sequence numbers, and closes the segment', async () => {
  const folder = fresh()
  const writer = await TelemetryWriter.open(options(folder))
  for (let i = 0; i < 100; i++) writer.write({ i, text: 'ä\n' })
  await writer.close()
  const { records, bad } = await readAll(folder)
  assert.equal(bad, 0)
  assert.deepEqual(seqs(records), [...Array.from({ length: 100 }).keys()])
  assert.equal(records[99]!.text, 'ä\n')
  assert.ok(readdirSync(folder).every(name => name.endsWith('.ndjson')))
  assert.deepEqual(writer.counts.written, 100)
})

test('TelemetryWriter goes on with the sequence of the writer before it', async () => {
  const folder = fresh()
  for (const want of [
    [0, 1],
    [2, 3],
  ]) {
    const writer = await TelemetryWriter.open(options(folder))
    for (const each of want) writer.write({ each })
    await writer.close()
  }
  assert.deepEqual(seqs((await readAll(folder)).records), [0, 1, 2, 3])
})

test('TelemetryWriter begins a new segment when one is full, and deletes the oldest beyond the bound', async () => {
  const folder = fresh()
  const writer = await TelemetryWriter.open(options(folder, { segmentBytes: 2000, keepBytes: 7000 }))
  for (let i = 0; i < 20; i++) {
    writer.write({ filler: 'x'.repeat(1000) })
    await writer.flush()
  }
  await writer.close()
  const segments = await listSegments(folder)
  assert.ok(segments.length >= 2 && segments.length <= 4, `${segments.length}`)
  assert.equal((await readAll(folder)).records.at(-1)!.seq, 19)
  assert.equal(writer.counts.rotations, 10)
})

test('retainSegments deletes what is too old, and never an open segment', async () => {
  const folder = fresh()
  for (const name of ['a-1-1.ndjson', 'b-1-1.ndjson', 'c-1-1.ndjson.open']) {
    writeFileSync(join(folder, name), '{}\n')
    if (name !== 'b-1-1.ndjson') utimesSync(join(folder, name), 0, 0)
  }
  await retainSegments(folder, { keepDays: 7, keepBytes: 1000 })
  assert.deepEqual(readdirSync(folder), ['b-1-1.ndjson', 'c-1-1.ndjson.open'])
})

test('TelemetryWriter keeps and numbers what it wrote when the clock jumps years ahead and back', async t => {
  const folder = fresh()
  t.mock.timers.enable({ apis: ['Date'], now: Date.UTC(2030, 0, 1) })
  const writer = await TelemetryWriter.open(options(folder, { segmentBytes: 1 }))
  const write = async () => {
    writer.write({})
    await writer.flush()
  }
  await write()
  t.mock.timers.setTime(Date.UTC(2040, 0, 1))
  await write()
  // Back, and so the segments that follow come first by their names.
  t.mock.timers.setTime(Date.UTC(2020, 0, 1))
  await write()
  await write()
  await writer.close()
  assert.deepEqual(seqs((await readAll(folder)).records), [2, 3, 0, 1])
  const next = await TelemetryWriter.open(options(folder))
  next.write({})
  await next.close()
  assert.ok(seqs((await readAll(folder)).records).includes(4), 'a number is given once')
})

test('TelemetryWriter cuts a torn last line off at the start, and a reader counts a damaged one', async () => {
  const folder = fresh()
  writeFileSync(join(folder, '20200101T000000.000Z-0-000000.ndjson.open'), '{"seq":7}\nnot json\n{"seq":9}\n{"seq":1')
  const writer = await TelemetryWriter.open(options(folder))
  assert.equal(writer.counts.mendedBytes, 8)
  writer.write({})
  await writer.close()
  const { records, bad } = await readAll(folder)
  assert.deepEqual(seqs(records), [7, 9, 10])
  assert.equal(bad, 1)
})

test('TelemetryWriter leaves the open segment of another living process alone', async () => {
  const folder = fresh()
  const path = join(folder, `20200101T000000.000Z-${process.ppid}-000000.ndjson.open`)
  appendFileSync(path, '{"seq":1}\n{"torn')
  await TelemetryWriter.open(options(folder))
  assert.ok(readdirSync(folder)[0]!.endsWith('.open'))
})

test('TelemetryWriter makes the folder again when it was deleted under way', async () => {
  const folder = fresh()
  const writer = await TelemetryWriter.open(options(folder))
  writer.write({ n: 1 })
  await writer.flush()
  rmSync(folder, { recursive: true })
  writer.write({ n: 2 })
  await writer.close()
  assert.deepEqual(
    (await readAll(folder)).records.map(({ n }) => n),
    [2],
  )
})

test('TelemetryWriter drops and counts while the disk refuses, tells it once, and goes on after', async () => {
  const folder = fresh()
  const errors: Error[] = []
  const writer = await TelemetryWriter.open(options(folder, { onError: error => errors.push(error) }))
  rmSync(folder, { recursive: true })
  writeFileSync(folder, 'a file where the folder was')
  for (const n of [1, 2]) {
    writer.write({ n })
    await writer.flush()
  }
  assert.equal(writer.counts.dropped, 2)
  assert.equal(errors.length, 1)
  rmSync(folder)
  writer.write({ n: 3 })
  await writer.close()
  assert.deepEqual(
    (await readAll(folder)).records.map(({ n }) => n),
    [3],
  )
})

test('TelemetryWriter loses a group and no line in the middle when the disk is full', async t => {
  if (spawnSync('unshare', ['-m', 'true']).status !== 0) return t.diagnostic('no file system can be mounted here')
  const folder = fresh()
  const script = `
      import { TelemetryWriter } from ${JSON.stringify(join(import.meta.dirname, 'writer.ts'))}
      const o = ${JSON.stringify(options(folder, { groupMs: 1 }))}
      const writer = await TelemetryWriter.open(o)
      for (let i = 0; i < 60; i++) { writer.write({ filler: 'x'.repeat(3000) }); await writer.flush() }
      await writer.close()
      console.log(JSON.stringify(writer.counts))
      const { listSegments, readSegment } = await import(${JSON.stringify(join(import.meta.dirname, 'segments.ts'))})
      let bad = 0, good = 0
      for (const { path } of await listSegments(o.folder))
        for await (const { record } of readSegment(path)) record ? good++ : bad++
      console.log(JSON.stringify({ good, bad }))
    `
  const child = join(fresh(), 'full.mts')
  writeFileSync(child, script)
  const command = `mount -t tmpfs -o size=64k tmpfs '${folder}' && exec '${process.execPath}' --import tsx '${child}'`
  const { stdout, stderr } = spawnSync('unshare', ['-m', 'sh', '-c', command], {
    encoding: 'utf8',
    cwd: process.cwd(),
  })
  const [counts, lines] = stdout
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Record<string, number>)
  assert.ok(counts && lines, stderr)
  assert.ok(counts.dropped! > 0 && counts.written! > 0)
  assert.equal(counts.dropped! + counts.written!, 60)
  assert.deepEqual(lines, { good: counts.written, bad: 0 })
})

test('a writer that is killed loses no line in the middle and tears at most the last one', async () => {
  const folder = fresh()
  const child = join(fresh(), 'writer.mts')
  writeFileSync(
    child,
    `import { TelemetryWriter } from ${JSON.stringify(join(import.meta.dirname, 'writer.ts'))}
     const writer = await TelemetryWriter.open(${JSON.stringify(options(folder, { groupMs: 1 }))})
     for (;;) {
       for (let i = 0; i < 50; i++) writer.write({ filler: 'x'.repeat(500) })
       await writer.flush()
       process.stdout.write(writer.counts.written + '\\n')
     }`,
  )
  const running = spawn(process.execPath, ['--import', 'tsx', child], { stdio: ['ignore', 'pipe', 'inherit'] })
  let told = 0
  running.stdout.on('data', piece => {
    told = Number(String(piece).trim().split('\n').at(-1))
    if (told >= 500) running.kill('SIGKILL')
  })
  await once(running, 'close')
  const writer = await TelemetryWriter.open(options(folder))
  await writer.close()
  const { records, bad } = await readAll(folder)
  assert.equal(bad, 0)
  assert.deepEqual(seqs(records), [...records.keys()])
  assert.ok(records.length >= told, 'what was synced is there')
})
