import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { encodeNpy } from '../../../formats/tensors/npy.ts'
import { bytesFromTensor } from '../../../formats/tensors/tensor-bytes.ts'
import { float32, type FloatTensor } from '../../../formats/tensors/tensor.ts'
import { parakeetContract } from '../contract/read.ts'
import { syntheticModel } from '../export/sources.ts'
import { writeModelFolder } from '../export/write-model.ts'
import { climbStream, recordTo } from './ladder.ts'
import { readStreamJsonl } from './jsonl.ts'
import { readPolygraphy } from './polygraphy.ts'
import type { ParityCase } from './cases.ts'
import { openSide } from './side.ts'

const folderOf = (t: TestContext) => {
  const folder = mkdtempSync(join(tmpdir(), 'rungbook-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
const encoded = (tensor: FloatTensor) => ({
  dtype: 'float32',
  shape: tensor.shape,
  data_b64: Buffer.from(bytesFromTensor(tensor)).toString('base64'),
})
const whole = (value: number) => ({
  dtype: 'int64',
  shape: [1],
  data_b64: Buffer.from(BigInt64Array.of(BigInt(value)).buffer).toString('base64'),
})
/** A chunk as the original's reference writer puts it down. */
const recordOf = (c: ParityCase) => ({
  chunk_idx: c.facts.chunk,
  inputs: {
    audio_signal: encoded(c.tensor('audio_signal')),
    length: whole(Number(c.facts.length)),
    cache_last_channel: encoded(c.tensor('cache_last_channel')),
    cache_last_time: encoded(c.tensor('cache_last_time')),
    cache_last_channel_len: whole(Number(c.facts.filled)),
  },
  outputs: {
    encoder_output: encoded(c.tensor('outputs')),
    encoded_lengths: whole(Number(c.facts.encoded)),
    cache_last_channel_out: encoded(c.tensor('cache_last_channel_out')),
    cache_last_time_out: encoded(c.tensor('cache_last_time_out')),
    cache_last_channel_len_out: [Number(c.facts.filled_out)],
  },
  metadata: { schedule: { drop_extra_pre_encoded: c.facts.drop }, timing_ms: { step: 1.5 } },
})

test("readStreamJsonl() gives the original's chunks, on which a sound model passes and a broken one fails", async t => {
  const contract = parakeetContract()
  const folder = folderOf(t)
  const meta = writeModelFolder(folder, syntheticModel('tiny', contract, 1))
  await using side = openSide(folder, { name: 'side' })
  const recorded = await recordTo(join(folder, 'r.ndjson'), side, contract)
  const records = []
  for await (const c of recorded.cases('stream')) if (c.name.startsWith('tones-3s/')) records.push(recordOf(c))
  assert.ok(records.length > 5)
  // The last chunk of a recording keeps all of its frames; a recorded stream has no such end.
  const stream = records.slice(0, -1)
  const path = join(folder, 's.jsonl')
  writeFileSync(path, `${stream.map(record => JSON.stringify(record)).join('\n')}\n`)
  const source = readStreamJsonl(path, meta.streaming!.valid_out_len)
  const good = await climbStream(side, source, contract)
  assert.deepEqual(
    good.map(({ status, metrics }) => [status, metrics.chunks]),
    [
      ['pass', stream.length],
      ['pass', stream.length],
    ],
  )
  const broken = {
    ...side,
    stream: async (feeds: Parameters<typeof side.stream>[0]) => side.stream({ ...feeds, drop: 1 }),
  }
  assert.deepEqual(
    (await climbStream(broken, source, contract)).map(({ status }) => status),
    ['fail', 'fail'],
  )
  const whole = `${stream.map(record => JSON.stringify(record)).join('\n')}`
  for (const length of [whole.length - 5, Math.floor(whole.length / 2), 300]) {
    writeFileSync(path, whole.slice(0, length))
    await assert.rejects(climbStream(side, readStreamJsonl(path, 3), contract), /Cannot read ".*s\.jsonl": line \d+/)
  }
})

test('readStreamJsonl() reads lists and .npy files, and refuses a tensor that is not what it says', async t => {
  const folder = folderOf(t)
  writeFileSync(join(folder, 'a.npy'), encodeNpy(float32([1, 1, 2], [5, 6])))
  const record = {
    chunk_idx: 0,
    inputs: { audio_signal: { npy_path: 'a.npy' }, length: 2, cache_last_channel_len: [0] },
    outputs: {
      encoder_output: { dtype: 'float32', shape: [3], data_b64: 'AAAA' },
      encoded_lengths: [1],
      cache_last_channel_len_out: [1],
    },
  }
  const path = join(folder, 's.jsonl')
  writeFileSync(path, `\n${JSON.stringify(record, null, 0)}`)
  const [only] = [...(readStreamJsonl(path, 3).cases('stream') as Iterable<ParityCase>)]
  assert.deepEqual(only!.tensor('audio_signal'), float32([1, 1, 2], [5, 6]))
  assert.deepEqual([only!.facts.length, only!.facts.valid, only!.facts.drop], [2, 1, null])
  assert.throws(() => only!.tensor('outputs'), /3 bytes as float32\[3\]/)
  assert.throws(() => only!.tensor('cache_last_time'), /"cache_last_time" is no tensor/)
})

test('readPolygraphy() finds the arrays of each runner, and refuses a file without any', t => {
  const folder = folderOf(t)
  const array = encodeNpy(float32([2], [1, 2]))
  const values = { array: Buffer.from(array).toString('base64'), polygraphy_class: 'ndarray' }
  const results = { lst: [['onnxrt-runner-N0', [{ outputs: { logits: { values } }, runtime: 0.1 }]]] }
  const path = join(folder, 'out.json')
  writeFileSync(path, JSON.stringify(results))
  assert.deepEqual([...readPolygraphy(path)], [['onnxrt-runner-N0/logits', float32([2], [1, 2])]])
  writeFileSync(path, '{}')
  assert.throws(() => readPolygraphy(path), /it holds no arrays/)
})
