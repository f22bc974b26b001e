import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { needsWhisper } from '../../testing/whisper/models.ts'
import { exportCached, exportModel, readWeights, selfTest } from './export.ts'
import { openWhisper } from './pipeline.ts'
import { storeFolder, weightsFolder } from './store.ts'

const skip = needsWhisper('tiny.en')
const folder = () => mkdtempSync(join(tmpdir(), 'export-'))
const tinyEn = () => weightsFolder(storeFolder(), 'tiny.en')

test('exportModel writes graphs in 8 bits that hold together, and nothing else', { skip }, async () => {
  const to = join(folder(), 'graphs')
  const { problems, manifest, graphs } = exportModel({ model: 'tiny.en', precision: 'int8', to })
  assert.deepEqual(problems, [])
  assert.deepEqual(readdirSync(to).toSorted(), ['decoder.onnx', 'encoder.onnx', 'tokenizer.json', 'whisper.json'])
  assert.equal(manifest.precision, 'int8')
  assert.ok(graphs.every(({ bytes, nodes }) => bytes > 10e6 && nodes > 50))
  assert.deepEqual(readdirSync(join(to, '..')), ['graphs'])
  await using whisper = await openWhisper(to, { threads: 1 })
  assert.equal((await selfTest(whisper)).oddNumbers, 0)
})

test(
  'exportCached refuses weights cut short, of another size than the name says, and another tokenizer',
  { skip },
  () => {
    const to = join(folder(), 'graphs')
    const o = { name: 'tiny.en', to, precision: 'float32' } as const
    const cut = folder()
    const bytes = readFileSync(join(tinyEn(), 'model.bin'))
    writeFileSync(join(cut, 'model.bin'), bytes.subarray(0, bytes.length - 1))
    assert.throws(() => exportCached({ ...o, from: cut }), { exit: 'usage', message: /ends at byte/ })
    assert.throws(() => exportCached({ ...o, name: 'base', from: tinyEn() }), { exit: 'usage', message: /as base/ })
    const strange = folder()
    copyFileSync(join(tinyEn(), 'model.bin'), join(strange, 'model.bin'))
    assert.throws(() => exportCached({ ...o, from: strange }), { exit: 'blocked', message: /vocabulary/ })
    const short = readFileSync(join(tinyEn(), 'vocabulary.txt'), 'utf8').split('\n').slice(1).join('\n')
    writeFileSync(join(strange, 'vocabulary.txt'), short)
    assert.throws(() => exportCached({ ...o, from: strange }), { exit: 'usage', message: /tokenizer/ })
    assert.deepEqual(readdirSync(join(to, '..')), [])
  },
)

test('readWeights and exportModel are blocked where there are no weights, with the command that gets them', () => {
  assert.throws(() => readWeights(folder()), { exit: 'blocked', hint: /whisper-model/ })
  assert.throws(() => exportModel({ model: 'small', models: folder() }), { exit: 'blocked', hint: /--name small/ })
  assert.throws(() => exportModel({ model: 'huge', models: folder() }), { exit: 'usage' })
})
