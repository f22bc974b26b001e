import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { hailortStandin } from '../../../../ffi/testing/hailort.ts'
import { writeModel } from '../../../formats/onnx/index.ts'
import { float32, type FloatTensor } from '../../../formats/tensors/tensor.ts'
import { GraphBuilder } from '../../../onnx/builder.ts'
import { transcribeFixed, type FixedOptions } from '../../../speech/whisper/fixed.ts'
import { quantizedLayer, writeHef, type Levels } from '../../../testing/hef/write.ts'
import { needsTool } from '../../../testing/needs.ts'
import { scriptedTokenizer } from '../../../testing/whisper/scripted.ts'
import { openFixedNetwork, type FixedBackendNetwork } from './fixed.ts'

// A pair of one layer each, once as HEFs on the stand-in for HailoRT and once as ONNX. The encoder hands its frames on.
// Of the decoder's four parts of logits the first three follow from the token at a row, and the fourth, which holds the
// special tokens and the times, from what the encoder heard at that row.
const [mels, frames, sequence, width, vocabulary] = [8, 64, 16, 16, 51_864]
// A device keeps features in eights.
const parts = [12_968, 12_968, 12_968, 12_960] as const
const part = parts[0]
const rowFeatures = (frames * mels) / sequence
const tokenizer = scriptedTokenizer()
const { endOfText, firstTimestamp: t0 } = tokenizer.special

const folder = mkdtempSync(join(tmpdir(), 'fixed-network-'))
after(() => rmSync(folder, { recursive: true }))

/** The bits of a number as ±1, so that no two of them look alike. */
const codeOf = (n: number, length: number) =>
  Float32Array.from({ length }, (_, i) => (((n * 40_503 + (n >> 4) * 977) >> (i % 16)) & 1 ? 1 : -1))
const embeddings: FloatTensor = float32([vocabulary, width], new Float32Array(vocabulary * width))
for (let token = 0; token < vocabulary; token++) embeddings.data.set(codeOf(token, width), token * width)

/** What follows a token by the text alone, and what is said at a row because it was heard there. */
const follows = [
  [t0, 300],
  [300, 301],
] as const
const heard = new Map([
  [0, t0],
  [3, t0 + 10],
  [4, endOfText],
])

/** [rows of logits][features] of one part. */
function weightsOf(at: number, features: number): Float32Array {
  const weights = new Float32Array(parts[at]! * features)
  const put = (token: number, code: Float32Array) => weights.set(code, (token - at * part) * features)
  if (at < 3)
    for (const [before, token] of follows) if (Math.floor(token / part) === at) put(token, codeOf(before, width))
  if (at === 3)
    for (const token of heard.values())
      put(
        token,
        codeOf(token, rowFeatures).map(value => value / 2),
      )
  return weights
}

/** A recording in which each row of the decoder hears the code of its token, and silence elsewhere: [mels, frames]. */
function mel(): Float32Array {
  const perRow = frames / sequence
  const sound = new Float32Array(mels * frames)
  for (const [row, token] of heard) {
    for (const [i, value] of codeOf(token, rowFeatures).entries()) {
      sound[(i % mels) * frames + row * perRow + Math.floor(i / mels)] = value
    }
  }
  return sound
}

const unit: Levels = { zeroPoint: 128, scale: 1 / 100 }
const logits: Levels = { zeroPoint: 128, scale: 32 / 255 }
const identity = Float32Array.from({ length: mels * mels }, (_, i) => (i % (mels + 1) === 0 ? 1 : 0))
const shape = (at: number, features: number) => ({ height: 1, width: at, features })
const stream = (name: string, at: number, features: number, levels: Levels) => ({
  name,
  shape: shape(at, features),
  quantization: { ...levels, min: -1, max: 1 },
})

function hefPair() {
  const [encoder, decoder] = [join(folder, 'encoder.hef'), join(folder, 'decoder.hef')]
  const copy = { source: 0, target: 1, height: 1, width: frames, weights: identity, bias: new Float32Array(mels) }
  writeFileSync(
    encoder,
    writeHef({
      arch: 'hailo8',
      version: 0,
      model: { inputs: 1, outputs: 1, layers: [quantizedLayer({ ...copy, from: unit, to: unit })] },
      groups: [
        {
          name: 'encoder',
          inputs: [stream('encoder/input_layer1', frames, mels, unit)],
          outputs: [stream('encoder/conv1', frames / 2, width, unit)],
        },
      ],
    }),
  )
  const layers = [0, 1, 2, 3].map(at =>
    quantizedLayer({
      source: at === 3 ? 0 : 1,
      target: 2 + at,
      height: 1,
      width: sequence,
      weights: weightsOf(at, at === 3 ? rowFeatures : width),
      bias: new Float32Array(parts[at]!),
      from: unit,
      to: logits,
    }),
  )
  writeFileSync(
    decoder,
    writeHef({
      arch: 'hailo8',
      version: 0,
      model: { inputs: 2, outputs: 4, layers },
      groups: [
        {
          name: 'decoder',
          inputs: [
            stream('decoder/input_layer1', frames / 2, width, unit),
            stream('decoder/input_layer2', sequence, width, unit),
          ],
          outputs: [1, 2, 3, 4].map(at => stream(`decoder/conv${at}`, sequence, parts[at - 1]!, logits)),
        },
      ],
    }),
  )
  return { encoder, decoder }
}

function onnxPair() {
  const [encoder, decoder] = [join(folder, 'encoder.onnx'), join(folder, 'decoder.onnx')]
  const listens = new GraphBuilder({ name: 'encoder' })
  const sound = listens.input('mel', 'float32', [1, 1, frames, mels])
  const toStates = listens.weight('to', { dtype: 'int64', shape: [4], data: BigInt64Array.of(1n, 1n, 32n, 16n) })
  listens.output(listens.node('Reshape', [sound, toStates]), 'float32', [1, 1, frames / 2, width])
  writeModel(encoder, listens.build())
  const says = new GraphBuilder({ name: 'decoder' })
  const states = says.input('hidden', 'float32', [1, 1, frames / 2, width])
  const words = says.input('words', 'float32', [1, 1, sequence, width])
  const toRows = says.weight('to', { dtype: 'int64', shape: [4], data: BigInt64Array.of(1n, 1n, 16n, 32n) })
  const rows = says.node('Reshape', [states, toRows])
  for (const at of [0, 1, 2, 3]) {
    const features = at === 3 ? rowFeatures : width
    const weight = says.weight(`w${at}`, float32([parts[at]!, features], weightsOf(at, features)))
    const turned = says.node('Transpose', [weight], { attributes: { perm: [1, 0] } })
    const product = says.node('MatMul', [at === 3 ? rows : words, turned])
    says.output(product, 'float32', [1, 1, sequence, parts[at]!])
  }
  writeModel(decoder, says.build())
  return { encoder, decoder }
}

async function withPair<T>(kind: 'hef' | 'onnx', body: (network: FixedBackendNetwork) => Promise<T>): Promise<T> {
  const pair = kind === 'hef' ? hefPair() : onnxPair()
  process.env.HAILORT_LIB = hailortStandin({ profile: 'C' })
  try {
    await using network = await openFixedNetwork({ ...pair, embeddings, mels, backend: { isolate: false } })
    return await body(network)
  } finally {
    delete process.env.HAILORT_LIB
  }
}

const options: FixedOptions = {
  language: 'en',
  task: 'transcribe',
  timestamps: true,
  suppress: [],
  suppressBlank: true,
  maxInitialTimestamp: 50,
  penalty: { factor: 1.5, window: 8, excluded: [] },
}

test('a pair of HEFs and the same shapes on ONNX Runtime say the same', { skip: needsTool('gcc') }, async () => {
  const question = [tokenizer.special.startOfTranscript, t0, 300]
  const answers: Record<string, { logits: Float32Array[]; text: string; times: number[][] }> = {}
  for (const kind of ['hef', 'onnx'] as const) {
    answers[kind] = await withPair(kind, async network => {
      assert.deepEqual([network.vocabulary, network.chunkFrames, network.sequence], [vocabulary, frames, sequence])
      assert.match(network.device, kind === 'hef' ? /Hailo/ : /cpu/)
      await network.listen(mel())
      const rows = await network.ask(question, [0, 1, 2])
      const padded = new Float32Array(mels * (frames + 3000))
      for (let bin = 0; bin < mels; bin++) {
        padded.set(mel().subarray(bin * frames, (bin + 1) * frames), bin * (frames + 3000))
      }
      const features = { data: padded, frames: frames + 3000, contentFrames: frames }
      const { segments } = await transcribeFixed({ network, tokenizer }, features, options)
      return {
        logits: rows,
        text: segments.map(({ text }) => text).join(''),
        times: segments.map(({ start, end }) => [start, end]),
      }
    })
  }
  const { hef, onnx } = answers as { hef: (typeof answers)[string]; onnx: (typeof answers)[string] }
  for (const [row, said] of [t0, 300, 301].entries()) {
    for (const { logits: each } of [hef, onnx]) {
      assert.equal(
        each[row]!.reduce((best, value, i, all) => (value > all[best]! ? i : best), 0),
        said,
        `row ${row}`,
      )
    }
    const apart = hef.logits[row]!.reduce(
      (most, value, i) => Math.max(most, Math.abs(value - onnx.logits[row]![i]!)),
      0,
    )
    assert.ok(apart <= 1, `row ${row}: ${apart}`)
  }
  assert.equal(onnx.text, ' w300 w301')
  assert.deepEqual([hef.text, hef.times], [onnx.text, onnx.times])
  assert.deepEqual(onnx.times[0], [0, 0.2])
})

test('the host adds positions to the embeddings where the decoder leaves them to it', async () => {
  const positions = float32([sequence, width], new Float32Array(sequence * width).fill(0.25))
  const [plain, moved] = await Promise.all(
    [undefined, positions].map(async given => {
      await using network = await openFixedNetwork({
        ...onnxPair(),
        embeddings,
        mels,
        ...(given && { positions: given }),
        backend: { isolate: false },
      })
      await network.listen(mel())
      return (await network.ask([t0], [0]))[0]![300]!
    }),
  )
  const code = codeOf(t0, width).reduce((sum, value) => sum + value, 0)
  assert.ok(Math.abs(moved! - plain! - 0.25 * code) < 1e-4)
})

test('a pair whose encoder is of another length is refused', { skip: needsTool('gcc') }, async () => {
  const { encoder } = onnxPair()
  const { decoder } = hefPair()
  process.env.HAILORT_LIB = hailortStandin({ profile: 'C' })
  try {
    const shorter = { encoder, decoder, embeddings, mels: mels / 2, backend: { isolate: false } }
    await assert.rejects(openFixedNetwork(shorter), { exit: 'usage', hint: /one model/ })
  } finally {
    delete process.env.HAILORT_LIB
  }
})
