import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { FfiError } from '../errors.ts'
import { needsTool } from '../../lib/testing/needs.ts'
import { buildStandin } from './build.ts'

/** A folder with one C file, gone after the test. */
function withSource(text: string, body: (path: string, folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'build-test-'))
  try {
    const path = join(folder, 'it.c')
    writeFileSync(path, text)
    body(path, folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
const program = `#include <stdio.h>\nint main(void) { printf("%d\\n", ANSWER); return 0; }\n`

test('buildStandin() compiles a program that runs when the source is good', { skip: needsTool('gcc') }, () => {
  withSource(program, path => {
    const built = buildStandin([path], { out: 'answer', kind: 'program', defines: { ANSWER: 42 } })
    assert.equal(execFileSync(built, { encoding: 'utf8' }), '42\n')
  })
})

test(
  'buildStandin() gives the file that is there when asked again, and another when a define or a header changes',
  { skip: needsTool('gcc') },
  () => {
    withSource(program, (path, folder) => {
      const build = (answer: number) =>
        buildStandin([path], { out: 'answer', kind: 'program', defines: { ANSWER: answer } })
      const first = build(1)
      const { mtimeMs } = statSync(first)
      assert.equal(build(1), first)
      assert.equal(statSync(first).mtimeMs, mtimeMs)
      assert.notEqual(build(2), first)
      writeFileSync(join(folder, 'more.h'), 'int more;\n')
      assert.notEqual(build(1), first)
    })
  },
)

test('buildStandin() tells what gcc said when the source has a warning', { skip: needsTool('gcc') }, () => {
  withSource('static int unused(void) { return 1; }\n', path => {
    assert.throws(
      () => buildStandin([path], { out: 'libx.so' }),
      (thrown: unknown) => thrown instanceof FfiError && thrown.kind === 'usage' && thrown.message.includes('unused'),
    )
  })
})

test('buildStandin() is an absent tool when there is no such compiler', () => {
  withSource(program, path => {
    assert.throws(
      () => buildStandin([path], { out: 'libx.so', compiler: 'no-such-gcc' }),
      (thrown: unknown) =>
        thrown instanceof FfiError && thrown.kind === 'absent' && thrown.hint.includes('apt install'),
    )
  })
})
