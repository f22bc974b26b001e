import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { namespaceWords, needsTool } from '../../testing/needs.ts'
import { fillDisks } from './full-disks.ts'
import { hangCompilers } from './hangs.ts'
import { killSweeps } from './kills.ts'
import { askHostile, daemonsLeft } from './native-answers.ts'
import { writeTinyModels } from './tiny-models.ts'

function scratch(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'survival-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

test('killSweeps() finds nothing lost, doubled, torn or left alive', async t => {
  const killed = await killSweeps({ folder: scratch(t), count: 3, chain: 3, seed: 5, models: 2 })
  assert.equal(killed.length, 3)
  assert.ok(killed.some(({ isLate }) => !isLate))
  for (const { lost, doubled, torn, left, lacksVerdict, ...about } of killed)
    assert.deepEqual([lost, doubled, torn, left, lacksVerdict], [0, 0, 0, 0, false], JSON.stringify(about))
})

const space = namespaceWords()
const noSpace = 'why' in space ? `disk: ${space.why}` : false
test('fillDisks() finds words and files in agreement', { skip: noSpace }, async t => {
  if ('why' in space) return
  const folder = scratch(t)
  const argv = ['--model', writeTinyModels(folder, 1)[0]!, '--toolchain', 'host', '--no-cache']
  const filled = await fillDisks({ folder, words: space.words, argv, shares: [0.1, 0.6] })
  assert.deepEqual(
    filled.flatMap(({ faults }) => faults),
    [],
  )
  assert.ok(filled.some(({ verdict }) => verdict === 'BLOCKED'))
})

test('hangCompilers() finds nobody alive', { skip: needsTool('setsid') }, async t => {
  const ways = ['forks twice with an empty environment and leaves its session', 'hears no signal']
  const hung = await hangCompilers({ folder: scratch(t), ways, limitS: 1, lanes: 2 })
  assert.deepEqual(
    hung.map(({ verdict, left }) => [verdict, left]),
    ways.map(() => ['BLOCKED', 0]),
  )
})

test('askHostile() finds every answer contained and named', { skip: needsTool('gcc') }, async t => {
  const answered = await askHostile({ folder: scratch(t), count: 10, seed: 3 })
  assert.equal(answered.length, 10)
  for (const { end, isNamed, ...about } of answered) assert.ok(end !== 'bug' && isNamed, JSON.stringify(about))
  assert.deepEqual(daemonsLeft(), [])
})
