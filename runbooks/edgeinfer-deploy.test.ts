import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import test from 'node:test'
import { startTypescript } from '../lib/host/typescript.ts'

const home = mkdtempSync(join(tmpdir(), 'edgeinfer-deploy-'))
test.after(() => rmSync(home, { recursive: true, force: true }))

const [folder, bin, calls, isBad] = ['board', 'bin', 'calls', 'bad'].map(name => join(home, name)) as string[]

/** The runbook in a process of its own, with a docker that tells its folder and its words, and fails as it is told. */
async function rollOut(): Promise<{ exit: number; stdout: string; stderr: string }> {
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` }
  const argv = ['--folder', folder!, '--apply', '--roll-out', '--out-dir', join(home, 'runs')]
  const child = startTypescript(join(import.meta.dirname, 'edgeinfer-deploy.ts'), argv, {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) child[name]!.on('data', piece => (said[name] += String(piece)))
  const [exit] = (await once(child, 'close')) as [number]
  return { exit, ...said }
}

test('edgeinfer-deploy rolls out with docker compose, and is blocked where there is none', async () => {
  mkdirSync(bin!)
  mkdirSync(join(folder!, 'artifacts'), { recursive: true })
  writeFileSync(join(folder!, 'artifacts/tcn_encoder.hef'), 'hef')
  const docker = (body: string) =>
    writeFileSync(join(bin!, 'docker'), `#!/bin/sh\necho "$PWD $*" >> ${calls}\n${body}\n`, { mode: 0o755 })
  docker(`echo "docker: 'compose' is not a docker command." >&2; exit 1`)
  const none = await rollOut()
  assert.equal(none.exit, 3, none.stderr)
  assert.match(none.stderr, /Cannot roll out with "docker compose": docker: 'compose' is not a docker command/)
  docker(`case "$*" in *version) exit 0;; esac; [ ! -e ${isBad} ]`)
  const started = await rollOut()
  assert.equal(started.exit, 0, started.stderr)
  assert.match(started.stdout, /Roll-out: started/)
  assert.ok(readFileSync(calls!, 'utf8').includes(`${folder} compose --profile device config --quiet\n`))
  writeFileSync(isBad!, '')
  const failed = await rollOut()
  assert.equal(failed.exit, 1)
  assert.match(failed.stdout, /Roll-out: stopped/)
})
