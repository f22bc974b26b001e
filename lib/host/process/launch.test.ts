import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { needsTool } from '../../testing/needs.ts'
import { until } from '../../testing/until.ts'
import { procSource } from './descendants.ts'
import { typescriptCommand } from '../typescript.ts'
import { launch, type LaunchOptions } from './launch.ts'

const skip = existsSync('/proc/self/stat') ? needsTool('setsid') : 'tool: /proc is not there'
const stdio = 'ignore'
const folder = mkdtempSync(join(tmpdir(), 'launch-'))
after(() => rmSync(folder, { recursive: true, force: true }))

/** The living processes that were started with this word in their environment. */
const holders = (token: string) =>
  procSource
    .list()
    .filter(row => !row.isZombie && row.pid !== process.pid && procSource.holds(row.pid, token))
    .map(row => row.pid)

/** Every kind of descendant that obvious ways of stopping leave alive. None of them heeds TERM. */
const stubborn = `
  trap "" TERM
  sh -c 'trap "" TERM; while :; do sleep 0.2; done' &
  setsid sh -c 'trap "" TERM; sleep 60; :' &
  (setsid sh -c 'trap "" TERM; sleep 60; :' &)
  (setsid sh -c 'trap "" TERM; (setsid sh -c "sleep 60; :" &); sleep 60; :' &)
  env -i setsid sh -c 'trap "" TERM; echo $$ > "$0"; sleep 60; :' "$BARE" &
  while :; do sleep 60; done`

/** Start the stubborn family, wait until it is whole, and say how it ended and who is left. */
async function runStubborn(o: LaunchOptions, whenUp: () => void = () => {}) {
  const token = randomUUID()
  const bare = join(mkdtempSync(join(folder, 'x')), 'bare.pid')
  const running = launch(['sh', '-c', stubborn], { ...o, stdio, env: { TOKEN: token, BARE: bare } })
  let isOver = false
  void running.then(() => (isOver = true))
  const isUp = () => holders(token).length >= 11 && existsSync(bare) && readFileSync(bare, 'utf8').endsWith('\n')
  await until(() => isOver || isUp(), 'the whole family')
  const before = holders(token).length
  const barePid = Number(readFileSync(bare, 'utf8'))
  const bareRow = procSource.find(barePid)
  whenUp()
  const outcome = await running
  const isBareAlive =
    bareRow !== null && procSource.find(barePid)?.start === bareRow.start && !procSource.find(barePid)!.isZombie
  return { outcome, before, bareRow, isBareAlive, left: holders(token) }
}

test(
  'launch() at its time limit ends what traps TERM, called setsid, forked twice or has no env',
  { skip },
  async () => {
    const { outcome, before, bareRow, isBareAlive, left } = await runStubborn({ timeoutMs: 8000, graceMs: 200 })
    assert.ok(before >= 11, `the family was up with ${before}`)
    assert.ok(bareRow)
    assert.deepEqual(left, [])
    assert.equal(isBareAlive, false)
    assert.deepEqual(
      [outcome.timedOut, outcome.aborted, outcome.exitCode, outcome.signal],
      [true, false, null, 'SIGKILL'],
    )
    assert.equal(outcome.survivors, undefined)
  },
)

test('launch() ends the same family when its signal is aborted', { skip }, async () => {
  const controller = new AbortController()
  const ended = await runStubborn({ signal: controller.signal, graceMs: 100, timeoutMs: 300_000 }, () =>
    controller.abort(),
  )
  assert.ok(ended.before >= 11 && ended.bareRow)
  assert.deepEqual([ended.left, ended.isBareAlive], [[], false])
  assert.deepEqual([ended.outcome.timedOut, ended.outcome.aborted, ended.outcome.signal], [false, true, 'SIGKILL'])
})

test('launch() remembers a child without the marker when TERM has taken its parent', { skip }, async () => {
  const bare = join(mkdtempSync(join(folder, 'x')), 'bare.pid')
  const controller = new AbortController()
  const command = [
    'sh',
    '-c',
    'env -i setsid sh -c \'trap "" TERM; echo $$ > "$0"; sleep 60; :\' "$0" & sleep 60',
    bare,
  ]
  const running = launch(command, { stdio, signal: controller.signal, graceMs: 200 })
  await until(() => existsSync(bare) && readFileSync(bare, 'utf8').endsWith('\n'))
  const row = procSource.find(Number(readFileSync(bare, 'utf8')))
  assert.equal(row?.isZombie, false)
  controller.abort()
  assert.equal((await running).signal, 'SIGTERM')
  const now = procSource.find(row.pid)
  assert.ok(now === null || now.isZombie || now.start !== row.start)
})

test('launch() ends what the command left behind when it ended by itself', { skip }, async () => {
  const token = randomUUID()
  const mark = join(mkdtempSync(join(folder, 'x')), 'up')
  const script =
    '(setsid sh -c \'trap "" TERM; : > "$0"; sleep 60; :\' "$0" &); while ! [ -e "$0" ]; do sleep 0.02; done; exit 6'
  const command = ['sh', '-c', script, mark]
  const outcome = await launch(command, { stdio, env: { TOKEN: token }, graceMs: 100 })
  assert.ok(existsSync(mark))
  assert.deepEqual([outcome.exitCode, outcome.signal, outcome.timedOut, outcome.aborted], [6, null, false, false])
  assert.deepEqual(holders(token), [])
})

test('launch() asks with TERM first and does not wait out the grace period', { skip }, async () => {
  // A grace period of two weeks that was waited out would be noticed.
  const outcome = await launch(['sleep', '60'], { stdio, timeoutMs: 200, graceMs: 2 ** 30 })
  assert.deepEqual([outcome.signal, outcome.timedOut], ['SIGTERM', true])
})

test('launch() ends a stopped process too', { skip }, async () => {
  const token = randomUUID()
  await launch(['sh', '-c', 'kill -STOP $$'], { stdio, env: { TOKEN: token }, timeoutMs: 300, graceMs: 100 })
  assert.deepEqual(holders(token), [])
})

test('launch() leaves alone what it did not start', { skip }, async () => {
  const token = randomUUID()
  const controller = new AbortController()
  const other = launch(['sh', '-c', 'sleep 60; :'], { stdio, env: { TOKEN: token }, signal: controller.signal })
  await until(() => holders(token).length === 2)
  const [one, two] = await Promise.all([
    launch(['sh', '-c', 'sleep 60; :'], { stdio, timeoutMs: 200 }),
    launch(['sh', '-c', '(setsid sleep 60 &)'], { stdio }),
  ])
  assert.deepEqual([one.timedOut, two.exitCode], [true, 0])
  assert.equal(holders(token).length, 2)
  controller.abort()
  assert.equal((await other).aborted, true)
})

test(
  'launch() is over at once with a limit of zero, and waits with a limit that no timer takes',
  { skip },
  async () => {
    assert.equal((await launch(['sleep', '60'], { stdio, timeoutMs: 0 })).timedOut, true)
    assert.equal((await launch(['sleep', '0.1'], { stdio, timeoutMs: Number.POSITIVE_INFINITY })).timedOut, false)
    assert.equal((await launch(['sleep', '0.1'], { stdio, timeoutMs: 2 ** 31 })).timedOut, false)
  },
)

/**
 * Run a program of our own that starts a family and then leaves in its own way; returns how it left and who is left.
 */
function leave(how: string, first = '') {
  const token = randomUUID()
  const file = join(mkdtempSync(join(folder, 'x')), 'leave.mts')
  writeFileSync(
    file,
    `
    import { launch } from ${JSON.stringify(import.meta.resolve('./launch.ts'))}
    import { procSource } from ${JSON.stringify(import.meta.resolve('./descendants.ts'))}
    ${first}
    const count = () => procSource.list().filter(row => !row.isZombie && procSource.holds(row.pid, '${token}')).length
    const command = ['sh', '-c', '(setsid sh -c "trap : TERM; sleep 60; :" &); sleep 60; :']
    const running = launch(command, { stdio: 'ignore', env: { TOKEN: '${token}' } })
    while (count() < 4) await new Promise(again => setTimeout(again, 20))
    console.log('up', count())
    ${how}
    await running`,
  )
  const [program, ...words] = typescriptCommand(file)
  const done = spawnSync(program!, words, {
    encoding: 'utf8',
    timeout: 300_000,
  })
  return {
    status: done.status,
    signal: done.signal,
    said: done.stdout.trim(),
    left: holders(token),
    complaint: done.stderr,
  }
}

test('launch() ends the family when our own process exits', { skip }, () => {
  assert.deepEqual(leave('process.exit(7)'), { status: 7, signal: null, said: 'up 4', left: [], complaint: '' })
})

test('launch() ends the family when our own process dies of an error', { skip }, () => {
  const { status, said, left, complaint } = leave('setTimeout(() => { throw new Error("a bug") }, 10)')
  assert.deepEqual([status, said, left], [1, 'up 4', []])
  assert.match(complaint, /a bug/)
})

test('launch() ends the family when our own process gets INT, TERM or HUP, and still dies of it', { skip }, () => {
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    const { signal, said, left } = leave(`process.kill(process.pid, '${name}')`)
    assert.deepEqual([signal, said, left], [name, 'up 4', []])
  }
})

test(
  'launch() leaves the meaning of a signal to a listener that is there, also to one that listens once',
  { skip },
  () => {
    const listener =
      "process.once('SIGTERM', () => setTimeout(() => { console.log('mine', count()); process.exit(4) }, 200))"
    const { status, said, left } = leave("process.kill(process.pid, 'SIGTERM')", listener)
    assert.deepEqual([status, said, left], [4, 'up 4\nmine 4', []])
  },
)
