import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import test from 'node:test'
import { openBackend } from '../../infer/open.ts'
import { dataPath, needsData, needsTool } from '../../testing/needs.ts'
import { detectSpeech, vadSampleRate } from './detect.ts'

/** A tone of half of full scale between `from` and `to` seconds, over a little noise. */
function toneBetween(seconds: number, spans: readonly (readonly [number, number])[]): Float32Array {
  let seed = 1
  const noise = () => ((seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647 - 0.5) * 0.002
  return Float32Array.from({ length: seconds * vadSampleRate }, (_, i) => {
    const t = i / vadSampleRate
    return noise() + (spans.some(([from, to]) => t >= from && t < to) ? 0.5 * Math.sin(2 * Math.PI * 200 * t) : 0)
  })
}

test('detectSpeech() by energy finds loud stretches where they are', async () => {
  const regions = await detectSpeech(
    toneBetween(6, [
      [1, 2],
      [3.5, 5],
    ]),
  )
  const seconds = regions.map(({ from, to }) => [from / vadSampleRate, to / vadSampleRate])
  assert.equal(seconds.length, 2)
  for (const [i, [from, to]] of [
    [1, 2],
    [3.5, 5],
  ].entries()) {
    assert.ok(Math.abs(seconds[i]![0]! - from!) < 0.08, `begins at ${seconds[i]![0]}`)
    assert.ok(Math.abs(seconds[i]![1]! - to!) < 0.08, `ends at ${seconds[i]![1]}`)
  }
})

test('detectSpeech() by energy finds nothing in silence, and all of a recording without a pause', async () => {
  assert.deepEqual(await detectSpeech(new Float32Array(vadSampleRate)), [])
  assert.deepEqual(await detectSpeech(new Float32Array(0)), [])
  const [all] = await detectSpeech(toneBetween(2, [[0, 2]]))
  assert.deepEqual(all, { from: 0, to: 2 * vadSampleRate })
})

const silero = 'vad/silero_vad_16k_op15.onnx'
test(
  "detectSpeech() with Silero's network hears a voice and not a tone",
  { skip: needsData(silero) || needsTool('ffmpeg') },
  async () => {
    await using model = await openBackend(dataPath(silero))
    const speak = "flite=text='The quick brown fox jumps over the lazy dog':voice=slt"
    const argv = ['-loglevel', 'error', '-f', 'lavfi', '-i', speak, '-ar', '16000', '-ac', '1', '-f', 'f32le', '-']
    const bytes = execFileSync('ffmpeg', argv, { maxBuffer: 2 ** 26 })
    const voice = new Float32Array(Uint8Array.from(bytes).buffer)
    const samples = new Float32Array(voice.length + 2 * vadSampleRate)
    samples.set(voice, vadSampleRate)
    const regions = await detectSpeech(samples, { silero: model })
    assert.ok(regions.length > 0)
    assert.ok(regions[0]!.from > 0.9 * vadSampleRate && regions.at(-1)!.to < voice.length + 1.2 * vadSampleRate)
    const heard = regions.reduce((sum, { from, to }) => sum + to - from, 0)
    assert.ok(heard > 0.7 * voice.length, `${heard} of ${voice.length} samples`)
    assert.deepEqual(await detectSpeech(toneBetween(3, [[1, 2]]), { silero: model }), [])
  },
)

test('detectSpeech() stops when it is aborted', { skip: needsData(silero) }, async () => {
  await using model = await openBackend(dataPath(silero))
  await assert.rejects(
    detectSpeech(toneBetween(1, []), { silero: model, signal: AbortSignal.abort(new Error('gone')) }),
    /gone/,
  )
})
