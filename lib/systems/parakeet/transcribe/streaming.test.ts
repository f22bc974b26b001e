import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { readNpz } from '../../../formats/tensors/npz.ts'
import { nextChunk } from '../../../models/tdt/schedule.ts'
import { GreedyTdt } from '../../../speech/tdt/greedy.ts'
import { goldenModel } from '../../../testing/tdt/golden-models.ts'
import { dataPath, needsData } from '../../../testing/needs.ts'
import { parakeetContract } from '../contract/read.ts'
import { syntheticModel } from '../export/sources.ts'
import { writeModelFolder } from '../export/write-model.ts'
import { modelPartsOf, rulesOf, scheduleFor, scheduleOf } from '../model/meta.ts'
import { StreamingEncoder } from './encoders.ts'
import { openModel } from './model.ts'
import { decodeHeard } from './networks.ts'
import { TranscriptStream } from './streaming.ts'

const contract = parakeetContract()
const folderOf = (t: TestContext) => {
  const folder = mkdtempSync(join(tmpdir(), 'rungbook-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const golden = 'nemo/tdt-stream-s/stream.json'
test(
  "a stream of NeMo's features gives NeMo's tokens, times and cache lengths, step by step",
  { skip: needsData(golden) },
  async t => {
    const cases = [
      { name: 'tdt-stream-s', file: 'stream.json', data: 'steps.npz', streaming: contract.streaming },
      {
        name: 'tdt-tiny-b',
        file: 'stream-full-context.json',
        data: 'stream-full-context.npz',
        streaming: { ...contract.streaming, cache_size: 12 },
      },
    ]
    for (const { name, file, data, streaming } of cases) {
      const { config, weights } = goldenModel(name)
      const folder = folderOf(t)
      const base = syntheticModel('tiny', contract, 1)
      writeModelFolder(folder, {
        ...base,
        config,
        weights,
        parts: modelPartsOf(config, { maxSymbols: 10, frameShiftMs: 10 }),
        schedule: scheduleFor(config, streaming),
      })
      const recorded = JSON.parse(readFileSync(dataPath(`nemo/${name}/${file}`), 'utf8'))
      const steps = (recorded.steps_all_greedy ?? recorded.steps) as {
        encoded_length: number
        cache_len_out: number
        new_tokens: number[]
        new_timestamps: number[]
        time_jump: number
      }[]
      const features = (await readNpz(dataPath(`nemo/${name}/${data}`))).get('features')!.tensor()
      const [bins, frames] = features.shape.slice(-2) as [number, number]
      await using model = await openModel(folder, contract, { streaming: true })
      const encoder = new StreamingEncoder(model.encoder, model.meta, model.meta.streaming!)
      const greedy = new GreedyTdt(rulesOf(model.meta))
      let at = { step: 0, frame: 0 }
      for (const want of steps) {
        // The goldens hold the first steps of a longer clip, or all of them: the clip ends where its features end.
        const next = nextChunk(scheduleOf(model.meta.streaming!, model.meta), at, { available: frames, isEnded: true })!
        const { from, to } = next.chunk
        const part = new Float32Array(bins * (to - from))
        for (let b = 0; b < bins; b++)
          part.set((features.data as Float32Array).subarray(b * frames + from, b * frames + to), b * (to - from))
        const heard = await encoder.step({ bins, frames: to - from, data: part }, next.chunk)
        const before = greedy.tokens.length
        await decodeHeard(greedy, model.networks, heard)
        const what = `${name} step ${at.step}`
        assert.equal(heard.count, want.encoded_length, what)
        assert.equal(encoder.filled, want.cache_len_out, what)
        assert.deepEqual(greedy.tokens.toArray().slice(before), want.new_tokens, what)
        assert.deepEqual(greedy.timestamps.toArray().slice(before), want.new_timestamps, what)
        assert.equal(greedy.timeJump, want.time_jump, what)
        at = { step: at.step + 1, frame: next.frame }
      }
      if (recorded.same_tokens_as_offline === true) {
        const { tokens, timestamps, durations } = recorded.offline_greedy
        const got = [greedy.tokens, greedy.timestamps, greedy.durations].map(list => list.toArray())
        assert.deepEqual(got, [tokens, timestamps, durations])
      }
    }
  },
)

test('TranscriptStream refuses a folder that states no schedule, and drops nothing of the first chunk', async t => {
  const folder = folderOf(t)
  const meta = writeModelFolder(folder, syntheticModel('tiny', contract, 1))
  await using model = await openModel(folder, contract, { streaming: true })
  const silent = { ...model, meta: { ...meta, streaming: null } }
  await assert.rejects(TranscriptStream.begin(silent, contract), /states no schedule/)
  const stream = await TranscriptStream.begin(model, contract)
  const [first] = await stream.push(new Float32Array(16000).map((_, i) => Math.sin(i * 0.1)))
  // With two frames dropped from its front, the first chunk of 41 would give four and keep one of them.
  assert.deepEqual([first!.chunk.dropExtra, first!.frames], [0, 3])
})
