import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { shellWord } from '../base/text.ts'
import { projectRoot } from '../base/version.ts'
import {
  currentRuntime,
  runbookCommand,
  starterOf,
  startTypescript,
  starterVariable,
  typescriptCommand,
  type Runtime,
} from './typescript.ts'

const runtimes = {
  node20: { name: 'node', version: '20.19.0', readsTypescript: false, hasUsing: false, hasTsx: true },
  node22: { name: 'node', version: '22.18.0', readsTypescript: true, hasUsing: false, hasTsx: false },
  node24: { name: 'node', version: '24.1.0', readsTypescript: true, hasUsing: true, hasTsx: false },
  node24tsx: { name: 'node', version: '24.1.0', readsTypescript: true, hasUsing: true, hasTsx: true },
  deno: { name: 'deno', version: '2.9.0', readsTypescript: true, hasUsing: true, hasTsx: false },
} as const satisfies Record<string, Runtime>

test('starterOf() names the runtime that the person used', () => {
  assert.deepEqual(
    Object.values(runtimes).map(runtime => starterOf(runtime, {})),
    ['npx tsx', 'node', 'node', 'npx tsx', 'deno run -A --node-modules-dir=manual'],
  )
})

test('starterOf() believes what the parent told, and nothing that is no starter', () => {
  assert.equal(starterOf(runtimes.node24, { [starterVariable]: 'npx tsx' }), 'npx tsx')
  assert.equal(starterOf(runtimes.node24, { [starterVariable]: 'rm -rf' }), 'node')
})

test('runbookCommand() runs as pasted when the working folder is the project, below it, or elsewhere', () => {
  const from = (cwd: string, starter = 'node') => runbookCommand('runbooks/doctor.ts', [], { cwd, starter })
  assert.equal(from(projectRoot), 'node runbooks/doctor.ts')
  assert.equal(from(join(projectRoot, 'lib/host')), 'node ../../runbooks/doctor.ts')
  assert.equal(from('/'), `node ${shellWord(join(projectRoot, 'runbooks/doctor.ts'))}`)
  assert.equal(from('/', 'npx rungbook'), 'npx rungbook doctor')
  const demo = { cwd: projectRoot, starter: 'npx rungbook' }
  assert.equal(runbookCommand('lib/demo it.ts', ['a b', 2], demo), "npx tsx 'lib/demo it.ts' 'a b' 2")
})

test('typescriptCommand() loads tsx only where the runtime reads no TypeScript or does not know using', () => {
  const words = (runtime: Runtime) => typescriptCommand('a.ts', ['--b'], { runtime, flags: ['--expose-gc'] }).slice(1)
  assert.deepEqual(words(runtimes.node20), ['--import', import.meta.resolve('tsx'), '--expose-gc', 'a.ts', '--b'])
  assert.deepEqual(words(runtimes.node22).slice(0, 2), ['--import', import.meta.resolve('tsx')])
  assert.deepEqual(words(runtimes.node24), ['--expose-gc', 'a.ts', '--b'])
  assert.deepEqual(words(runtimes.deno).slice(0, 2), ['run', '-A'])
})

test('startTypescript() runs a typed script under this runtime, with words and a channel both ways', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rungbook-typescript-'))
  try {
    const script = join(folder, 'child.ts')
    writeFileSync(
      script,
      `const words: readonly string[] = process.argv.slice(2)
process.on('message', (data: Float32Array) => {
  process.send!({ words, sum: data[0]! + data[1]! }, () => process.disconnect())
})
`,
    )
    const options = { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], serialization: 'advanced' } as const
    const child = startTypescript(script, ['--a', 'b c'], { ...options, stdio: [...options.stdio] })
    child.send(Float32Array.of(1, 2))
    const [[message]] = await Promise.all([once(child, 'message'), once(child, 'exit')])
    assert.deepEqual(message, { words: ['--a', 'b c'], sum: 3 })
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('currentRuntime() says what runs this test', () => {
  const runtime = currentRuntime()
  assert.equal(runtime.name, 'deno' in process.versions ? 'deno' : 'node')
  assert.match(process.version, new RegExp(runtime.name === 'node' ? `^v${runtime.version}$` : '.'))
})
