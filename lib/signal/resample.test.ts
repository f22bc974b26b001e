import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { RunbookError } from '../base/errors.ts'
import { SnrSum } from './snr.ts'
import { resampler } from './resample.ts'

/** The ratio of one pair of arrays, in dB. */
function snrDb(actual: ArrayLike<number>, reference: ArrayLike<number>): number {
  const sum = new SnrSum()
  sum.push(actual, reference)
  return sum.db()
}

const pairs = [
  [44_100, 16_000],
  [48_000, 16_000],
  [8_000, 16_000],
  [11_025, 16_000],
  [96_000, 16_000],
  [16_000, 44_100],
] as const

function resampled(samples: Float32Array, fromHz: number, toHz: number, block = samples.length): Float32Array {
  const machine = resampler({ fromHz, toHz })
  const parts: Float32Array[] = []
  for (let at = 0; at < samples.length; at += block) parts.push(machine.push(samples.subarray(at, at + block)))
  parts.push(machine.flush())
  return joined(parts)
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

const sine = ({ hz, rate, seconds }: { hz: number; rate: number; seconds: number }): Float32Array =>
  Float32Array.from({ length: Math.round(seconds * rate) }, (_, i) => Math.sin((2 * Math.PI * hz * i) / rate))

const isUsage =
  (message: RegExp, hint: RegExp) =>
  (e: unknown): boolean =>
    e instanceof RunbookError && e.exit === 'usage' && message.test(e.message) && hint.test(e.hint)

/** The loudest sample away from both ends, in dB of full scale. */
const peakDb = (samples: Float32Array): number =>
  20 *
  Math.log10(
    samples.slice(samples.length / 4, (samples.length * 3) / 4).reduce((peak, x) => Math.max(peak, Math.abs(x)), 0),
  )

test('resampler() keeps the amplitude and the phase of a sine when it lies in the pass band its method states', () => {
  for (const [fromHz, toHz] of pairs) {
    const passHz = Number(/up to (\d+) Hz/.exec(resampler({ fromHz, toHz }).method)![1])
    for (const hz of [0.05 * passHz, 0.5 * passHz, passHz]) {
      const output = resampled(sine({ hz, rate: fromHz, seconds: 0.25 }), fromHz, toHz)
      const wanted = sine({ hz, rate: toHz, seconds: 0.25 })
      let worst = 0
      const middle = output.length >> 2
      for (let n = middle; n < 3 * middle; n++) worst = Math.max(worst, Math.abs(output[n]! - wanted[n]!))
      // The difference of two sines holds both errors at once: 0.1 dB of amplitude is 0.0116, and so is 0.66 degrees of
      // phase.
      assert.ok(worst < 0.0116, `${fromHz} -> ${toHz} at ${hz} Hz: off by ${worst}`)
    }
  }
})

test('resampler() rejects by 80 dB what would fold back when the rate falls', () => {
  for (const [fromHz, toHz] of pairs.filter(([from, to]) => from > to)) {
    const stopHz = Number(/from (\d+) Hz/.exec(resampler({ fromHz, toHz }).method)![1])
    for (const hz of [stopHz, stopHz * 1.1, stopHz * 1.37, fromHz / 2 - 50]) {
      const left = peakDb(resampled(sine({ hz, rate: fromHz, seconds: 0.2 }), fromHz, toHz))
      assert.ok(left < -80, `${fromHz} -> ${toHz} at ${hz} Hz leaves ${left} dB`)
    }
  }
})

test('resampler() leaves no image above 80 dB down when the rate rises', () => {
  const [fromHz, toHz, hz] = [8_000, 16_000, 3_000]
  const output = resampled(sine({ hz, rate: fromHz, seconds: 0.5 }), fromHz, toHz)
  // One bin of a Fourier transform, Hann window, at the image 8000 - 3000 Hz.
  let [re, im] = [0, 0]
  output.forEach((x, n) => {
    const window = 1 - Math.cos((2 * Math.PI * (n + 0.5)) / output.length)
    re += window * x * Math.cos((2 * Math.PI * (fromHz - hz) * n) / toHz)
    im += window * x * Math.sin((2 * Math.PI * (fromHz - hz) * n) / toHz)
  })
  assert.ok(20 * Math.log10((2 * Math.hypot(re, im)) / output.length) < -80)
})

test('resampler() falls between the two edges that its method states, not before the first', () => {
  assert.ok(peakDb(resampled(sine({ hz: 7_800, rate: 48_000, seconds: 0.2 }), 48_000, 16_000)) < -20)
  assert.ok(peakDb(resampled(sine({ hz: 7_040, rate: 48_000, seconds: 0.2 }), 48_000, 16_000)) > -0.1)
})

test('resampler() keeps a constant in every phase', () => {
  for (const [fromHz, toHz] of pairs) {
    const output = resampled(new Float32Array(fromHz / 10).fill(0.5), fromHz, toHz)
    for (const x of output.slice(output.length / 4, (output.length * 3) / 4)) assert.ok(Math.abs(x - 0.5) < 1e-6)
  }
})

test('resampler() says the very same whatever the size of the blocks', () => {
  const rate = fc.integer({ min: 1, max: 64 }).map(n => n * 1_000)
  const blocks = fc.array(fc.integer({ min: 0, max: 700 }), { minLength: 1, maxLength: 8 })
  fc.assert(
    fc.property(rate, rate, blocks, (fromHz, toHz, sizes) => {
      const samples = Float32Array.from({ length: sizes.reduce((a, b) => a + b, 0) }, (_, i) => Math.sin(i * i))
      const machine = resampler({ fromHz, toHz })
      let at = 0
      const parts = sizes.map(size => machine.push(samples.subarray(at, (at += size))))
      assert.deepEqual(joined([...parts, machine.flush()]), resampled(samples, fromHz, toHz))
    }),
    { numRuns: 40 },
  )
})

test('resampler() gives ceil(n * to / from) samples for any n', () => {
  for (const [fromHz, toHz] of [...pairs, [44_100, 48_000], [3, 2], [7, 1], [1, 7]] as const) {
    for (const n of [0, 1, 2, 3, 440, 441, 442, 1_000]) {
      const { length } = resampled(new Float32Array(n), fromHz, toHz)
      assert.equal(length, Math.ceil((n * toHz) / fromHz), `${n} from ${fromHz} to ${toHz}`)
    }
  }
})

test('resampler() does not drift over an hour: an impulse at its end comes out where it belongs, to the sample', () => {
  // 441 and 160 Hz have the 160 phases of 44100 and 16000, at a hundredth of the work.
  const machine = resampler({ fromHz: 441, toHz: 160 })
  const minute = new Float32Array(60 * 441)
  let before = 0
  for (let m = 0; m < 60; m++) before += machine.push(minute).length
  minute[0] = 1
  const tail = joined([machine.push(minute), machine.flush()])
  const peak = tail.reduce((best, x, n) => (x > tail[best]! ? n : best), 0)
  assert.equal(before + peak, 3_600 * 160)
})

test('resampler() passes samples through when the rates are equal, as a copy', () => {
  const samples = Float32Array.of(1, NaN, -3)
  const machine = resampler({ fromHz: 16_000, toHz: 16_000 })
  const output = machine.push(samples)
  assert.deepEqual(output, samples)
  assert.notEqual(output.buffer, samples.buffer)
  assert.equal(machine.flush().length, 0)
  assert.match(machine.method, /none/)
})

test('resampler() keeps a NaN within the reach of its window', () => {
  const samples = sine({ hz: 100, rate: 48_000, seconds: 0.1 })
  samples[2_400] = NaN
  const output = resampled(samples, 48_000, 16_000)
  assert.ok(Number.isNaN(output[800]))
  const spoilt = output.reduce((count, x) => count + (Number.isNaN(x) ? 1 : 0), 0)
  assert.equal(spoilt, 288 / 3)
})

test('resampler() refuses rates that are not whole, positive hertz, and pairs that would fill the memory', () => {
  for (const bad of [0, -16_000, NaN, Infinity, 44_100.5, 1e9]) {
    for (const rates of [
      { fromHz: bad, toHz: 16_000 },
      { fromHz: 16_000, toHz: bad },
    ]) {
      assert.throws(() => resampler(rates), isUsage(/whole number/, /ffprobe/))
    }
  }
  assert.throws(() => resampler({ fromHz: 191_999, toHz: 191_998 }), isUsage(/191998 phases/, /ffmpeg/))
})

test('resampler() throws when it is pushed after flush(), and flushes once', () => {
  const machine = resampler({ fromHz: 48_000, toHz: 16_000 })
  machine.push(new Float32Array(9))
  assert.equal(machine.flush().length, 3)
  assert.equal(machine.flush().length, 0)
  assert.throws(() => machine.push(new Float32Array(1)), /after flush/)
})

test('resampler() agrees with the sum that its method describes, at the edges and in the middle', () => {
  for (const [fromHz, toHz] of pairs) {
    const samples = Float32Array.from({ length: 1_500 }, (_, i) => Math.sin(i * i))
    const output = resampled(samples, fromHz, toHz)
    for (const n of [0, 1, 7, output.length >> 1, output.length - 2, output.length - 1]) {
      const wanted = plainly(samples, fromHz, toHz, n)
      assert.ok(
        Math.abs(output[n]! - wanted) < 2e-4,
        `${fromHz} -> ${toHz}, sample ${n}: ${output[n]} is not ${wanted}`,
      )
    }
  }
})

/**
 * Output sample n from the definition: windowed sinc of cutoff 0.94 and 48 zero crossings to a side, scaled to a sum of
 * one.
 */
const plainly = (samples: Float32Array, fromHz: number, toHz: number, n: number): number => {
  const scale = Math.max(1, fromHz / toHz)
  const at = (n * fromHz) / toHz
  let [weighted, weights] = [0, 0]
  for (let i = Math.ceil(at - 48 * scale); i <= at + 48 * scale; i++) {
    const x = ((at - i) * 0.94) / scale
    const inside = Math.max(0, 1 - ((at - i) / (48 * scale)) ** 2)
    const weight = (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x)) * bessel(9 * Math.sqrt(inside))
    weights += weight
    weighted += weight * (samples[i] ?? 0)
  }
  return weighted / weights
}

/** The modified Bessel function of order zero, by its integral: the mean of exp(x cos t). */
function bessel(x: number): number {
  let sum = 0
  for (let i = 0; i < 200; i++) sum += Math.exp(x * Math.cos((Math.PI * (i + 0.5)) / 200))
  return sum / 200
}

test('resampler() up and down again gives back what was in the band', () => {
  for (const [low, high] of [
    [16_000, 48_000],
    [16_000, 44_100],
    [8_000, 16_000],
  ] as const) {
    const tones = [210, 0.2 * low, 0.43 * low].map(hz => sine({ hz, rate: low, seconds: 0.25 }))
    const sound = tones[0]!.map((x, i) => 0.4 * x + 0.3 * tones[1]![i]! + 0.2 * tones[2]![i]!)
    const back = resampled(resampled(sound, low, high), high, low)
    assert.equal(back.length, sound.length)
    const middle = (samples: Float32Array): Float32Array => samples.slice(low / 16, (low * 3) / 16)
    assert.ok(snrDb(middle(back), middle(sound)) > 70, `${low} over ${high}`)
  }
})

test('resampler() gives nothing for nothing, and no block holds more than is settled', () => {
  const machine = resampler({ fromHz: 48_000, toHz: 16_000 })
  assert.equal(machine.push(new Float32Array(0)).length, 0)
  assert.equal(machine.push(new Float32Array(144)).length, 0)
  assert.equal(machine.push(new Float32Array(1)).length, 1)
  assert.equal(machine.push(new Float32Array(3)).length, 1)
  assert.equal(resampler({ fromHz: 48_000, toHz: 16_000 }).flush().length, 0)
})

test('resampler() leaves the samples that it was given alone', () => {
  const samples = sine({ hz: 440, rate: 44_100, seconds: 0.05 })
  const before = samples.slice()
  resampled(samples, 44_100, 16_000, 100)
  assert.deepEqual(samples, before)
})

test('two resamplers do not share their state', () => {
  const rates = { fromHz: 44_100, toHz: 16_000 }
  const [loud, quiet] = [resampler(rates), resampler(rates)]
  const sounds = [sine({ hz: 440, rate: 44_100, seconds: 0.1 }), new Float32Array(4_410)] as const
  const parts = [loud.push(sounds[0]), quiet.push(sounds[1]), loud.flush(), quiet.flush()] as const
  assert.ok(parts[1].every(x => x === 0) && parts[3].every(x => x === 0))
  assert.deepEqual(joined([parts[0], parts[2]]), resampled(sounds[0], 44_100, 16_000))
})
