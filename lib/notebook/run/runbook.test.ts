import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { typescriptCommand } from '../../host/typescript.ts'
import { runInProcess } from '../../testing/run-in-process.ts'
import { until } from '../../testing/until.ts'
import demo from '../../testing/notebook/demo-runbook.ts'
import { runbook, secret } from './runbook.ts'
import type { Tools } from './session.ts'
import type { Report } from '../views/report.ts'

const views = ['events.ndjson', 'report.html', 'report.ipynb', 'report.json', 'report.md']
const scratch = () => mkdtempSync(join(tmpdir(), 'runbook-'))

async function run(argv: readonly string[], o: Parameters<typeof runInProcess>[2] = {}) {
  const ran = await runInProcess(demo, argv, { cwd: scratch(), ...o })
  return { ...ran, last: ran.verdict }
}

test('runbook() ends in PASS with evidence, report lines and the verdict as the last line', async () => {
  const { exit, last, lines, cwd, stderr } = await run([], { env: { HAILO_RUN_TS: 'ts1' } })
  assert.equal(exit, 0)
  assert.equal(last, 'PASS demo-runbook gates=1/1 run=module_runs/ts1 next="go on"')
  assert.equal(lines.at(-2), 'Measured: 6')
  assert.deepEqual(readdirSync(join(cwd, 'module_runs/ts1')).toSorted(), [...views, 'numbers.txt'].toSorted())
  assert.equal(readlinkSync(join(cwd, 'module_runs/latest')), 'ts1')
  assert.match(stderr, /\[1\] Measure\n {2}measuring\n {2}1\/3 item 1/)
  const report = JSON.parse(readFileSync(join(cwd, 'module_runs/ts1/report.json'), 'utf8')) as Report
  assert.equal(report.verdict, 'PASS')
  assert.deepEqual(
    report.artifacts.map(artifact => [artifact.path, artifact.bytes]),
    [['numbers.txt', 6]],
  )
  assert.match(report.artifacts[0]!.sha256, /^[0-9a-f]{64}$/)
  assert.equal(report.fingerprint.device, 'none')
  assert.match(
    report.cells[0]!.source,
    /^const first = await cell\('Measure', async \(\{ print, progress, show \}\) => \{\n {2}print/,
  )
  assert.equal(report.command, 'npx tsx lib/testing/notebook/demo-runbook.ts')
})

test('runbook() reports a command that asks the same again, with the variables that it was given', async () => {
  const { report } = await run(['--how', 'pass'], {
    env: { DEMO_VALUE: '6', DEMO_HOW: 'fail', HAILORT_LIB: '/opt/it is/libhailort.so', HOME: '/home/me' },
  })
  assert.equal(
    report!.command,
    "DEMO_VALUE=6 HAILORT_LIB='/opt/it is/libhailort.so' npx tsx lib/testing/notebook/demo-runbook.ts --how pass",
  )
})

test('runbook() keeps a secret out of everything that it writes, and hands it to the body', async () => {
  const word = 'hunter2-is-secret'
  const inputs = { apiKey: secret({ env: 'DEMO_KEY', optional: true, help: 'a key' }) }
  const given: (string | undefined)[] = []
  const body = async ({ inputs: { apiKey }, gate }: Tools<typeof inputs>) => {
    given.push(apiKey)
    gate('told', 1, { atLeast: 1 })
  }
  // A file of its own, because this one is the entry script.
  const meta = { ...import.meta, filename: join(import.meta.dirname, '../../testing/notebook/demo-runbook.ts') }
  const asking = runbook(meta, { asks: 'does a key stay secret?', inputs }, body)
  const ways = [[], ['--api-key', word], [`--api-key=${word}`], ['--api_key', word]]
  for (const [i, argv] of ways.entries()) {
    const cwd = scratch()
    const ran = await runInProcess(asking, argv, { cwd, env: i === 0 ? { DEMO_KEY: word } : {} })
    const folder = join(cwd, 'module_runs')
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
    assert.ok(files.length >= views.length)
    for (const { parentPath, name } of files) {
      assert.ok(!readFileSync(join(parentPath, name), 'utf8').includes(word), `${name}, ${argv.join(' ')}`)
    }
    assert.ok(!`${ran.stdout}${ran.stderr}`.includes(word), argv.join(' '))
  }
  assert.deepEqual(
    given,
    ways.map(() => word),
  )
})

test('runbook() never reuses a run folder: the second run in the same second gets -2', async () => {
  const cwd = scratch()
  const runs = [await run(['--run-ts', 'x'], { cwd }), await run(['--run-ts', 'x'], { cwd })]
  assert.deepEqual(
    runs.map(({ report }) => report!.run),
    ['module_runs/x', 'module_runs/x-2'],
  )
})

test('runbook() maps every way out to its exit code and verdict', async () => {
  const cases = [
    { argv: ['--how', 'fail'], exit: 1, last: /^FAIL demo-runbook gates=0\/1 run=.* next="look again"$/ },
    { argv: ['--how', 'blocked'], exit: 3, last: /^BLOCKED demo-runbook gates=1\/2 / },
    { argv: ['--how', 'no-gate'], exit: 3, last: /^BLOCKED demo-runbook gates=0\/0 / },
    { argv: ['--how', 'throw'], exit: 3, last: /^BLOCKED demo-runbook gates=0\/0 .* hint="plug it in"$/ },
    { argv: ['--how', 'bug'], exit: 70, last: /^BUG demo-runbook / },
    { argv: ['--how', 'pas'], exit: 2, last: /^USAGE demo-runbook gates=0\/0 run=none / },
    {
      argv: ['--valu', '3'],
      exit: 2,
      last: /^USAGE .* run=none next="npx tsx \S+ --help" hint="did you mean --value\?"$/,
    },
    { argv: ['--run-ts', '../up'], exit: 2, last: /^USAGE / },
    { argv: ['--value', 'NaN'], exit: 2, last: /^USAGE / },
  ]
  for (const { argv, exit, last } of cases) {
    const found = await run(argv)
    assert.equal(found.exit, exit, argv.join(' '))
    assert.match(found.last, last)
  }
})

test('runbook() records a failing cell, and prints message and hint but no stack for an operating error', async () => {
  const { report, stderr } = await run(['--how', 'throw'])
  assert.deepEqual(
    report!.cells.map(cell => cell.status),
    ['ok', 'failed'],
  )
  assert.match(stderr, /error: Cannot open "device": it is absent\n\nhint: plug it in/)
  assert.doesNotMatch(stderr, /at .*\.ts:\d+/)
  assert.match((await run(['--how', 'bug'])).stderr, /TypeError: a defect\n\s+at /)
})

test('runbook() keeps the streams of parallel cells apart', async () => {
  const { report, stderr } = await run(['--how', 'parallel'])
  const said = report!.cells.slice(1).map(cell =>
    cell.outputs
      .filter(output => output.kind === 'text')
      .map(output => output.text)
      .join(),
  )
  assert.deepEqual(said, ['a0\na1\na2', 'b0\nb1\nb2'])
  assert.match(stderr, / {2}\[2\] a1\n/)
  assert.match(stderr, / {2}\[3\] b0\n/)
})

test('runbook() with --json gives one JSON document on stdout and the verdict on stderr, however it ends', async () => {
  for (const argv of [['--json'], ['--json', '--how', 'throw'], ['--json', '--nonsense'], ['--json=1']]) {
    const { stdout, stderr } = await run(argv)
    const report = JSON.parse(stdout) as Report
    assert.equal(stderr.trimEnd().split('\n').at(-1)!.split(' ')[0], report.verdict)
  }
})

test('runbook() with --quiet says nothing on stderr when all is well', async () => {
  assert.equal((await run(['--quiet'])).stderr, '')
})

test('runbook() with --dry-run says what it would do and touches nothing', async () => {
  const { exit, lines, cwd } = await run(['--dry-run', '--value', '7'])
  assert.equal(exit, 0)
  assert.ok(lines.includes('--value=7 (flag)') && lines.includes('would do what "pass" does'), lines.join('\n'))
  assert.match(lines.at(-1)!, /^DRY-RUN demo-runbook gates=0\/0 run=none next="npx tsx .* --value 7"$/)
  assert.ok(!existsSync(join(cwd, 'module_runs')))
})

test('runbook() with --help names every input with its variable and default, and --version the version', async () => {
  const { stdout, exit } = await run(['--help'])
  assert.equal(exit, 0)
  assert.match(stdout, /--value <number>\s+a number to judge \[env DEMO_VALUE, default 3\]/)
  assert.match(stdout, /--run-ts <text>.*HAILO_RUN_TS/)
  assert.match((await run(['--version'])).stdout, /^rungbook \d+\.\d+\.\d+\n$/)
})

test('runbook() is blocked, and says so, when the run folder cannot be made', async () => {
  const cwd = scratch()
  writeFileSync(join(cwd, 'taken'), '')
  const { exit, stderr } = await run(['--out-dir', 'taken'], { cwd })
  assert.equal(exit, 3, stderr)
})

test('runbook() interrupted in a cell records it, writes the evidence and leaves with 130', async () => {
  const controller = new AbortController()
  setTimeout(() => controller.abort('SIGINT'), 200)
  const { exit, last, report } = await run(['--how', 'wait'], { signal: controller.signal })
  assert.equal(exit, 130)
  assert.match(last, /^INTERRUPTED demo-runbook .* next="start again"$/)
  assert.equal(report!.cells.at(-1)!.status, 'interrupted')
})

const start = (argv: readonly string[], cwd: string) => {
  const demo = join(import.meta.dirname, '../../testing/notebook/demo-runbook.ts')
  const [program, ...words] = typescriptCommand(demo, argv)
  const child = spawn(program!, words, { cwd })
  const out = { stdout: '', stderr: '' }
  child.stdout.on('data', text => {
    out.stdout += String(text)
  })
  child.stderr.on('data', text => {
    out.stderr += String(text)
  })
  const ended = new Promise<number | null>(leave => child.on('exit', leave))
  return { child, out, ended }
}
test('runbook() as a process leaves with 130 and a verdict on Ctrl-C, even twice within one key press', async () => {
  const { child, out, ended } = start(['--how', 'wait'], scratch())
  await until(() => out.stderr.includes('[2] Wait'))
  child.kill('SIGINT')
  child.kill('SIGINT')
  assert.equal(await ended, 130)
  assert.match(
    out.stdout.trimEnd().split('\n').at(-1)!,
    /^INTERRUPTED demo-runbook gates=0\/0 run=module_runs\/\d{8}_\d{6}/,
  )
})

test('runbook() as a process gives up on a body that does not listen, with its evidence written', async () => {
  const cwd = scratch()
  const { child, out, ended } = start(['--how', 'deaf', '--run-ts', 'd'], cwd)
  await until(() => out.stderr.includes('[2] Hang'))
  child.kill('SIGTERM')
  assert.equal(await ended, 130)
  assert.equal(
    (JSON.parse(readFileSync(join(cwd, 'module_runs/d/report.json'), 'utf8')) as Report).cells[1]!.status,
    'interrupted',
  )
})

test('runbook() leaves no folder when nothing was made, and moves latest only to a run with results', async () => {
  const cwd = scratch()
  await run(['--run-ts', 'made'], { cwd })
  const { report, last } = await run(['--run-ts', 'none', '--how', 'nothing'], { cwd })
  assert.deepEqual([report!.verdict, report!.run], ['BLOCKED', 'none'])
  assert.match(last, / run=none /)
  assert.deepEqual(readdirSync(join(cwd, 'module_runs')).toSorted(), ['latest', 'made'])
  assert.equal(readlinkSync(join(cwd, 'module_runs/latest')), 'made')
})

test('runbook() as a process turns an error that nobody awaits into BUG and 70', async () => {
  const cwd = scratch()
  const { out, ended } = start(['--how', 'stray', '--run-ts', 's'], cwd)
  assert.equal(await ended, 70)
  assert.match(out.stdout.trimEnd().split('\n').at(-1)!, /^BUG demo-runbook gates=0\/0 run=module_runs\/s/)
  const report = JSON.parse(readFileSync(join(cwd, 'module_runs/s/report.json'), 'utf8')) as Report
  assert.deepEqual([report.verdict, report.error!.message, report.cells[0]!.status], ['BUG', 'nobody awaits me', 'ok'])
})

test('runbook() can be imported without running', async () => {
  mkdirSync(scratch(), { recursive: true })
  assert.equal(demo.id, 'demo-runbook')
  assert.equal(demo.sheet.asks, 'does the notebook keep its promises?')
  assert.match(demo.intro(), /^Demo: does/)
})

test('a runbook is blocked, and no defect, when the machine has no more open files', async () => {
  const { exit, report } = await runInProcess(demo, ['--how', 'few-files'])
  assert.equal(exit, 3)
  assert.match(report.hint!, /ulimit -n 4096/)
})

test('a runbook that is stopped is interrupted, even where its body goes on to judge what was cut short', async () => {
  const controller = new AbortController()
  const deaf = runbook(
    { ...import.meta, filename: join(import.meta.dirname, '../../testing/notebook/demo-runbook.ts') } as ImportMeta,
    { asks: 'is it interrupted?', inputs: {} },
    async ({ gate }) => {
      controller.abort('SIGINT')
      gate('half of the rows', 1, { equals: 1 })
    },
  )
  const { exit, report } = await runInProcess(deaf, [], { signal: controller.signal })
  assert.deepEqual([exit, report.verdict], [130, 'INTERRUPTED'])
})
