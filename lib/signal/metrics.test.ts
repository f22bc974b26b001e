import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { SeparationScore, siSdrDb } from './metrics.ts'
import { SnrSum } from './snr.ts'

/** The ratio of one pair of arrays, in dB. */
function snrDb(actual: ArrayLike<number>, reference: ArrayLike<number>): number {
  const sum = new SnrSum()
  sum.push(actual, reference)
  return sum.db()
}

const samples = 1_000
const signal = (f: (i: number) => number, length = samples): Float32Array =>
  Float32Array.from({ length }, (_, i) => f(i))
const sum = (a: Float32Array, b: Float32Array, [x, y, c]: readonly [number, number, number]): Float32Array =>
  a.map((_, i) => x * a[i]! + y * b[i]! + c)

// Golden numbers of a Python script of its own that knows only the formula (math.fsum, float64, inputs rounded to
// float32):
//   s1 = sin(0.05 i), s2 = 0.5 cos(0.31 i) + 0.1, i < 1000; mix = s1 + s2; e1 = 0.8 s1 + 0.1 s2; e2 = s2 + 0.05 s1 +
// 0.3
//   e, s less their means; a = <e,s> / (<s,s> + 1e-8); 10 log10(<as,as> / (<e-as,e-as> + 1e-8) + 1e-8)
const s1 = signal(i => Math.sin(0.05 * i))
const s2 = signal(i => 0.5 * Math.cos(0.31 * i) + 0.1)
const mix = sum(s1, s2, [1, 1, 0])
const e1 = sum(s1, s2, [0.8, 0.1, 0])
const e2 = sum(s1, s2, [0.05, 1, 0.3])
const golden = {
  e1s1: 24.105334536830583,
  e2s2: 19.972597546152087,
  e1s2: -24.56872108653752,
  mixS1: 6.031297480985021,
  mixS2: -6.101584431004387,
}

const near = (actual: number, wanted: number, within = 1e-6): void =>
  assert.ok(Math.abs(actual - wanted) <= within, `${actual} is not within ${within} of ${wanted}`)

function scored(parts: readonly Float32Array[], nSrc: number, block: number): ReturnType<SeparationScore['result']> {
  const score = new SeparationScore(nSrc)
  for (let at = 0; at < parts[0]!.length; at += block) {
    const [m, ...rest] = parts.map(part => part.subarray(at, at + block))
    score.push(m!, rest.slice(0, nSrc), rest.slice(nSrc))
  }
  return score.result()
}

test('siSdrDb() says what the formula says', () => {
  near(siSdrDb(e1, s1), golden.e1s1)
  near(siSdrDb(e2, s2), golden.e2s2)
  near(siSdrDb(e1, s2), golden.e1s2)
  near(siSdrDb(mix, s1), golden.mixS1)
  near(siSdrDb(Float32Array.of(1, 2, 3, -1), Float32Array.of(1, 2, 2, -2)), 10.028645338946742)
  near(siSdrDb(s1, s1), 107.01131403422917, 1e-3)
})

test('siSdrDb() knows neither the scale nor the offset nor the sign of the estimate', () => {
  near(
    siSdrDb(
      e1.map(x => 100 * x),
      s1,
    ),
    golden.e1s1,
    1e-3,
  )
  near(
    siSdrDb(
      e1.map(x => -x + 0.5),
      s1,
    ),
    golden.e1s1,
    1e-3,
  )
})

test('siSdrDb() is NaN for a silent, constant or empty target or one with a NaN, and -80 for a silent estimate', () => {
  assert.equal(siSdrDb(e1, new Float32Array(samples)), NaN)
  assert.equal(siSdrDb(e1, new Float32Array(samples).fill(0.3)), NaN)
  assert.equal(siSdrDb(new Float32Array(0), new Float32Array(0)), NaN)
  assert.equal(
    siSdrDb(
      e1,
      signal(i => (i === 500 ? NaN : i)),
    ),
    NaN,
  )
  assert.equal(
    siSdrDb(
      signal(i => (i === 500 ? NaN : i)),
      s1,
    ),
    NaN,
  )
  near(siSdrDb(new Float32Array(samples), s1), -80)
})

test('siSdrDb() and SnrSum refuse signals of different lengths', () => {
  assert.throws(() => siSdrDb(new Float32Array(3), new Float32Array(4)), /3 samples with 4/)
  assert.throws(() => snrDb([1, 2], [1]), /2 samples with 1/)
})

test('SnrSum gives 10 log10 of signal over error', () => {
  near(snrDb([1.1, 2, 3], [1, 2, 3]), 10 * Math.log10(14 / 0.01), 1e-9)
  assert.equal(snrDb([1, 2], [1, 2]), Infinity)
  assert.equal(snrDb([1, 2], [0, 0]), NaN)
  assert.equal(snrDb([NaN, 2], [1, 2]), NaN)
})

test('SeparationScore finds the estimates that were given in the wrong order', () => {
  const right = scored([mix, e1, e2, s1, s2], 2, samples)
  const swapped = scored([mix, e2, e1, s1, s2], 2, samples)
  assert.deepEqual(right.permutation, [0, 1])
  assert.deepEqual(swapped.permutation, [1, 0])
  assert.deepEqual(swapped.siSdrDb, right.siSdrDb)
  for (const [i, wanted] of [golden.e1s1, golden.e2s2].entries()) near(right.siSdrDb[i]!, wanted)
  for (const [i, wanted] of [golden.mixS1, golden.mixS2].entries()) near(right.inputSiSdrDb[i]!, wanted)
  near(right.siSdriDb, (golden.e1s1 + golden.e2s2 - golden.mixS1 - golden.mixS2) / 2)
})

test('SeparationScore finds the one good order of four', () => {
  const targets = [0.05, 0.31, 0.77, 1.9].map(w => signal(i => Math.sin(w * i)))
  const noisy = targets.map((target, t) => target.map((x, i) => x + 0.1 * Math.sin(i * i + t)))
  const all = targets.reduce((a, b) => sum(a, b, [1, 1, 0]))
  const result = scored([all, noisy[2]!, noisy[0]!, noisy[3]!, noisy[1]!, ...targets], 4, 333)
  assert.deepEqual(result.permutation, [1, 3, 0, 2])
  assert.ok(result.siSdriDb > 15)
})

test('SeparationScore with one source has one order', () => {
  const { permutation, siSdriDb } = scored([mix, e1, s1], 1, 100)
  assert.deepEqual(permutation, [0])
  near(siSdriDb, golden.e1s1 - golden.mixS1)
})

test('SeparationScore says the same whatever the size of the blocks, and what siSdrDb() says', () => {
  const [a, b] = [signal(i => Math.sin(i * 0.01) + 3, 30_000), signal(i => Math.sin(i * i), 30_000)]
  const parts = [a.map((x, i) => x + b[i]!), a.map((x, i) => x + 0.2 * b[i]!), b.map((x, i) => x - 0.1 * a[i]!), a, b]
  const whole = scored(parts, 2, 30_000)
  near(whole.siSdrDb[0]!, siSdrDb(parts[1]!, a))
  near(whole.siSdrDb[1]!, siSdrDb(parts[2]!, b))
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9_000 }), block => {
      assert.deepEqual(scored(parts, 2, block), whole)
    }),
    { numRuns: 20 },
  )
})

test('SeparationScore stays exact when the sound is long and far from zero', () => {
  const score = new SeparationScore(1)
  const offset = [mix, e1, s1].map(part => part.map(x => x + 2))
  for (let n = 0; n < 3_000; n++) score.push(offset[0]!, [offset[1]!], [offset[2]!])
  near(score.result().siSdrDb[0]!, siSdrDb(offset[1]!, offset[2]!), 1e-6)
})

test('SeparationScore says NaN for a silent target, a NaN or nothing at all, and still orders the others', () => {
  const silent = scored([mix, e2, e1, s1, new Float32Array(samples)], 2, 100)
  assert.deepEqual(silent.permutation, [1, 0])
  near(silent.siSdrDb[0]!, golden.e1s1)
  assert.equal(silent.siSdrDb[1], NaN)
  assert.equal(silent.siSdriDb, NaN)
  assert.equal(scored([mix, e1, signal(i => (i === 7 ? NaN : 1)), s1, s2], 2, 100).siSdriDb, NaN)
  assert.equal(new SeparationScore(2).result().siSdriDb, NaN)
})

test('SeparationScore refuses a wrong number of signals, and lengths that differ', () => {
  const score = new SeparationScore(2)
  assert.throws(() => score.push(mix, [e1], [s1, s2]), /1 estimates and 2 targets/)
  assert.throws(() => score.push(mix, [e1, e2], [s1, s2.subarray(1)]), /999 samples with 1000/)
  for (const n of [0, 5, 1.5, NaN]) assert.throws(() => new SeparationScore(n), /1 to 4/)
})

test('siSdrDb() falls by 20 dB when the noise grows tenfold', () => {
  const noise = signal(i => Math.sin(i * i))
  const levels = [0.001, 0.01, 0.1, 1].map(level => siSdrDb(sum(s1, noise, [1, level, 0]), s1))
  for (const [i, db] of levels.entries()) if (i > 0) near(levels[i - 1]! - db, 20, 1)
})

test('siSdrDb() keeps its epsilons: a very quiet estimate of a very quiet target scores low, as in Asteroid', () => {
  // 1e-4 of the same signal: the target's energy is 5e-6, so the 1e-8 under the noise caps the score near 27 dB.
  const quiet = s1.map(x => 1e-4 * x)
  const energy = quiet.reduce((total, x) => total + x * x, 0) - quiet.reduce((total, x) => total + x, 0) ** 2 / samples
  near(siSdrDb(quiet, quiet), 10 * Math.log10(((energy / (energy + 1e-8)) ** 2 * energy) / 1e-8), 0.01)
})

test('SeparationScore agrees with siSdrDb() and an exhaustive search for any three signals', () => {
  const value = fc.float({ min: -1, max: 1, noNaN: true })
  const three = fc.array(fc.array(value, { minLength: 24, maxLength: 24 }), { minLength: 7, maxLength: 7 })
  fc.assert(
    fc.property(three, fc.integer({ min: 1, max: 24 }), (rows, block) => {
      const parts = rows.map(row => Float32Array.from(row))
      const [estimates, targets] = [parts.slice(1, 4), parts.slice(4)]
      const table = estimates.map(estimate => targets.map(target => siSdrDb(estimate, target)))
      fc.pre(table.flat().every(db => db > -60 && db < 60))
      const means = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
      ].map(order => order.reduce((total, estimate, t) => total + table[estimate]![t]! / 3, 0))
      const { siSdrDb: best, permutation } = scored(parts, 3, block)
      near(
        best.reduce((total, db) => total + db / 3, 0),
        Math.max(...means),
      )
      for (const [t, db] of best.entries()) near(db, table[permutation[t]!]![t]!)
    }),
    { numRuns: 200 },
  )
})

test('SeparationScore scores the mixture itself as no improvement', () => {
  const { siSdriDb } = scored([mix, mix, mix, s1, s2], 2, 128)
  near(siSdriDb, 0, 1e-9)
})

test('SeparationScore may be asked on the way, and asking changes nothing', () => {
  const score = new SeparationScore(2)
  score.push(
    mix.subarray(0, 400),
    [e1.subarray(0, 400), e2.subarray(0, 400)],
    [s1.subarray(0, 400), s2.subarray(0, 400)],
  )
  near(score.result().siSdrDb[0]!, siSdrDb(e1.subarray(0, 400), s1.subarray(0, 400)))
  score.result().siSdrDb.fill(0)
  score.push(mix.subarray(400), [e1.subarray(400), e2.subarray(400)], [s1.subarray(400), s2.subarray(400)])
  assert.deepEqual(score.result(), scored([mix, e1, e2, s1, s2], 2, samples))
})

test('SeparationScore takes nothing of a push that it refuses', () => {
  const score = new SeparationScore(2)
  assert.throws(() => score.push(mix, [e1, e2], [s1, s2.subarray(1)]))
  score.push(mix, [e1, e2], [s1, s2])
  assert.deepEqual(score.result(), scored([mix, e1, e2, s1, s2], 2, samples))
})

test('SeparationScore gives a silent estimate -80 dB, so that it drags the mean down and is not hidden', () => {
  const {
    siSdrDb: [first, second],
    siSdriDb,
  } = scored([mix, e1, new Float32Array(samples), s1, s2], 2, 256)
  near(first!, golden.e1s1)
  near(second!, -80)
  assert.ok(siSdriDb < -20)
})

test('SnrSum gives over blocks what snrDb() gives over the whole, and NaN when nothing was pushed', () => {
  const reference = Float32Array.from({ length: 100 }, (_, i) => Math.sin(i))
  const estimate = reference.map((value, i) => value + (i % 7) / 100)
  const sum = new SnrSum()
  assert.ok(Number.isNaN(sum.db()))
  for (const [from, to] of [
    [0, 3],
    [3, 64],
    [64, 100],
  ] as const)
    sum.push(estimate.subarray(from, to), reference.subarray(from, to))
  assert.equal(sum.db(), snrDb(estimate, reference))
})
