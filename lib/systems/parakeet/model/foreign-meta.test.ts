import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { encodeModel } from '../../../formats/onnx/index.ts'
import { readWav } from '../../../formats/wav/index.ts'
import { GraphBuilder } from '../../../onnx/builder.ts'
import { piecesFromModel } from '../../../speech/pieces.ts'
import { dataPath, needsData } from '../../../testing/needs.ts'
import { parakeetContract } from '../contract/read.ts'
import { openModel } from '../transcribe/model.ts'
import { transcribe } from '../transcribe/offline.ts'
import { readModelFolder } from './folder.ts'
import { foreignMeta } from './foreign-meta.ts'

const contract = parakeetContract()
const folderOf = (t: TestContext) => {
  const folder = mkdtempSync(join(tmpdir(), 'rungbook-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Graphs that state sizes and do nothing. */
function writeFolder(folder: string, { outputs, suffix = '' }: { outputs: number; suffix?: string }): void {
  const encoder = new GraphBuilder({ name: 'encoder' })
  encoder.node('Identity', [encoder.input('audio_signal', 'float32', ['b', 80, 't'])], { output: 'outputs' })
  encoder.output('outputs', 'float32', ['b', 80, 't'])
  const joint = new GraphBuilder({ name: 'decoder_joint' })
  joint.input('input_states_1', 'float32', [3, 'b', 24])
  joint.node('Identity', [joint.input('x', 'float32', ['b', outputs])], { output: 'outputs' })
  joint.output('outputs', 'float32', ['b', outputs])
  writeFileSync(join(folder, `encoder-model${suffix}.onnx`), encodeModel(encoder.build()))
  writeFileSync(join(folder, `decoder_joint-model${suffix}.onnx`), encodeModel(joint.build()))
  writeFileSync(join(folder, 'vocab.txt'), '▁a 0\nb 1\n. 2\n<blk> 3\n')
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ features_size: 80, max_tokens_per_step: 4 }))
}

test('foreignMeta() takes sizes from the graphs and the vocabulary, int8 files among them', t => {
  for (const suffix of ['', '.int8']) {
    const folder = folderOf(t)
    writeFolder(folder, { outputs: 9, suffix })
    const meta = foreignMeta(readModelFolder(folder), contract)
    assert.deepEqual(
      [meta.features.n_mels, meta.encoder.d_model, meta.predictor, meta.tokenizer, meta.joint.joint_vocab_size],
      [80, 80, { pred_rnn_layers: 3, pred_hidden: 24 }, { vocab_size: 3, blank_id: 3 }, 9],
    )
    assert.deepEqual(meta.decode, { duration_values: [0, 1, 2, 3, 4], max_symbols: 4 })
  }
})

test('foreignMeta() refuses a joint whose width leaves another number of durations', t => {
  const folder = folderOf(t)
  writeFolder(folder, { outputs: 8 })
  assert.throws(() => foreignMeta(readModelFolder(folder), contract), /gives 8 numbers, and 3 pieces, blank and 5/)
})

const golden = 'nemo/tdt-tiny-a/transcribe.json'
test(
  "openModel() transcribes NeMo's own export in the layout of onnx-asr as NeMo does",
  { skip: needsData(golden) },
  async t => {
    const folder = folderOf(t)
    for (const [from, to] of [
      ['encoder-tdt-tiny-a.onnx', 'encoder-model.onnx'],
      ['decoder_joint-tdt-tiny-a.onnx', 'decoder_joint-model.onnx'],
    ] as const)
      copyFileSync(dataPath(`nemo/tdt-tiny-a/${from}`), join(folder, to))
    const { list } = piecesFromModel(readFileSync(dataPath('nemo/tokenizer/tokenizer.model')))
    writeFileSync(join(folder, 'vocab.txt'), [...list, '<blk>'].map((piece, id) => `${piece} ${id}\n`).join(''))
    const { single } = JSON.parse(readFileSync(dataPath(golden), 'utf8'))
    await using model = await openModel(folder, contract)
    const samples = readWav(dataPath('speech/jfk.wav')).channels[0]!
    let at = 0
    const sound = {
      totalSamples: samples.length,
      read: (count: number) => samples.subarray(at, (at = Math.min(samples.length, at + count))),
    }
    const { text, tokens, timestamps } = await transcribe(model, contract, sound)
    assert.deepEqual([text, tokens, timestamps], [single.jfk.text, single.jfk.tokens, single.jfk.timestep])
  },
)
