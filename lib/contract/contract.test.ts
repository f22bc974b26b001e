import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { checkContract, contractNames, readContract } from './contract.ts'
import { sha256 } from '../host/digest.ts'
import { RunbookError } from '../base/errors.ts'

const good = {
  contract: 'toy',
  version: 3,
  about: 'a contract for a test',
  required: ['/model/stride', '/rungs/0/frames'],
  sources: {
    '/model': { kind: 'plan', ref: 'Phase 1' },
    '/rungs/*/n': { kind: 'code', ref: 'owner/repo@0123abc:a/b.py:12-14' },
    '/rungs/*/frames': { kind: 'derived', ref: 'n / stride + 1', with: { n: '/rungs/*/n', stride: '/model/stride' } },
    '/gates/snr': { kind: 'decision', ref: 'D-02' },
    '/gates/cosine': { kind: 'measured', ref: 'run 20260101_000000', measured: 0.9997 },
  },
  model: { stride: 8, names: ['input', 'output'], none: null },
  rungs: [
    { n: 16, frames: 3 },
    { n: 80, frames: 11 },
  ],
  gates: { snr: 15, cosine: 0.999 },
}

const decisions = '# Decisions\n\n## D-01 First\n\n## D-02 The bound\n\nsee D-77\n'

/** A change: the keys that lead to a value, and the new value; undefined takes it away. */
type Change = readonly [keys: readonly (string | number)[], value: unknown]

/** A folder with one contract, the good one after some changes. */
function folderWith(...changes: readonly Change[]) {
  const folder = mkdtempSync(join(tmpdir(), 'contract-'))
  const contract = structuredClone(good) as Record<string, unknown>
  for (const [keys, value] of changes) {
    const inner = keys
      .slice(0, -1)
      .reduce<Record<string, unknown>>((at, key) => at[key] as Record<string, unknown>, contract)
    inner[keys.at(-1)!] = value
  }
  writeFileSync(join(folder, 'toy.contract.json'), JSON.stringify(contract))
  writeFileSync(join(folder, 'DECISIONS.md'), decisions)
  return { folder }
}

const problems = (...changes: readonly Change[]) => checkContract('toy', folderWith(...changes))

const refusal = (exit: string, pattern: RegExp) => (error: unknown) => {
  assert.ok(error instanceof RunbookError, String(error))
  assert.equal(error.exit, exit)
  assert.match(`${error.message} | ${error.hint}`, pattern)
  return true
}

test('readContract() gives the values with the digest of the file, and neither sources nor required', () => {
  const place = folderWith()
  const contract = readContract<{ model: { stride: number } }>('toy', place)
  assert.equal(contract.model.stride, 8)
  assert.equal(contract.version, 3)
  assert.equal(contract.sha256, sha256(readFileSync(join(place.folder, 'toy.contract.json'))))
  assert.deepEqual(Object.keys(contract).toSorted(), ['contract', 'gates', 'model', 'rungs', 'sha256', 'version'])
})

test('readContract() names what is required and absent', () => {
  const place = folderWith([['model', 'stride'], undefined])
  assert.throws(() => readContract('toy', place), refusal('usage', /lacks \/model\/stride/))
})

test('readContract() is blocked and lists what exists when there is no such contract', () => {
  const place = folderWith()
  assert.throws(() => readContract('other', place), refusal('blocked', /"other".*one of toy/))
  assert.throws(() => readContract('../toy', place), refusal('blocked', /"\.\.\/toy"/))
  assert.deepEqual(contractNames(place.folder), ['toy'])
  assert.deepEqual(contractNames(join(place.folder, 'nowhere')), [])
})

test('readContract() says what is malformed', () => {
  const malformed: [...Change, RegExp][] = [
    [['required'], undefined, /"required" is no list/],
    [['required'], [1], /"required" is no list/],
    [['sources'], [], /"sources" is no map/],
    [['sources', '/model'], 'plan', /"sources" is no map/],
    [['version'], undefined, /no "version"/],
    [['contract'], 'tax', /"contract" is "tax", not its name/],
  ]
  for (const [keys, value, pattern] of malformed) {
    assert.throws(() => readContract('toy', folderWith([keys, value])), refusal('usage', pattern))
  }
  const place = folderWith()
  writeFileSync(join(place.folder, 'toy.contract.json'), '{"contract": "toy"')
  assert.throws(() => readContract('toy', place), refusal('usage', /not JSON/))
  writeFileSync(join(place.folder, 'toy.contract.json'), '[]')
  assert.throws(() => readContract('toy', place), refusal('usage', /not an object/))
})

test('checkContract() has nothing to say when every value has its source', async () => {
  assert.deepEqual(await checkContract('toy', folderWith()), [])
})

test('checkContract() finds a leaf without a source, also null and empty ones', async () => {
  assert.deepEqual(await problems([['sources', '/model'], undefined]), [
    '/model/stride has no source',
    '/model/names/0 has no source',
    '/model/names/1 has no source',
    '/model/none has no source',
  ])
  assert.deepEqual(await problems([['extra'], []], [['a/b'], 1]), ['/extra has no source', '/a~1b has no source'])
})

test('checkContract() finds a source without a value', async () => {
  const source = { kind: 'plan', ref: 'x' }
  assert.deepEqual(await problems([['sources', '/model/pad'], source]), ['/model/pad has a source but no value'])
  assert.deepEqual(await problems([['sources', '/rungs/*/m'], source]), ['/rungs/*/m has a source but no value'])
})

test('checkContract() recomputes derived values, each with its own neighbours', async () => {
  assert.deepEqual(await problems([['rungs', 1, 'n'], 88]), ['/rungs/1/frames is 11, but n / stride + 1 gives 12'])
})

test('checkContract() says what is wrong with a formula', async () => {
  const frames = ['sources', '/rungs/*/frames']
  const [missing] = await problems([[...frames, 'with', 'stride'], undefined])
  assert.match(missing!, /\/rungs\/0\/frames: Cannot evaluate .* no "stride" among n/)
  const [dangling] = await problems([[...frames, 'with', 'n'], '/rungs/*/m'])
  assert.match(dangling!, /Cannot derive from "\/rungs\/0\/m"/)
  const [many] = await problems([[...frames, 'with', 'n'], '/rungs/*/*'])
  assert.match(many!, /names no single number/)
})

test('checkContract() resolves decisions by their heading', async () => {
  const found = await problems([['sources', '/gates/snr', 'ref'], 'D-77'])
  assert.deepEqual(found, ['/gates/snr rests on D-77, which is no heading of DECISIONS.md'])
})

test('checkContract() wants code cited to the commit and the line', async () => {
  for (const ref of [
    'owner/repo:a.py:1',
    'owner/repo@0123abc:a.py',
    'repo@0123abc:a.py:1',
    'https://example.org/a.py',
  ]) {
    assert.match((await problems([['sources', '/rungs/*/n', 'ref'], ref]))[0]!, /is not owner\/repo@commit:path:line/)
  }
})

test('checkContract() refuses kinds and keys that it does not know', async () => {
  assert.match((await problems([['sources', '/model', 'kind'], 'rumour']))[0]!, /unknown kind "rumour"/)
  assert.match((await problems([['sources', '/model', 'ref'], '']))[0]!, /without a ref/)
  assert.match((await problems([['sources', '/model', 'with'], {}]))[0]!, /stray with/)
})

test('checkContract() refuses a bound that equals what its run measured', async () => {
  const tight = await problems([['gates', 'cosine'], 0.9997])
  assert.deepEqual(tight, ['/gates/cosine is what its run measured, which leaves no room'])
  const bare = await problems([['sources', '/gates/cosine', 'measured'], undefined])
  assert.deepEqual(bare, ['/gates/cosine cites a measurement without its value'])
})

test('checkContract() reports an absent requirement and an empty list of them', async () => {
  assert.deepEqual(await problems([['required', 2], '/model/pad']), ['/model/pad is required and absent'])
  assert.deepEqual(await problems([['required'], []]), ['nothing is required'])
})

test("checkContract() has nothing to say about the project's own contracts", async () => {
  assert.ok(contractNames().includes('monolithic'))
  for (const name of contractNames()) assert.deepEqual(await checkContract(name), [], name)
})

test('checkContract() names a rule between values that does not hold, or cannot be evaluated', async () => {
  const rule = (that: string, where: object) => problems([['holds'], [{ that, with: where }]])
  const where = { snr: '/gates/snr', cosine: '/gates/cosine' }
  assert.deepEqual(await rule('cosine < snr and snr == 15', where), [])
  assert.deepEqual(await rule('snr < cosine', where), ['"snr < cosine" does not hold with {"snr":15,"cosine":0.999}'])
  for (const [that, names, why] of [
    ['snr + 1', where, /a number, not a comparison/],
    ['snr > 1', { snr: '/gates/none' }, /names no single number/],
    ['snr > 1', { snr: '/rungs/*/n' }, /names no single number/],
    ['other > 1', where, /no "other" among snr, cosine/],
  ] as const)
    assert.match((await rule(that, names)).join(), why)
  await assert.rejects(problems([['holds'], ['snr > 1']]), refusal('usage', /its "holds" is no list/))
})
