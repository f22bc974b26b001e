import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { firstFailing } from './bisect.ts'

/** Bisect with answers given at once, and keep the questions. */
async function ask(n: number, passes: (i: number) => boolean) {
  const asked: number[] = []
  const found = await firstFailing(n, i => {
    asked.push(i)
    return passes(i)
  })
  return { found, asked }
}
const mostQuestions = (n: number) => (n === 0 ? 0 : Math.ceil(Math.log2(n)) + 1)

test('firstFailing() finds the boundary wherever it stands', async () => {
  const place = fc.integer({ min: 0, max: 5000 }).chain(n => fc.tuple(fc.constant(n), fc.integer({ min: 0, max: n })))
  await fc.assert(
    fc.asyncProperty(place, async ([n, first]) => {
      const { found, asked } = await ask(n, i => i < first)
      assert.equal(found, first === n ? null : first)
      assert.ok(asked.length <= mostQuestions(n), `${asked.length} questions about ${n}`)
      assert.equal(new Set(asked).size, asked.length, 'nothing is asked twice')
      assert.ok(asked.every(i => i >= 0 && i < n))
    }),
  )
})

test('firstFailing() is right for every boundary of small counts', async () => {
  for (let n = 0; n <= 17; n++) {
    for (let first = 0; first <= n; first++)
      assert.equal((await ask(n, i => i < first)).found, first === n ? null : first, `${first} of ${n}`)
  }
})

test('firstFailing() asks once when all pass, and not at all when there is nothing', async () => {
  assert.deepEqual(await ask(1000, () => true), { found: null, asked: [999] })
  assert.deepEqual(await ask(0, () => false), { found: null, asked: [] })
  assert.deepEqual(await ask(1, () => false), { found: 0, asked: [0] })
})

test('firstFailing() without monotony gives a case that fails behind one that passes, both of them asked', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 200 }), async answers => {
      const { found, asked } = await ask(answers.length, i => answers[i]!)
      if (found === null) return assert.ok(answers.at(-1) ?? true)
      assert.equal(answers[found], false)
      assert.ok(asked.includes(found))
      if (found > 0) assert.ok(answers[found - 1] && asked.includes(found - 1))
    }),
  )
})

test('firstFailing() waits for each answer before it asks again', async () => {
  let open = 0
  const found = await firstFailing(100, async i => {
    assert.equal(++open, 1)
    await Promise.resolve()
    open--
    return i < 37
  })
  assert.equal(found, 37)
})

test('firstFailing() passes on what a question throws, and refuses what is no count', async () => {
  await assert.rejects(
    firstFailing(8, i => {
      throw new Error(`asked ${i}`)
    }),
    /asked 7/,
  )
  for (const n of [-1, 1.5, Number.NaN, Infinity])
    await assert.rejects(
      firstFailing(n, () => true),
      /cannot bisect/,
    )
})
