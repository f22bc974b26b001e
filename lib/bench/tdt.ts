/**
 * Measures the TDT decoder: garbage and heap over many steps, its time against sherpa-onnx on a small model and on one
 * of full shape, and how fast a recorded stream of gigabytes is compared.
 */
import { mkdtempSync, openSync, closeSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Inputs } from '../notebook/inputs/inputs.ts'
import type { Tools } from '../notebook/run/session.ts'
import { encodeModel } from '../formats/onnx/index.ts'
import { float32, type FloatTensor } from '../formats/tensors/tensor.ts'
import { openBackend } from '../infer/open.ts'
import type { TdtConfig } from '../models/tdt/config.ts'
import { seededTdtWeights } from '../models/tdt/seeded-weights.ts'
import { tinyConfig, tinySizes } from '../models/tdt/synthetic.ts'
import { GreedyTdt } from '../speech/tdt/greedy.ts'
import { steadyCost } from '../systems/parakeet/bench/steady.ts'
import { parakeetContract, type ParakeetContract } from '../systems/parakeet/contract/read.ts'
import { testTone } from '../systems/parakeet/export/smoke.ts'
import { syntheticModel } from '../systems/parakeet/export/sources.ts'
import { writeModelFolder } from '../systems/parakeet/export/write-model.ts'
import { readModelFolder } from '../systems/parakeet/model/folder.ts'
import { modelPartsOf, rulesOf } from '../systems/parakeet/model/meta.ts'
import { BoundNetworks } from '../systems/parakeet/transcribe/networks/bound.ts'
import { openModel } from '../systems/parakeet/transcribe/model.ts'
import { decodeHeard } from '../systems/parakeet/transcribe/networks.ts'
import { openSherpa } from '../testing/tdt/sherpa.ts'
import { positionEncoder, writeSherpaModel } from '../testing/tdt/sherpa-model.ts'
import { costOfScript } from './measure.ts'

const evaluations = 60_000
const [frames, samples] = [125, 160_000]
/** Share of sherpa-onnx's time, by shape. */
const ratioMax = { small: 0.7, full: 1.1 }
const parityMbPerSMin = 200
const parityRssMbMax = 400

/** Run the measurements as cells of a runbook. */
export async function benchTdt({ cell, gate, show }: Tools<Inputs>, repeats: number): Promise<void> {
  const { table } = await import('../notebook/display/show.ts')
  const contract = parakeetContract()
  const root = mkdtempSync(join(tmpdir(), 'rungbook-tdt-'))
  try {
    const steady = await cell('Decode 100,000 steps', () => measureSteady(root, contract))
    gate('steps', steady.steps, { atLeast: 100_000 })
    gate('garbage collections', steady.collections, { equals: 0 })
    gate('JavaScript heap per step', steady.heapBytesPerStep, {
      below: contract.latency.decode_heap_bytes_per_step_max,
    })
    for (const shape of ['small', 'full'] as const) {
      const times = await cell(`Decode ${frames} frames as sherpa-onnx does (${shape})`, () =>
        againstSherpa(join(root, shape), contract, { shape, repeats }),
      )
      show(table([{ shape, ...times }]))
      gate(`decode-only time of sherpa-onnx's whole decode, ${shape}`, times.ratio, { atMost: ratioMax[shape] })
    }
    const parity = await cell('Compare a recorded stream of gigabytes', () => measureParity(root))
    show(table([parity]))
    gate('parity over a recorded stream', parity.mbPerS, { above: parityMbPerSMin }, { unit: 'MB/s' })
    gate('resident memory of it', parity.rssMb, { below: parityRssMbMax }, { unit: 'MB' })
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

async function measureSteady(root: string, contract: ParakeetContract) {
  const folder = join(root, 'steady')
  writeModelFolder(folder, syntheticModel('tiny', contract, 1))
  await using model = await openModel(folder, contract)
  return await steadyCost(model, testTone(160_000), evaluations)
}

function configOf(shape: 'small' | 'full', contract: ParakeetContract): TdtConfig {
  if (shape === 'small') return { ...tinyConfig, decoder: { ...tinyConfig.decoder, layers: 1 } }
  const { tokenizer, predictor, joint, encoder } = contract
  const decoder = {
    ...tinyConfig.decoder,
    vocabSize: tokenizer.vocab_size,
    hidden: predictor.pred_hidden,
    layers: predictor.pred_rnn_layers,
    jointHidden: joint.joint_hidden,
  }
  // The encoder is not measured: one layer of the right width is enough to author a folder.
  return { decoder, encoder: { ...tinyConfig.encoder, width: encoder.d_model, heads: encoder.n_heads, layers: 1 } }
}

/** The least time of several, of each decoder, on one thread. */
async function againstSherpa(
  folder: string,
  contract: ParakeetContract,
  { shape, repeats }: { shape: 'small' | 'full'; repeats: number },
) {
  const config = configOf(shape, contract)
  const weights = seededTdtWeights(config, tinySizes, 7)
  const base = syntheticModel('tiny', contract, 1)
  const pieces = Array.from({ length: config.decoder.vocabSize }, (_, id) => `▁p${id}`)
  const sherpa = await openSherpa(writeSherpaModel(join(folder, 'sherpa'), { config, weights, pieces, seed: 7 }))
  const parts = modelPartsOf(config, { maxSymbols: 5, frameShiftMs: 10 })
  const meta = writeModelFolder(join(folder, 'ours'), { ...base, config, weights, parts, pieces })
  const heard = { outputs: await encoderRows(folder, config), from: 0, count: frames }
  await using networks = await BoundNetworks.open(readModelFolder(join(folder, 'ours')), meta)
  const greedy = new GreedyTdt(rulesOf(meta))
  const [ours, theirs]: [number[], number[]] = [[], []]
  const silence = new Float32Array(samples)
  let tokens = 0
  for (let i = 0; i < repeats + 2; i++) {
    const began = performance.now()
    tokens = sherpa.decode(silence).tokens.length
    theirs.push(performance.now() - began)
    await networks.reset()
    greedy.reset()
    const startedMs = performance.now()
    await decodeHeard(greedy, networks, heard)
    ours.push(performance.now() - startedMs)
  }
  const [oursMs, sherpaMs] = [Math.min(...ours), Math.min(...theirs)]
  return { tokens, same: tokens === greedy.tokens.length, oursMs, sherpaMs, ratio: oursMs / sherpaMs }
}

async function encoderRows(folder: string, config: TdtConfig): Promise<FloatTensor> {
  const path = join(folder, 'position.onnx')
  writeFileSync(path, encodeModel(positionEncoder(config, 7)))
  await using encoder = await openBackend(path)
  const bins = config.encoder.featIn
  const audio = float32([1, bins, 8 * frames], new Float32Array(bins * 8 * frames))
  const length = { dtype: 'int64', shape: [1], data: BigInt64Array.of(BigInt(8 * frames)) } as const
  const { outputs } = await encoder.infer({ audio_signal: audio, length })
  return float32(outputs!.shape, Float32Array.from((outputs as FloatTensor).data))
}

/** Chunks of the size that the original recorded: 25 MB of attention's cache, twice, in base64. */
async function measureParity(root: string) {
  const path = join(root, 'stream.jsonl')
  const chunks = 48
  const bytes = writeStream(path, chunks)
  const result = join(root, 'result.json')
  const { exit } = await costOfScript(join(import.meta.dirname, 'parity-child.ts'), [path, result])
  rmSync(path)
  if (exit !== 0) throw new Error(`the comparison ended with ${exit}`)
  const { ms, compared, rssBytes } = JSON.parse(readFileSync(result, 'utf8')) as Record<
    'ms' | 'compared' | 'rssBytes',
    number
  >
  return { gigabytes: bytes / 1e9, chunks, compared, mbPerS: bytes / 1e3 / ms, rssMb: rssBytes / 1e6 }
}

function writeStream(path: string, chunks: number): number {
  const tensor = (...shape: number[]) => {
    const data = new Float32Array(shape.reduce((a, b) => a * b)).map((_, i) => Math.sin(i))
    return { dtype: 'float32', shape, data_b64: Buffer.from(data.buffer).toString('base64') }
  }
  const [channels, times] = [tensor(1, 24, 256, 1024), tensor(1, 24, 1024, 4)]
  const caches = (suffix: string) => ({
    [`cache_last_channel${suffix}`]: channels,
    [`cache_last_time${suffix}`]: times,
  })
  const line = Buffer.from(
    `${JSON.stringify({
      chunk_idx: 0,
      inputs: { audio_signal: tensor(1, 128, 57), length: 57, cache_last_channel_len: [256], ...caches('') },
      outputs: {
        encoder_output: tensor(1, 1024, 3),
        encoded_lengths: [3],
        cache_last_channel_len_out: [256],
        ...caches('_out'),
      },
    })}\n`,
  )
  const file = openSync(path, 'w')
  for (let i = 0; i < chunks; i++) for (let done = 0; done < line.length;) done += writeSync(file, line, done)
  closeSync(file)
  return line.length * chunks
}
