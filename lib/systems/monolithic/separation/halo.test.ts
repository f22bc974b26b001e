import assert from 'node:assert/strict'
import test from 'node:test'
import { float32 } from '../../../formats/tensors/tensor.ts'
import { openOrtNode } from '../../../infer/ort/node-package.ts'
import { haloFrames, type ConvTasNetOptions } from '../../../models/convtasnet/options.ts'
import { fakeBackend, layout, tinyModel, tinyOptions } from '../../../testing/infer/fixtures.ts'
import { measureHalo } from './halo.ts'
import { separationModel } from './model.ts'

async function measured(o: Partial<ConvTasNetOptions>): Promise<number> {
  await using backend = await openOrtNode(tinyModel(o))
  return await measureHalo(backend, separationModel(backend, { layout }))
}

test('measureHalo() measures what the blocks of a network reach, never more, and hardly less', async () => {
  for (const more of [
    {},
    { encoderMode: 'framed' },
    { nBlocks: 3, nRepeats: 2 },
    { truncateKBlocks: 1 },
    { convKernelSize: 5 },
  ] as const) {
    const inputLen = 800
    const [found, reach] = [await measured({ ...more, inputLen }), haloFrames(tinyOptions({ ...more, inputLen }))]
    assert.ok(found <= reach, `${JSON.stringify(more)}: ${found} of ${reach}`)
    // The farthest taps of a deep stack weigh so little that they cannot be heard.
    assert.ok(found >= reach / 2, `${JSON.stringify(more)}: ${found} of ${reach}`)
  }
})

const sound = [{ name: 'x', dtype: 'float32' as const, shape: [1, 512] }]
const ask = (answer: (x: Float32Array) => Float32Array) => {
  const backend = fakeBackend(sound, [{ name: 'y', dtype: 'float32', shape: [1, 512] }], feeds => ({
    y: float32([1, 512], answer(feeds.x!.data as Float32Array)),
  }))
  return measureHalo(backend, separationModel(backend, { layout: { kernel: 16, stride: 8 } }))
}

test('measureHalo() is nothing for a model that looks at one sample at a time', async () => {
  assert.equal(await ask(x => x.map(value => 2 * value)), 0)
})

test('measureHalo() counts frames that the farthest sample of either side reaches, rounded up', async () => {
  assert.equal(await ask(x => x.map((value, i) => value + (x[i - 17] ?? 0))), 3)
  assert.equal(await ask(x => x.map((value, i) => value + (x[i + 16] ?? 0))), 2)
})

test('measureHalo() refuses a model whose every value depends on the whole window', async () => {
  await assert.rejects(
    ask(x => {
      const mean = x.reduce((sum, value) => sum + value, 0) / x.length
      return x.map(value => value - mean)
    }),
    { exit: 'usage', message: /depends on the whole window/, hint: /--halo-frames N/ },
  )
})

test('measureHalo() takes no single samples that agree by chance for a stretch without edges', async () => {
  const shape = [1, 1, 16_384]
  const info = (name: string) => ({ name, dtype: 'float32' as const, shape })
  let state = 17
  // Every answer is noise of its own, so quiet beside one loud sample that here and there two answers agree.
  const global = fakeBackend([info('x')], [info('y')], () => {
    const data = Float32Array.from({ length: 16_384 }, (_, i) => {
      state = (state * 48271) % 0x7fffffff
      return i === 0 ? 1 : 0.01 * (state / 0x7fffffff - 0.5)
    })
    return { y: float32(shape, data) }
  })
  const refusal = { exit: 'usage', message: /depends on the whole window/ }
  await assert.rejects(measureHalo(global, separationModel(global)), refusal)
})
