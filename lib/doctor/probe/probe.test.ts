import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { prober, type Subject } from './probe.ts'

/** A child of our own: `body` sees `subject`, `begin()` and `done(probed)`, and runs for each subject in turn. */
function childDoing(body: string): { child: string; starts: () => number } {
  const folder = mkdtempSync(join(tmpdir(), 'probe-'))
  const child = join(folder, 'child.mjs')
  const log = join(folder, 'starts')
  writeFileSync(log, '')
  writeFileSync(
    child,
    `
    import { appendFileSync, writeSync } from 'node:fs'
    appendFileSync(${JSON.stringify(log)}, 'x')
    for (const subject of process.argv.slice(2)) {
      const begin = () => writeSync(40, JSON.stringify({ begin: subject }) + '\\n')
      const done = found => writeSync(40, JSON.stringify({ subject, probed: { ok: true, found: found ?? {} } }) + '\\n')
      ${body}
    }`,
  )
  return { child, starts: () => readFileSync(log, 'utf8').length }
}
const all: readonly Subject[] = ['tsx', 'zx', 'koffi', 'onnxruntime-node', 'onnxruntime']
const env = process.env

test('prober() has a group tried once, in one child, however many ask', async () => {
  const { child, starts } = childDoing('begin(); done({ version: subject })')
  const probe = prober({ env, child })
  const answers = await Promise.all([...all, ...all].map(probe))
  assert.deepEqual(
    answers.map(answer => (answer.ok ? answer.found.version : null)),
    [...all, ...all],
  )
  assert.equal(starts(), 1)
})

test('prober() starts no child before it is asked, and only the group that is asked for', async () => {
  const { child, starts } = childDoing('begin(); done()')
  const probe = prober({ env, child })
  assert.equal(starts(), 0)
  await probe('hailort')
  assert.equal(starts(), 1)
})

test('prober() blames a crash on the one that had begun, and goes on with the rest in another child', async () => {
  const { child, starts } = childDoing(
    "begin(); if (subject === 'koffi') process.kill(process.pid, 'SIGSEGV'); else done()",
  )
  const probe = prober({ env, child })
  const answers = await Promise.all(all.map(probe))
  assert.deepEqual(
    answers.map(({ ok }) => ok),
    [true, true, false, true, true],
  )
  const crash = answers[2]!
  assert.ok(!crash.ok)
  assert.deepEqual([crash.kind, crash.message], ['crash', 'loading it crashes its process with SIGSEGV'])
  assert.equal(starts(), 2)
})

test('prober() ends a child that hangs, and tells which one it was', async () => {
  const { child } = childDoing("begin(); if (subject === 'zx') { while (true); } else done()")
  const probe = prober({ env, child, timeoutMs: 5000 })
  const [tsx, zx, koffi] = await Promise.all([probe('tsx'), probe('zx'), probe('koffi')])
  assert.deepEqual([tsx.ok, zx.ok, koffi.ok], [true, false, true])
  assert.ok(!zx.ok)
  assert.equal(zx.message, 'it does not load within 5 s')
})

test('prober() says of all that the child does not start, and does not try for ever', async () => {
  const { child, starts } = childDoing(
    "process.stderr.write('noise\\nError: Cannot find package esbuild\\n'); process.exit(1)",
  )
  const probe = prober({ env, child })
  const answers = await Promise.all(all.map(probe))
  assert.ok(
    answers.every(answer => !answer.ok && /exit code 1: Error: Cannot find package esbuild/.test(answer.message)),
  )
  assert.equal(starts(), 1)
})

test('prober() blames the exit of the process on the one that had begun', async () => {
  const { child } = childDoing("begin(); if (subject === 'hailort') process.exit(134); done()")
  const answer = await prober({ env, child })('hailort')
  assert.ok(!answer.ok)
  assert.equal(answer.message, 'loading it ends its process with exit code 134')
})

test('prober() passes over what is no answer', async () => {
  const { child } = childDoing("begin(); writeSync(40, 'a library speaks\\n'); done({ version: '1' })")
  const answer = await prober({ env, child })('hailort')
  assert.ok(answer.ok)
  assert.equal(answer.found.version, '1')
})
