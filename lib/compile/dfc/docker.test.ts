import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test, { after } from 'node:test'
import { dfcBench, made } from '../../testing/hailo-program/dfc-bench.ts'
import { installDockerStandin } from '../../testing/hailo-program/docker-standin.ts'
import { installHailoStandin } from '../../testing/hailo-program/install-standin.ts'
import { containerCall, imageOf } from './docker.ts'
import { dfcAvailability } from './program.ts'
import { dfcToolchain } from './toolchain.ts'

const root = mkdtempSync(join(tmpdir(), 'docker-'))
after(() => rmSync(root, { recursive: true, force: true }))
const bare = `${dirname(process.execPath)}:/usr/bin:/bin`
const { program: hailo } = installHailoStandin(join(root, 'venv'))

/** A PATH with the stand-in first, and the calls that it was given. */
function withDocker(o: { isDown?: boolean } = {}) {
  const folder = mkdtempSync(join(root, 'docker-'))
  installDockerStandin(folder, { image: 'hailo/dfc:3.33', hailo, ...o })
  const calls = (): string[][] =>
    readFileSync(join(folder, 'calls.ndjson'), 'utf8')
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as string[])
  return { env: { PATH: `${folder}:${bare}` }, calls }
}

test('imageOf() reads docker:IMAGE and takes nothing else for one', () => {
  assert.equal(imageOf('docker:hailo/dfc:3.33'), 'hailo/dfc:3.33')
  for (const word of ['hailo', './docker', 'docker:', undefined]) assert.equal(imageOf(word), null)
})

test('containerCall() mounts the folder and what is read elsewhere, as the user, without a network', () => {
  const { env } = withDocker()
  const { command } = containerCall({
    image: 'i',
    words: ['parser', 'onnx', '/models/m.onnx'],
    folder: '/run/case',
    reads: ['/models/m.onnx', '/run/case/sub/c.npy'],
    env: { ...env, A: '1', B: undefined },
  })
  const text = command.join(' ')
  const user = `${process.getuid?.()}:${process.getgid?.()}`
  for (const words of [
    '--rm --init --name rungbook-',
    '--network none --pull never',
    `--user ${user}`,
    '--workdir /run/case --volume /run/case:/run/case --volume /models:/models:ro --env',
    '--env A=1 i hailo parser onnx /models/m.onnx',
  ])
    assert.ok(text.includes(words), `${words} in ${text}`)
  assert.doesNotMatch(text, /sub|--env (PATH|B)/)
})

test('dfcAvailability() asks the image for its version', async () => {
  const { env, calls } = withDocker()
  const found = await dfcAvailability({ program: 'docker:hailo/dfc:3.33', env })
  assert.deepEqual([found.found, found.where, found.version], [true, 'docker:hailo/dfc:3.33', '3.33.0'], found.why)
  assert.deepEqual(calls()[0], ['image', 'inspect', '--format', '{{.Id}}', 'hailo/dfc:3.33'])
})

test('dfcAvailability() says whether Docker, its daemon or the image is absent', async () => {
  const { env } = withDocker()
  const none = await dfcAvailability({ program: 'docker:hailo/dfc:9', env })
  assert.match(none.why, /Cannot use the image "hailo\/dfc:9": .*No such image/)
  assert.match(none.hint, /docker load/)
  const down = await dfcAvailability({ program: 'docker:hailo/dfc:3.33', env: withDocker({ isDown: true }).env })
  assert.match(down.why, /Cannot connect to the Docker daemon/)
  assert.match(down.hint, /systemctl start docker/)
  const folder = mkdtempSync(join(root, 'empty-'))
  const absent = await dfcAvailability({ program: 'docker:hailo/dfc:3.33', env: { PATH: folder } })
  assert.match(absent.why, /Cannot run "docker": it is not on PATH/)
  assert.match(absent.hint, /docker\.io/)
})

test('dfcToolchain() takes a graph to a HEF in a container, and removes one that ran out of time', async () => {
  const bench = dfcBench()
  try {
    const { env, calls } = withDocker()
    const { onnx, options } = bench.setUp()
    const toolchain = dfcToolchain({ program: 'docker:hailo/dfc:3.33', env })
    const har = made(await toolchain.parse(onnx, options))
    const quantised = made(await toolchain.optimize(har, options))
    const hef = made(await toolchain.compile(quantised, options))
    assert.ok(hef.path.endsWith('.hef'))
    assert.equal(calls().filter(([verb]) => verb === 'run').length, 3)
    const late = await toolchain.parse(onnx, { ...options, timeoutMs: 30 })
    assert.ok(!late.ok && late.stopped === 'timeout')
    assert.deepEqual(calls().at(-1)!.slice(0, 2), ['rm', '--force'])
  } finally {
    bench.close()
  }
})
