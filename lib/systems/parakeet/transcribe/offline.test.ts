import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { openNemo } from '../../../formats/nemo/open.ts'
import { readWav } from '../../../formats/wav/index.ts'
import { dataPath, needsData } from '../../../testing/needs.ts'
import { parakeetContract } from '../contract/read.ts'
import { modelFromNemo, syntheticModel, type SyntheticShape } from '../export/sources.ts'
import { testTone } from '../export/smoke.ts'
import { writeModelFolder } from '../export/write-model.ts'
import { openModel, type OpenOptions } from './model.ts'
import { transcribe, type SoundSource } from './offline.ts'
import { streamSource } from './stream-source.ts'

const contract = parakeetContract()
const soundOf = (samples: Float32Array): SoundSource => {
  let at = 0
  return {
    totalSamples: samples.length,
    read: count => samples.subarray(at, (at = Math.min(samples.length, at + count))),
  }
}
const folderOf = (t: TestContext) => {
  const folder = mkdtempSync(join(tmpdir(), 'rungbook-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
function seeded(t: TestContext, shape: SyntheticShape): string {
  const folder = folderOf(t)
  writeModelFolder(folder, syntheticModel(shape, contract, 1))
  return folder
}
const heard = async (folder: string, samples: Float32Array, o: OpenOptions & { windowS?: number } = {}) => {
  await using model = await openModel(folder, contract, o)
  const windows = o.windowS === undefined ? {} : { windows: { windowS: o.windowS, marginS: 2 } }
  return await transcribe(model, contract, soundOf(samples), windows)
}

test('transcribe() gives the same answer on the bound path, on any backend, and with a batched joint', async t => {
  const folder = seeded(t, 'tiny')
  const samples = testTone(16000 * 4)
  const bound = await heard(folder, samples)
  assert.ok(bound.tokens.length > 3)
  assert.deepEqual(await heard(folder, samples, { lookahead: 8 }), bound)
  for (const name of ['joint_step.onnx', 'projection.onnx']) rmSync(join(folder, name))
  const other = await heard(folder, samples)
  assert.deepEqual([other.text, other.timestamps, other.durations], [bound.text, bound.timestamps, bound.durations])
})

test('transcribe() takes nothing, less than a frame, and one frame of sound', async t => {
  const folder = seeded(t, 'tiny')
  for (const [samples, most] of [
    [0, 0],
    [100, 0],
    [159, 0],
    [160, 12],
    [1281, 12],
  ] as const) {
    const transcript = await heard(folder, testTone(samples))
    assert.ok(transcript.tokens.length <= most, `${samples}: ${transcript.tokens.length}`)
    if (most === 0) assert.equal(transcript.text, '')
  }
})

test('transcribe() counts every frame once in a recording that takes several windows', async t => {
  const folder = seeded(t, 'tiny')
  const samples = testTone(16000 * 9)
  const pieces = await heard(folder, samples, { windowS: 3 })
  const last = pieces.timestamps.at(-1)!
  assert.ok(last > 90 && last < Math.ceil(samples.length / 1280), String(last))
  assert.ok(pieces.timestamps.every((time, i) => i === 0 || time >= pieces.timestamps[i - 1]!))
  assert.ok(pieces.words.every(({ confidence }) => confidence >= 0 && confidence <= 1))
})

test('streamSource() gives the words of the whole recording where the model was made to stream', async t => {
  const folder = seeded(t, 'tiny-streaming')
  const samples = testTone(16000 * 3 + 700)
  const whole = await heard(folder, samples)
  for (const pieceMs of [10, 160, 5000]) {
    await using model = await openModel(folder, contract, { streaming: true })
    const grown: string[] = []
    const { transcript } = await streamSource(model, contract, soundOf(samples), {
      pieceMs,
      onText: text => grown.push(text),
    })
    assert.deepEqual(
      [transcript.tokens, transcript.timestamps, transcript.durations],
      [whole.tokens, whole.timestamps, whole.durations],
    )
    assert.equal(grown.at(-1), transcript.text)
  }
})

test('streamSource() takes a stream that is shorter than a chunk, and an empty one', async t => {
  const folder = seeded(t, 'tiny')
  for (const samples of [0, 100, 1600, 5000]) {
    await using model = await openModel(folder, contract, { streaming: true })
    const { transcript } = await streamSource(model, contract, soundOf(testTone(samples)), { pieceMs: 50 })
    assert.ok(transcript.timestamps.every(time => time < Math.ceil(samples / 1280)))
  }
})

test('openModel() refuses another vocabulary, a joint of another width, and an empty folder', async t => {
  const folder = seeded(t, 'tiny')
  const vocab = readFileSync(join(folder, 'vocab.txt'), 'utf8').split('\n')
  writeFileSync(join(folder, 'vocab.txt'), `${vocab.slice(0, 20).join('\n')}\n`)
  await assert.rejects(openModel(folder, contract), /has 20 pieces, and the model 32/)
  const narrow = seeded(t, 'tiny')
  const meta = JSON.parse(readFileSync(join(narrow, 'model_meta.json'), 'utf8'))
  writeFileSync(
    join(narrow, 'model_meta.json'),
    JSON.stringify({ ...meta, joint: { ...meta.joint, joint_vocab_size: 37 } }),
  )
  await assert.rejects(openModel(narrow, contract), /logits/)
  await assert.rejects(openModel(folderOf(t), contract), /it holds no model/)
  await assert.rejects(openModel('/nowhere', contract), /there is no such folder/)
})

const golden = 'nemo/tdt-tiny-a/transcribe.json'
test(
  "transcribe() gives what NeMo's transcribe() gives, from the .nemo and the sound on",
  { skip: needsData(golden) },
  async t => {
    const folder = folderOf(t)
    {
      using nemo = await openNemo(dataPath('nemo/tdt-tiny-a/tdt-tiny-a.nemo'))
      writeModelFolder(folder, modelFromNemo(nemo, contract))
    }
    const { single } = JSON.parse(readFileSync(dataPath(golden), 'utf8'))
    const jfk = readWav(dataPath('speech/jfk.wav')).channels[0]!
    await using model = await openModel(folder, contract)
    for (const [name, samples] of [
      ['jfk', jfk],
      ['jfk_part', jfk.subarray(16000, 48000)],
    ] as const) {
      const got = await transcribe(model, contract, soundOf(samples))
      const want = single[name]
      assert.deepEqual([got.text, got.tokens, got.durations], [want.text, want.tokens, want.durations], name)
      assert.deepEqual(got.timestamps, want.timestep)
      for (const [level, spans] of [
        ['word', got.words],
        ['segment', got.segments],
      ] as const) {
        const wanted = want[level] as { start: number; end: number; [level: string]: unknown }[]
        assert.deepEqual(
          spans.map(({ text }) => text),
          wanted.map(span => span[level]),
        )
        spans.forEach(({ startS, endS }, i) => {
          assert.ok(Math.abs(startS - wanted[i]!.start) < 1e-9 && Math.abs(endS - wanted[i]!.end) < 1e-9)
        })
      }
    }
  },
)
