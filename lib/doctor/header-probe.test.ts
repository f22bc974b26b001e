import assert from 'node:assert/strict'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { needsTool } from '../testing/needs.ts'
import { fakeMachine } from '../testing/machine/fake-machine.ts'
import { folderWith, printedBy } from './header-probe.ts'

const skip = needsTool('gcc')
const machine = () => fakeMachine({ env: { PATH: process.env.PATH! } })
const program = (source: string) => ({
  compiler: '/usr/bin/gcc',
  name: 'probe.c',
  source,
  include: ['/usr/include/vendor'],
})

test("printedBy() gives what the compiled program prints, with the machine's own header", { skip }, async () => {
  const here = machine()
  mkdirSync(join(here.root, 'usr/include/vendor'), { recursive: true })
  writeFileSync(join(here.root, 'usr/include/vendor/own.h'), '#define ANSWER 42\n')
  const source = '#include <stdio.h>\n#include "own.h"\nint main(void) { printf("%d\\n", ANSWER); return 0; }\n'
  assert.deepEqual(await printedBy(here, program(source)), { printed: '42\n' })
})

test('printedBy() gives the first error of the compiler, without its place', { skip }, async () => {
  const said = await printedBy(machine(), program('int main(void) { return nothing + nowhere; }\n'))
  assert.ok('complaint' in said)
  assert.match(said.complaint, /^'nothing' undeclared/)
  const absent = await printedBy(machine(), program('#include "gone.h"\n'))
  assert.deepEqual(absent, { complaint: 'gone.h: No such file or directory' })
})

test('printedBy() does not take a program that fails for one that prints', { skip }, async () => {
  const said = await printedBy(
    machine(),
    program('#include <stdio.h>\nint main(void) { printf("half\\n"); return 7; }\n'),
  )
  assert.deepEqual(said, { complaint: 'the compiled program ends with exit code 7' })
  const crash = await printedBy(machine(), program('int main(void) { return *(volatile int *)0; }\n'))
  assert.deepEqual(crash, { complaint: 'the compiled program ends with exit code none' })
})

test('printedBy() ends a compiler that hangs, and leaves no folder behind', async () => {
  const here = fakeMachine({
    programs: { hangs: '#!/bin/sh\nwhile :; do read x < /dev/zero; done\n', mute: '#!/bin/sh\nexit 1\n' },
  })
  const folders: string[] = []
  const run: typeof here.run = (command, o) => {
    folders.push(o!.cwd!)
    return here.run(command, o)
  }
  const ask = (compiler: string) =>
    printedBy({ ...here, run }, { ...program(''), compiler: join(here.root, 'usr/bin', compiler), timeoutMs: 300 })
  assert.deepEqual(await ask('hangs'), { complaint: 'the compiler does not end in time' })
  assert.deepEqual(await ask('mute'), { complaint: 'the compiler fails and says nothing' })
  assert.equal(folders.length, 2)
  assert.deepEqual(
    folders.filter(folder => existsSync(folder)),
    [],
  )
})

test('folderWith() takes the first folder that has the file, or none', () => {
  const here = fakeMachine({ files: { '/b/x.h': '', '/c/x.h': '' } })
  assert.equal(folderWith(here, ['/a', '/b', '/c'], 'x.h'), '/b')
  assert.equal(folderWith(here, ['/a'], 'x.h'), null)
})
