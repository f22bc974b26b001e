import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { checkContract } from '../../contract/contract.ts'
import { float32 } from '../../formats/tensors/tensor.ts'
import { NemoMel } from '../../signal/mel/nemo.ts'
import { GreedyTdt } from '../../speech/tdt/greedy.ts'
import { decodeChunk } from '../../speech/tdt/loop.ts'
import { check, row } from '../../testing/tdt/defects.ts'
import { logMelBy, nemoMel, type MelChoice } from '../../testing/tdt/original-mel.ts'
import { parakeetContract } from './contract/read.ts'
import { syntheticModel } from './export/sources.ts'
import { testTone } from './export/smoke.ts'
import { writeModelFolder } from './export/write-model.ts'
import { melOptionsOf, rulesOf } from './model/meta.ts'
import { openSide, zeroState } from './parity/side.ts'
import { openModel } from './transcribe/model.ts'

const contract = parakeetContract()
const folderOf = (t: TestContext) => {
  const folder = mkdtempSync(join(tmpdir(), 'rungbook-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
/** Tokens that a joint which never says blank puts on one frame. */
function tokensOnFrame(maxSymbols: number): number {
  const greedy = new GreedyTdt({ ...rulesOf(contract), maxSymbols })
  const logits = new Float32Array(contract.joint.joint_vocab_size)
  logits[7] = 9
  decodeChunk(greedy, { joint: () => logits, predict: () => {} }, 1)
  return greedy.tokens.length
}

test('the contract refuses what the original had in its place: defects 1, 2, 7 and 9', async t => {
  const problemsWith = async (change: (contract: Contract) => void) => {
    const folder = folderOf(t)
    const own = join(import.meta.dirname, '../../../contracts')
    const whole = JSON.parse(readFileSync(join(own, 'parakeet-tdt-0.6b-v3.contract.json'), 'utf8')) as Contract
    change(whole)
    writeFileSync(join(folder, 'parakeet-tdt-0.6b-v3.contract.json'), JSON.stringify(whole))
    writeFileSync(join(folder, 'DECISIONS.md'), readFileSync(join(own, 'DECISIONS.md')))
    return await checkContract('parakeet-tdt-0.6b-v3', { folder })
  }
  const sound = () => problemsWith(() => {})
  const isFree = (problems: readonly string[]) => problems.length === 0
  const tolerance = '/tolerances/trt/fp16_encoder_output_p95_max_abs'
  await check(
    [
      row('1: max_symbols 8', {
        ours: () => tokensOnFrame(contract.decode.max_symbols),
        original: () => tokensOnFrame(8),
        is: tokens => tokens === 10,
      }),
      row('1: its source is the constant in the code, provisional', {
        ours: sound,
        original: () =>
          problemsWith(({ sources }) => {
            sources['/decode/max_symbols'] = { kind: 'code', ref: 'cpp/src/parakeet_trt.cpp, provisional' }
          }),
        is: isFree,
      }),
      row('2: a front end whose pre-emphasis is not stated', {
        ours: sound,
        original: () =>
          problemsWith(({ sources, features }) => {
            delete sources['/features/preemphasis']
            delete features.preemphasis
          }),
        is: isFree,
      }),
      row('7: a tolerance equal to the measurement', {
        ours: sound,
        original: () =>
          problemsWith(({ sources, tolerances }) => {
            tolerances.trt.fp16_encoder_output_p95_max_abs = 1.8e-3
            sources[tolerance] = { kind: 'measured', ref: 'trt_parity_300chunks_closedloop_fp16', measured: 1.8e-3 }
          }),
        is: isFree,
      }),
      row('9: valid_out_len is 1, 2 and 3 in three documents', {
        ours: sound,
        original: () => problemsWith(({ streaming }) => void (streaming.valid_out_len = 2)),
        is: isFree,
      }),
    ],
    5,
  )
})

interface Contract {
  readonly sources: Record<string, { kind: string; ref: string; measured?: number }>
  readonly features: { preemphasis?: number }
  readonly tolerances: { readonly trt: { fp16_encoder_output_p95_max_abs: number } }
  readonly streaming: { valid_out_len: number }
}

test('NemoMel differs from each part of the front end that the original had: defect 2', async () => {
  const samples = testTone(1600).map((x, i) => x + 0.02 * Math.sin(i * i * 0.003))
  const frames = 8
  const mel = new NemoMel({ ...melOptionsOf(contract), normalize: 'none' })
  const got = mel.logMel(samples)
  const isClose = (want: Float64Array) =>
    want.every((x, i) => {
      const [bin, frame] = [Math.floor(i / frames), i % frames]
      return Math.abs(got.data[bin * got.frames + frame]! - x) <= contract.tolerances.mel_atol
    })
  const by = (change: Partial<MelChoice>) => () => logMelBy({ ...nemoMel, ...change }, samples, frames)
  const changes: readonly (readonly [string, Partial<MelChoice>])[] = [
    ['no pre-emphasis', { preemphasis: 0 }],
    ['mel by HTK', { htk: true }],
    ['no norm of the filters', { slaneyNorm: false }],
    ['guard 1e-5', { guard: 1e-5 }],
    ['a periodic window', { periodic: true }],
    ['no padding before the first frame', { firstSample: 0 }],
    ['a window at the left of the transform', { firstSample: -256 }],
  ]
  const defects = changes.map(([name, change]) =>
    row(`2: ${name}`, { ours: by({}), original: by(change), is: isClose }),
  )
  await check(defects, 7)
})

test('openModel() primes the predictor with blank alone, on the zero state: defect 3', async t => {
  const folder = folderOf(t)
  writeModelFolder(folder, syntheticModel('tiny', contract, 1))
  await using side = openSide(folder, { name: 'by hand' })
  const frame = float32(
    [1, 32],
    Float32Array.from({ length: 32 }, (_, i) => Math.sin(i)),
  )
  const first = await side.predict(side.meta.tokenizer.blank_id, zeroState(side.meta))
  const want = (await side.join(frame, first.g)).data
  const logits = async (primer: readonly number[]) => {
    await using model = await openModel(folder, contract)
    await model.networks.hear({ outputs: float32([1, 32, 1], frame.data), from: 0, count: 1 })
    if (!('sync' in model.networks.loop)) throw new Error('the seeded model has no bound loop')
    for (const token of primer) model.networks.loop.sync.predict(token)
    return Float32Array.from(model.networks.loop.sync.joint(0))
  }
  await check(
    [
      row('3: two language tokens before the first frame', {
        ours: () => logits([]),
        original: () => logits([4, 16]),
        is: got => got.every((x, i) => Math.abs(x - want[i]!) < 1e-5),
      }),
    ],
    1,
  )
})
