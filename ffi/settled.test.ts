import assert from 'node:assert/strict'
import test from 'node:test'
import { koffi, type NativeFunction } from './load.ts'
import { inChild } from './testing/tensorrt/in-child.ts'
import { settled } from './settled.ts'

const libc = () => koffi().load(null)

test('settled() gives what the function gives, and rejects when koffi refuses an argument', async () => {
  const abs = libc().func('int abs(int value)') as unknown as NativeFunction<[unknown], number>
  assert.equal(await settled(abs, -7), 7)
  await assert.rejects(settled(abs, 'seven'), TypeError)
})

test('settled() keeps memory that it was given while the call runs, and no longer', () => {
  const { stdout, stderr, exitCode } = inChild(
    `
    const sleep = koffi().load(null).func('int nanosleep(const void *wanted, void *left)')
    const unheard = koffi().load(null).func('int abs(int value)')
    const turn = () => new Promise(resolve => setTimeout(resolve, 5))
    const watched = []
    const given = value => {
      watched.push(new WeakRef(value))
      return value
    }
    const ms = 400
    const asleep = settled(sleep, given(BigInt64Array.of(0n, BigInt(ms) * 1_000_000n)), given(new BigInt64Array(2)))
    const refused = settled(unheard, given(new BigInt64Array(2))).catch(() => {})
    let isOver = false
    let lost = 0
    let looks = 0
    void asleep.then(() => (isOver = true))
    await refused
    while (!isOver) {
      await turn()
      gc()
      if (isOver) break
      looks++
      if (watched.slice(0, 2).some(one => !one.deref())) lost++
    }
    for (let i = 0; i < 5; i++) {
      await turn()
      gc()
    }
    console.log(looks > 3, lost, watched.filter(one => one.deref()).length)`,
    { flags: ['--expose-gc'] },
  )
  assert.equal(exitCode, 0, stderr)
  assert.equal(stdout, 'true 0 0\n')
})
