import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { contractNames } from '../../contract/contract.ts'
import { typedLeaves, unreadLeaves, untypedLeaves, type ContractType } from './leaves.ts'

const root = join(import.meta.dirname, '../../..')
const types: Readonly<Record<string, ContractType>> = {
  monolithic: { file: 'lib/systems/monolithic/contract.ts', name: 'MonolithicContract' },
  voices: { file: 'lib/systems/monolithic/training/contract.ts', name: 'VoicesContract' },
  edgeinfer: { file: 'lib/systems/edgeinfer/contract.ts', name: 'EdgeinferContract' },
  whisper: { file: 'lib/systems/whisper/contract.ts', name: 'WhisperContract' },
  'parakeet-tdt-0.6b-v2': { file: 'lib/systems/parakeet/contract/read.ts', name: 'ParakeetContract' },
  'parakeet-tdt-0.6b-v3': { file: 'lib/systems/parakeet/contract/read.ts', name: 'ParakeetContract' },
  ffi: { file: 'lib/bench/native.ts', name: 'NativeContract' },
}
/** Groups of the Parakeet contracts that we chose; their other values are compared with a `.nemo` as they stand. */
const chosen = /^\/(tolerances|latency|engines)\//

/** A contract without its sources and marks. */
function valuesOf(name: string): object {
  const path = join(root, `contracts/${name}.contract.json`)
  const {
    contract: _,
    version: __,
    about: ___,
    required: ____,
    sources: _____,
    holds: ______,
    ...values
  } = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>
  return values
}

const isParakeet = (name: string) => name.startsWith('parakeet')
const isAsked = ({ file, pointer }: { file: string; pointer: string }) =>
  !file.includes('parakeet') || chosen.test(pointer)

/** The production files of the project, from its root. */
const production = ['lib', 'ffi', 'runbooks'].flatMap(folder =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map(path => `${folder}/${path}`)
    .filter(path => path.endsWith('.ts') && !/\.test\.ts$|^(lib|ffi)\/testing\//.test(path)),
)

test('each value of a contract is declared by the type of its contract', () => {
  assert.deepEqual(Object.keys(types).toSorted(), contractNames())
  for (const [name, type] of Object.entries(types)) {
    const untyped = untypedLeaves(valuesOf(name), typedLeaves(root, type))
    assert.deepEqual(isParakeet(name) ? untyped.filter(pointer => chosen.test(pointer)) : untyped, [], name)
  }
})

test('each value of a contract is read by production code', { timeout: 600_000 }, () => {
  const distinct = [...new Map(Object.values(types).map(type => [type.file, type])).values()]
  const unread = unreadLeaves(root, production, distinct).filter(isAsked)
  assert.deepEqual(
    unread.map(({ file, pointer }) => `${file} ${pointer}`),
    [],
  )
})

/** A project of one contract type and one file that reads it. */
function projectOf(contract: string, reader: string): { folder: string } & Disposable {
  const folder = mkdtempSync(join(tmpdir(), 'leaves-test-'))
  for (const name of ['lib', 'ffi', 'runbooks']) mkdirSync(join(folder, name))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}')
  writeFileSync(join(folder, 'tsconfig.json'), readFileSync(join(root, 'tsconfig.json')))
  writeFileSync(join(folder, 'lib/contract.ts'), contract)
  writeFileSync(join(folder, 'lib/reader.ts'), reader)
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) }
}

test('unreadLeaves() names what is read nowhere, also where another object has a field of that name', () => {
  using project = projectOf(
    `interface Limits { readonly most: number; readonly least: number }
export interface Toy {
  readonly service: { readonly name: string; readonly port: number }
  readonly model: { readonly name: string }
  readonly rungs: readonly { readonly width: number; readonly depth: number }[]
  readonly limits: Limits
  readonly byName: Readonly<Record<string, { readonly hash: string }>>
  readonly many: { readonly a: 1; readonly b: 1; readonly c: 1; readonly d: 1; readonly e: 1; readonly f: 1 }
}
`,
    `import type { Toy } from './contract.ts'
const most = ({ most }: { most: number }) => most
const all = (o: { a: 1; b: 1; c: 1; d: 1; e: 1 }) => o.a
export const read = ({ service: { port }, model, rungs, limits, many }: Toy, other: { depth: number; hash: string }) =>
  [port, model.name, rungs[0]!.width, other.depth, other.hash, most(limits), all(many)]
`,
  )
  const unread = unreadLeaves(
    project.folder,
    ['lib/contract.ts', 'lib/reader.ts'],
    [{ file: 'lib/contract.ts', name: 'Toy' }],
  )
  assert.deepEqual(
    unread.map(({ pointer }) => pointer),
    ['/service/name', '/rungs/*/depth', '/limits/least', '/byName/*/hash', '/many/f'],
  )
})

test('typedLeaves() goes through the types of its file, and untypedLeaves() names what none declares', () => {
  using project = projectOf(
    `import type { Far } from './far.ts'
type Modes = Pick<Far, 'mode' | 'kind'>
interface Base { readonly id: number }
export interface Toy extends Base { readonly ladder: Modes & { readonly steps: readonly number[] }; readonly far: Far }
`,
    '',
  )
  const leaves = typedLeaves(project.folder, { file: 'lib/contract.ts', name: 'Toy' })
  assert.deepEqual(leaves.map(({ pointer }) => pointer).toSorted(), [
    '/far',
    '/id',
    '/ladder/kind',
    '/ladder/mode',
    '/ladder/steps',
  ])
  const values = {
    id: 1,
    ladder: { mode: 'x', other: 2, steps: [1, 2] },
    far: { any: { thing: 1 } },
    stray: [{ n: 1 }],
  }
  assert.deepEqual(untypedLeaves(values, leaves), ['/ladder/other', '/stray/0/n'])
  assert.throws(() => typedLeaves(project.folder, { file: 'lib/contract.ts', name: 'None' }), /declares no None/)
})
