import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import * as faults from '../../../testing/tdt/faults.ts'
import { parakeetContract } from '../contract/read.ts'
import { syntheticModel } from '../export/sources.ts'
import { writeModelFolder } from '../export/write-model.ts'
import { climbEngines, climbOrt, recordTo } from './ladder.ts'
import { rungManifest } from './rungs/manifest.ts'
import { openSide, type ParitySide } from './side.ts'

const contract = parakeetContract()
const folderOf = (t: TestContext) => {
  const folder = mkdtempSync(join(tmpdir(), 'rungbook-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
/** A seeded model, its reference on the same graphs, and the recorded cases. */
async function setting(t: TestContext) {
  const folder = folderOf(t)
  const model = syntheticModel('tiny', contract, 1)
  writeModelFolder(folder, model)
  const open = (path: string) => {
    const side = openSide(path, { name: 'side' })
    t.after(() => side[Symbol.asyncDispose]())
    return side
  }
  const reference = open(folder)
  const source = await recordTo(join(folder, 'reference.ndjson'), reference, contract)
  const climb = (side: ParitySide, path = folder) => climbOrt(path, { side, reference, source, contract })
  return { folder, model, open, source, climb }
}
const failing = (results: Awaited<ReturnType<typeof climbOrt>>) =>
  results.filter(({ status }) => status !== 'pass').map(({ rung }) => rung)

test('climbOrt() passes every rung on a sound model, and compares something in each', async t => {
  const { folder, open, climb } = await setting(t)
  const results = await climb(open(folder))
  assert.deepEqual(failing(results), [])
  assert.deepEqual(
    results.map(({ rung }) => rung),
    ['R0', 'R1', 'R2', 'R3', 'R4', 'R5', 'R6', 'R7'],
  )
  assert.ok(results.every(({ metrics }) => Number(metrics.compared) > 0))
})

test('climbOrt() catches each seeded fault on the rung made for it, and R7 names the component', async t => {
  const { folder, model, open, climb } = await setting(t)
  const rounded = folderOf(t)
  writeModelFolder(rounded, { ...model, weights: faults.tf32Weights(model.weights) })
  const table = [
    { fault: 'transposed state', side: faults.transposedState(open(folder)), rung: 'R3', guilty: 'predictor' },
    { fault: 'softmaxed joint', side: faults.softmaxedJoint(open(folder)), rung: 'R2', guilty: 'joint' },
    { fault: 'shifted durations', side: faults.shiftedDurations(open(folder)), rung: 'R6', guilty: 'joint' },
    { fault: 'stale cache', side: faults.staleCache(open(folder)), rung: 'R5', guilty: 'encoder' },
    { fault: 'rounding as TF32 has it', side: open(rounded), rung: 'R2', guilty: 'encoder' },
  ]
  for (const { fault, side, rung, guilty } of table) {
    const results = await climb(side)
    const at = (name: string) => results.find(result => result.rung === name)!
    assert.equal(at(rung).status, 'fail', fault)
    assert.notEqual(at(rung).firstDivergence, '', fault)
    assert.equal(at('R7').metrics.guilty, guilty, fault)
    assert.equal(at('R1').status, 'pass', fault)
  }
})

test('climbEngines() is blocked without engines and without TensorRT, and never passes', async t => {
  const { folder, source } = await setting(t)
  for (const folders of [{}, { fp32: folder, fp16: folder }])
    for (const { status, note } of await climbEngines(folders, source, contract)) {
      assert.equal(status, 'blocked')
      assert.notEqual(note, '')
    }
})

test('rungManifest() refuses recordings that are missing, and a line that is no entry', async t => {
  const folder = folderOf(t)
  writeModelFolder(join(folder, 'model'), syntheticModel('tiny', contract, 1))
  const judged = (...lines: unknown[]) => {
    const path = join(folder, 'manifest.json')
    writeFileSync(path, lines.map(line => JSON.stringify(line)).join('\n'))
    return rungManifest(join(folder, 'model'), contract, path, { werMax: 0.1, language: 'en' })
  }
  await assert.rejects(judged({ audio_filepath: 'absent.wav', text: 'a' }), /1 recordings are not there/)
  await assert.rejects(judged({ text: 'a' }), /line 1 lacks audio_filepath/)
  await assert.rejects(judged(), /it holds no row/)
  const wav = join(import.meta.dirname, '../../../../contracts/recordings/s1/ivrvoice-festvox-1.wav')
  const result = await judged({ audio_filepath: wav, text: 'these words were never said' })
  assert.deepEqual([result.status, result.rung], ['fail', 'R10'])
})
