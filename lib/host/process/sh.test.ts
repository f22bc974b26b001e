import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { shellWord } from '../../base/text.ts'
import { until } from '../../testing/until.ts'
import { createSh, errorOfCommand, type ShSurroundings } from './sh.ts'
import { needsTool } from '../../testing/needs.ts'
import { processesWith } from '../../testing/processes.ts'

/** A shell with a folder of its own, and what it printed. */
async function withShell(
  work: (o: { sh: ReturnType<typeof createSh>; folder: string; printed: string[] }) => Promise<void>,
  around: Partial<ShSurroundings> = {},
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'rungbook-sh-'))
  const printed: string[] = []
  try {
    const sh = createSh({ folder, print: line => printed.push(line), ...around })
    await work({ sh, folder, printed })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const isAlive = (pid: number) => existsSync(`/proc/${pid}`)

/** What the command's failure is as an operating error. */
async function failure(command: PromiseLike<unknown>, signal?: AbortSignal): Promise<unknown> {
  try {
    await command
  } catch (thrown) {
    return errorOfCommand(thrown, signal)
  }
  return assert.fail('it did not fail')
}

test('sh quotes its arguments, and reads text and lines as zx does', () =>
  withShell(async ({ sh }) => {
    const word = `it's $HOME; "x" *`
    assert.equal((await sh`printf %s ${word}`).stdout, word)
    assert.deepEqual(await sh`printf 'a\nb\n'`.lines(), ['a', 'b'])
    assert.equal((await sh`printf '%s,' ${['a b', 'c']}`).stdout, 'a b,c,')
  }))

test('sh pipes into a command, whichever way it is written', () =>
  withShell(async ({ sh }) => {
    assert.equal((await sh`printf 'b\na\n'`.pipe(sh`sort`)).stdout, 'a\nb\n')
    assert.equal((await sh`printf 'b\na\n'`.pipe`sort -r`.pipe`head -n 1`).stdout, 'b\n')
    assert.equal((await sh`echo no >&2`.pipe.stderr`tr a-z A-Z`).stdout, 'NO\n')
  }))

test('sh gives a command an empty input, or the one that was given', () =>
  withShell(async ({ sh }) => {
    assert.equal((await sh`cat`).stdout, '')
    assert.equal((await sh({ input: 'given' })`cat`).stdout, 'given')
  }))

test('sh keeps the whole log of each command in a file of its own, and shows the command', () =>
  withShell(async ({ sh, folder, printed }) => {
    await sh`echo out; echo err >&2`
    await sh({ nothrow: true })`/bin/sh -c 'exit 4'`
    assert.deepEqual(readdirSync(folder), ['01-echo.log', '02-sh.log'])
    const [first, second] = readdirSync(folder).map(name => readFileSync(join(folder, name), 'utf8'))
    assert.match(first!, /^\$ echo out; echo err >&2\n(out\nerr|err\nout)\n\[exit 0 after \d+ ms\]\n$/)
    assert.match(second!, /\[exit 4 after/)
    assert.deepEqual(printed, ['$ echo out; echo err >&2', "$ /bin/sh -c 'exit 4'"])
  }))

test('sh shows whole lines without escape sequences when it is verbose', () =>
  withShell(async ({ sh, printed }) => {
    await sh({ verbose: true })`printf 'a\\033[31mb\\nla'; sleep 0.05; printf 'st'`
    assert.deepEqual(printed.slice(1), ['ab', 'last'])
  }))

test('sh fails as zx does, and errorOfCommand() names the command, the exit code and the log', () =>
  withShell(async ({ sh, folder }) => {
    await assert.rejects(async () => sh`exit 3`, { exitCode: 3 })
    const error = await failure(sh`echo "disk is odd" >&2; exit 3`)
    assert.deepEqual(pick(error), {
      exit: 'fail',
      code: 'exit',
      message: 'Cannot run "echo "disk is odd" >&2; exit 3": it left with exit code 3: disk is odd',
      hint: `cat ${shellWord(join(folder, '02-echo.log'))}`,
    })
  }))

const pick = (error: unknown) => {
  const { exit, code, message, hint } = error as Record<string, unknown>
  return { exit, code, message, hint }
}

test('sh fails when an earlier part of a pipe fails, or a variable is not set', () =>
  withShell(async ({ sh }) => {
    assert.equal(pick(await failure(sh`false | cat`)).code, 'exit')
    assert.equal(pick(await failure(sh`echo $RUNGBOOK_NOT_SET`)).code, 'exit')
  }))

test('errorOfCommand() is blocked when bash finds no such program, and leaves other errors as they are', () =>
  withShell(async ({ sh }) => {
    const { exit, code } = pick(await failure(sh`rungbook-no-such-program --x`))
    assert.deepEqual({ exit, code }, { exit: 'blocked', code: 'not-found' })
    const other = new Error('other')
    assert.equal(errorOfCommand(other), other)
  }))

test('sh ends a command with all its descendants at its time limit', () =>
  withShell(async ({ sh, folder }) => {
    const error = await failure(sh({ timeout: 3000 })`setsid sleep 600 & echo $! > ${join(folder, 'pid')}; sleep 600`)
    assert.equal(pick(error).code, 'timeout')
    assert.match(String(pick(error).message), /it was ended at its time limit/)
    const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'))
    await until(() => !isAlive(pid), 'the end of the descendant')
  }))

test('sh ends what a command leaves behind when it has ended', () =>
  withShell(async ({ sh }) => {
    const pid = Number((await sh`sleep 600 > /dev/null 2>&1 & echo $!`).stdout)
    await until(() => !isAlive(pid), 'the end of what was left behind')
  }))

test('sh is interrupted when the run is stopped', async () => {
  const controller = new AbortController()
  await withShell(
    async ({ sh }) => {
      const running = sh`sleep 600`
      setTimeout(() => controller.abort('SIGINT'), 100)
      assert.equal(pick(await failure(running, controller.signal)).exit, 'interrupted')
    },
    { signal: controller.signal },
  )
})

test('sh runs nothing under a dry run but what reads, and says what it would run', () =>
  withShell(
    async ({ sh, folder, printed }) => {
      const made = join(folder, 'made')
      await sh`touch ${made}; exit 1`
      assert.equal(existsSync(made), false)
      assert.equal((await sh({ reads: true })`echo seen`).stdout, 'seen\n')
      // zx quotes a path with a space in its own way.
      assert.match(printed[0]!, /^would run: touch .+made'?; exit 1$/)
      assert.deepEqual(printed.slice(1), ['$ echo seen'])
    },
    { isDryRun: true },
  ))

test('sh kills a command by hand with its descendants', () =>
  withShell(async ({ sh, folder }) => {
    const up = join(folder, 'up')
    const running = sh({ nothrow: true })`sleep 600 & : > ${up}; sleep 600`
    void running.then(() => {})
    await until(() => existsSync(up), 'the start of the command')
    await running.kill()
    assert.equal((await running).signal, 'SIGTERM')
  }))

test('sh`` does not wait for one that escaped with its streams', { skip: needsTool('setsid') }, async () => {
  const seconds = String(60_000 + (process.pid % 10_000))
  const { stdout } = await createSh({ folder: null })`echo said; (env -i setsid sleep ${seconds} &)`
  assert.equal(stdout, 'said\n')
  for (const { pid } of processesWith(`sleep ${seconds}`)) process.kill(pid, 'SIGKILL')
})
