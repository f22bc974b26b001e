import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { runInProcess } from '../lib/testing/run-in-process.ts'
import explain from './explain-log.ts'

const root = mkdtempSync(join(tmpdir(), 'explain-log-'))
after(() => rmSync(root, { recursive: true, force: true }))

/** Explain a log of this content. */
function explained(content: string | Uint8Array) {
  const log = join(mkdtempSync(join(root, 'case-')), 'case.log')
  writeFileSync(log, content)
  return runInProcess(explain, ['--log', log], { cwd: root })
}

test('explain-log passes a log that it knows, and goes on with a command that turns the knob', async () => {
  const ran = await explained(
    '[error] Mapping Failed (allocation time: 2s)\nNo successful assignments: dw6 errors:\n\tAgent infeasible',
  )
  assert.equal(ran.exit, 0, ran.stderr)
  assert.equal(ran.lines[0], 'bucket: allocator_infeasible')
  assert.ok(ran.lines.length <= 6, ran.stdout)
  assert.equal(ran.stderr, '', 'nothing but the answer')
  assert.match(ran.stdout, /^next knob: --ladder temporal$/m)
  assert.match(
    ran.verdict,
    /^PASS explain-log gates=1\/1 .*next="npx tsx runbooks\/monolithic-sweep.ts --ladder temporal" hint="/,
  )
})

test('explain-log goes on in words where the knob is no flag of the sweep', async () => {
  const ran = await explained('OSError: [Errno 28] No space left on device')
  assert.equal(ran.exit, 0, ran.stderr)
  assert.match(ran.verdict, /hint="free some room/)
})

test('explain-log fails on an error that it does not know, whatever step was reached before', async () => {
  for (const log of [
    '[HailoRT] [error] CHECK_SUCCESS failed with status=HAILO_INTERNAL_FAILURE(8)',
    '[info] Translation started on ONNX model n\n[error] something nobody knows',
    [
      '[info] Starting Model Optimization',
      'Traceback (most recent call last):',
      '  File "a.py", line 3, in f',
      '    g()',
      'SomethingOddError',
    ].join('\n'),
    '# Manual\n\nPress Ctrl-C to end a run.\n',
    'moo',
  ]) {
    const ran = await explained(log)
    assert.equal(ran.exit, 1, log)
    assert.equal(ran.lines[0], 'bucket: unknown', log)
    assert.match(ran.verdict, /^FAIL explain-log gates=0\/1 /, log)
  }
})

test('explain-log calls the log of a success no failure', async () => {
  const ran = await explained(
    '[info] Starting Model Optimization\n[info] Model Optimization is done\n[info] Saved HAR to: /x/n.har',
  )
  assert.equal(ran.exit, 0, ran.stderr)
  assert.equal(ran.lines[0], 'bucket: not_a_failure')
})

test('explain-log refuses an empty and a binary log by name', async () => {
  for (const [content, why] of [
    ['', /case\.log": it is empty/],
    ['\n \n', /it is empty/],
    [new Uint8Array([1, 72, 69, 70, 0, 0, 3, 9]), /it is no text/],
  ] as const) {
    const ran = await explained(content)
    assert.equal(ran.exit, 2, ran.stdout)
    assert.match(ran.stdout + ran.stderr, why)
    assert.doesNotMatch(ran.verdict, /PASS/)
  }
})

test('explain-log takes a file without a flag, a dash, and what is piped into it', () => {
  const log = join(root, 'piped.log')
  writeFileSync(log, '[HailoRT] [error] CHECK_SUCCESS failed with status=HAILO_DEVICE_IN_USE(73)')
  const script = join(import.meta.dirname, 'explain-log.ts')
  const node = `"${process.execPath}" --import "${import.meta.resolve('tsx')}" "${script}"`
  const said = execFileSync('sh', ['-c', `${node} "${log}" && cat "${log}" | ${node} - && ${node} < "${log}"`], {
    encoding: 'utf8',
  })
  assert.equal(said.match(/^bucket: runtime_no_device$/gm)?.length, 3, said)
  assert.match(said, /^next knob: sudo lsof/m)
})

test('explain-log wants one of a log and --jsonl', async () => {
  const log = join(root, 'one.log')
  writeFileSync(log, 'Agent infeasible')
  for (const argv of [[], ['--log', log, '--jsonl', log]]) {
    const ran = await runInProcess(explain, argv, { cwd: root })
    assert.equal(ran.exit, 2, ran.stdout)
    assert.match(ran.stdout + ran.stderr, /give one of a log and --jsonl/)
  }
  assert.equal((await runInProcess(explain, ['--log', join(root, 'absent.log')], { cwd: root })).exit, 3)
})

test('explain-log scores labelled rows, shows what it missed, and fails below the share', async () => {
  const jsonl = join(root, 'rows.jsonl')
  const rows = [
    ['Agent infeasible', 'allocator_infeasible'],
    ['ENOSPC', 'host_disk_full'],
    ['moo', 'host_oom'],
  ]
  writeFileSync(jsonl, rows.map(([text, expected_bucket]) => JSON.stringify({ text, expected_bucket })).join('\n'))
  const ran = await runInProcess(explain, ['--jsonl', jsonl], { cwd: root })
  assert.equal(ran.exit, 1, ran.stderr)
  assert.ok(
    ran.lines.includes('score=2/3') && ran.lines.includes('miss expected=host_oom got=unknown text="moo"'),
    ran.stdout,
  )
  assert.equal((await runInProcess(explain, ['--jsonl', jsonl, '--at-least', '0.6'], { cwd: root })).exit, 0)
  writeFileSync(jsonl, '{"text": 3}\n')
  assert.match(
    (await runInProcess(explain, ['--jsonl', jsonl], { cwd: root })).verdict,
    /^ERROR|^FAIL|usage|exit|Cannot/i,
  )
})
