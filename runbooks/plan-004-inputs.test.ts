import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { writeWav } from '../lib/formats/wav/index.ts'
import { float32 } from '../lib/formats/tensors/tensor.ts'
import type { Inputs } from '../lib/notebook/inputs/inputs.ts'
import type { Runbook } from '../lib/notebook/run/runbook.ts'
import { seededTdtWeights, tdtWeightShapes } from '../lib/models/tdt/seeded-weights.ts'
import { tinyConfig, tinySizes } from '../lib/models/tdt/synthetic.ts'
import { parakeetContract } from '../lib/systems/parakeet/contract/read.ts'
import { syntheticModel } from '../lib/systems/parakeet/export/sources.ts'
import { testTone } from '../lib/systems/parakeet/export/smoke.ts'
import { writeModelFolder, type ModelToWrite } from '../lib/systems/parakeet/export/write-model.ts'
import { modelPartsOf, readMeta, scheduleFor } from '../lib/systems/parakeet/model/meta.ts'
import { openModel } from '../lib/systems/parakeet/transcribe/model.ts'
import { transcribe } from '../lib/systems/parakeet/transcribe/offline.ts'
import { nemoFile, tarFile } from '../lib/testing/nemo/write.ts'
import { runInProcess } from '../lib/testing/run-in-process.ts'
import { tinyNemoConfig } from '../lib/testing/tdt/tiny-nemo.ts'
import { pickled, pickledCall, pickledName, pickledText, pickledTuple, torchFile } from '../lib/testing/torch/write.ts'
import parakeetContractBook from './parakeet-contract.ts'
import parakeetExport from './parakeet-export.ts'
import parakeetParity from './parakeet-parity.ts'
import parakeetTranscribe from './parakeet-transcribe.ts'

const contract = parakeetContract()
const source = seededTdtWeights(tinyConfig, tinySizes, 1)
const weights = new Map([...tdtWeightShapes(tinyConfig, tinySizes).keys()].map(name => [name, source.read(name)]))
const nemo = () => nemoFile({ config: tinyNemoConfig(), weights })
const folderOf = (t: TestContext) => {
  const folder = mkdtempSync(join(tmpdir(), 'rungbook-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
const fileOf = (t: TestContext, name: string, bytes: Uint8Array | string) => {
  const path = join(folderOf(t), name)
  writeFileSync(path, bytes)
  return path
}
const run = <S extends Inputs>(book: Runbook<S>, ...argv: string[]) => runInProcess(book, ['--run-ts', 't', ...argv])
/** A seeded model in a folder of its own, changed where a test asks for it. */
const modelIn = (t: TestContext, change: (model: ModelToWrite) => ModelToWrite = model => model) => {
  const folder = folderOf(t)
  writeModelFolder(folder, change(syntheticModel('tiny', contract, 1)))
  return folder
}
const refused = async (ran: ReturnType<typeof run>, verdict: RegExp, why: RegExp) => {
  const { verdict: last, stderr } = await ran
  assert.match(last, verdict)
  assert.match(stderr, why)
}

test('bad input: a truncated tar is refused', async t => {
  const bytes = nemo()
  for (const share of [0.1, 0.5, 0.98])
    await refused(
      run(parakeetExport, '--nemo', fileOf(t, 'm.nemo', bytes.subarray(0, Math.floor(bytes.length * share)))),
      /^USAGE parakeet-export/,
      /ends (without its closing blocks|behind the archive)|checksum/,
    )
})

test('bad input: a path that leaves the archive is refused, and nothing is written there', async t => {
  for (const name of ['../evil.txt', '/tmp/rungbook-evil.txt', 'a/../../evil.txt']) {
    const bytes = tarFile([{ name, bytes: Buffer.from('x') }])
    await refused(run(parakeetExport, '--nemo', fileOf(t, 'm.nemo', bytes)), /^USAGE /, /leaves the archive/)
  }
  assert.ok(!existsSync('/tmp/rungbook-evil.txt'))
})

test('bad input: a pickle with code is refused, and the code is not run', async t => {
  const mark = join(folderOf(t), 'ran')
  const evil = pickledCall(pickledName('os', 'system'), pickledTuple(pickledText(`touch ${mark}`)))
  const bytes = tarFile([
    { name: './model_config.yaml', bytes: Buffer.from(tinyNemoConfig()) },
    { name: './model_weights.ckpt', bytes: torchFile(pickled(evil), {}) },
  ])
  await refused(run(parakeetExport, '--nemo', fileOf(t, 'm.nemo', bytes)), /^USAGE /, /os\.system/)
  assert.ok(!existsSync(mark))
})

test('bad input: a missing entry is named', async t => {
  const config = { name: './model_config.yaml', bytes: Buffer.from(tinyNemoConfig()) }
  const bare = fileOf(t, 'm.nemo', tarFile([config]))
  await refused(run(parakeetExport, '--nemo', bare), /^USAGE /, /holds no model_weights\.ckpt/)
  const empty = fileOf(t, 'm.nemo', tarFile([]))
  await refused(run(parakeetExport, '--nemo', empty), /^USAGE /, /holds no model_config\.yaml/)
})

test('bad input: a contract and an ONNX folder that contradict each other fail, value by value', async t => {
  const ran = await run(parakeetContractBook, '--model-dir', modelIn(t))
  assert.match(ran.verdict, /^FAIL parakeet-contract/)
  assert.match(ran.read('CONTRACT_SOURCES.md'), /\/encoder\/d_model \| 1024 .* CONTRADICTED: 32/)
})

test('bad input: a vocabulary of the wrong length is refused', async t => {
  const folder = modelIn(t)
  writeFileSync(join(folder, 'vocab.txt'), 'a 0\nb 1\n<blk> 2\n')
  await refused(run(parakeetTranscribe, '--model-dir', folder), /^USAGE /, /has 2 pieces, and the model 32/)
})

test('bad input: a recorded stream cut in the middle of a line is refused, with the line', async t => {
  const path = fileOf(
    t,
    'r.jsonl',
    '{"chunk_idx": 0, "inputs": {"audio_signal": {"dtype": "float32", "data_b64": "AAAA',
  )
  await refused(run(parakeetParity, '--reference', path), /^USAGE parakeet-parity/, /line 1: it is cut inside a tensor/)
  const other = fileOf(t, 'r.jsonl', '{"chunk_idx": 0, "inp')
  await refused(run(parakeetParity, '--reference', other), /^USAGE /, /line 1: it is no JSON/)
})

test('bad input: logits that are not numbers are refused, not decoded', async t => {
  const folder = modelIn(t, model => ({
    ...model,
    weights: {
      has: name => model.weights.has(name),
      read: name => {
        const tensor = model.weights.read(name)
        return name === 'joint.joint_net.2.bias'
          ? float32(
              tensor.shape,
              tensor.data.map(() => NaN),
            )
          : tensor
      },
    },
  }))
  await refused(run(parakeetTranscribe, '--model-dir', folder), /^USAGE /, /the joint's output \d+: it is NaN/)
})

test('bad input: a joint of another width than the meta says is refused', async t => {
  const folder = modelIn(t)
  const meta = readMeta(folder)
  const joint = { ...meta.joint, joint_vocab_size: 37 }
  writeFileSync(join(folder, 'model_meta.json'), JSON.stringify({ ...meta, joint }))
  await refused(run(parakeetTranscribe, '--model-dir', folder), /^USAGE /, /"logits"/)
})

test('bad input: a chunk shorter than the pre-encode cache loses no frame', async t => {
  const encoder = { ...syntheticModel('tiny-streaming', contract, 1).config.encoder, attContext: [7, 0] as const }
  const folder = folderOf(t)
  const base = syntheticModel('tiny-streaming', contract, 1)
  const config = { ...base.config, encoder }
  writeModelFolder(folder, {
    ...base,
    config,
    weights: seededTdtWeights(config, tinySizes, 1),
    parts: modelPartsOf(config, { maxSymbols: 10, frameShiftMs: 10 }),
    schedule: scheduleFor(config, contract.streaming),
  })
  const { smokeRun } = await import('../lib/systems/parakeet/export/smoke.ts')
  const { offlineFrames, streamedFrames } = await smokeRun(folder, contract)
  assert.deepEqual([readMeta(folder).streaming!.chunk_size, streamedFrames], [[1, 8], offlineFrames])
})

test('bad input: a recording of no samples is refused, and one shorter than a frame has no words', async t => {
  const path = join(folderOf(t), 'short.wav')
  writeWav(path, [new Float32Array(100)], { sampleRate: 16000 })
  for (const argv of [[], ['--stream']]) {
    const ran = await run(parakeetTranscribe, '--wav', path, ...argv)
    // No word was heard, which proves neither that it works nor that it does not.
    assert.match(ran.verdict, /^BLOCKED parakeet-transcribe gates=2\/3/)
    const { text, words } = JSON.parse(ran.read('transcript.json'))
    assert.deepEqual([text, words], ['', []])
  }
  const header = readFileSync(path).subarray(0, 44)
  header.writeUInt32LE(36, 4)
  header.writeUInt32LE(0, 40)
  await refused(run(parakeetTranscribe, '--wav', fileOf(t, 'empty.wav', header)), /^USAGE /, /empty\.wav/)
})

test('bad input: three hours are transcribed in windows, and never held whole', async t => {
  await using model = await openModel(modelIn(t), contract)
  const [rate, hop, frameSamples, width] = [16000, 160, 1280, 32]
  const totalSamples = 3 * 3600 * rate
  let [largest, decoded] = [0, 0]
  // Features and frames are made up: what is tried is how much is held, and that each frame is decoded once.
  const features = (samples: Float32Array) => {
    largest = Math.max(largest, samples.length)
    const validFrames = Math.floor(samples.length / hop)
    return { bins: 1, frames: validFrames, data: new Float32Array(validFrames), validFrames }
  }
  const infer = (feeds: Record<string, { shape: readonly number[] }>) => {
    const count = Math.ceil(feeds.audio_signal!.shape[2]! / 8)
    const outputs = float32([1, width, count], new Float32Array(width * count))
    return Promise.resolve({ outputs, encoded_lengths: float32([1], [count]) })
  }
  const networks = {
    reset: () => model.networks.reset(),
    hear: (frames: Parameters<typeof model.networks.hear>[0]) => {
      decoded += frames.count
      return model.networks.hear(frames)
    },
    loop: model.networks.loop,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
  const stub = { ...model, mel: { ...model.mel, features }, encoder: { ...model.encoder, infer }, networks }
  const silence = new Float32Array(140 * rate)
  let read = 0
  const sound = {
    totalSamples,
    read(count: number) {
      read += count
      return silence.subarray(0, count)
    },
  }
  await transcribe(stub as unknown as typeof model, contract, sound)
  assert.deepEqual([read, decoded], [totalSamples, totalSamples / frameSamples])
  assert.ok(largest <= 136 * rate, `${largest / rate} s were held at once`)
})

test('bad input: a recording at another rate is resampled, and the run says so', async t => {
  const path = join(folderOf(t), 'slow.wav')
  writeWav(path, [testTone(8000)], { sampleRate: 8000 })
  const ran = await run(parakeetTranscribe, '--wav', path)
  assert.match(ran.verdict, /^PASS /)
  assert.match(ran.stderr, /rate: .*8000.*16000/)
  assert.equal(JSON.parse(ran.read('transcript.json')).seconds, 1)
})

test('bad input: a manifest with missing recordings is refused, with how many and the first', async t => {
  const entry = (name: string) => JSON.stringify({ audio_filepath: name, text: 'a' })
  const path = fileOf(t, 'm.json', `${entry('absent-1.wav')}\n${entry('absent-2.wav')}\n`)
  const ran = run(parakeetParity, '--manifest', path, '--model-dir', modelIn(t))
  await refused(ran, /^USAGE parakeet-parity/, /2 recordings are not there, the first is .*absent-1\.wav/)
})
