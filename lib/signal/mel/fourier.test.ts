import assert from 'node:assert/strict'
import test from 'node:test'
import { RunbookError } from '../../base/errors.ts'
import { Fourier } from './fourier.ts'

/** The definition, number by number. */
function byDefinition(cells: Float64Array, size: number): Float64Array {
  const out = new Float64Array(2 * size)
  for (let k = 0; k < size; k++) {
    for (let n = 0; n < size; n++) {
      const angle = (-2 * Math.PI * k * n) / size
      out[2 * k]! += cells[2 * n]! * Math.cos(angle) - cells[2 * n + 1]! * Math.sin(angle)
      out[2 * k + 1]! += cells[2 * n]! * Math.sin(angle) + cells[2 * n + 1]! * Math.cos(angle)
    }
  }
  return out
}

test('Fourier agrees with the definition when the length is a product of 2 and 5', () => {
  for (const size of [2, 4, 5, 8, 10, 20, 25, 32, 100, 400, 512]) {
    const fourier = new Fourier(size)
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 2 * size; i++) fourier.cells[i] = Math.sin(i * i + round)
      const want = byDefinition(fourier.cells, size)
      const at = fourier.run()
      for (let i = 0; i < want.length; i++) {
        assert.ok(Math.abs(fourier.cells[at + i]! - want[i]!) < 1e-9, `${size}: number ${i}`)
      }
    }
  }
})

test('Fourier refuses a length with another prime factor, and lengths that are none', () => {
  for (const size of [7, 12, 402, 1, 0, -4, 2.5, Number.NaN]) {
    assert.throws(() => new Fourier(size), RunbookError, String(size))
  }
})
