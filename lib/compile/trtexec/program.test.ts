import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { installTrtexec, trtexecFlags } from '../../testing/trtexec/standin.ts'
import { probeTrtexec } from './program.ts'

const root = mkdtempSync(join(tmpdir(), 'trtexec-'))
after(() => rmSync(root, { recursive: true, force: true }))
const install = (version: string, flags: readonly string[] = trtexecFlags[10]) =>
  installTrtexec(mkdtempSync(join(root, 'at-')), { version, flags })

test('probeTrtexec() reads the version of 8.6, 10 and 11, and the flags that begin a line of help', async () => {
  for (const [number, version, major] of [
    ['8601', '8.6.1', 8],
    ['101600', '10.16.0', 10],
    ['110100', '11.1.0', 11],
  ] as const) {
    const found = await probeTrtexec(install(number, trtexecFlags[major]))
    assert.deepEqual([found.version, found.major], [version, major])
    assert.deepEqual([...found.flags].toSorted(), [...trtexecFlags[major]].toSorted(), 'prose adds none')
  }
})

test('probeTrtexec() reads second names of a flag, and not the values of one', async () => {
  const path = join(mkdtempSync(join(root, 'at-')), 'trtexec')
  const help = [
    '  --onnx=<file>   ONNX',
    '  --saveEngine=<file>',
    '  --help, -h',
    '  --versionCompatible, --vc  mark it',
  ]
  writeFileSync(path, `#!/bin/sh\necho '[TensorRT v101600]'\ncat <<'END'\n${help.join('\n')}\nEND\n`)
  chmodSync(path, 0o755)
  const { flags } = await probeTrtexec(path)
  assert.deepEqual([...flags], ['onnx', 'saveEngine', 'help', 'versionCompatible', 'vc'])
})

test('probeTrtexec() refuses a version whose flags are not known, no version, and another program', async () => {
  for (const version of ['120000', '8503', '90300'])
    await assert.rejects(probeTrtexec(install(version)), { exit: 'blocked', message: /and 8\.6, 10 and 11 are known/ })
  await assert.rejects(probeTrtexec(install('')), { exit: 'blocked', message: /does not say which TensorRT/ })
  await assert.rejects(probeTrtexec(install('101600', ['verbose'])), {
    exit: 'blocked',
    message: /is not that of trtexec, with --onnx/,
  })
})

test('probeTrtexec() says how to get a trtexec that is absent', async () => {
  const refusal = { exit: 'blocked', message: /there is no such file/, hint: /libnvinfer-bin/ }
  await assert.rejects(probeTrtexec('/nowhere/trtexec'), refusal)
})
