import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { dataPath, needsData } from '../../testing/needs.ts'
import { encodedFrames, nextChunk, streamSchedule, type Reach } from './schedule.ts'

const full: Reach = {
  attContext: [-1, -1],
  attStyle: 'regular',
  convContext: [4, 4],
  layers: 24,
  subsamplingFactor: 8,
  causalDownsampling: false,
}
const causal: Reach = {
  attContext: [8, 3],
  attStyle: 'chunked_limited',
  convContext: [8, 0],
  layers: 2,
  subsamplingFactor: 8,
  causalDownsampling: true,
}

test('streamSchedule() derives the chunks of the contract, and those of a model made to stream', () => {
  const own = streamSchedule(full, { chunkSteps: 6, shiftSteps: 3 })
  assert.deepEqual([own.chunkSize, own.shiftSize, own.cacheDrop, own.validOut], [[41, 48], [17, 24], 3, 3])
  assert.deepEqual(
    [own.preEncode, own.dropExtra],
    [
      [0, 9],
      [0, 2],
    ],
  )
  const usual = streamSchedule(full)
  assert.deepEqual([usual.chunkSize, usual.shiftSize, usual.cacheDrop, usual.validOut], [[577, 584], [1, 8], 72, 1])
  assert.deepEqual(streamSchedule(causal).chunkSize, [25, 32])
})

test('streamSchedule() refuses chunks that are empty or shorter than their shift', () => {
  for (const choice of [
    { chunkSteps: 0, shiftSteps: 0 },
    { chunkSteps: 2, shiftSteps: 3 },
    { chunkSteps: 3, shiftSteps: 0 },
    { chunkSteps: NaN, shiftSteps: 1 },
  ])
    assert.throws(() => streamSchedule(full, choice), /Cannot stream with chunks/)
})

test('nextChunk() waits for a whole chunk, takes frames before it, and lets the last be short', () => {
  const schedule = streamSchedule(causal)
  assert.equal(nextChunk(schedule, { step: 0, frame: 0 }, { available: 24, isEnded: false }), null)
  const first = nextChunk(schedule, { step: 0, frame: 0 }, { available: 25, isEnded: false })!
  assert.deepEqual([first.chunk.from, first.chunk.to, first.chunk.dropExtra, first.frame], [0, 25, 0, 25])
  const second = nextChunk(schedule, { step: 1, frame: 25 }, { available: 60, isEnded: false })!
  assert.deepEqual([second.chunk.from, second.chunk.to, second.chunk.dropExtra, second.frame], [16, 57, 2, 57])
  const last = nextChunk(schedule, { step: 2, frame: 57 }, { available: 60, isEnded: true })!
  assert.deepEqual([last.chunk.from, last.chunk.to, last.chunk.keep, last.chunk.isLast], [48, 60, Infinity, true])
  assert.equal(nextChunk(schedule, { step: 3, frame: 89 }, { available: 60, isEnded: true }), null)
})

test('nextChunk() pads with zeros where the stream is younger than the pre-encode cache is long', () => {
  const schedule = streamSchedule({ ...causal, attContext: [7, 0] })
  const second = nextChunk(schedule, { step: 1, frame: 1 }, { available: 40, isEnded: false })!
  assert.deepEqual([second.chunk.from, second.chunk.to, second.chunk.padding, second.frame], [0, 9, 8, 9])
  const third = nextChunk(schedule, { step: 2, frame: 9 }, { available: 40, isEnded: false })!
  assert.deepEqual([third.chunk.from, third.chunk.to, third.chunk.padding], [0, 17, 0])
})

test('nextChunk() takes a recording shorter than the first chunk whole', () => {
  const only = nextChunk(streamSchedule(causal), { step: 0, frame: 0 }, { available: 3, isEnded: true })!
  assert.deepEqual([only.chunk.from, only.chunk.to, only.chunk.isLast], [0, 3, true])
  assert.equal(nextChunk(streamSchedule(causal), { step: 0, frame: 0 }, { available: 0, isEnded: true }), null)
})

const golden = 'nemo/tdt-stream-s/stream.json'
test('streamSchedule() derives what NeMo derives for twelve settings', { skip: needsData(golden) }, () => {
  const { schedule_grid: grid } = JSON.parse(readFileSync(dataPath(golden), 'utf8'))
  assert.equal(grid.length, 12)
  for (const { arguments: given, result, ...reach } of grid) {
    const choice =
      given.chunk_size === undefined
        ? undefined
        : {
            chunkSteps: given.chunk_size,
            shiftSteps: given.shift_size,
            ...(given.left_chunks !== undefined && { leftChunks: given.left_chunks }),
          }
    const got = streamSchedule(
      {
        attContext: reach.att_context_size,
        attStyle: reach.att_context_style,
        convContext: reach.conv_context_size,
        layers: reach.n_layers,
        subsamplingFactor: 8,
        causalDownsampling: false,
      },
      choice,
    )
    assert.deepEqual(
      [got.chunkSize, got.shiftSize, got.cacheDrop, got.cacheSize, got.validOut, got.preEncode, got.dropExtra[1]],
      [
        result.chunk_size,
        result.shift_size,
        result.cache_drop_size,
        result.last_channel_cache_size,
        result.valid_out_len,
        result.pre_encode_cache_size,
        result.drop_extra_pre_encoded,
      ],
    )
  }
})

test('encodedFrames() halves three times, and looks back by one where it is causal', () => {
  const [front, back] = [full, causal]
  assert.deepEqual(
    [41, 57, 577, 1000, 1501].map(n => encodedFrames(front, n)),
    [6, 8, 73, 125, 188],
  )
  assert.deepEqual(
    [0, 1, 400].map(n => encodedFrames(back, n)),
    [0, 1, 51],
  )
})

test('nextChunk() ends with the chunk behind which no whole frame is left, and then gives none', () => {
  const schedule = streamSchedule(full, { chunkSteps: 6, shiftSteps: 3 })
  // 17 frames on, five are left: with the nine before them they make two encoder frames, which are dropped.
  const only = nextChunk(schedule, { step: 0, frame: 0 }, { available: 22, isEnded: true })!
  assert.deepEqual([only.chunk.isLast, only.chunk.keep, only.frame], [true, Infinity, 22])
  assert.equal(nextChunk(schedule, { step: 1, frame: only.frame }, { available: 22, isEnded: true }), null)
  const first = nextChunk(schedule, { step: 0, frame: 0 }, { available: 25, isEnded: true })!
  assert.deepEqual([first.chunk.isLast, first.frame], [false, 17])
})
