import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test, { after } from 'node:test'
import { typescriptCommand } from '../host/typescript.ts'
import { batchesOf, findTestFiles, systemOf } from './runner/files.ts'

const root = mkdtempSync(join(tmpdir(), 'run-tests-'))
after(() => rmSync(root, { recursive: true, force: true }))

/** A project of these test files, each with the import that all of them need. */
function project(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(root, 'a project-'))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), `import test from 'node:test'\n${text}`)
  }
  return folder
}

/** Run the runner as `npm test` does; the lines that it prints. */
function runTests(...argv: readonly string[]) {
  const [program, ...words] = typescriptCommand(join(import.meta.dirname, 'run-tests.ts'), argv)
  // This very file runs under node:test, whose variable would make the runner report to it.
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined }
  const { status, stdout, stderr } = spawnSync(program!, words, { encoding: 'utf8', env, cwd: root })
  return { status, stderr, stdout, lines: stdout.trimEnd().split('\n') }
}

test('run-tests.ts counts what ran in each file, names what failed, and books the CPU by system', () => {
  const folder = project({
    'lib/base/a.test.ts': "test('a one', () => {})\ntest('a two', { skip: 'data: none' }, () => {})\n",
    'lib/base/b.test.ts': "test('b fails', () => { throw new Error('a defect') })\n",
    'lib/base/c.test.ts': "test('c one', async () => {})\n",
    'runbooks/whisper-x.test.ts': "test('w', () => {})\n",
  })
  const { status, lines, stdout } = runTests('--root', folder)
  assert.equal(status, 1, stdout)
  assert.equal(lines.at(-1), '3 passed, 1 failed, 1 skipped')
  assert.ok(lines.includes('failed: lib/base/b.test.ts: b fails'), stdout)
  assert.match(stdout, /a defect/)
  assert.match(stdout, /^ +\d+\.\d s of CPU {2}lib\/base\/c\.test\.ts$/m)
  assert.match(lines.at(-2)!, /^ +\d+\.\d s of CPU {2}all, 4 files$/)
  assert.match(stdout, /s of CPU {2}ladder and C ABIs, 3 files$/m)
  assert.match(stdout, /s of CPU {2}whisper, 1 file$/m)
  assert.doesNotMatch(stdout, /end of /)
})

test('run-tests.ts fails when a file does not load, or a declared test does not run though all that ran passed', () => {
  const folder = project({
    'lib/base/a.test.ts': "test('leaves', () => process.exit(0))\ntest('never', () => {})\n",
    'lib/base/b.test.ts': "test('behind it', () => {})\n",
    'lib/host/c.test.ts': "throw new Error('broken file')\ntest('c', () => {})\n",
    'lib/host/d.test.ts': "test('d', () => {})\n",
  })
  const { status, lines, stdout } = runTests('--root', folder)
  assert.equal(status, 1)
  for (const line of [
    'lib/base/a.test.ts declares 2 tests, but 0 ran',
    'lib/base/b.test.ts declares 1 tests, but 0 ran',
    'failed: lib/host/c.test.ts: it loads',
  ])
    assert.ok(lines.includes(line), `${line}\n${stdout}`)
  assert.match(stdout, /broken file/)
  assert.match(lines.at(-1)!, /^1 passed, /)
})

test('run-tests.ts takes words, paths and patterns of names, and refuses what matches nothing', () => {
  const folder = project({
    'lib/base/a.test.ts': "test('a one', () => {})\ntest('a two', () => { throw new Error('not asked') })\n",
    'lib/host/b.test.ts': "test('b one', { skip: 'tool: none' }, () => {})\n",
  })
  const at = (...argv: readonly string[]) => runTests('--root', folder, ...argv)
  const one = at('--name', 'one$', '--no-skips')
  assert.deepEqual([one.status, one.lines.at(-1)], [1, '1 passed, 0 failed, 1 skipped'])
  assert.match(one.stdout, /skipped, and must not be here: b one \(tool: none\)/)
  const file = at(join(folder, 'lib/host/b.test.ts'))
  assert.deepEqual([file.status, file.lines.at(-1)], [0, '0 passed, 0 failed, 1 skipped'])
  const word = at('lib/nowhere')
  assert.equal(word.status, 1)
  assert.ok(word.lines.includes('no test file has lib/nowhere in its path'), word.stdout)
  const name = at('--name', 'three')
  assert.equal(name.status, 1)
  assert.ok(name.lines.includes('no test has a name that matches three'), name.stdout)
  const flag = at('--watch')
  assert.equal(flag.status, 2)
  assert.match(flag.stderr, /^Cannot run the tests: .*--watch/)
})

test('findTestFiles() counts declared tests, and takes a path from here, from the root or in full', () => {
  const folder = project({
    'lib/base/a.test.ts': "// Own process: it measures.\ntest('a', () => {})\n  test('no', () => {})\n",
    'ffi/b.test.ts': 'const test2 = test\n',
    'ffi/c.test.ts': 'test.before(() => {})\n',
    'lib/base/a.ts': '',
  })
  const a = { path: 'lib/base/a.test.ts', declared: 1, isAlone: true }
  assert.deepEqual(findTestFiles(folder, []), [
    { path: 'ffi/b.test.ts', declared: 0, isAlone: false },
    { path: 'ffi/c.test.ts', declared: 0, isAlone: true },
    a,
  ])
  for (const word of ['lib/base', './lib/base/a.test.ts', join(folder, 'lib/base')])
    assert.deepEqual(findTestFiles(folder, [word]), [a], word)
})

test('batchesOf() keeps systems and folders apart, 16 files at most, and a file that must be alone by itself', () => {
  const file = (path: string, isAlone = false) => ({ path, declared: 1, isAlone })
  const many = Array.from({ length: 18 }, (_, i) => file(`lib/onnx/${i}.test.ts`))
  const batches = batchesOf([
    file('ffi/load.test.ts'),
    ...many,
    file('lib/onnx/zz.test.ts', true),
    file('lib/speech/tdt/a.test.ts'),
    file('lib/speech/b.test.ts'),
    file('runbooks/monolithic-sweep.test.ts'),
    file('runbooks/plan-003.test.ts'),
    file('runbooks/plan-000.test.ts'),
  ]).map(batch => batch.map(({ path }) => path))
  assert.deepEqual(batches.slice(0, 2), [
    ['runbooks/monolithic-sweep.test.ts', 'runbooks/plan-000.test.ts'],
    ['runbooks/plan-003.test.ts'],
  ])
  assert.deepEqual(
    batches.map(({ length }) => length),
    [2, 1, 1, 16, 2, 1, 1, 1],
  )
})

test('systemOf() books a path with its system, and the rest with the ladder', () => {
  const at = (path: string) => systemOf(path)
  assert.equal(at('lib/models/tdt/a.test.ts'), 'parakeet')
  assert.equal(at('lib/speech/tdt/greedy.test.ts'), 'parakeet')
  assert.equal(at('lib/speech/transcript.test.ts'), 'whisper')
  assert.equal(at('lib/models/tcn/a.test.ts'), 'edgeinfer')
  assert.equal(at('lib/serve/http.test.ts'), 'edgeinfer')
  assert.equal(at('runbooks/plan-000.test.ts'), 'ladder and C ABIs')
  assert.equal(at('ffi/load.test.ts'), 'ladder and C ABIs')
})
