import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { exitNameOf, RunbookError } from '../../../base/errors.ts'
import { needsTorch } from '../../../testing/needs.ts'
import { findTorch, mustRun, needPrograms } from './programs.ts'

const root = mkdtempSync(join(tmpdir(), 'programs-'))
after(() => rmSync(root, { recursive: true, force: true }))
const signal = new AbortController().signal
const isError = (exit: RunbookError['exit'], pattern: RegExp) => (e: unknown) =>
  exitNameOf(e) === exit && pattern.test(`${(e as RunbookError).message}\n${(e as RunbookError).hint}`)

function script(name: string, lines: string): string {
  const path = join(root, name)
  writeFileSync(path, `#!/bin/sh\n${lines}\n`)
  chmodSync(path, 0o755)
  return path
}

test('findTorch is blocked with the command that installs it when a Python lacks PyTorch', async () => {
  const bare = script('bare-python', 'echo "ModuleNotFoundError: No module named \'torch\'" >&2; exit 1')
  await assert.rejects(
    findTorch(bare),
    isError('blocked', /no Python with PyTorch.*\n.*apt-get install .*python3-torch/),
  )
})

test('findTorch is blocked when the Python that is named is absent', async () => {
  await assert.rejects(findTorch(join(root, 'absent')), isError('blocked', /absent.*\n.*--python/))
})

test('findTorch gives the versions of the Python that is named', async () => {
  const answer = '{"python": "3.11.2", "torch": "1.13.0a0", "numpy": "1.24.2", "blas": "openblas"}'
  const python = script('python', `echo a warning; echo '${answer}'`)
  assert.deepEqual(await findTorch(python), { program: python, ...(JSON.parse(answer) as object) })
})

test('findTorch reads versions and linear algebra of the real PyTorch', { skip: needsTorch() }, async () => {
  const { torch, numpy, blas } = await findTorch('/usr/bin/python3')
  assert.match(`${torch} ${numpy}`, /^\d+\.\d+\S* \d+\.\d+/)
  assert.match(blas, /^(openblas|mkl|blas)$/)
})

test('needPrograms names every program that is absent', () => {
  assert.throws(
    () => needPrograms(['sh', 'no-such-a', 'no-such-b']),
    isError('blocked', /no-such-a, no-such-b are not/),
  )
  assert.doesNotThrow(() => needPrograms(['sh']))
})

test('mustRun hands on the lines that are JSON objects, and logs the others', async () => {
  const facts: unknown[] = []
  const command = [script('say', `echo hello; echo '{"step": 1}'; echo '{"step": 2}'`)]
  await mustRun({ command, name: 'say', folder: root, signal, onFacts: one => facts.push(one) })
  assert.deepEqual(facts, [{ step: 1 }, { step: 2 }])
  assert.match(readFileSync(join(root, 'logs/say.log'), 'utf8'), /^hello\n/)
})

test('mustRun fails with the last line of a program that fails', async () => {
  const command = [script('break', 'echo first; echo "ValueError: a weight is NaN" >&2; exit 1')]
  await assert.rejects(mustRun({ command, name: 'break', folder: root, signal }), isError('fail', /exit code 1.*NaN/))
})

test('mustRun is interrupted when its signal aborts', async () => {
  const stop = new AbortController()
  const command = [script('sleep', `echo '{"begun": true}'; sleep 60`)]
  const running = mustRun({ command, name: 'sleep', folder: root, signal: stop.signal, onFacts: () => stop.abort() })
  await assert.rejects(running, isError('interrupted', /interrupted/))
})
